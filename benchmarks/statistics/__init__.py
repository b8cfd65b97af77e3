"""What n samples can say, and what they cannot.

Latencies: exact order-statistic intervals, and no percentile that n cannot support. Proportions: Wilson.
Paired answers: Bonett and Price, exact McNemar; paired numbers: a bootstrap over items; any metric of added parts: a
bootstrap over blocks of items. Interleaved timings: log ratios clustered by process. Several gates: Holm. Everything
is deterministic; what resamples takes a seed.
"""

from .clusters import resampled, resampled_difference
from .estimate import Estimate
from .families import holm
from .means import paired_bootstrap
from .orders import LATENCY_CONFIDENCE, Percentile, minimum_samples, order_interval, over_launches, percentile
from .proportions import mcnemar, paired_difference, wilson
from .ratios import clustered_ratio, p_ratio_above
from .student import student_t, student_tail

__all__ = [
    "LATENCY_CONFIDENCE",
    "Estimate",
    "Percentile",
    "clustered_ratio",
    "holm",
    "mcnemar",
    "minimum_samples",
    "order_interval",
    "over_launches",
    "p_ratio_above",
    "paired_bootstrap",
    "paired_difference",
    "percentile",
    "resampled",
    "resampled_difference",
    "student_t",
    "student_tail",
    "wilson",
]
