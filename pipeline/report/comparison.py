"""Two artifacts side by side, as every renderer reads them, and the published JSON of ``compress compare``."""

from typing import Final, Literal

from pydantic import Field

from .part import Estimate, Part

COMPARISON_SCHEMA_VERSION: Final = 1

# "differs": neither better nor worse for it; only rows that do not count can be that
Verdict = Literal["better", "same", "worse", "inconclusive", "not measured", "differs"]


class Side(Part):
    """One of the two artifacts."""

    name: str  # "tcn-16/auto", or the file's name
    source: str  # as it was given: a path or URL
    sha256: str  # of its whole-sequence graph
    bundle_digest: str = ""
    seqpress_version: str = ""  # that made it; empty where the file does not say


class Row(Part):
    """One metric of both.

    Timings and memory carry ``change`` as a ratio new / old, quality as a difference new - old on the same items;
    what is counted exactly has no interval. ``better`` is of quality alone: of all else less is better.
    """

    metric: str  # "size", "step_size", "parameters", "operators", "int8.share", "latency.cpu", "step.cpu",
    #              "memory.peak", "quality.accuracy" or another metric, "outputs"
    what: str = ""  # the point of measuring: "batch 1, 15 frames"
    unit: Literal["bytes", "count", "share", "us", "points", "difference", "value"]  # value: in the metric's own
    better: Literal["higher", "lower"] = "higher"
    old: float | None
    new: float | None
    kind: Literal["ratio", "difference", "none"] = "none"
    change: Estimate | None = None
    tolerance: float | None = None  # that the verdict was given under: 0.05 is 5 % of old (ratio, value) or 5 points
    p_worse: float | None = None  # one-sided, that the change is no worse than its tolerance; corrected for looks
    verdict: Verdict
    detail: str = ""  # "McNemar p 0.52, 370 items", "operators added: Clip 2"
    counts: bool = True  # whether the verdict of the whole comparison rests on it too


class Comparison(Part):
    """New against old. ``subject`` is the new one's name."""

    subject: str
    old: Side
    new: Side
    rows: tuple[Row, ...]
    control: Estimate | None = None  # the old one against its own copy, in the same processes
    control_ok: bool = True  # False: the machine was too noisy for any timing verdict
    reason: str = ""  # why there are no rows, or none of a kind
    verdict: Verdict  # worse if a row that counts is worse; then inconclusive; then better; then same
    sentence: str


class ComparisonReport(Part):
    """What ``compress compare --json`` prints."""

    schema_version: Literal[1] = COMPARISON_SCHEMA_VERSION
    seqpress_version: str
    old: str
    new: str
    verdict: Verdict
    sentence: str
    exit_code: int
    comparisons: tuple[Comparison, ...]
    unpaired: tuple[str, ...] = ()  # artifacts that only one side has
    machine: dict[str, str] = Field(default_factory=dict)
    noise: dict[str, str] = Field(default_factory=dict)
