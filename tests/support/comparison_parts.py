"""Comparisons as `compress compare` and a run's report hold them: one that is worse, one that nobody can tell."""

from seqpress.pipeline.report.comparison import Comparison, ComparisonReport, Row, Side
from seqpress.pipeline.report.part import Estimate


def side(name: str, source: str, digit: str) -> Side:
    return Side(name=name, source=source, sha256=digit * 64, bundle_digest=f"b{digit}" * 32, seqpress_version="0.1.0")


def ratio(value: float, half: float, n: int = 200) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half, n=n, confidence=0.99)


def rows(slower: float, half: float, verdict: str) -> tuple[Row, ...]:
    accuracy = Estimate(value=-0.0027, low=-0.0131, high=0.0078, n=370)
    timing = {"unit": "us", "kind": "ratio", "tolerance": 0.05}
    return (
        Row(metric="size", what="model.onnx", unit="bytes", old=9_520, new=9_610, kind="ratio", tolerance=0.05,
            verdict="same"),
        Row(metric="step_size", what="step.onnx", unit="bytes", old=10_133, new=None, verdict="not measured",
            detail="only the old one streams"),
        Row(metric="parameters", unit="count", old=6_345, new=6_345, kind="ratio", verdict="same", counts=False),
        Row(metric="operators", unit="count", old=31, new=33, kind="ratio", verdict="differs",
            detail="added: Clip 2", counts=False),
        Row(metric="int8.share", unit="share", old=0.931, new=0.902, kind="difference", verdict="differs",
            detail="of weight bytes", counts=False),
        Row(metric="quality.accuracy", what="370 test items of both runs", unit="share", old=0.972, new=0.9693,
            kind="difference", change=accuracy, tolerance=0.01, verdict="inconclusive",
            detail="McNemar p 1; right in the new alone 1, in the old alone 2"),
        Row(metric="outputs", what="largest difference, 4 sequences", unit="difference", old=None, new=0.031,
            verdict="differs", detail="outputs logits, the largest 9.1; the same label on 99.5 %", counts=False),
        Row(metric="latency.cpu", what="batch 1, 15 frames", old=45.2, new=45.2 * slower, change=ratio(slower, half),
            p_worse=0.0001 if verdict == "worse" else 0.4, verdict=verdict, detail="5 processes", **timing),
        Row(metric="step.cpu", what="batch 1, 1 frame", old=8.1, new=7.2, change=ratio(0.889, 0.004), p_worse=1.0,
            verdict="better" if verdict == "worse" else verdict, detail="5 processes", **timing),
        Row(metric="latency.cuda", unit="us", old=None, new=None, verdict="not measured",
            detail="old: absent: this build of onnxruntime has no CUDAExecutionProvider"),
    )  # fmt: skip


def comparisons(old: str = "releases/1.2", new: str = "runs/japanese-vowels/3") -> tuple[Comparison, ...]:
    return (
        Comparison(
            subject="tcn-16/auto", old=side("tcn-16/auto", old, "1"), new=side("tcn-16/auto", new, "2"),
            rows=rows(1.098, 0.007, "worse"), control=ratio(1.0004, 0.002), verdict="worse",
            sentence="tcn-16/auto is worse: latency.cpu (batch 1, 15 frames) +9.8 % [+9.1, +10.5], tolerance 5 %.",
        ),
        Comparison(
            subject="gru-32/auto", old=side("gru-24/auto", old, "3"), new=side("gru-32/auto", new, "4"),
            rows=rows(1.03, 0.08, "inconclusive"), control=ratio(1.08, 0.03), control_ok=False, verdict="inconclusive",
            sentence="gru-32/auto is undecided: latency.cpu (batch 1, 15 frames) +3.0 % [−5.0, +11.0].",
        ),
    )  # fmt: skip


def comparison_report() -> ComparisonReport:
    made = comparisons()
    return ComparisonReport(
        seqpress_version="0.1.0", old="releases/1.2", new="runs/japanese-vowels/3", verdict="worse", exit_code=5,
        sentence=f"{made[0].sentence} 1 artifact of one side only.", comparisons=made,
        unpaired=("lstm-8/auto: only in the old",),
        machine={"cpu": "Example CPU 3.0 GHz", "cores": "2"}, noise={"steal": "0.0 %"},
    )  # fmt: skip
