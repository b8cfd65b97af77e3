"""What ``compress quantize`` is asked for and what it answers."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...exporters.bundle.manifest import LeakProbe
from ...exporters.parity import Gap
from ...exporters.quantize.contract import LeftInFloat


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Args:
        tolerance: share of the largest output that one may move; ``None`` for that of the recipe.
        labels: share of labels that may change on real sequences, one at least.
        samples: timed runs of each file; 0 to leave latency out.
    """

    model: Path
    recipe: str
    out: Path
    calibration: Path | None = None
    layout: str = ""
    tolerance: float | None = None
    labels: float = 0.02
    samples: int = 100
    seed: int = 0


@dataclass(frozen=True)
class Speed:
    """Time of the new file over that of the given one, taking turns; ``reason`` where it was not measured."""

    ratio: float | None
    low: float | None
    high: float | None
    given_us: float | None
    made_us: float | None
    frames: int
    reason: str = ""


@dataclass(frozen=True)
class Result:
    """What came of it. ``reference`` is the float ONNX file that every difference and ratio refers to."""

    recipe: str
    reference: str
    reference_sha256: str
    bytes_before: int
    bytes_after: int
    share_below_float32: float
    int8_share: float
    left_in_float: tuple[LeftInFloat, ...]
    notes: tuple[str, ...]
    fed: str
    compared_on: str
    worst: float
    largest_output: float
    agreement: float | None
    gaps: tuple[Gap, ...]
    leaks: tuple[LeakProbe, ...]
    speed: Speed
    folder: str
    files: tuple[str, ...] = ()
    digest: str = ""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        plain = asdict(replace(self, leaks=(), gaps=()))
        gaps = [asdict(gap) | {"passed": gap.passed} for gap in self.gaps]
        return plain | {"gaps": gaps, "leaks": [leak.model_dump() for leak in self.leaks]}
