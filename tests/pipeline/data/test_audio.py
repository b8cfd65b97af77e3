"""Recordings: from folders, a manifest or samples in an npz; as samples or as mel features."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqpress.pipeline.data import load_source, source_digest
from seqpress.pipeline.data.sources import audio
from seqpress.pipeline.errors import EnvironmentFault, InputRejected

RATE = 8000


def options(path: str, **changes: Any) -> dict[str, Any]:
    share = {"fraction": 0.25, "by": "class"}
    return {
        "source": "audio",
        "path": path,
        "group": None,
        "front_end": None,
        "test": share,
        "validation": share,
    } | changes


def tones() -> dict[str, np.ndarray]:
    """Eight tones of each of two pitches, a tenth of a second or a little more."""
    rng = np.random.default_rng(0)
    found = {}
    for number in range(16):
        time = np.arange(RATE // 10 + 10 * number) / RATE
        pitch = (440, 880)[number % 2]
        found[f"{('low', 'high')[number % 2]}/{number:02d}"] = (
            0.5 * np.sin(2 * np.pi * pitch * time) + 0.01 * rng.normal(size=len(time))
        ).astype(np.float32)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    soundfile = pytest.importorskip("soundfile")
    for number, (name, samples) in enumerate(tones().items()):
        path = tmp_path / "takes" / f"{name}.{('wav', 'flac')[number % 3 == 0]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, RATE)
    return tmp_path


def test_folders_are_labels(folder: Path) -> None:
    dataset = load_source(options("takes"), folder, 7, source_digest(options("takes"), folder))
    assert dataset.labels == ("high", "low")
    assert dataset.device["sample_rate_hz"] == RATE
    assert dataset.features == ("sample",)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [9, 3, 4]
    expected = tones()["high/01"]
    np.testing.assert_allclose(dataset.train.values[: len(expected), 0], expected, atol=1e-4)


def test_a_manifest(folder: Path) -> None:
    rows = ["file,label,group,split"]
    for number, path in enumerate(sorted((folder / "takes").glob("*/*"))):
        label, part = path.parent.name, "test" if number % 4 == 0 else "train"
        rows.append(f"takes/{label}/{path.name},{label},g{number},{part}")
    (folder / "list.csv").write_text("\n".join(rows) + "\n")
    chosen = options("list.csv", test=None)
    dataset = load_source(chosen, folder, 7, source_digest(chosen, folder))
    assert len(dataset.test) == 4
    (folder / "list.csv").write_text("name\nx\n")
    with pytest.raises(InputRejected, match="must have a column 'file'"):
        load_source(chosen, folder, 7)


def test_damage_and_two_rates(folder: Path) -> None:
    import soundfile

    soundfile.write(folder / "takes" / "low" / "00.flac", np.zeros(100, np.float32), 16000)
    with pytest.raises(InputRejected, match="must have one sample rate"):
        load_source(options("takes"), folder, 7)
    (folder / "takes" / "low" / "00.flac").write_bytes(b"fLaCjunk")
    with pytest.raises(InputRejected, match="must be a readable recording"):
        load_source(options("takes"), folder, 7)


def test_without_soundfile_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'seqpress\[audio\]'"):
        source_digest(options("takes"), tmp_path)


def write_npz(path: Path, **changes: Any) -> None:
    takes = list(tones().values())
    arrays = {
        "audio": np.round(np.concatenate(takes) * 32767).astype(np.int16),
        "offsets": np.cumsum([0, *map(len, takes)]),
        "label": np.arange(16) % 2,
        "speaker": np.arange(16) // 2,
        "sample_rate": np.array(RATE),
    }
    np.savez(path, **{name: array for name, array in (arrays | changes).items() if array is not None})


@pytest.mark.parametrize("block_bytes", [2000, 2**24])
def test_samples_in_an_npz(block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seqpress.pipeline.data import archive

    monkeypatch.setattr(archive, "BLOCK_BYTES", block_bytes)
    write_npz(tmp_path / "takes.npz")
    by_group = {"fraction": 0.25, "by": "group"}
    dataset = load_source(options("takes.npz", group="speaker", test=by_group, validation=by_group), tmp_path, 7)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [10, 2, 4]
    np.testing.assert_allclose(dataset.train.values[:, 0], np.concatenate(list(tones().values())), atol=1e-4)
    write_npz(tmp_path / "takes.npz", sample_rate=None)
    with pytest.raises(InputRejected, match="must have an array sample_rate"):
        load_source(options("takes.npz"), tmp_path, 7)


@pytest.mark.parametrize("kind", ["log-mel", "mfcc"])
def test_mel_features(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("librosa")
    write_npz(tmp_path / "takes.npz")
    front_end = {"kind": kind, "bands": 20, "coefficients": 13, "window_ms": 25.0, "hop_ms": 10.0}
    dataset = load_source(options("takes.npz", front_end=front_end), tmp_path, 7)
    assert dataset.channels == (20 if kind == "log-mel" else 13)
    assert dataset.train.lengths.min() == (RATE // 10 - 256) // 80 + 1
    assert dataset.device["front_end"]["kind"] == kind
    if kind == "log-mel":
        low = [dataset.train.item(i).mean(axis=0).argmax() for i in np.flatnonzero(dataset.train.labels == 0)]
        high = [dataset.train.item(i).mean(axis=0).argmax() for i in np.flatnonzero(dataset.train.labels == 1)]
        assert max(low) < min(high)


def test_spoken_digits(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    chosen = options(str(shared_data("fsdd/fsdd_audio.npz")), test=None, validation={"fraction": 0.1, "by": "class"})
    dataset = load_source(chosen, tmp_path, 7)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [2430, 270, 300]
    assert dataset.train.values.shape == (10_498_424, 1)
    assert np.abs(dataset.train.values).max() <= 1


def test_groups_by_name(tmp_path: Path) -> None:
    speakers = np.arange(16) // 4
    write_npz(tmp_path / "takes.npz", speaker=speakers, speaker_names=np.array(["ann", "bob", "eve", "joe"]))
    test, validation = ({"fraction": 0.2, "by": "group", "groups": [name]} for name in ("eve", "bob"))
    dataset = load_source(options("takes.npz", group="speaker", test=test, validation=validation), tmp_path, 7)
    cuts = np.cumsum([0, *map(len, tones().values())])
    assert dataset.test.starts.tolist() == cuts[8:12].tolist()
    write_npz(tmp_path / "takes.npz", speaker=speakers, speaker_names=np.array(["ann", "bob", "eve"]))
    with pytest.raises(InputRejected, match="must be numbers that speaker_names covers; got 0 to 3"):
        load_source(options("takes.npz", group="speaker", test=test, validation=validation), tmp_path, 7)
