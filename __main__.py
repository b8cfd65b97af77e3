"""``python -m seqpress`` is the same program as ``compress``."""

from .pipeline.cli.app import main

if __name__ == "__main__":
    main()
