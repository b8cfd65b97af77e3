"""Recordings: a folder of folders by label, a csv manifest, or an npz of samples end to end.

wav and flac are read by soundfile. Channels are averaged; all files must have one sample rate, which becomes a fact of
the data. The samples themselves are kept (frames, 1), from -1 to 1, or mel features that librosa computes here.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ConfigError, EnvironmentFault, Fault, InputRejected
from ..archive import Archive
from ..files import open_regular, sha256
from ..raw import Array, Found, Raw, first, listed
from ..sink import Sink

_SUFFIXES = (".wav", ".flac")
_FULL_SCALE = {"int16": 2**15, "int32": 2**31, "float32": 1, "float64": 1}


@dataclass
class _Listed:
    """Recordings with what is known of each."""

    files: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    split: list[str] = field(default_factory=list)


def read(options: Mapping[str, Any], folder: Path, sink: Sink) -> tuple[Raw, dict[str, Any]]:
    """All recordings, one at a time."""
    path = folder / options["path"]
    name = path.name
    _require(options)
    if path.suffix == ".npz":
        found, rate = _from_npz(path, options, sink)
    else:
        found = _listing(path)
        rate = _from_files(path, found, options, sink)
    raw = Raw(
        name=name,
        kind=f"audio {name}",
        count=len(sink.scan),
        labels=found.labels or None,
        groups=found.groups or None,
        split=found.split or None,
        features=_names(options),
        ids=tuple(found.files) or None,
        typed=False,
        device={"sample_rate_hz": rate, "front_end": options.get("front_end")},
    )
    return raw, digest(options, folder)


def digest(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """SHA-256 of the archive, or of the manifest and every recording in its order."""
    path = folder / options["path"]
    _require(options)
    if path.suffix == ".npz":
        return {"file": _sha256(path)}
    listing = _listing(path)
    root = path if path.is_dir() else path.parent
    own = {} if path.is_dir() else {"manifest": _sha256(path)}
    return own | {"labels": listing.labels, "files": [_sha256(root / name) for name in listing.files]}


def _sha256(path: Path) -> str:
    with open_regular(path, "data.path", path.name) as file:
        return sha256(file)


def _require(options: Mapping[str, Any]) -> None:
    needed = [] if str(options["path"]).endswith(".npz") else ["soundfile"]
    needed += ["librosa"] if options.get("front_end") else []
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        rule = f"needs the package {listed(missing)}, which is not installed"
        raise EnvironmentFault(Fault("data.no-library", "data.source", rule, hint="pip install 'seqpress[audio]'"))


def _listing(path: Path) -> _Listed:
    """Files with their labels, by name from a folder, in its own order from a manifest."""
    if path.is_dir():
        files = sorted(file for file in path.glob("*/*") if file.suffix.lower() in _SUFFIXES)
        if not files:
            rule = f"must hold label/recording{' or .'.join(_SUFFIXES)}"
            raise InputRejected(Fault("data.layout", path.name, rule, "none"))
        return _Listed([str(file.relative_to(path)) for file in files], [file.parent.name for file in files])
    if path.suffix != ".csv":
        with open_regular(path, "data.path", path.name):
            rule = "must be a folder, a csv manifest or an npz"
            raise InputRejected(Fault("data.layout", path.name, rule, repr(path.suffix)))
    with open_regular(path, "data.path", path.name) as raw:
        rows = list(csv.DictReader(raw.read().decode("utf-8").splitlines()))
    if not rows or "file" not in rows[0]:
        got = listed(list(rows[0])) if rows else "no rows"
        raise InputRejected(Fault("data.layout", path.name, "must have a column 'file'", got))
    column = {key: [row[key] or "" for row in rows] if key in rows[0] else [] for key in ("label", "group", "split")}
    return _Listed([row["file"] for row in rows], column["label"], column["group"], column["split"])


def _from_files(path: Path, listing: _Listed, options: Mapping[str, Any], sink: Sink) -> int:
    """Recordings into the sink; their common sample rate."""
    import soundfile

    root = path if path.is_dir() else path.parent
    rates: dict[int, str] = {}
    for name in listing.files:
        with open_regular(root / name, "data.path", name) as file:
            try:
                samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, OSError) as error:
                rule = "must be a readable recording"
                raise InputRejected(Fault("data.file", name, rule, hint=str(error)[:200])) from error
        rates.setdefault(int(rate), name)
        sink.item(_features(samples.mean(axis=1), int(rate), options))
    if len(rates) > 1:
        found = Found()
        examples = [f"{name}: {rate} Hz" for rate, name in rates.items()]
        found.fault("layout", path.name, "must have one sample rate", f"{len(rates)}", first(examples))
        raise InputRejected(found.faults)
    return next(iter(rates))


def _from_npz(path: Path, options: Mapping[str, Any], sink: Sink) -> tuple[_Listed, int]:
    """Samples end to end; one recording in memory at a time, and a block of samples."""
    with open_regular(path, "data.path", path.name) as file:
        archive = Archive(file, path.name, streamed=("audio",))
        needed = ("audio", "offsets", "sample_rate", *([options["group"]] if options.get("group") else []))
        missing = [name for name in needed if name not in archive]
        if missing:
            got = listed(sorted(archive.headers))
            raise InputRejected(Fault("data.layout", path.name, f"must have an array {listed(missing)}", got))
        if str(archive.headers["audio"].dtype) not in _FULL_SCALE:
            rule = f"must be samples of type {listed(list(_FULL_SCALE))}"
            raise InputRejected(Fault("data.dtype", f"{path.name}  audio", rule, str(archive.headers["audio"].dtype)))
        rate, offsets = int(archive.array("sample_rate")), archive.array("offsets").astype(np.int64)
        if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != archive.headers["audio"].shape[0]:
            rule = "must go from 0 to the number of samples"
            raise InputRejected(Fault("data.offsets", f"{path.name}  offsets", rule))
        if (np.diff(offsets) < 0).any():
            raise InputRejected(Fault("data.offsets", f"{path.name}  offsets", "must never decrease"))
        for samples in _recordings(archive, offsets):
            sink.item(_features(samples, rate, options))
        listing = _Listed()
        if "label" in archive:
            listing.labels = [str(label) for label in archive.array("label")]
        if options.get("group"):
            listing.groups = _named(archive.array(options["group"]), options["group"], archive, path.name)
        if "is_test" in archive:
            listing.split = ["test" if test else "train" for test in archive.array("is_test")]
    return listing, rate


def _named(groups: Array, key: str, archive: Archive, shown: str) -> list[str]:
    """Groups as text: numbers by the array ``<key>_names``, where there is one."""
    if f"{key}_names" not in archive or groups.dtype.kind not in "iu":
        return [str(group) for group in groups]
    names = archive.array(f"{key}_names")
    if names.ndim != 1 or (groups.size and (groups.min() < 0 or groups.max() >= len(names))):
        where, rule = f"{shown}  {key}", f"must be numbers that {key}_names covers"
        raise InputRejected(Fault("data.names", where, rule, f"{groups.min()} to {groups.max()}"))
    return [str(names[group]) for group in groups]


def _recordings(archive: Archive, offsets: Array) -> Iterator[Array]:
    """float32 samples of each recording, -1 to 1."""
    scale = np.float32(_FULL_SCALE[str(archive.headers["audio"].dtype)])
    rest, at, done = np.zeros(0, np.float32), 0, 0
    for block in archive.rows("audio"):
        rest = np.concatenate([rest, block.astype(np.float32) / scale])
        while done + 1 < len(offsets) and offsets[done + 1] <= at + len(rest):
            length = int(offsets[done + 1] - offsets[done])
            yield rest[:length]
            rest, at, done = rest[length:], at + length, done + 1


def _names(options: Mapping[str, Any]) -> tuple[str, ...]:
    how = options.get("front_end")
    if not how:
        return ("sample",)
    mfcc = how["kind"] == "mfcc"
    return tuple(f"{'mfcc' if mfcc else 'mel'}{i}" for i in range(how["coefficients"] if mfcc else how["bands"]))


def _features(samples: Array, rate: int, options: Mapping[str, Any]) -> Array:
    """Samples (n,) as frames (T, F): as they are, or log-mel or MFCC with the options of the front end."""
    how = options.get("front_end")
    if not how:
        return samples[:, None]
    import librosa

    window = round(rate * how["window_ms"] / 1000)
    size = 1 << max(1, window - 1).bit_length()
    if len(samples) < size:
        samples = np.pad(samples, (0, size - len(samples)))
    power = librosa.feature.melspectrogram(
        y=np.asarray(samples, np.float32), sr=rate, n_fft=size, win_length=window,
        hop_length=round(rate * how["hop_ms"] / 1000), n_mels=how["bands"], center=False,
    )  # fmt: skip
    if how["kind"] == "log-mel":
        return np.asarray(np.log(power + 1e-6).T, np.float32)
    if how["coefficients"] > how["bands"]:
        rule = "must be at most the bands"
        raise ConfigError(Fault("config.range", "data.front_end.coefficients", rule, str(how["coefficients"])))
    found = librosa.feature.mfcc(S=librosa.power_to_db(power), n_mfcc=how["coefficients"])
    return np.asarray(found.T, np.float32)
