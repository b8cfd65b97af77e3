"""What every model of a report is built of."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """Frozen, deaf to nothing, and without NaN or infinity: what could not be computed is None and says why."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Score(Part):
    """A number of quality with its interval: Wilson for a proportion, Bonett and Price for a paired difference of
    proportions, a bootstrap over blocks of items for any other metric. No ends: nothing is known about chance."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int
    confidence: float = 0.95


class Estimate(Score):
    """A number whose interval is always known: clusters for a ratio of timings."""

    low: float
    high: float
