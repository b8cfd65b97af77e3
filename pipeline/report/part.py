"""What every model of a report is built of."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """Frozen, deaf to nothing, and without NaN or infinity: what could not be computed is None and says why."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Estimate(Part):
    """A number with its interval: Wilson for a proportion, Bonett and Price for a paired difference of proportions,
    clusters for a ratio of timings."""

    value: float
    low: float
    high: float
    n: int
    confidence: float = 0.95
