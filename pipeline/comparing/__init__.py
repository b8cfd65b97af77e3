"""Two artifacts, or two releases of several: found, fetched, paired, measured against each other."""
