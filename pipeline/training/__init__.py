"""The one training loop, and networks as files."""
