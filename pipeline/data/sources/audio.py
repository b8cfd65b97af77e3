"""Recordings: a folder of folders by label, a csv manifest, or an npz of samples end to end.

wav and flac are read by soundfile. Channels are averaged; all files must have one sample rate, which becomes a fact of
the data. The samples themselves are kept (frames, 1), from -1 to 1, or mel features that librosa computes here: with
the conventions of ``models.fronts.log_mel``, so that either way the same frames come out.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ConfigError, EnvironmentFault, Fault, InputRejected
from ...named.files import open_regular, sha256
from ..archive import Archive
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
        device={"sample_rate_hz": rate, **_device(options.get("front_end"), rate)},
    )
    return raw, digest(options, folder)


def _device(how: Mapping[str, Any] | None, rate: int) -> dict[str, Any]:
    """``front``, which the graph does, or ``front_end``, which the device has to do."""
    if how is None or not how.get("in_graph"):
        return {"front_end": how}
    same = {name: how[name] for name in ("window_ms", "hop_ms", "low_hz", "high_hz", "emphasis", "bands")}
    return {"front": {"kind": "log_mel", "sample_rate_hz": rate, **same}}


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
    how = options.get("front_end") or {}
    needed += [] if not how else ["torch"] if how.get("in_graph") else ["librosa"]
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        rule = f"needs the package {listed(missing)}, which is not installed"
        extra = "train,audio" if "torch" in missing else "audio"
        raise EnvironmentFault(Fault("data.no-library", "data.source", rule, hint=f"pip install 'seqpress[{extra}]'"))


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
    if not how or how.get("in_graph"):
        return ("sample",)
    mfcc = how["kind"] == "mfcc"
    return tuple(f"{'mfcc' if mfcc else 'mel'}{i}" for i in range(how["coefficients"] if mfcc else how["bands"]))


def _features(samples: Array, rate: int, options: Mapping[str, Any]) -> Array:
    """Samples (n,) as frames (T, F): as they are, or log-mel or MFCC with the options of the front end."""
    how = options.get("front_end")
    if not how:
        return samples[:, None]
    window, hop = (round(rate * how[f"{name}_ms"] / 1000) for name in ("window", "hop"))
    size = 1 << max(1, window - 1).bit_length()
    _check_front(how, rate, hop, size)
    if how.get("in_graph"):
        return samples[:, None]
    import librosa

    if len(samples) < hop:
        return np.zeros((0, len(_names(options))), np.float32)
    # Silence first, so that a frame ends with its hop; and librosa puts a short window in the middle of its transform.
    before = window - hop + (size - window) // 2
    padded = np.pad(emphasized(samples, how["emphasis"]), (before, size - window - (size - window) // 2))
    power = librosa.feature.melspectrogram(
        y=padded, sr=rate, n_fft=size, win_length=window, hop_length=hop, center=False, n_mels=how["bands"],
        fmin=how["low_hz"], fmax=how["high_hz"], htk=True, norm=None,
    )  # fmt: skip
    if how["kind"] == "log-mel":
        return np.asarray(np.log(power + 1e-6).T, np.float32)
    found = librosa.feature.mfcc(S=librosa.power_to_db(power), n_mfcc=how["coefficients"])
    return np.asarray(found.T, np.float32)


def emphasized(samples: Array, emphasis: float) -> Array:
    """``x[t] - emphasis * x[t - 1]`` after silence, float32 (n,).

    >>> emphasized(np.array([1.0, 1.0, 2.0]), 0.5).tolist()
    [1.0, 0.5, 1.5]
    """
    return np.asarray(samples - emphasis * np.concatenate([[0.0], samples[:-1]]), np.float32)


def _check_front(how: Mapping[str, Any], rate: int, hop: int, size: int) -> None:
    """What only the sample rate of the data can tell.

    Raises:
        ConfigError: no whole sample in a hop, a transform of fewer than 4 points, or a band above half the rate.
    """
    faults = []
    if hop < 1 or size < 4:
        rule = f"must be long enough for samples at {rate} Hz"
        got = f"window_ms {how['window_ms']:g}, hop_ms {how['hop_ms']:g}"
        faults.append(Fault("config.range", "data.front_end", rule, got))
    high = rate / 2 if how["high_hz"] is None else how["high_hz"]
    if not how["low_hz"] < high <= rate / 2:
        rule = f"must have low_hz below high_hz, and both at most half the sample rate, {rate / 2:g} Hz"
        faults.append(Fault("config.range", "data.front_end", rule, f"{how['low_hz']:g} to {high:g}"))
    if faults:
        raise ConfigError(faults)
