"""What the user runs: configuration, data, training, stages, the engine below them, and the report."""
