"""What the reports say about number formats: recipes, auto's candidates, drift, bundles; and silence where none."""

import re

import pytest
from seqpress.pipeline.report import drift, html, junit, markdown, model as m, quantization, terminal, view


def changed(report: m.Report, **update: object) -> m.Report:
    """The same with every variant of every student changed."""
    students = tuple(
        one.model_copy(update={"variants": tuple(v.model_copy(update=update) for v in one.variants)})
        for one in report.students
    )
    return report.model_copy(update={"students": students})


def cells(table: object, title: str) -> list[str]:
    """One column of a table, by its title."""
    at = [column.title for column in table.columns].index(title)
    return [row.cells[at].text for row in table.rows]


def row(table: object, name: str) -> list[str]:
    return next([cell.text for cell in row.cells] for row in table.rows if row.cells[0].text == name)


def test_every_quantized_file_is_set_against_its_float_one(report: m.Report) -> None:
    table = quantization.recipes(report)
    assert cells(table, "Variant") == ["tcn-16/auto", "tcn-16/weight-int8", "gru-32/auto", "gru-32/weight-int8"]
    expected = ["tcn-16/auto", "9.52 kB", "2.2×", "93 %", "1.4×", "1.4×", "99.7 %", "0.083", "✓ its own frames alone"]
    assert row(table, "tcn-16/auto") == expected
    assert cells(table, "Depends on")[2] == "! batch neighbours"


def test_storage_only_says_so(report: m.Report) -> None:
    notes = [row.cells[0].note for row in quantization.recipes(report).rows]
    assert notes[:2] == ["static-int8 by auto", "weight-int8 · storage only"]
    halves = quantization.recipes(changed(report, recipe="float16"))
    assert halves.rows == ()  # no float32 file to compare with
    assert view.storage_only(report.students[0].variants[2])
    assert not view.storage_only(report.students[0].variants[1])


def test_larger_and_slower_are_said(report: m.Report) -> None:
    student = report.students[0]
    whole, auto, _ = student.variants
    swapped = auto.model_copy(update={"footprint": whole.footprint, "latency": whole.latency})
    big = whole.model_copy(update={"footprint": auto.footprint, "latency": auto.latency})
    bent = report.model_copy(update={"students": (student.model_copy(update={"variants": (big, swapped)}),)})
    (found,) = quantization.recipes(bent).rows
    assert [(c.text, c.note, c.tone) for c in found.cells[2:6] if c.tone] == [
        ("2.2×", "larger", "warn"),
        ("1.4×", "slower", "warn"),
        ("1.4×", "slower", "warn"),
    ]


def test_nothing_measured_is_nothing_claimed(report: m.Report) -> None:
    bent = changed(report, latency=None, parity=None, parity_reason="died", share_below_float32=None)
    quality = report.students[0].variants[1].quality.model_copy(update={"paired": ()})
    found = quantization.recipes(changed(bent, quality=quality)).rows[0]
    assert [cell.text for cell in found.cells[3:]] == ["not measured"] * 6
    assert found.cells[-1].note == "died"


def test_candidates_have_the_kept_one_first_and_each_loser_its_reason(report: m.Report) -> None:
    student = report.students[0]
    backwards = student.model_copy(update={"candidates": student.candidates[::-1]})
    table = quantization.candidates(report, backwards)
    assert cells(table, "Recipe")[0] == "static-int8"
    assert cells(table, "Result")[0] == "✓ kept"
    assert all(len(reason) > 20 for reason in cells(table, "Result")[1:])
    refused = row(quantization.candidates(report, report.students[1]), "static-int8")
    assert refused[1:6] == ["not measured"] * 5
    assert refused[6].startswith("calibration sequence 3 must be (T, 12)")


@pytest.mark.parametrize("render", [html.render, markdown.render])
def test_both_pages_tell_the_whole_story(render: object, report: m.Report) -> None:
    text = re.sub(r"\\(.)", r"\1", render(report))
    for words in (
        "static-int8 by auto", "storage only", "budgets.leak forbids it", "step.onnx 10.1 kB", "10,133 bytes",
        "bias of Gemm: added in float32", "artifacts/gru-32-auto", "python artifacts/tcn-16-auto/selftest.py",
        f"compress verify artifacts/tcn-16-auto --digest {report.students[0].variants[1].bundle_digest[:12]}",
        "frame 116",
    ):  # fmt: skip
        assert words in text, words


