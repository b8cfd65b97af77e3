"""Frames in chunks are the same as frames in items, whatever the chunks, and cost no memory."""

import tracemalloc
from pathlib import Path

import numpy as np
from hypothesis import given, settings, strategies as st
from seqpress.pipeline.data.mapped import Growing, blocks, open_mapped
from seqpress.pipeline.data.sink import Moments, Sink


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=12), st.integers(1, 9), st.integers(0, 99))
def test_chunks_do_not_matter(tmp_path_factory, lengths: list[int], chunk: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(sum(lengths), 2)) * 1e3
    if len(values) > 3:
        values[rng.integers(0, len(values), 2), 0] = [np.nan, 1e39]
    ends = np.cumsum(lengths)
    stored = np.clip(values, -3e38, 3e38).astype(np.float32)
    stored[np.abs(values) > 3e38] = np.inf
    whole, parts = (Sink(tmp_path_factory.mktemp(name)) for name in ("whole", "parts"))
    for end, length in zip(ends, lengths, strict=True):
        whole.item(values[end - length : end])
    for start in range(0, max(1, len(values)), chunk):
        low = np.searchsorted(ends, start, "right" if start else "left")
        high = np.searchsorted(ends, start + chunk, "right")
        parts.feed(values[start : start + chunk], ends[low:high] - start)
    np.testing.assert_array_equal(whole.close(), parts.close())
    np.testing.assert_array_equal(parts.close(), stored)
    one, other = whole.scan, parts.scan
    assert one.lengths.tolist() == other.lengths.tolist() == lengths
    assert (one.digests, one.channels, one.types) == (other.digests, other.channels, other.types)
    assert (one.non_finite, one.beyond) == (other.non_finite, other.beyond)
    assert len({one.digest(i) for i in range(len(one))}) == len(
        {stored[e - n : e].tobytes() for e, n in zip(ends, lengths, strict=True)}
    )


def test_memory_does_not_grow_with_the_frames(tmp_path: Path) -> None:
    sink = Sink(tmp_path)
    chunk = np.zeros((10_000, 10), np.float32)
    tracemalloc.start()
    for _ in range(50):  # 20 MB
        sink.feed(chunk, [10_000])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e6
    assert sink.close().shape == (500_000, 10)


def test_a_growing_array_is_what_numpy_writes(tmp_path: Path) -> None:
    with Growing(tmp_path / "grown.npy", np.float32, (3,)) as grown:
        for start in range(0, 1200, 100):
            grown.append(np.arange(3 * start, 3 * start + 300, dtype=np.float32).reshape(100, 3))
    np.testing.assert_array_equal(np.load(tmp_path / "grown.npy"), np.arange(3600, dtype=np.float32).reshape(1200, 3))
    np.save(tmp_path / "saved.npy", np.load(tmp_path / "grown.npy"))
    assert (tmp_path / "saved.npy").read_bytes() == (tmp_path / "grown.npy").read_bytes()
    with Growing(tmp_path / "empty.npy", np.int32, ()):
        pass
    assert open_mapped(tmp_path / "empty.npy").shape == (0,)


def test_blocks_cover_all_rows() -> None:
    array = np.arange(9_000_000, dtype=np.int64)
    found = list(blocks(array, 5))
    assert len(found) == 5
    np.testing.assert_array_equal(np.concatenate(found), array[5:])


def test_moments_are_numpys_however_the_chunks_fall() -> None:
    values = np.random.default_rng(0).normal(1e6, 1e-2, size=(5000, 2))
    moments = Moments(2)
    for part in np.split(values, [1, 2, 100, 100, 4999]):
        moments.add(part)
    np.testing.assert_allclose(moments.std(), values.std(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(moments.low, values.min(axis=0))
