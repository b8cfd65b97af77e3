"""The command line: one command a file, thin. ``app`` registers them and turns exceptions into exit codes.

Nothing here imports torch, pandas or scikit-learn, and a command imports what it needs in its own body: ``--help``
must answer at once.
"""