@pytest.mark.parametrize("render", [html.render, markdown.render])
def test_nothing_is_told_of_what_is_not_there(render: object, bare: m.Report) -> None:
    text = render(bare)
    for words in ("What auto tried", "selftest.py", "Drift", "Streamed", "step.onnx 1"):
        assert words not in text, words


def test_the_card_and_junit_know_who_chose(report: m.Report) -> None:
    assert "9,520 bytes, static-int8 by auto, 99 % int8" in terminal.render(report)
    assert "tcn-16/auto" in junit.render(report)


# ---- drift


def with_drift(report: m.Report, *worst: float | None, gaps: bool = True) -> m.Report:
    points = tuple(m.DriftPoint(frames=1 + i, worst=one) for i, one in enumerate(worst))
    old = report.students[0].variants[0].parity
    parity = m.Parity(gaps=old.gaps if gaps else (), leaks=(), drift=points)
    return changed(report, parity=parity)


def test_the_plot_has_a_line_per_streaming_variant_and_names_the_tolerances(report: m.Report) -> None:
    text = str(drift.lines(report))
    assert text.count("<polyline") == len(view.streaming(report)) == 6
    assert "allowed 9.4e-4" in text
    assert "allowed 0.94" in text
    for variant in view.streaming(report):
        assert f"{variant.id}: at most" in text


def test_a_teacher_that_reads_ahead_has_no_line(report: m.Report) -> None:
    assert report.teacher not in view.streaming(report)
    assert drift.lines(changed(report, parity=None, parity_reason="died")) is None


def test_an_answer_that_is_no_number_breaks_the_line_and_is_told(report: m.Report) -> None:
    text = str(drift.lines(with_drift(report, 1e-7, 2e-7, None, 3e-7, 3e-7)))
    assert text.count("<polyline") == 2 * 6
    assert "at most 3.0e-7 in 5 frames, 1 not comparable" in text
    nothing = str(drift.lines(with_drift(report, None, None)))
    assert "<polyline" not in nothing
    assert "at most not comparable" not in nothing
    assert "not comparable in 2 frames" in nothing


def test_an_exact_answer_is_a_hollow_mark_and_no_number_near_minus_infinity(report: m.Report) -> None:
    text = str(drift.lines(with_drift(report, 0.0, 1e-7, 2e-7)))
    assert text.count("hollow") == 6
    assert text.count("<polyline") == 6
    exact = str(drift.lines(with_drift(report, 0.0, 0.0, gaps=False)))
    assert "<polyline" not in exact
    assert exact.count("hollow") == 12
    assert "allowed" not in exact


def test_the_table_has_three_points(report: m.Report) -> None:
    table = quantization.drift(with_drift(report, 0.0, 1e-7, 2e-7, 3e-7, None))
    assert row(table, "tcn-16/auto") == ["tcn-16/auto", "0", "2.0e-7", "not comparable", "9.4e-4"]
    assert [cell.note for cell in table.rows[0].cells[1:4]] == ["frame 1", "frame 3", "frame 5"]
    one = quantization.drift(with_drift(report, 1e-7, gaps=False))
    assert row(one, "tcn-16/auto")[1:] == ["1.0e-7"] * 3 + ["not compared"]


# ---- bundles


def test_bundles_are_listed_and_only_shipped_ones_get_commands(report: m.Report) -> None:
    table = quantization.bundles(report)
    assert cells(table, "Variant") == [v.id for s in report.students for v in s.variants]
    assert row(table, "tcn-16/auto")[1:] == [
        "artifacts/tcn-16-auto",
        report.students[0].variants[1].bundle_digest[:12],
        "9,520 bytes",
        "10,133 bytes",
    ]
    lines = quantization.commands(report).splitlines()
    assert len(lines) == 2 * 4
    assert not any("float32" in line for line in lines)
    whole = quantization.bundles(changed(report, step_file="", step_size_bytes=None))
    assert cells(whole, "step.onnx") == ["does not stream"] * 6


def test_shapes_tell_six_number_formats_apart(report: m.Report) -> None:
    from seqpress.pipeline.report.svg import marker

    drawn = {re.sub(r"[\d.]+", "", str(marker(shape, 0, 0))) + str(marker(shape, 0, 0)) for shape in view.SHAPES}
    assert len(drawn) == len(view.SHAPES) == 6
