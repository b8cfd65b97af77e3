"""Real data through the npz source: spoken digits by speaker, and chorales by length."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqpress.pipeline.data import load_source
from seqpress.pipeline.errors import InputRejected

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def digits(shared_data: Callable[[str], Path], tmp_path: Path) -> dict[str, Any]:
    with np.load(shared_data("fsdd/fsdd_logmel40.npz"), allow_pickle=False) as found:
        arrays = {
            "values": found["features"],
            "offsets": found["offsets"],
            "labels": found["label"],
            "is_test": found["is_test"],
            "groups": found["speaker_names"][found["speaker"]],
        }
    np.savez(tmp_path / "digits.npz", **arrays)
    return arrays


def test_spoken_digits_share_their_speakers(digits: dict[str, Any], options: Make, tmp_path: Path) -> None:
    """The official split shares all six speakers; who declares them as groups is told."""
    with pytest.raises(InputRejected) as caught:
        load_source(options(path="digits.npz"), tmp_path, 7)
    speakers = "'george', 'jackson', 'lucas', 'nicolas', 'theo', 'yweweler'"
    assert f"{speakers} in both (300 items of test)" in str(caught.value)


def test_spoken_digits_with_unseen_speakers(digits: dict[str, Any], options: Make, tmp_path: Path) -> None:
    by_group = {"fraction": 0.2, "by": "group"}
    dataset = load_source(options(path="digits.npz", test=by_group, validation=by_group), tmp_path, 7)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [2000, 500, 500]
    assert dataset.train.channels == 40
    assert any("float16" in finding["text"] for finding in dataset.findings)
    np.testing.assert_allclose((dataset.train.packed()[0] - dataset.mean).std(axis=0), dataset.std, rtol=1e-3)


def test_spoken_digits_official_split(digits: dict[str, Any], options: Make, tmp_path: Path) -> None:
    np.savez(tmp_path / "digits.npz", **{name: array for name, array in digits.items() if name != "groups"})
    dataset = load_source(options(path="digits.npz", validation={"fraction": 0.1, "by": "class"}), tmp_path, 7)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [2430, 270, 300]
    facts = {split["name"]: split for split in dataset.facts()["splits"]}
    assert set(facts["test"]["by_label"].values()) == {30}
    assert min(split["length_min"] for split in facts.values()) == 12
    assert max(split["length_max"] for split in facts.values()) == 226


def test_the_file_as_it_is_says_what_to_rename(
    shared_data: Callable[[str], Path], options: Make, tmp_path: Path
) -> None:
    with pytest.raises(InputRejected) as caught:
        load_source(options(path=str(shared_data("fsdd/fsdd_logmel40.npz"))), tmp_path, 7)
    text = str(caught.value)
    assert "must have an array 'labels' (the ragged layout)\n  did you mean: label" in text
    assert "features must be text of shape (channels,); got float16 of shape (125237, 40)" in text


def test_chorales_by_length(shared_data: Callable[[str], Path], options: Make, tmp_path: Path) -> None:
    """Piano rolls compress 46-fold, which is no bomb; keys never struck in training are constant channels."""
    with np.load(shared_data("polymusic/jsb_chorales.npz"), allow_pickle=False) as found:
        parts = [found[f"roll_{name}"] for name in ("train", "valid", "test")]
        lengths = [np.diff(found[f"offsets_{name}"]) for name in ("train", "valid", "test")]
    every = np.concatenate(lengths)
    np.savez_compressed(
        tmp_path / "chorales.npz",
        values=np.concatenate(parts),
        offsets=np.concatenate([[0], np.cumsum(every)]),
        labels=np.where(every > 57, "long", "short"),
        split=np.repeat(["train", "validation", "test"], [len(part) for part in lengths]),
    )
    dataset = load_source(options(path="chorales.npz"), tmp_path, 7)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [229, 76, 77]
    assert set(np.unique(dataset.train.packed()[0])) == {0.0, 1.0}
    constant = int((dataset.std == 1.0).sum())
    assert constant > 10
    told = [finding["text"] for finding in dataset.findings if finding["text"].startswith("Constant")]
    assert len(told) == 1
    assert told[0].startswith(f"Constant over all of training: {constant} of 88 channels (column 0, ")
