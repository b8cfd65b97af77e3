"""The folder that is shipped: written, described, replayed and verified. No torch."""
