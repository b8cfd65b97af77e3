"""Batches: each item once an epoch with its own teacher, and shared out among devices without loss."""

import numpy as np
import pytest
from hypothesis import given, settings as limits, strategies as st
from toy_data import split, teacher_logits


@given(items=st.integers(1, 50), batch_size=st.integers(1, 20), epoch=st.integers(0, 5))
@limits(max_examples=25, deadline=None)
def test_every_item_once_with_its_own_label_and_teacher(items, batch_size, epoch):
    given_split = split(items, taught=True)
    teacher = teacher_logits(given_split.sequences)
    rows = {tuple(row): index for index, row in enumerate(teacher.tolist())}
    seen = []
    for batch in given_split.batches(batch_size, seed=3, epoch=epoch):
        assert len(batch.targets) <= batch_size
        for row in range(len(batch.targets)):
            item = rows[tuple(batch.teacher[row].tolist())]
            seen.append(item)
            frames = given_split.sequences.item(item)
            assert batch.lengths[row] == len(frames)
            assert batch.targets[row] == given_split.sequences.labels[item]
            np.testing.assert_array_equal(batch.inputs[row, : len(frames)], frames)
            assert not batch.inputs[row, len(frames) :].any()
    assert sorted(seen) == list(range(items))


@pytest.mark.parametrize("ranks", [2, 3])
def test_devices_share_every_batch(ranks):
    items = split(40, taught=True)
    whole = list(items.batches(8, 3, 0))
    shares = [list(items.batches(8, 3, 0, rank, ranks)) for rank in range(ranks)]
    assert {len(share) for share in shares} == {len(whole)}
    for number, batch in enumerate(whole):
        together = np.concatenate([share[number].teacher for share in shares])
        assert sorted(together.tolist()) == sorted(batch.teacher.tolist())


def test_a_device_without_items_still_takes_part():
    shares = [list(split(5).batches(1, 3, 0, rank, 2)) for rank in range(2)]
    assert [len(share) for share in shares] == [5, 5]
    assert all(len(batch.targets) == 1 for share in shares for batch in share)


def test_with_and_without_a_teacher_the_batches_are_the_same():
    plain, taught = (list(split(taught=taught).batches(8, 3, 1)) for taught in (False, True))
    for one, other in zip(plain, taught, strict=True):
        np.testing.assert_array_equal(one.inputs, other.inputs)
        np.testing.assert_array_equal(one.targets, other.targets)
        assert (one.teacher is None, other.teacher is None) == (True, False)
