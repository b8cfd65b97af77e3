"""Stored outputs: held to the data set, in its order."""

import numpy as np
import pytest
from seqpress.exporters.forms import OutputForm
from seqpress.pipeline.errors import ConfigError, InputRejected
from seqpress.pipeline.teachers.outputs import read_outputs
from toy_data import CLASSES, dataset, teacher_logits

DATA = dataset()
LOGITS = teacher_logits(DATA.train)


def read(folder, form=None, kind=None, **arrays):
    np.savez(folder / "soft.npz", **arrays)
    return read_outputs(folder / "soft.npz", DATA, form or OutputForm(), CLASSES, kind)


def test_every_split_that_is_there_is_read(tmp_path):
    found = read(tmp_path, train=LOGITS.astype(np.float64), test=teacher_logits(DATA.test))
    assert list(found) == ["train", "test"]
    np.testing.assert_array_equal(found["train"], LOGITS)
    assert found["train"].dtype == np.float32


def test_rows_in_another_order_are_found_by_their_ids(tmp_path):
    ids = np.random.default_rng(0).permutation(len(DATA.train))
    np.testing.assert_array_equal(read(tmp_path, train=LOGITS[ids], ids=ids)["train"], LOGITS)


def test_frames_in_another_order_of_items_are_found_by_their_ids(tmp_path):
    form = OutputForm("frames")
    rows = np.random.default_rng(1).normal(size=(int(DATA.train.lengths.sum()), CLASSES)).astype(np.float32)
    pieces = np.split(rows, np.cumsum(DATA.train.lengths)[:-1])
    ids = np.random.default_rng(0).permutation(len(DATA.train))
    shuffled = np.concatenate([pieces[item] for item in ids])
    np.testing.assert_array_equal(read(tmp_path, form, train=shuffled, ids=ids)["train"], rows)


def test_certain_probabilities_become_finite_logits(tmp_path):
    certain = np.eye(CLASSES, dtype=np.float32)[np.arange(len(DATA.train)) % CLASSES]
    one_of_many = read(tmp_path, kind="probabilities", train=certain)["train"]
    marks = read(tmp_path, OutputForm(activation="sigmoid"), "probabilities", train=certain)["train"]
    assert np.isfinite(one_of_many).all()
    assert np.isfinite(marks).all()
    assert (one_of_many.argmax(1) == certain.argmax(1)).all()


def test_values_of_a_forecast(tmp_path):
    form = OutputForm("horizon", "identity", 6)
    given = np.ones((len(DATA.train), 6, CLASSES), np.float32)
    assert read(tmp_path, form, train=given)["train"].shape == given.shape


@pytest.mark.parametrize(
    ("arrays", "kind", "said"),
    [
        ({"train": LOGITS[:-1]}, None, r"must have the shape \(40, 4\): 40 items of the split.*got \(39, 4\)"),
        ({"train": LOGITS[:, :3]}, None, r"got \(40, 3\)"),
        ({"train": LOGITS.astype(str)}, None, "must hold numbers"),
        ({"train": LOGITS.astype(object)}, None, "must not hold Python objects"),
        ({"test": LOGITS}, None, "must hold an array train"),
        (
            {"train": LOGITS, "trian": LOGITS},
            None,
            "must hold train, validation, test, ids and nothing else; got trian",
        ),
        ({"train": LOGITS * np.nan}, None, "NaN or infinity in 40 rows, the first is 0"),
        ({"train": LOGITS}, "probabilities", "must hold probabilities from 0 to 1"),
        ({"train": np.full_like(LOGITS, 0.5)}, "probabilities", "must hold probabilities that sum to 1"),
        ({"train": LOGITS}, "values", "must be of kind logits for this task; got values"),
        (
            {"train": LOGITS, "ids": np.zeros(40, int)},
            None,
            "every item of the training split once; got item 0 40 times",
        ),
        ({"train": LOGITS, "ids": np.arange(39)}, None, "must hold 40 whole numbers"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, arrays, kind, said):
    with pytest.raises(InputRejected, match=said):
        read(tmp_path, kind=kind, **arrays)


def test_a_file_that_changed_or_is_not_there(tmp_path):
    read(tmp_path, train=LOGITS)
    with pytest.raises(InputRejected, match="must not change during a run"):
        read_outputs(tmp_path / "soft.npz", DATA, OutputForm(), CLASSES, None, "0" * 64)
    with pytest.raises(ConfigError, match=r"did you mean: soft\.npz"):
        read_outputs(tmp_path / "sofd.npz", DATA, OutputForm(), CLASSES)
