"""The job summary: small for any report, safe for any name, and with the release's changes in it."""

import re

import pytest
from seqpress.pipeline.report import model as m, summary
from seqpress.pipeline.report.comparison import Comparison, Row, Side

LIMIT = 262_144
LONG = "ein sehr langer Name für µs & <b>|`日本語é " * 40


def huge(report: m.Report, name: str) -> m.Report:
    """300 students, 10,000 gates, 5,000 findings, 300 comparisons; every name is ``name`` and a number."""
    one = report.students[0]
    return report.model_copy(
        update={
            "name": name,
            "sentence": name,
            "students": tuple(one.model_copy(update={"name": f"{i} {name}"}) for i in range(300)),
            "gates": tuple(
                m.Gate(name=f"{i} {name}", subject=name, limit=name, actual=name, interval=name, detail=name,
                       status="fail" if i % 3 else "pass", level="error")
                for i in range(10_000)
            ),
            "findings": tuple(m.Finding(severity="info", subject=f"{i} {name}", text=name) for i in range(5_000)),
            "providers": tuple(m.ProviderFacts(name=name, available=False, reason=name) for _ in range(300)),
            "environment": m.Environment(machine={f"{i} {name}": name for i in range(300)}, libraries={}, noise={}),
            "previous": m.Previous(source=name, digest=name),
            "comparisons": tuple(comparison(name) for _ in range(300)),
        }
    )  # fmt: skip


def comparison(subject: str = "tcn-16/auto", **more: object) -> Comparison:
    side = Side(name=subject, source="runs/a/1", sha256="0" * 64)
    slower = m.Estimate(value=1.098, low=1.09, high=1.105, n=5, confidence=0.99)
    better = m.Estimate(value=0.008, low=-0.002, high=0.018, n=370)
    rows = (
        Row(metric="size", unit="bytes", old=9_520, new=9_520, kind="ratio", tolerance=0.05, verdict="same"),
        Row(metric="quality.accuracy", unit="share", old=0.964, new=0.972, kind="difference", change=better,
            tolerance=0.01, verdict="same", detail="McNemar p 0.25, 370 items"),
        Row(metric="latency.cpu", what="batch 1, 15 frames", unit="us", old=40.1, new=44.0, kind="ratio",
            change=slower, tolerance=0.05, p_worse=0.0001, verdict="worse"),
        Row(metric="memory.peak", unit="bytes", old=None, new=41e6, verdict="not measured", detail=subject),
    )  # fmt: skip
    made = Comparison(subject=subject, old=side, new=side, rows=rows, verdict="worse", sentence=f"{subject} is slower")
    return made.model_copy(update=more)


@pytest.mark.parametrize("name", ["gru", LONG, "<img src=x>" * 500, "é" * 5_000, "]" * 9_000], ids=range(5))
def test_any_report_fits(report: m.Report, name: str) -> None:
    text = summary.render(huge(report, name))
    assert len(text.encode()) < LIMIT
    assert "6,666 failed" in text or "6666 failed" in text
    assert "see the full report in the run folder" in text
    assert text.count("<details>") == text.count("</details>")
    assert "### Students" in text


def test_a_small_room_keeps_the_outcome_and_names_the_rest(report: m.Report) -> None:
    text = summary.render(huge(report, "gru"), most_bytes=6_000)
    assert len(text.encode()) < 6_000
    assert text.startswith("## ✗ fail: gru\n")
    assert "### Gates" in text
    assert "_No room for:" in text


def test_what_failed_comes_first_and_what_is_left_out_is_counted(report: m.Report) -> None:
    text = summary.render(huge(report, "gru"))
    gates = text.partition("### Gates")[2].partition("### Students")[0]
    results = re.findall(r"^\| (\S+ \w+)", gates.replace("*", ""), re.M)
    assert set(results) == {"✗ fail"}
    assert len(results) + int(re.search(r"_([\d,]+) more:", gates)[1].replace(",", "")) == 10_000


def test_students_with_failed_gates_are_among_those_shown(report: m.Report) -> None:
    students = tuple(report.students[0].model_copy(update={"name": f"net-{i}"}) for i in range(300))
    bad = report.gates[0].model_copy(update={"subject": "net-299/auto", "status": "fail"})
    text = summary.render(report.model_copy(update={"students": students, "gates": (bad,)}))
    table = text.partition("### Students")[2]
    assert re.search(r"^\| \*\*net-299\*\*", table, re.M)
    assert "| teacher<br>" in table
    assert "_251 more:" in table


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=y>", "![](http://x/y.png)", "</details><script>", "a|b\n\n# head", "@someone #1"]
)
def test_names_are_words(report: m.Report, name: str) -> None:
    bent = huge(report, name).model_copy(update={"config_yaml": name})
    text = summary.render(bent)
    assert not re.findall(r"(?<!\\)<(?!/?(?:details|summary|br)>)", text)
    assert not re.search(r"(?<!\\)!\[|(?<!\\)\]\(", text)
    assert "http://" not in text
    assert not re.search(r"(?<!\\)[@]someone", text)
    assert [line for line in text.splitlines() if line.startswith("# ")] == []
    assert text.count("<details>") == text.count("</details>")


def test_no_release_was_asked_for(report: m.Report) -> None:
    alone = report.model_copy(update={"previous": None, "comparisons": ()})
    assert "last release" not in summary.render(alone)


def test_a_release_that_was_not_there_says_why(report: m.Report) -> None:
    previous = m.Previous(source="releases/latest.tar.gz", digest="", reason="there is no such file")
    text = summary.render(report.model_copy(update={"previous": previous, "comparisons": ()}))
    assert (
        "### Compared with the last release\n\nreleases/latest.tar.gz.\n\nNot compared: there is no such file" in text
    )


def test_changes_since_the_last_release(report: m.Report) -> None:
    previous = m.Previous(source="releases/latest.tar.gz", digest="ab" * 32)
    text = summary.render(report.model_copy(update={"previous": previous, "comparisons": (comparison(),)}))
    part = text.partition("### Compared with the last release")[2]
    assert "digest abababababababab." in part
    assert "**tcn-16/auto is slower**" in part
    rows = [line for line in part.splitlines() if line.startswith("| ")][2:5]
    assert rows == [
        "| **✗ worse** | **latency.cpu**<br>batch 1, 15 frames | 40.1 µs | 44.0 µs "
        r"| +9.8 %<br>\[+9.0, +10.5\] at 99 % | 5 % |  |",
        "| = same | size | 9.52 kB | 9.52 kB | 0.0 % | 5 % |  |",
        "| = same | quality.accuracy | 96.4 % | 97.2 % "
        r"| +0.8 points<br>\[−0.2, +1.8\] at 95 % | 1 % | McNemar p 0.25, 370 items |",
    ]
    assert re.search(r"^\| _– not measured_ \| memory.peak \| .* \| 41.0 MB \|.*\| tcn-16/auto \|$", part, re.M)


def test_a_noisy_machine_is_said(report: m.Report) -> None:
    noisy = comparison(control_ok=False, verdict="inconclusive")
    text = summary.render(report.model_copy(update={"comparisons": (noisy,)}))
    assert "too noisy for any verdict on time" in text
