"""What ``compress bench`` found out about one ONNX file: the published JSON, and what its card is made of."""

from typing import Final, Literal

from .model import ProviderFacts
from .part import Part
from .timing import Latency, Scenarios

BENCH_SCHEMA_VERSION: Final = 1

Outcome = Literal["measured", "fell back", "not available", "failed"]


class BenchProvider(Part):
    """One execution provider that was asked for."""

    facts: ProviderFacts
    outcome: Outcome  # "fell back" has numbers where --fallback warn asked for them
    latency: Latency | None  # the single stream: calls back to back at every point of the grid
    latency_reason: str = ""  # why latency is None
    scenarios: Scenarios


class BenchReport(Part):
    """What ``compress bench --json`` prints."""

    schema_version: Literal[1] = BENCH_SCHEMA_VERSION
    seqpress_version: str
    file: str  # as it was given
    sha256: str
    size_bytes: int
    step_size_bytes: int | None  # of the step graph beside it; None where there is none
    parameters: int
    weight_bytes: int
    int8_share: float  # of weight bytes, 0 to 1
    operators: dict[str, int]
    fed: str  # which input takes what
    inputs: str  # where the sequences come from
    real_inputs: bool  # False: random ones, so a network's saturation and sparsity may differ from real use
    asked: tuple[str, ...]  # scenarios
    fallback: Literal["error", "warn"]  # what nodes on another provider than asked for are
    providers: tuple[BenchProvider, ...]
    notes: tuple[str, ...]
    settings: dict[str, str]  # how it was measured
    noise: dict[str, str]  # what disturbed it
    machine: dict[str, str]
    exit_code: int
