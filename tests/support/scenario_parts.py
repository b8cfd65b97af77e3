"""Scenarios of a variant that could have been measured, with one of each kind of gap."""

from report_parts import cell
from seqpress.pipeline.report import timing as t


def scenarios(p50: float) -> t.Scenarios:
    """``p50``: of the whole graph, µs; everything else follows from it."""
    few = "n too small: 300 samples, p99 needs 459"
    return t.Scenarios(
        step=t.Latency(cells=(cell(1, 1, p50 / 9, None), cell(1, 10, p50 / 4, None)), load_ms=0.9, first_run_ms=0.2),
        cold_start=t.ColdStart(
            provider="cpu", import_ms=71.2, session_ms=3.4, first_run_ms=0.6, total_ms=75.4, total_low_ms=73.9,
            total_high_ms=88.0, processes=5,
        ),
        memory=t.Memory(
            provider="cpu", peak_bytes=60_600_000, low_bytes=60_400_000, high_bytes=60_900_000,
            before_model_bytes=49_500_000, processes=3, source="VmHWM",
        ),
        throughput=(
            t.Throughput(
                provider="cpu", batch=16, length=15,
                sequences_per_s=t.Estimate(value=2e6 / p50, low=1.9e6 / p50, high=2.1e6 / p50, n=30),
                frames_per_s=3e7 / p50,
            ),
        ),
        paced=(
            t.Paced(
                provider="cpu", chunk=1, period_us=10_000.0, n=300,
                missed=t.Estimate(value=1 / 300, low=0.0006, high=0.0186, n=300), real_time_factor=p50 / 90_000,
                percentiles=(
                    t.Percentile(p=50, value_us=p50, low_us=p50 - 1, high_us=p50 + 1),
                    t.Percentile(p=95, value_us=2 * p50, low_us=2 * p50 - 1, high_us=2 * p50 + 1),
                    t.Percentile(p=99, value_us=None, low_us=None, high_us=None, reason=few),
                ),
            ),
        ),
        energy=t.Energy(source="none", joules_per_run=None, reason="no counter: the kernel shows no RAPL package here"),
    )  # fmt: skip
