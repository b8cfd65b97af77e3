"""Quantities with units: exact, strict, and helpful where a unit is nearly right."""

import contextlib

import pytest
from hypothesis import given, strategies as st
from seqpress.pipeline.config.units import (
    SIZE_UNITS,
    TIME_UNITS,
    BadQuantity,
    duration_us,
    share,
    size_bytes,
)


@given(count=st.integers(1, 10**9), unit=st.sampled_from(sorted(SIZE_UNITS)), space=st.sampled_from(["", " "]))
def test_sizes_are_exact(count: int, unit: str, space: str) -> None:
    assert size_bytes(f"{count}{space}{unit}") == count * SIZE_UNITS[unit]


@given(count=st.integers(1, 10**6), unit=st.sampled_from(sorted(TIME_UNITS)))
def test_durations_are_in_microseconds(count: int, unit: str) -> None:
    assert duration_us(f"{count} {unit}") == pytest.approx(count * TIME_UNITS[unit])


def test_known_values() -> None:
    assert [size_bytes(text) for text in ("32 kB", "32 KiB", "1.5 MB", "1 MiB")] == [32_000, 32_768, 1_500_000, 1 << 20]
    assert [duration_us(text) for text in ("1 ms", "0.25 ms", "1 µs", "1 μs")] == [1000, 250, 1, 1]
    assert [share(text) for text in ("0 %", "1%", "97.5 %")] == pytest.approx([0, 0.01, 0.975])


@pytest.mark.parametrize(
    "text", ["", "32", "kB", "32 k", "-1 kB", "0 kB", "1e3 B", "0.5 B", "1,5 kB", "32  kB", "1 ms", "٣ kB", "1 kB x"]
)
def test_bad_sizes(text: str) -> None:
    with pytest.raises(BadQuantity):
        size_bytes(text)


@pytest.mark.parametrize("text", ["1", "0 ms", "1 m", "1 minute", "1 MS2", "nan ms", "inf s"])
def test_bad_durations(text: str) -> None:
    with pytest.raises(BadQuantity):
        duration_us(text)


@pytest.mark.parametrize("text", ["1", "0.01", "101 %", "-1 %", "1 %%"])
def test_bad_shares(text: str) -> None:
    with pytest.raises(BadQuantity):
        share(text)


@pytest.mark.parametrize(
    ("parse", "text", "hint"),
    [
        (size_bytes, "32 KB", "32 kB"),
        (size_bytes, "32 kb", "32 kB"),
        (size_bytes, "32k", "32 kB"),
        (size_bytes, "2 mib", "2 MiB"),
        (duration_us, "5 msec", "5 ms"),
        (duration_us, "5 MS", "5 ms"),
        (duration_us, "5", ""),
        (share, "3 points", "3 %"),
        (share, "3", "3 %"),
        (size_bytes, "3 ms", ""),
    ],
)
def test_hints(parse, text: str, hint: str) -> None:
    with pytest.raises(BadQuantity) as caught:
        parse(text)
    assert caught.value.hint == hint


@given(text=st.text(max_size=20))
def test_no_text_breaks_it(text: str) -> None:
    for parse in (size_bytes, duration_us, share):
        with contextlib.suppress(BadQuantity):
            assert parse(text) >= 0
