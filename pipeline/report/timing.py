"""What was measured of an artifact's speed and memory, as every renderer reads it."""

from pydantic import Field

from .part import Estimate, Part


class Percentile(Part):
    """A latency percentile with its 99 % order-statistic interval; no value where n cannot support it."""

    p: float  # 50, 90, 95
    value_us: float | None
    low_us: float | None
    high_us: float | None
    reason: str = ""  # "n too small: 44 samples, p95 needs 90"


class LatencyCell(Part):
    """One point of the batch x length grid on one provider."""

    provider: str
    batch: int
    length: int
    threads: int
    n: int  # samples
    min_us: float
    percentiles: tuple[Percentile, ...]
    faster_than_teacher: Estimate | None  # ratio teacher / this, interleaved in the same processes
    histogram_us: tuple[float, ...] = ()  # up to 101 quantiles of the samples: 0 %, 1 %, … 100 %
    noisy: bool = False
    noise: str = ""
    run_p50: Percentile | None = None  # of session.run(): numpy in and out, copies to and from the device counted


class Latency(Part):
    """Bound buffers, on the provider's own memory: a GPU's cells are device-resident times."""

    cells: tuple[LatencyCell, ...]
    load_ms: float | None  # session creation, median over processes
    first_run_ms: float | None


class ColdStart(Part):
    """From a started interpreter to the first answer, in fresh processes that load this one model."""

    provider: str
    import_ms: float  # of numpy and onnxruntime; medians over processes, all four
    session_ms: float
    first_run_ms: float
    total_ms: float
    total_low_ms: float  # the least and the most of a process
    total_high_ms: float
    processes: int


class Memory(Part):
    """Peak resident memory of a process that loads and runs this one model."""

    provider: str
    peak_bytes: int  # median over processes, of the whole process
    low_bytes: int
    high_bytes: int
    before_model_bytes: int  # the same process after imports and before the session
    processes: int
    source: str  # where the number comes from: "VmHWM", "getrusage"


class Throughput(Part):
    """Offline: the next batch starts when the last one ends."""

    provider: str
    batch: int
    length: int
    sequences_per_s: Estimate  # interval over processes
    frames_per_s: float


class Paced(Part):
    """A stream at its own pace: a chunk becomes due every period, and is late if not answered within it."""

    provider: str
    chunk: int  # frames a call
    period_us: float
    n: int  # calls
    missed: Estimate  # share of deadlines missed, Wilson
    real_time_factor: float  # compute time over the time the frames took to arrive
    percentiles: tuple[Percentile, ...]  # of the answer's delay after the chunk became due


class Energy(Part):
    """From a real counter, or the reason why there is none; never an estimate."""

    source: str  # "rapl", "nvml", "none"
    joules_per_run: float | None
    reason: str = ""


class Scenarios(Part):
    """What else was measured of one variant, beside the latency of its whole-sequence graph."""

    step: Latency | None = None  # the streaming graph; a cell's length is its chunk, in frames
    step_reason: str = ""  # why step is None
    cold_start: ColdStart | None = None
    memory: Memory | None = None
    throughput: tuple[Throughput, ...] = ()
    paced: tuple[Paced, ...] = ()
    energy: Energy | None = None
    missing: dict[str, str] = Field(default_factory=dict)  # scenario -> why it has no numbers
    noise: dict[str, str] = Field(default_factory=dict)  # what disturbed the machine while these were measured
