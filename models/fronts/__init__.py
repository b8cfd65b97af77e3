"""What stands in front of an encoder: from raw inputs to feature frames, one kind a file."""
