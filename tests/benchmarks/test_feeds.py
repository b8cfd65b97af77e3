import numpy as np
import pytest
from seqpress.benchmarks.feeds import Point, auto_lengths, grid


def test_every_point_has_real_frames_and_full_lengths(sequences):
    values, offsets = sequences
    points = grid(values, offsets, (1, 16), (3, 12), variants=3)
    assert [(one.batch, one.length) for one in points] == [(1, 3), (1, 12), (16, 3), (16, 12)]
    real = {row.tobytes() for row in values}
    for point in points:
        assert len(point.feeds) == 3
        for feeds in point.feeds:
            assert feeds["frames"].shape == (point.batch, point.length, 5)
            assert feeds["frames"].dtype == np.float32
            assert feeds["frames"].flags.c_contiguous
            assert feeds["lengths"].tolist() == [point.length] * point.batch
            assert {row.tobytes() for row in feeds["frames"].reshape(-1, 5)} <= real


def test_the_same_seed_gives_the_same_feeds(sequences):
    first, again, other = (grid(*sequences, (2,), (5,), seed=seed)[0].feeds[0]["frames"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_sequences_that_are_too_short_repeat(sequences):
    values, offsets = sequences
    frames = grid(values, offsets[:3], (4,), (50,))[0].feeds[0]["frames"]
    size = int(np.diff(offsets[:3])[0])
    starts = [row for row in frames if np.array_equal(row[:size], values[:size])]
    assert all(np.array_equal(row[size : 2 * size], values[:size]) for row in starts)


def test_names_can_be_chosen(sequences):
    feeds = grid(*sequences, (1,), (4,), frames_name="x", lengths_name="n")[0].feeds[0]
    assert feeds.keys() == {"x", "n"}


def test_auto_lengths_are_distinct_and_sorted():
    assert auto_lengths(np.array([0, 4, 8, 12])) == (4,)
    assert auto_lengths(np.concatenate(([0], np.cumsum(np.arange(1, 101))))) == (5, 50, 100)


def test_nonsense_is_refused(sequences):
    with pytest.raises(ValueError, match="must be 1 or more"):
        grid(*sequences, (0,), (4,))
    with pytest.raises(ValueError, match="no sequence has a frame"):
        grid(sequences[0], np.array([0, 0]), (1,), (4,))
    with pytest.raises(ValueError, match="at least one set of feeds"):
        Point(1, 4, ())
