"""Eight remarks for a CI system, the worst first."""

from seqpress.pipeline.report import annotations, model as m
from seqpress.pipeline.report.annotations import MOST, Annotation, worst, worst_of_comparison
from seqpress.pipeline.report.comparison import Comparison, ComparisonReport, Row, Side


def test_the_worst_come_first(report: m.Report) -> None:
    gate = report.gates[0]
    mixed = [
        ("inconclusive", "error", "d"), ("fail", "warn", "c"), ("pass", "error", "never"), ("fail", "error", "a"),
        ("not measured", "error", "never"), ("inconclusive", "warn", "never"), ("fail", "error", "b"),
    ]  # fmt: skip
    gates = [gate.model_copy(update={"status": s, "level": level, "name": n}) for s, level, n in mixed]
    found = worst(report.model_copy(update={"gates": tuple(gates)}))
    assert [(one.level, one.title.partition(" ")[0]) for one in found] == [
        ("error", "a"), ("error", "b"), ("warning", "c"), ("warning", "d"), ("warning", "gru-32/auto"),
    ]  # fmt: skip
    assert found[0].gate == gates[3]
    assert found[-1].option == "students.gru-32"


def test_under_strict_what_is_undecided_is_an_error(report: m.Report) -> None:
    gate = report.gates[0]
    gates = [
        gate.model_copy(update={"status": "fail", "level": "warn", "name": "c"}),
        gate.model_copy(update={"status": "inconclusive", "level": "error", "name": "a"}),
        gate.model_copy(update={"status": "not measured", "level": "error", "name": "b"}),
    ]
    found = worst(report.model_copy(update={"gates": tuple(gates), "exit_code": 8, "findings": ()}))
    assert [(one.level, one.title.partition(" ")[0]) for one in found] == [
        ("error", "a"), ("error", "b"), ("warning", "c"),
    ]  # fmt: skip


def test_there_are_eight_at_most_and_the_rest_is_counted(report: m.Report) -> None:
    failed = next(gate for gate in report.gates if gate.status == "fail")
    gates = tuple(failed.model_copy(update={"name": f"size{i}"}) for i in range(100))
    found = worst(report.model_copy(update={"gates": gates, "findings": ()}))
    assert len(found) == MOST == 8
    assert found[-1].title == "93 more"
    assert found[-1].level == "error"
    assert len(worst(report.model_copy(update={"gates": gates[:8], "findings": ()}))) == 8
    assert worst(report.model_copy(update={"gates": gates[:8], "findings": ()}))[-1].title.startswith("size7")


def test_a_good_run_has_nothing_to_say(report: m.Report) -> None:
    good = tuple(gate for gate in report.gates if gate.status == "pass")
    assert worst(report.model_copy(update={"gates": good, "findings": ()})) == ()


def test_long_texts_are_cut() -> None:
    made = Annotation.made("error", "t" * 500, "x" * 50_000)
    assert len(made.title) == 120
    assert len(made.text) == annotations._MOST_CHARACTERS


def test_of_a_comparison_what_became_worse_comes_first() -> None:
    side = Side(name="a", source="a", sha256="0" * 64)
    rows = tuple(
        Row(metric=verdict, unit="us", old=1, new=2, verdict=verdict, detail="why", counts=counts)
        for verdict, counts in (("same", True), ("inconclusive", True), ("worse", True), ("better", True))
    )
    quiet = Row(metric="operators", unit="count", old=1, new=2, verdict="worse", counts=False)
    one = Comparison(subject="gru/auto", old=side, new=side, rows=(*rows, quiet), verdict="worse", sentence="")
    both = ComparisonReport(
        seqpress_version="1", old="runs/1", new="runs/2", verdict="worse", sentence="", exit_code=5, comparisons=(one,)
    )
    assert worst_of_comparison(both) == (
        Annotation("error", "worse worse", "worse of gru/auto is worse against runs/1\nwhy"),
        Annotation(
            "warning", "inconclusive inconclusive", "inconclusive of gru/auto is inconclusive against runs/1\nwhy"
        ),
    )
    assert worst_of_comparison(both.model_copy(update={"exit_code": 0}))[0].level == "warning"
