"""Keys that are spelled out of parts: ``latency.cpu.p95`` is one of 44 that differ in provider and percentile.

Each of them is a field of its own, so that editors complete it and faults point at it; people are told of all of
them as one, ``latency.PROVIDER.PERCENTILE``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product

from .nearest import MAX_LENGTH, edits, nearest

MAX_OFFERED = 4  # suggestions for one misspelled key


@dataclass(frozen=True)
class Family:
    """Stands in ``Annotated`` of every member.

    Args:
        head: the first part of the key: ``latency``.
        parts: what stands behind it by name, such as ``PROVIDER``, and what each may be.
        meaning: the prose for all of them together.
    """

    head: str
    parts: tuple[tuple[str, tuple[str, ...]], ...]
    meaning: str

    @property
    def pattern(self) -> str:
        """
        >>> Family("step", (("PROVIDER", ("cpu",)), ("PERCENTILE", ("p50",))), "").pattern
        'step.PROVIDER.PERCENTILE'
        """
        return ".".join([self.head, *(name for name, _ in self.parts)])

    @property
    def words(self) -> str:
        """
        >>> Family("step", (("PROVIDER", ("cpu", "cuda")), ("PERCENTILE", ("p50",))), "").words
        'PROVIDER: cpu, cuda; PERCENTILE: p50'
        """
        return "; ".join(f"{name}: {', '.join(choices)}" for name, choices in self.parts)

    def members(self) -> Iterator[tuple[str, ...]]:
        """The parts of every key, without the head."""
        return product(*(choices for _, choices in self.parts))

    def near(self, name: str) -> list[str]:
        """The members that a misspelled key may have meant: each part is looked up on its own.

        >>> family = Family("step", (("PROVIDER", ("cpu", "cuda")), ("PERCENTILE", ("p50", "p95"))), "")
        >>> family.near("step.gpu.p95"), family.near("step.cpu"), family.near("size")
        (['step.cuda.p95'], ['step.cpu.p50', 'step.cpu.p95'], [])
        """
        head, *rest = name.split(".", len(self.parts))
        if not rest or edits(head.lower(), self.head) > 1:
            return []
        found = [self._part(rest[at] if at < len(rest) else "", choices) for at, (_, choices) in enumerate(self.parts)]
        return [".".join([self.head, *parts]) for parts in islice(product(*found), MAX_OFFERED)]

    @staticmethod
    def _part(written: str, choices: Sequence[str]) -> list[str]:
        if written in choices:
            return [written]
        return nearest(written, choices) if written else list(choices)


def nearest_key(name: str, known: Mapping[str, Family | None]) -> list[str]:
    """The known keys closest to ``name``: what a family takes it for, and what one slip of a finger makes of it.

    Args:
        name: the key as written.
        known: every key of the section, with the family it is of.
    """
    families = dict.fromkeys(family for family in known.values() if family is not None)
    if not families or len(name) > MAX_LENGTH:
        return nearest(name, known)
    slips = [key for key in known if abs(len(key) - len(name)) <= 1 and edits(name.lower(), key) <= 1]
    found = [*(key for family in families for key in family.near(name)), *slips]
    return list(dict.fromkeys(found)) or nearest(name, [key for key, family in known.items() if family is None])
