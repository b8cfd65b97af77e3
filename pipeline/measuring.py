"""What the tasks that measure are asked for: the options of their stages, from the configuration alone."""

from typing import Any

from .config.budgets import Budget
from .config.measured import highest_percentile
from .config.pipeline import PipelineConfig
from .config.units import duration_us

_LEAST = 0.001  # how long is measured depends on the tolerance, and for none at all no time suffices


def latency(config: PipelineConfig) -> dict[str, Any]:
    """Of ``stages.benchmark``; without the contenders."""
    section = config.benchmark
    return {
        "providers": [request.name for request in section.providers],
        "required": [request.name for request in section.providers if request.required],
        "batch": list(section.batch),
        "lengths": section.lengths if section.lengths == "auto" else list(section.lengths),
        "threads": section.threads,
        "launches": section.launches,
        "samples": section.samples,
        "claim": _claim(config, "latency"),
        "fallback": section.fallback,
        "seed": config.seed,
    }


def scenarios(config: PipelineConfig) -> dict[str, Any]:
    """Of ``stages.scenarios``."""
    section, period = config.benchmark, config.export.frame_period
    return {
        "scenarios": list(section.scenarios),
        "providers": [request.name for request in section.providers],
        "batch": list(section.batch),
        "threads": section.threads,
        "launches": section.launches,
        "samples": section.samples,
        "claim": _claim(config, "step"),
        "fallback": section.fallback,
        "frame_period_ms": None if period is None else duration_us(period) / 1000,
        "seed": config.seed,
    }


def regression(config: PipelineConfig) -> dict[str, Any]:
    """Of ``stages.regress``; without the last release and what it is compared with."""
    limits = [] if config.regression is None else config.regression.all()
    return {
        "tolerances": {limit.name: max(limit.limit, _LEAST) for limit in limits if limit.level != "off"},
        "providers": [request.name for request in config.benchmark.providers],
        "threads": config.benchmark.threads,
        "fallback": config.benchmark.fallback,
        "seed": config.seed,
    }


def _claim(config: PipelineConfig, metric: str) -> int:
    """The highest percentile that a budget on this metric judges: samples are made to support it, and no more."""
    asked: list[Budget] = [budget for budget in config.budgets.all() if budget.metric == metric]
    return highest_percentile(asked)
