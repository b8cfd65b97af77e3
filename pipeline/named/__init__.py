"""What a YAML file names: files, and the user's own functions. Opened, digested, imported; nothing more."""
