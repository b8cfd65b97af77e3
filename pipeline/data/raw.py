"""What every source returns: what it knows of its sequences, before any check. Their frames went into the sink."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import Fault

Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.float32]
Integers: TypeAlias = NDArray[np.int64]
Finding: TypeAlias = dict[str, str]  # severity ("info" or "warning"), subject, text

SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
UNLABELLED = ("next", "same", "horizon", "tag")  # tasks that need no label of the whole item
EXAMPLES = 3  # shown of each kind of fault; the rest is counted


@dataclass(frozen=True, eq=False)
class Raw:
    """What one source says of its sequences, unchecked.

    Args:
        name: how messages call the source: ``speech.npz``.
        kind: how the report calls it: ``npz speech.npz``.
        count: items.
        labels: one each, text or integers; an array or a list. None where there are none.
        groups: one each, the items that must stay on one side of a split (a speaker, a patient).
        split: one each, ``train``, ``validation`` or ``test``.
        features: channel names.
        label_names: class names: integers in ``labels`` index them, text must be one of them.
        parts: (file name, index of its first item) where the items come from several files.
        ids: what the source calls each item.
        times: float64 (items, 2), time of the first and the last frame, in seconds or whatever the source counts.
        units: channel -> unit.
        vocabulary: text of each token.
        learned: whether the vocabulary stands, or is to be made of what training has.
        device: what a device has to do to its input that the source did, by name.
        typed: whether the source chose the number type; text formats do not.
        findings: what the reader noticed and a reader of the report must know.
    """

    name: str
    kind: str
    count: int
    labels: Array | list[Any] | None
    groups: list[str] | None = None
    split: list[str] | None = None
    features: tuple[str, ...] | None = None
    label_names: tuple[str, ...] | None = None
    parts: tuple[tuple[str, int], ...] = ()
    ids: tuple[str, ...] | None = None
    times: Array | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    vocabulary: tuple[str, ...] = ()
    learned: bool = True
    device: Mapping[str, Any] = field(default_factory=dict)
    typed: bool = True
    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        return self.count

    def item(self, index: int) -> str:
        """How messages call one item: ``item 4``, ``item 4 of X_TEST.ts`` or ``item 4 ('ann')``."""
        if self.ids is not None:
            return f"item {index} ({quoted([self.ids[index]])})"
        owner = max((part for part in self.parts if part[1] <= index), key=lambda part: part[1], default=None)
        return f"item {index}" if owner is None else f"item {index - owner[1]} of {owner[0]}"

    def column(self, index: int) -> str:
        named = self.features is not None and index < len(self.features)
        return f"column {index}" + (f" ({quoted([self.features[index]])})" if named and self.features else "")


@dataclass
class Found:
    """What the checks found so far: faults stop the run, findings go into the report."""

    faults: list[Fault] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def fault(
        self, code: str, where: str, rule: str, got: str = "", examples: Sequence[str] = (), hint: str = ""
    ) -> None:
        self.faults.append(Fault(f"data.{code}", where, rule, got, "\n".join(filter(None, [*examples, hint]))))

    def finding(self, severity: str, subject: str, text: str) -> None:
        self.findings.append({"severity": severity, "subject": subject, "text": text})


def counted(number: int, noun: str) -> str:
    """
    >>> counted(1, "item"), counted(2000, "item"), counted(2, "class")
    ('1 item', '2,000 items', '2 classes')
    """
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,} {noun if number == 1 else plural}"


def first(lines: Sequence[str], total: int | None = None) -> list[str]:
    """The first examples and how many more there are, of ``total`` where the lines are not all."""
    more = (len(lines) if total is None else total) - EXAMPLES
    return [*lines[:EXAMPLES], *([f"… and {more:,} more"] if more > 0 else [])]


def quoted(names: Sequence[str]) -> str:
    """Names that a user wrote, in one line: quoted, because they may hold anything, and shortened.

    >>> quoted(["a\\n", "b"])
    "'a\\\\n', 'b'"
    """
    return listed([repr(name)[:60] for name in names])


def listed(names: Sequence[str], limit: int = 8) -> str:
    """Names in one line, shortened.

    >>> listed(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more:,} more" if more > 0 else "")
