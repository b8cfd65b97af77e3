"""Files that somebody else made: looked at before any library reads them, and run in a child with limits."""
