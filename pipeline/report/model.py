"""The one Report that every renderer reads, and its published JSON Schema.

A renderer is a pure function ``Report -> str``. Numbers carry their unit in the field name; a value that was not
measured is ``None`` beside the reason, never a zero. Raise ``SCHEMA_VERSION`` whenever a field changes its meaning.
"""

from typing import Final, Literal

from pydantic import Field

from .comparison import Comparison as Comparison
from .part import Estimate as Estimate, Part as Part, Score as Score
from .timing import (
    ColdStart as ColdStart,
    Energy as Energy,
    Latency as Latency,
    LatencyCell as LatencyCell,
    Memory as Memory,
    Paced as Paced,
    Percentile as Percentile,
    Scenarios as Scenarios,
    Throughput as Throughput,
)

SCHEMA_VERSION: Final = 1


class Paired(Part):
    """Quality of one variant minus another's on the same test items; which sign is worse depends on the metric."""

    against: str  # "teacher", "control", "float32"
    difference: Score  # in the metric's own unit: of accuracy, 0.01 is one point
    agreement: float | None = None  # share of equal labels; of other answers how alike they are, at most 1
    only_this_right: int | None = None  # this and the next two: where each item has one label
    only_other_right: int | None = None
    p_value: float | None = None  # exact McNemar
    logit_error: float | None = None  # largest difference of an output; only where both are forms of one network


class Quality(Part):
    metric: str  # "accuracy", "mse": the task's own
    better: Literal["higher", "lower"] = "higher"
    unit: str = "share"  # "share": from 0 to 1; else what stands behind the number: "nats", ""
    split: str  # "test"
    estimate: Score | None  # of the metric; None: not measured, see reason
    reason: str = ""
    blocks: int | None = None  # of test items, that the interval is drawn from; None: the items themselves
    others: dict[str, float | None] = Field(default_factory=dict)  # further metrics; None: the split cannot tell
    by_class: dict[str, float] = Field(default_factory=dict)  # recall
    confusion: tuple[tuple[int, ...], ...] | None = None  # items of each true class by what was said
    curve: tuple[float | None, ...] | None = None  # the metric at each step ahead
    threshold: float | None = None  # a score above it is an anomaly
    paired: tuple[Paired, ...] = ()


class Tensor(Part):
    name: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int
    note: str = ""  # why it stayed float, where that needs a reason


class Footprint(Part):
    size_bytes: int  # of the file
    parameters: int
    weight_bytes: int
    int8_share: float  # of weight bytes, 0 to 1
    smaller_than_teacher: float | None  # ratio teacher bytes / these bytes
    operators: dict[str, int]
    tensors: tuple[Tensor, ...]  # largest first


class Gap(Part):
    """Largest absolute difference between two ways of computing the same outputs."""

    name: str  # "torch vs onnxruntime"
    case: str  # "real sequences", "length 1, batch 3"
    worst: float | None  # None: not comparable (a NaN on one side, say); `because` tells
    allowed: float
    because: str
    passed: bool


class Leak(Part):
    """Does an output move when only its surroundings change? Probed on the artifact."""

    probe: Literal["batch neighbours", "padding", "later frames"]
    worst: float | None  # None: could not be probed; `note` tells
    leaks: bool
    note: str


class DriftPoint(Part):
    """How far the streamed answer was from the whole one after so many frames, fed one at a time."""

    frames: int
    worst: float | None  # largest difference of a logit; None: an output was no number


class Parity(Part):
    gaps: tuple[Gap, ...]
    leaks: tuple[Leak, ...]
    drift: tuple[DriftPoint, ...] = ()  # empty where nothing streams


class LeftInFloat(Part):
    """A float32 tensor over 1 kB that a recipe left as it was."""

    name: str
    size_bytes: int
    reason: str


class Variant(Part):
    """A network in one number format: one ONNX file for whole sequences, and one for streams where it is causal."""

    id: str  # "teacher/float32", "tcn-16/dynamic-int8", "tcn-16/auto"
    model: str  # "teacher" or the student's name
    recipe: str  # "float32" or the quantization recipe that was applied, never "auto"
    by: str = ""  # "auto" where that chose the recipe
    architecture: str  # "tcn: 3 levels × 16, kernel 3"
    file: str  # path inside the run folder
    sha256: str
    step_file: str = ""  # the streaming graph beside it; empty where nothing streams
    step_sha256: str = ""
    step_size_bytes: int | None = None
    bundle_digest: str = ""  # of the folder that holds both; empty where there is none
    footprint: Footprint
    quality: Quality
    latency: Latency | None
    parity: Parity | None
    share_below_float32: float | None = None  # of weight bytes, 0 to 1; None for float32 files
    left_in_float: tuple[LeftInFloat, ...] = ()  # largest first
    ships: bool = False  # budgets and the student's headline are about this one
    latency_reason: str = ""  # why latency is None
    parity_reason: str = ""  # why parity is None
    scenarios: Scenarios | None = None


class SeedResult(Part):
    seed: int
    validation: float  # in the metric of validation
    test: Score | None
    epochs_run: int
    best_epoch: int
    epoch_ms: float  # median wall time of a training epoch
    reason: str = ""  # why test is None
    selected: bool = False


class Epoch(Part):
    epoch: int
    train_loss: float
    validation_loss: float
    validation_metric: float


class Curve(Part):
    model: str
    arm: Literal["teacher", "distilled", "control"]
    seed: int
    epochs: tuple[Epoch, ...]


