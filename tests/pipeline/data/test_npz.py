"""The two layouts of an npz, what they convert, and what they leave alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from seqpress.pipeline.data import Dataset, load_source, source_digest

Make = Callable[..., dict[str, Any]]


def padded(ragged: dict[str, Any], fill: float) -> dict[str, Any]:
    offsets, values = ragged["offsets"], ragged["values"]
    lengths = np.diff(offsets)
    frames = np.full((len(lengths), lengths.max() + 2, values.shape[1]), fill, values.dtype)
    for i, length in enumerate(lengths):
        frames[i, :length] = values[offsets[i] : offsets[i + 1]]
    rest = {name: array for name, array in ragged.items() if name not in ("values", "offsets")}
    return {"frames": frames, "lengths": lengths, **rest}


def texts(dataset: Dataset, severity: str) -> str:
    return "\n".join(finding["text"] for finding in dataset.findings if finding["severity"] == severity)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(1, 9), min_size=12, max_size=20),
    channels=st.integers(1, 4),
    fill=st.sampled_from([0.0, 7.0, np.nan, np.inf]),
    dtype=st.sampled_from(["<f4", ">f4", "<f8", "<f2"]),
)
def test_ragged_and_padded_are_the_same_data(
    lengths: list[int], channels: int, fill: float, dtype: str, options: Make, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever fills the padding, NaN too, and in whichever float type and byte order."""
    folder = tmp_path_factory.mktemp("layouts")
    rng = np.random.default_rng(sum(lengths))
    ragged = {
        "values": rng.normal(size=(sum(lengths), channels)).astype(dtype),
        "offsets": np.cumsum([0, *lengths]),
        "labels": np.arange(len(lengths)) % 2,
        "is_test": np.arange(len(lengths)) >= len(lengths) - 4,
    }
    np.savez(folder / "ragged.npz", **ragged)
    np.savez_compressed(folder / "padded.npz", **padded(ragged, fill))
    one, two = (load_source(options(path=f"{name}.npz"), folder, 7) for name in ("ragged", "padded"))
    assert one.digest() == two.digest()
    assert one.train.values.dtype == np.float32
    assert one.train.values.flags.c_contiguous
    assert len(one.train) + len(one.validation) == len(lengths) - 4


def test_text_and_number_labels(small: Make, options: Make, tmp_path: Path) -> None:
    np.savez(tmp_path / "speech.npz", **small(labels=np.array([10, 2] * 12)))
    by_value = load_source(options(), tmp_path, 7)
    assert by_value.labels == ("2", "10")  # numbers sort as numbers
    assert set(by_value.train.labels.tolist()) == {0, 1}
    np.savez(tmp_path / "speech.npz", **small(labels=np.array([1.0, 0.0] * 12), label_names=np.array(["no", "yes"])))
    by_index = load_source(options(), tmp_path, 7)
    assert by_index.labels == ("no", "yes")
    np.savez(tmp_path / "speech.npz", **small(labels=np.array(["yes", "no"] * 12), label_names=np.array(["yes", "no"])))
    assert load_source(options(), tmp_path, 7).labels == ("yes", "no")  # the declared order stands
    np.savez(tmp_path / "speech.npz", **small(labels=np.array([True, False] * 12)))
    assert load_source(options(), tmp_path, 7).labels == ("0", "1")


@pytest.mark.parametrize("dtype", ["f2", "f8", "i1", "u1", "i2", "i8", "u8", "?", "g"])
def test_every_real_number_type_becomes_float32_and_says_so(
    dtype: str, small: Make, options: Make, tmp_path: Path
) -> None:
    values = (np.abs(small()["values"]) * 3).astype(dtype)
    np.savez(tmp_path / "speech.npz", **small(values=values))
    dataset = load_source(options(), tmp_path, 7)
    assert dataset.train.values.dtype == np.float32
    assert f"Features were {np.dtype(dtype).name} and are used as float32." in texts(dataset, "info")
    np.testing.assert_array_equal(dataset.test.packed()[0], values[87:].astype(np.float32))


def test_lost_detail_and_constant_channels_are_found(small: Make, options: Make, tmp_path: Path) -> None:
    values = small()["values"].astype(np.float64)
    values[:, 0] = 1.7e9 + np.arange(len(values))  # seconds since 1970
    values[:, 1] = 0.1
    np.savez(tmp_path / "speech.npz", **small(values=values, features=np.array(["seconds", "gain", "pitch"])))
    dataset = load_source(options(), tmp_path, 7)
    warned = texts(dataset, "warning")
    assert "Rounding to float32 blurs 1 of 3 channels: column 0 ('seconds') by 64 at a deviation of" in warned
    assert "Constant over all of training: 1 of 3 channels (column 1 ('gain'))." in warned
    assert "pitch" not in warned
    assert dataset.std[1] == 1.0
    assert dataset.mean[1] == np.float32(0.1)


def test_duplicates_across_splits_are_found(small: Make, options: Make, tmp_path: Path) -> None:
    arrays = small()
    arrays["values"][100:103] = arrays["values"][0:3]  # item 20 (test, class a) becomes item 0 (train, class a)
    np.savez(tmp_path / "speech.npz", **arrays)
    warned = texts(load_source(options(), tmp_path, 7), "warning")
    assert "1 item of test also in train, bit for bit, 0 of them under another label: item 20 is item 0." in warned
    arrays["labels"][20] = "b"
    np.savez(tmp_path / "speech.npz", **arrays)
    assert "1 of them under another label" in texts(load_source(options(), tmp_path, 7), "warning")


def test_a_declared_class_that_nobody_has(small: Make, options: Make, tmp_path: Path) -> None:
    np.savez(tmp_path / "speech.npz", **small(label_names=np.array(["a", "b", "c"])))
    dataset = load_source(options(), tmp_path, 7)
    assert dataset.labels == ("a", "b", "c")
    assert "No item has the label 'c'" in texts(dataset, "warning")


def test_what_is_not_read_is_named(small: Make, options: Make, tmp_path: Path) -> None:
    np.savez(tmp_path / "speech.npz", **small(sample_rate=np.array(8000)))
    assert texts(load_source(options(), tmp_path, 7), "info") == (
        "speech.npz also holds sample_rate, which nothing reads."
    )


def test_the_digest_is_of_the_content(small: Make, options: Make, tmp_path: Path) -> None:
    np.savez(tmp_path / "speech.npz", **small())
    (tmp_path / "other.npz").write_bytes((tmp_path / "speech.npz").read_bytes())
    assert source_digest(options(), tmp_path) == source_digest(options(path="other.npz"), tmp_path)
    np.savez(tmp_path / "other.npz", **small(labels=np.array(["a", "c"] * 12)))
    assert source_digest(options(), tmp_path) != source_digest(options(path="other.npz"), tmp_path)
