"""The tables about number formats: what each recipe did, what ``auto`` tried, what stayed float, what is shipped."""

from . import figures, view
from .model import Candidate, Gap, Report, Student, Variant
from .tables import Cell, Column, Row, Table, not_measured

STREAMED = "whole vs streamed"  # gaps of this name hold the tolerance that drift is read against
_SHORT = 12  # digits of a digest; as many as compress verify asks for


def quantized(report: Report) -> list[tuple[Variant, Variant]]:
    """Every quantized variant with the float one of the same network."""
    pairs = []
    for student in report.students:
        whole = next((one for one in student.variants if one.recipe == "float32"), None)
        pairs += [(one, whole) for one in student.variants if whole is not None and one is not whole]
    return pairs


def recipes(report: Report) -> Table:
    """Each quantized file against its float one: bytes, time, labels, logits, and what its outputs depend on."""
    at = view.reference(report)
    numbers, shapes = view.series(report), view.shapes(report)
    batches, one_label = at.batches if at else (), view.labelled(report)
    columns = (
        Column("Variant", "recipe"),
        Column("Size", "before", numeric=True),
        Column("Smaller", numeric=True),
        Column("Below float32", "of weight bytes", numeric=True),
        *(Column("Faster", f"p50, batch {batch}", numeric=True) for batch in batches),
        Column("Same label" if one_label else "Agreement", "test split", numeric=True),
        Column(f"{view.output(report).capitalize()} error", "largest", numeric=True),
        Column("Depends on"),
    )
    rows = tuple(
        Row(
            (
                Cell(variant.id, view.recipe(variant) + (" · storage only" if view.storage_only(variant) else "")),
                Cell(figures.size(variant.footprint.size_bytes), figures.size(whole.footprint.size_bytes)),
                _gain(figures.smaller, whole.footprint.size_bytes / max(1, variant.footprint.size_bytes), "larger"),
                _share(variant.share_below_float32),
                *(_faster(variant, whole, at, batch) for batch in batches),
                *_against_float(variant),
                _depends(variant),
            ),
            series=numbers.get(variant.model, 0),
            shape=shapes[variant.recipe],
            strong=variant.ships,
        )
        for variant, whole in quantized(report)
    )
    return Table("Each quantized file against its float32 one", columns, rows, "nothing was quantized")


def _gain(write: "view.Write", value: float, bad: str) -> Cell:
    number, word = write(value)
    return Cell(number, word if word == bad else "", "warn" if word == bad else "")


def _share(value: float | None) -> Cell:
    return not_measured() if value is None else Cell(figures.percent(value, 0))


def _faster(variant: Variant, whole: Variant, at: view.Reference | None, batch: int) -> Cell:
    before, after = (view.median(view.cell(one, at, batch)) for one in (whole, variant))
    return _gain(figures.faster, before / after, "slower") if before and after else not_measured()


def _against_float(variant: Variant) -> tuple[Cell, Cell]:
    found = view.paired(variant, "float32")
    if found is None:
        return not_measured(), not_measured()
    error = not_measured() if found.logit_error is None else Cell(figures.gap(found.logit_error))
    if found.agreement is None:
        return not_measured(), error
    return Cell(figures.percent(found.agreement), f"of {found.difference.n:,}"), error


def _depends(variant: Variant) -> Cell:
    if variant.parity is None:
        return not_measured(variant.parity_reason)
    found = [leak.probe for leak in variant.parity.leaks if leak.leaks]
    return Cell(f"! {', '.join(found)}", tone="warn") if found else Cell("✓ its own frames alone", tone="good")


def candidates(report: Report, student: Student) -> Table:
    """What ``auto`` tried, the kept one first, then those that were ruled out or beaten, and why."""
    same = "Same label" if view.labelled(report) else "Agreement"
    names = ("Size", "Smaller", "Faster", same, f"{view.output(report).capitalize()} error")
    return Table(
        f"What auto tried on {student.name}, against float32 on validation",
        (Column("Recipe"), *(Column(name, numeric=True) for name in names), Column("Result")),
        tuple(_candidate_row(one) for one in sorted(student.candidates, key=lambda one: bool(one.lost))),
        "auto was not asked for",
    )


