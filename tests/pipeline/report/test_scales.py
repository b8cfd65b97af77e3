"""Axes and number formats: total over all finite input, and never misleading."""

import math

import pytest
from hypothesis import given, settings, strategies as st
from seqpress.pipeline.report import figures, scales, scatter, svg

finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=80)
@given(st.lists(finite, max_size=6), st.sampled_from([None, 1.0]))
def test_linear_takes_anything(values: list[float], ceiling: float | None) -> None:
    axis = scales.linear(values, 0, 100, ceiling=ceiling)
    assert axis.low < axis.high
    assert 2 <= len(axis.ticks) <= 9
    assert list(axis.ticks) == sorted(set(axis.ticks))
    assert all(-1e-6 <= axis(value) <= 100 + 1e-6 for value in values)


@settings(max_examples=80)
@given(st.lists(finite, max_size=6))
def test_logarithmic_takes_anything(values: list[float]) -> None:
    axis = scales.logarithmic(values, 0, 100)
    assert 0 < axis.low < axis.high
    assert 1 <= len(axis.ticks) <= 6
    assert all(axis.low <= tick * 1.01 and tick <= axis.high * 1.01 for tick in axis.ticks)
    assert all(-1e-6 <= axis(value) <= 100 + 1e-6 for value in values)


@given(st.lists(st.floats(1e-3, 1e9), min_size=2, max_size=2, unique=True))
def test_order_is_kept(pair: list[float]) -> None:
    low, high = sorted(pair)
    for axis in (scales.linear(pair, 0, 100), scales.logarithmic(pair, 0, 100)):
        assert axis(low) <= axis(high)


def test_a_share_never_gets_a_tick_above_one() -> None:
    assert scales.linear([0.81, 1.0], 0, 100, ceiling=1.0).ticks[-1] == 1.0
    assert scales.linear([0.5, 0.99], 0, 100, ceiling=1.0).ticks[-1] <= 1.0


@given(st.integers(0, 5000), st.integers(2, 300))
def test_thinning_keeps_both_ends(count: int, most: int) -> None:
    kept = scales.thin(count, most)
    assert len(kept) == min(count, most)
    assert kept == sorted(set(kept))
    if count:
        assert (kept[0], kept[-1]) == (0, count - 1)


@settings(max_examples=80)
@given(finite)
def test_every_number_can_be_written(value: float) -> None:
    for write in (figures.significant, figures.size, figures.latency, figures.percent, figures.points, figures.gap):
        text = write(value)
        assert text
        assert "nan" not in text
        assert "-" not in text.split("e")[0], "a hyphen is not a minus sign"


@pytest.mark.parametrize(("us", "text"), [(999.4, "999 µs"), (999.6, "1.00 ms"), (0.9996, "1.00 µs"), (1e6, "1.00 s")])
def test_units_change_where_the_rounded_number_does(us: float, text: str) -> None:
    assert figures.latency(us) == text


@pytest.mark.parametrize(("count", "text"), [(999, "999 B"), (1000, "1.00 kB"), (999_999, "1.00 MB"), (0, "0 B")])
def test_sizes(count: int, text: str) -> None:
    assert figures.size(count) == text


def test_slower_is_never_called_faster() -> None:
    assert figures.faster(0.25) == ("4.0×", "slower")
    assert figures.smaller(0.5) == ("2.0×", "larger")
    assert figures.faster(1.01) == ("1.0×", "as fast")
    assert figures.headline(0.5, 0.25, "−1.0 points") == "2.0× larger, 4.0× slower, −1.0 points"
    assert figures.headline(None, None, "") == "size not compared, speed not measured, quality not compared"


def test_labels_of_close_points_do_not_overlap() -> None:
    labels = scatter.Labels(scatter.Box(0, 0, 440, 300))
    for i in range(5):
        labels.place(f"student-{i}/dynamic-int8", 200 + 4 * i, 150 + 3 * i, (140.0, 165.0), bool(i % 2))
    boxes = labels.taken
    overlaps = [a.overlap(b) for i, a in enumerate(boxes) for b in boxes[:i]]
    assert max(overlaps) == 0
    assert all(box.left >= 0 and box.right <= 440 and box.top >= 0 and box.bottom <= 300 for box in boxes)


def test_svg_escapes_text_and_attributes() -> None:
    made = svg.tag("text", '<b>&"', title='"><script>', x=math.pi)
    assert made == '<text title="&#34;&gt;&lt;script&gt;" x="3.1">&lt;b&gt;&amp;&#34;</text>'
    assert svg.tag("g", made).count("&lt;b") == 1  # markup is not escaped twice
