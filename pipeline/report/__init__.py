"""One Report model, one renderer a file."""