def _candidate_row(one: Candidate) -> Row:
    error = not_measured() if one.logit_error is None else Cell(figures.gap(one.logit_error))
    return Row(
        (
            Cell(one.recipe, "leaks between sequences" if one.leaks else ""),
            not_measured() if one.size_bytes is None else Cell(figures.size(one.size_bytes)),
            not_measured() if one.smaller is None else _gain(figures.smaller, one.smaller, "larger"),
            not_measured() if one.faster is None else _gain(figures.faster, one.faster, "slower"),
            not_measured() if one.agreement is None else Cell(figures.percent(one.agreement)),
            error,
            Cell(one.lost, tone="quiet") if one.lost else Cell("✓ kept", tone="good"),
        ),
        strong=not one.lost,
    )


def left_in_float(report: Report) -> Table:
    """Float tensors over 1 kB that a recipe left, with the reason."""
    rows = tuple(
        Row(
            (
                Cell(variant.id),
                Cell(left.name, code=True),
                Cell(figures.size(left.size_bytes)),
                Cell(figures.percent(left.size_bytes / max(1, variant.footprint.weight_bytes))),
                Cell(left.reason, tone="quiet"),
            )
        )
        for variant, _ in quantized(report)
        for left in variant.left_in_float
    )
    numeric = (Column("Size", numeric=True), Column("Of weights", numeric=True))
    columns = (Column("Variant"), Column("Tensor"), *numeric, Column("Reason"))
    return Table("Left in float32, over 1 kB", columns, rows, "no tensor over 1 kB")


def drift(report: Report) -> Table:
    """How far the streamed answer is from the whole one at the start, in the middle and at the end."""
    numbers, shapes = view.series(report), view.shapes(report)
    rows = []
    for variant in view.streaming(report):
        points = variant.parity.drift if variant.parity else ()
        shown = (points[0], points[(len(points) - 1) // 2], points[-1])
        allowed = tolerance(variant)
        cells = [Cell(figures.gap(at.worst), f"frame {at.frames:,}") for at in shown]
        limit = Cell("not compared", tone="missing") if allowed is None else Cell(figures.gap(allowed))
        series, shape = numbers.get(variant.model, 0), shapes[variant.recipe]
        rows.append(Row((Cell(variant.id, view.recipe(variant) if variant.by else ""), *cells, limit),
                        series=series, shape=shape))  # fmt: skip
    names = ("Start", "Middle", "End", "Allowed")
    columns = (Column("Variant"), *(Column(name, numeric=True) for name in names))
    caption = f"Streamed against whole: largest difference of {view.an_output(report)}"
    return Table(caption, columns, tuple(rows), "nothing streams")


def tolerance(variant: Variant) -> float | None:
    """The strictest tolerance of this variant's streamed comparisons."""
    gaps: tuple[Gap, ...] = variant.parity.gaps if variant.parity else ()
    return min((gap.allowed for gap in gaps if gap.name.startswith(STREAMED)), default=None)


def bundles(report: Report) -> Table:
    """The folders that can be shipped."""
    numbers, shapes = view.series(report), view.shapes(report)
    rows = tuple(
        Row(
            (
                Cell(variant.id),
                Cell(view.bundle(variant), code=True),
                Cell(variant.bundle_digest[:_SHORT], code=True),
                Cell(figures.exact_size(variant.footprint.size_bytes)),
                _step(variant),
            ),
            series=numbers.get(variant.model, 0),
            shape=shapes[variant.recipe],
            strong=variant.ships,
        )
        for variant in _bundled(report)
    )
    columns = (Column("Variant"), Column("Folder"), Column("Digest"))
    files = (Column("model.onnx", numeric=True), Column("step.onnx", numeric=True))
    return Table("Bundles", (*columns, *files), rows, "no bundle was made")


def _step(variant: Variant) -> Cell:
    """The streaming graph; a network that reads ahead has none."""
    if variant.step_size_bytes is None:
        return Cell("does not stream", tone="quiet")
    return Cell(figures.exact_size(variant.step_size_bytes))


def _bundled(report: Report) -> list[Variant]:
    return [variant for variant in view.variants(report) if variant.bundle_digest]


def commands(report: Report) -> str:
    """What checks the bundles that ship, to be run where the report lies; empty where there are none."""
    return "\n".join(
        f"python {view.bundle(variant)}/selftest.py\n"
        f"compress verify {view.bundle(variant)} --digest {variant.bundle_digest[:_SHORT]}"
        for variant in _bundled(report)
        if variant.ships
    )
