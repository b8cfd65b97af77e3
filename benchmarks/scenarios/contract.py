"""The names of the scenarios, and why one has no numbers. Light: the process of a cold start imports it first."""

from typing import Final

NAMES: Final = ("step", "cold-start", "memory", "throughput", "paced", "energy")
DEFAULT: Final = ("step", "cold-start", "memory")


class Missing(ValueError):
    """A scenario that cannot be measured; the text is the reason."""
