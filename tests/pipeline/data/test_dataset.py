"""Sequences and data sets: round trip through files, padding, normalisation from training alone."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from seqpress.pipeline.data import Dataset, Sequences, load_source
from seqpress.pipeline.data.normalise import fit
from seqpress.pipeline.errors import InputRejected
from seqpress.pipeline.report.model import DataFacts, Finding

Make = Callable[..., dict[str, Any]]


@st.composite
def sequences(draw: st.DrawFn, channels: int = 2) -> Sequences:
    lengths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=10))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    values = rng.normal(size=(sum(lengths), channels)).astype(np.float32)
    labels = rng.integers(0, 3, len(lengths))
    return Sequences.ragged(values, np.cumsum([0, *lengths]).astype(np.int64), labels.astype(np.int64))


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    train, validation, test = draw(sequences()), draw(sequences()), draw(sequences())
    mean, std = fit(train.values)
    finding = {"severity": "info", "subject": "data", "text": "naïve"}
    return Dataset(train, validation, test, ("a", "b", "ü"), ("x", "y"), mean, std, "npz x.npz", (finding,))


def files(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in folder.iterdir()}


@settings(max_examples=25, deadline=None)
@given(datasets())
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> None:
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    facts = dataset.write(one)
    back = Dataset.read(files(one))
    assert isinstance(back.train.values, np.memmap)
    for name in ("train", "validation", "test"):
        one_split, other = dataset.split(name), back.split(name)
        for given_array, read in zip(
            (*one_split.packed(), one_split.labels), (*other.packed(), other.labels), strict=True
        ):
            np.testing.assert_array_equal(given_array, read)
            assert given_array.dtype == read.dtype
    assert (back.labels, back.features, back.source, back.findings) == (
        dataset.labels, dataset.features, dataset.source, dataset.findings
    )  # fmt: skip
    np.testing.assert_array_equal(back.std, dataset.std)
    assert back.write(two) == facts
    assert {n: p.read_bytes() for n, p in files(one).items()} == {n: p.read_bytes() for n, p in files(two).items()}
    assert DataFacts(**facts["data"]).digest == dataset.digest() == back.digest()
    assert Finding(**facts["findings"][0]).text == "naïve"


@settings(max_examples=50, deadline=None)
@given(sequences(), st.data())
def test_batch_and_select_hold_the_items(one: Sequences, data: st.DataObject) -> None:
    indices = data.draw(st.lists(st.integers(0, len(one) - 1), min_size=1, max_size=8))
    frames, lengths, labels = one.batch(indices)
    picked = one.select(indices)
    assert frames.dtype == picked.values.dtype == np.float32
    assert frames.shape == (len(indices), max(one.lengths[indices]), 2)
    for row, index in enumerate(indices):
        np.testing.assert_array_equal(frames[row, : lengths[row]], one.item(index))
        assert not frames[row, lengths[row] :].any()
        np.testing.assert_array_equal(picked.item(row), one.item(index))
    assert labels.tolist() == picked.labels.tolist() == one.labels[indices].tolist()


def test_normalisation_uses_training_only(small: Make, options: Make, tmp_path: Path) -> None:
    def load(values: np.ndarray) -> Dataset:
        np.savez(tmp_path / "speech.npz", **small(values=values))
        return load_source(options(), tmp_path, 7)

    values = small()["values"]
    first = load(values)
    elsewhere = values.copy()
    elsewhere[87:] = 1e6  # the test split
    held = {bytes(first.validation.item(i)) for i in range(len(first.validation))}
    offsets = small()["offsets"]
    for start, stop in pairwise(offsets):
        if bytes(values[start:stop]) in held:
            elsewhere[start:stop] = -1e6
    second = load(elsewhere)
    assert second.validation.packed()[0].max() == -1e6
    np.testing.assert_array_equal(first.mean, second.mean)
    np.testing.assert_array_equal(first.std, second.std)
    np.testing.assert_allclose(first.mean, first.train.packed()[0].mean(axis=0, dtype=np.float64), rtol=1e-6)
    moved = values.copy()
    moved[:87] += 1
    np.testing.assert_allclose(load(moved).mean, first.mean + 1, rtol=1e-5)


def test_fit_is_exact_over_many_chunks_and_large_offsets() -> None:
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(200_000, 2)) * [1, 1e-3] + [1e4, 1.0]).astype(np.float32)
    mean, std = fit(values)
    np.testing.assert_allclose(mean, values.mean(axis=0, dtype=np.float64), rtol=1e-7)
    np.testing.assert_allclose(std, values.std(axis=0, dtype=np.float64), rtol=1e-6)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e30, 1e-40])
def test_a_constant_channel_has_std_one(constant: float) -> None:
    values = np.full((70_000, 1), constant, np.float32)
    mean, std = fit(values)
    assert std.tolist() == [1.0]
    assert ((values - mean) / std == 0).all()


def test_a_channel_below_float32s_range_has_std_one() -> None:
    _, std = fit(np.array([[0.0], [1e-42]], np.float32))
    assert std.tolist() == [1.0]


def test_damaged_files_are_refused(small: Make, options: Make, tmp_path: Path) -> None:
    np.savez(tmp_path / "speech.npz", **small())
    folder = tmp_path / "stored"
    folder.mkdir()
    load_source(options(), tmp_path, 7).write(folder)
    Dataset.read(files(folder))
    kept = {name: path.read_bytes() for name, path in files(folder).items()}
    other = {
        "dataset.json": [b"", b"{}", b"[]", b'{"schema": 1}', json.dumps({"schema": 2}).encode()],
        "values.npy": [b"", kept["values.npy"][:-1], kept["values.npy"][:40], kept["mean.npy"]],
        "test.items.npy": [kept["train.items.npy"], kept["std.npy"]],
        "std.npy": [b"pickle"],
    }
    for name, contents in other.items():
        for content in contents:
            (folder / name).write_bytes(content)
            with pytest.raises(InputRejected, match=r"dataset\.json must "):
                Dataset.read(files(folder))
        (folder / name).write_bytes(kept[name])
    missing = {name: path for name, path in files(folder).items() if name != "test.targets.npy"}
    with pytest.raises(InputRejected, match="must be a whole stored data set"):
        Dataset.read(missing)


def test_a_limit_spreads_over_each_split(small: Make, options: Make, tmp_path: Path) -> None:
    np.savez(tmp_path / "speech.npz", **small())
    whole, some = load_source(options(), tmp_path, 7), load_source(options(limit=4), tmp_path, 7)
    assert [len(some.split(name)) for name in ("train", "validation", "test")] == [4, 4, 4]
    for name in ("train", "validation", "test"):
        one, other = whole.split(name), some.split(name)
        kept = np.arange(4) * len(one) // 4
        assert other.starts.tolist() == one.starts[kept].tolist()
        assert other.labels.tolist() == one.labels[kept].tolist()
    told = [finding["text"] for finding in some.findings if "data.limit" in finding["text"]]
    assert told[0] == "data.limit keeps 4 of 14 items of the train split."
    assert len(told) == 2  # validation has no more than that
    many = load_source(options(limit=1000), tmp_path, 7)
    assert (many.digest(), many.findings) == (whole.digest(), whole.findings)
