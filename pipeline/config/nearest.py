"""The known name somebody probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches

ALSO_CALLED = {"gpu": "cuda", "lr": "learning_rate"}  # what other tools say
MAX_LENGTH = 64  # no name of ours is longer; bounds the work on hostile input


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The known names closest to ``name``, best first; more than one where nothing decides between them.

    One slip of a finger (a letter missing, added, changed, or two swapped) always finds its name, however short.

    >>> nearest("chanels", ["kernel", "channels", "levels"])
    ['channels']
    >>> nearest("zzz", ["kernel"])
    []
    """
    candidates = [other for other in dict.fromkeys(known) if other]
    if not name or len(name) > MAX_LENGTH:
        return []
    plain = _plain(name)
    if ALSO_CALLED.get(plain) in candidates:
        return [ALSO_CALLED[plain]]
    distances = {other: edits(plain, _plain(other)) for other in candidates}
    best = min(distances.values(), default=MAX_LENGTH)
    if best <= max(1, len(plain) // 4):
        return [other for other in candidates if distances[other] == best]
    parts = [other for other in candidates if plain.startswith(_plain(other)) or _plain(other).startswith(plain)]
    if len(parts) == 1 and len(plain) > 2:
        return parts
    return get_close_matches(name, candidates, n=1, cutoff=0.75)


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")


def edits(first: str, second: str) -> int:
    """Letters to insert, delete, change or swap with their neighbour until the two are equal.

    >>> edits("sede", "seed"), edits("by", "b")
    (1, 1)
    """
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        before, last, row = row, before, [i] + [0] * len(second)
        for j, b in enumerate(second, start=1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == second[j - 2] and first[i - 2] == b:
                row[j] = min(row[j], last[j - 2] + 1)
    return row[-1]
