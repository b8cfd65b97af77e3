"""Models that seqpress did not train: ``compress quantize`` and ``compress export``."""
