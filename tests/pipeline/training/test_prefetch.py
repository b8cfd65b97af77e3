"""Reading ahead: the same items, errors where they belong, and no thread that stays."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings as limits, strategies as st
from seqpress.pipeline.training import batch as batches
from seqpress.pipeline.training.prefetch import ahead
from toy_data import split


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def gone():
    limit = time.monotonic() + 5
    while readers() and time.monotonic() < limit:
        time.sleep(0.01)
    return not readers()


@given(st.lists(st.integers()), st.integers(1, 5))
@limits(max_examples=20, deadline=None)
def test_the_same_items_in_the_same_order(items, depth):
    assert list(ahead(iter(items), depth)) == items


def test_an_error_is_raised_where_its_item_would_have_been():
    def breaking():
        yield 1
        raise OSError("the disk is gone")

    found = ahead(breaking())
    assert next(found) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(found)
    assert gone()


def test_whoever_stops_early_leaves_no_thread():
    made = []

    def endless():
        while True:
            made.append(None)
            yield len(made)

    found = ahead(endless(), depth=2)
    assert next(found) == 1
    found.close()
    assert gone()
    assert len(made) <= 5, "no further ahead than was asked for"


def test_a_large_data_set_is_read_ahead_and_gives_the_same_batches(monkeypatch):
    plain = list(split().batches(8, 3, 1))
    called = []
    monkeypatch.setattr(batches, "_AHEAD_BYTES", 0)
    monkeypatch.setattr(batches, "ahead", lambda made: called.append(1) or ahead(made))
    for one, other in zip(plain, split().batches(8, 3, 1), strict=True):
        np.testing.assert_array_equal(one.inputs, other.inputs)
        np.testing.assert_array_equal(one.targets, other.targets)
    assert called
