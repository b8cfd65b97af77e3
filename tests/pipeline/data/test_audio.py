"""Recordings: from folders, a manifest or samples in an npz; as samples or as mel features."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqpress.pipeline.data import framed, load_source, source_digest
from seqpress.pipeline.data.dataset import Dataset, Sequences
from seqpress.pipeline.data.digest import data_libraries
from seqpress.pipeline.data.overview import overview
from seqpress.pipeline.data.sources import audio
from seqpress.pipeline.errors import ConfigError, EnvironmentFault, InputRejected

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


def front_end(**changes: Any) -> dict[str, Any]:
    fixed = {"kind": "log-mel", "in_graph": False, "bands": 40, "coefficients": 13, "window_ms": 25.0, "hop_ms": 10.0}
    return fixed | {"low_hz": 20.0, "high_hz": None, "emphasis": 0.97} | changes


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
    dataset = load_source(options("takes.npz", front_end=front_end(kind=kind, bands=20)), tmp_path, 7)
    assert dataset.channels == (20 if kind == "log-mel" else 13)
    assert dataset.train.lengths.min() == RATE // 10 // 80
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


def graph_frames(dataset: Dataset, split: Sequences, index: int) -> np.ndarray:
    """(T, bands) of one item by the front that the data set names, not yet standardized."""
    torch = pytest.importorskip("torch")
    from seqpress.models.registry import build_front

    front = dict(dataset.device["front"])
    bands = front.pop("bands")
    made = build_front(front.pop("kind"), torch.zeros(bands), torch.ones(bands), **front)
    samples = torch.from_numpy(np.array(split.item(index)[:, 0]))
    return made.read(samples[None], torch.tensor([len(samples)])).features[0].numpy()


@pytest.mark.parametrize(
    "changes",
    [{}, {"bands": 24, "window_ms": 32.0, "hop_ms": 16.0, "low_hz": 100.0, "high_hz": 3500.0, "emphasis": 0.0}],
    ids=["defaults", "all changed"],
)
def test_the_graph_makes_the_frames_that_librosa_makes(
    changes: dict[str, Any], shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    pytest.importorskip("librosa")
    where = {"test": None, "validation": {"fraction": 0.1, "by": "class"}}
    path = str(shared_data("fsdd/fsdd_audio.npz"))
    read, kept = (
        load_source(options(path, front_end=front_end(in_graph=in_graph, **changes), **where), tmp_path, 7)
        for in_graph in (False, True)
    )
    for index in np.linspace(0, len(kept.test) - 1, 40).astype(int):
        made = graph_frames(kept, kept.test, int(index))
        np.testing.assert_allclose(made, read.test.item(int(index)), atol=1e-4)  # of logarithms from -14 to 8
    np.testing.assert_allclose(kept.mean, read.mean, atol=1e-4)
    np.testing.assert_allclose(kept.std, read.std, atol=1e-4)


def in_graph(tmp_path: Path, **changes: Any) -> Dataset:
    write_npz(tmp_path / "takes.npz")
    return load_source(options("takes.npz", front_end=front_end(in_graph=True, **changes)), tmp_path, 7)


@pytest.mark.parametrize("waves", [1, 2**22])
def test_samples_are_kept_for_the_graph_with_the_moments_of_its_frames(
    waves: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framed, "_WAVES", waves)
    dataset = in_graph(tmp_path)
    assert (dataset.features, dataset.train.values.shape[1]) == (("sample",), 1)
    assert "front_end" not in dataset.device
    frames = np.concatenate([graph_frames(dataset, dataset.train, index) for index in range(len(dataset.train))])
    np.testing.assert_allclose(dataset.mean, frames.mean(axis=0, dtype=np.float64), atol=1e-5)
    np.testing.assert_allclose(dataset.std, frames.std(axis=0, dtype=np.float64), atol=1e-5)


def test_a_data_set_for_the_graph_is_what_it_was_when_read_again(tmp_path: Path) -> None:
    dataset = in_graph(tmp_path)
    (tmp_path / "out").mkdir()
    dataset.write(tmp_path / "out")
    again = Dataset.read({path.name: path for path in (tmp_path / "out").iterdir()})
    assert again.device == dataset.device
    np.testing.assert_array_equal(again.mean, dataset.mean)
    assert again.only(["sam*"]).mean.shape == (40,)
    facts = overview(again)
    assert [channel["name"] for channel in facts["channels"]] == ["sample"]
    assert facts["channels"][0]["greatest"] < 1 < dataset.std.max()


def test_a_recording_shorter_than_a_hop_is_refused(tmp_path: Path) -> None:
    cuts = np.cumsum([0, *map(len, tones().values())])
    offsets = np.sort(np.append(cuts[:-1], cuts[1] - 40))[:17]
    offsets[-1] = cuts[-1]
    write_npz(tmp_path / "takes.npz", offsets=offsets)
    with pytest.raises(InputRejected, match=r"must have 80 samples for a frame; got 1 shorter item") as caught:
        load_source(options("takes.npz", front_end=front_end(in_graph=True)), tmp_path, 7)
    assert caught.value.faults[0].code == "data.zero-length"
    pytest.importorskip("librosa")
    with pytest.raises(InputRejected) as caught:
        load_source(options("takes.npz", front_end=front_end()), tmp_path, 7)
    assert caught.value.faults[0].code == "data.zero-length"


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"high_hz": 4100.0}, "both at most half the sample rate, 4000 Hz; got 20 to 4100"),
        ({"low_hz": 4000.0}, "must have low_hz below high_hz"),
        ({"window_ms": 0.1, "hop_ms": 0.05}, "must be long enough for samples at 8000 Hz"),
    ],
)
def test_a_front_end_that_the_sample_rate_cannot_give(
    changes: dict[str, Any], rule: str, in_graph: bool, tmp_path: Path
) -> None:
    write_npz(tmp_path / "takes.npz")
    with pytest.raises(ConfigError, match=rule):
        load_source(options("takes.npz", front_end=front_end(in_graph=in_graph, **changes)), tmp_path, 7)


def test_the_libraries_of_each_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert data_libraries(options("takes.npz", front_end=front_end(in_graph=True))) == ("torch",)
    assert data_libraries(options("takes.npz", front_end=front_end())) == ("librosa",)
    monkeypatch.setattr(audio, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'seqpress\[train,audio\]'"):
        source_digest(options("takes.npz", front_end=front_end(in_graph=True)), tmp_path)
