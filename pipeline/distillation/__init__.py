"""What a student learns from: one loss a file."""