class Distillation(Part):
    """What the teacher bought: distilled against control, over the same seeds, on the float artifacts."""

    losses: tuple[str, ...]  # "soft-targets (temperature 3) × 0.7"
    distilled: tuple[SeedResult, ...]
    control: tuple[SeedResult, ...]
    distilled_mean: float | None
    distilled_spread: float | None  # highest minus lowest seed, in the metric's own unit
    control_mean: float | None
    control_spread: float | None
    quantized_means: dict[str, float] = Field(default_factory=dict)  # recipe -> mean test metric over seeds
    verdict: Literal["helped", "no clear gain", "hurt", "no control"]
    sentence: str


class Candidate(Part):
    """One recipe that ``auto`` tried on a student, measured on validation sequences against the float32 file.

    A recipe that could not be applied has no numbers; ``lost`` tells why.
    """

    recipe: str
    size_bytes: int | None
    smaller: float | None  # float bytes over these bytes
    faster: float | None  # float time over this time, interleaved, at batch 1 and the median length
    agreement: float | None  # share of sequences with the same label
    logit_error: float | None  # largest difference of a logit
    leaks: bool | None  # whether batch neighbours or padding move an output
    lost: str = ""  # why it was not kept; empty for the one that was


class Student(Part):
    name: str
    architecture: str
    selected_seed: int
    headline: str  # "251× smaller, 33× faster, −0.5 points"
    variants: tuple[Variant, ...]
    candidates: tuple[Candidate, ...] = ()  # of ``auto``, the kept one first; empty where it was not asked for
    distillation: Distillation


class Baseline(Part):
    """A cheap model that any network must beat."""

    name: str
    estimate: Score | None
    reason: str = ""  # why estimate is None
    others: dict[str, float | None] = Field(default_factory=dict)  # as in Quality
    curve: tuple[float | None, ...] | None = None


class Gate(Part):
    """One rule of the YAML or of the product that decides the exit code."""

    name: str  # "size", "latency.cpu.p95", "parity"
    subject: str  # the variant's id
    limit: str  # as written: "32 kB"
    actual: str  # "9.4 kB"
    interval: str = ""
    status: Literal["pass", "fail", "inconclusive", "not measured"]
    level: Literal["error", "warn"]
    detail: str = ""


class Finding(Part):
    """Something a reader must know though no gate failed on it."""

    severity: Literal["info", "warning"]
    subject: str
    text: str


class SplitFacts(Part):
    name: Literal["train", "validation", "test"]
    items: int
    frames: int
    length_min: int
    length_median: float
    length_max: int
    by_label: dict[str, int]


class DataFacts(Part):
    source: str
    digest: str
    channels: int
    features: tuple[str, ...]
    labels: tuple[str, ...]
    splits: tuple[SplitFacts, ...]


class ProviderFacts(Part):
    name: str
    available: bool
    reason: str  # why not, or the proof that it was used
    required: bool = False
    node_share: float | None = None  # of the models' nodes that ran on it, 0 to 1
    time_share: float | None = None  # of the time inside nodes, 0 to 1, by profile; None: not profiled (the CPU alone)
    copies: int | None = None  # of tensors between memories, in a run of the model with most
    switches: int | None = None  # from one provider to another, in a run of the model with most
    buffers: str = ""  # memory that bound buffers lay in: "cpu", "cuda"
    answer_gap: float | None = None  # largest difference from the CPU's answers, over the largest of them
    answers_differ: bool = False  # by more than half precision explains
    fell_back: bool = False  # it is there, and nodes that it was asked to run ran on another one


class Previous(Part):
    """The last release that this run was compared with."""

    source: str  # as the YAML gives it
    digest: str  # of what was found there; empty where nothing was
    reason: str = ""  # why there is no comparison


class Environment(Part):
    machine: dict[str, str]  # cpu, cores, memory, kernel, container …
    libraries: dict[str, str]
    noise: dict[str, str]  # pressure, steal, load during the benchmark


class LineageEntry(Part):
    task: str
    key: str
    digest: str
    inputs: dict[str, str]  # role -> task
    cached: bool
    compute_s: float


class RunFacts(Part):
    """What this very run did; the only part that differs between two runs of the same thing."""

    number: int
    started_at: str
    wall_s: float
    jobs: int
    hits: int
    misses: int
    damaged: int
    parallel_compute_s: float
    exclusive_compute_s: float
    overhead_share: float | None  # (wall - ideal) / wall on a cold run


class Report(Part):
    schema_version: Literal[1] = SCHEMA_VERSION
    seqpress_version: str
    name: str
    task: str
    seed: int
    status: Literal["pass", "fail", "inconclusive"]
    sentence: str  # the outcome in one line
    exit_code: int
    data: DataFacts
    baselines: tuple[Baseline, ...]
    teacher: Variant | None  # None: there is no file of it, and teacher_reason tells why
    teacher_validation: float | None  # None: it was not trained or not measured here
    teacher_quality: Quality | None = None  # of a teacher without a file, where its answers could be measured
    teacher_reason: str = ""
    validation_metric: str = ""  # that epochs are compared by; empty: the metric of quality
    students: tuple[Student, ...]
    curves: tuple[Curve, ...]
    gates: tuple[Gate, ...]
    findings: tuple[Finding, ...]
    providers: tuple[ProviderFacts, ...]
    environment: Environment
    lineage: tuple[LineageEntry, ...]
    config_yaml: str
    run: RunFacts
    previous: Previous | None = None  # None: no baseline was asked for
    comparisons: tuple[Comparison, ...] = ()  # with the last release, one a shipped variant
