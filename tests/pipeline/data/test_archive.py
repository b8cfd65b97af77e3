"""An npz is untrusted: it is refused from its headers, nothing in it runs, and no odd file blocks."""

import contextlib
import io
import os
import pickle
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from seqpress.pipeline.data import archive, load_source, source_digest
from seqpress.pipeline.data.archive import Archive
from seqpress.pipeline.errors import EnvironmentFault, InputRejected, SeqpressError

Make = Callable[..., dict[str, Any]]


def npy(array: Any, allow_pickle: bool = False) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=allow_pickle)
    return out.getvalue()


def header(shape: str, descr: str = "<f4") -> bytes:
    """A .npy header that claims whatever it likes."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}}}".encode()
    text += b" " * (118 - len(text) - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def pack(path: Path, entries: list[tuple[str, bytes]], **how: Any) -> Path:
    with zipfile.ZipFile(path, "w", **how) as out:
        for name, content in entries:
            out.writestr(name, content)
    return path


def refused(options: dict[str, Any], folder: Path) -> str:
    started = time.monotonic()
    with pytest.raises(InputRejected) as caught:
        load_source(options, folder, 7)
    assert time.monotonic() - started < 2
    return str(caught.value)


class Payload:
    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.sentinel),)


@pytest.mark.parametrize("name", ["values", "labels", "groups", "unread"])
def test_a_pickle_never_executes(name: str, small: Make, options: Make, tmp_path: Path) -> None:
    sentinel = tmp_path / "executed"
    evil = np.empty(24, object)
    evil[0] = Payload(sentinel)
    np.savez(tmp_path / "speech.npz", allow_pickle=True, **small(**{name: evil}))
    assert f"speech.npz  {name} must not hold Python objects" in refused(options(), tmp_path)
    assert not sentinel.exists()
    pickle.loads(pickle.dumps(Payload(sentinel)))  # the payload is live: it would have run
    assert sentinel.exists()


def test_a_bare_pickle_is_no_npz(options: Make, tmp_path: Path) -> None:
    sentinel = tmp_path / "executed"
    (tmp_path / "speech.npz").write_bytes(pickle.dumps(Payload(sentinel)))
    assert "must be an intact .npz file" in refused(options(), tmp_path)
    assert not sentinel.exists()


def test_a_single_npy_is_told_apart(options: Make, tmp_path: Path) -> None:
    (tmp_path / "speech.npz").write_bytes(npy(np.zeros(3)))
    assert "this is a single .npy array" in refused(options(), tmp_path)


@pytest.mark.parametrize(
    ("shape", "descr"),
    [
        ("(1000000000000,)", "<f4"),  # 3.6 TiB
        ("(-1, 3)", "<f4"),
        ("(2, 3)", "<f4"),  # fewer bytes than there are
        ("()", "O"),
    ],
)
def test_a_lying_header(shape: str, descr: str, small: Make, options: Make, tmp_path: Path) -> None:
    entries = [(f"{name}.npy", npy(array)) for name, array in small().items() if name != "values"]
    pack(tmp_path / "speech.npz", [*entries, ("values.npy", header(shape, descr) + b"\0" * 16)])
    assert "speech.npz  values must" in refused(options(), tmp_path)


def test_items_without_bytes(tmp_path: Path) -> None:
    """A shape of 10**18 empty texts is consistent with a file of no bytes, and an endless loop over them."""
    path = pack(tmp_path / "speech.npz", [("labels.npy", header("(1000000000000000000,)", "<U0"))])
    with open(path, "rb") as file, pytest.raises(InputRejected, match="must have a possible shape"):
        Archive(file, "speech.npz")


def test_a_zip_bomb_is_refused_before_it_expands(options: Make, tmp_path: Path) -> None:
    """300 MB of zeros in 292 kB; what is allocated on the way stays below 8 MB."""
    import tracemalloc

    with (
        zipfile.ZipFile(tmp_path / "speech.npz", "w", zipfile.ZIP_DEFLATED) as out,
        out.open("values.npy", "w", force_zip64=True) as entry,
    ):
        entry.write(header("(25000000, 3)"))
        for _ in range(300):
            entry.write(b"\0" * 1_000_000)
    assert (tmp_path / "speech.npz").stat().st_size < 400_000
    tracemalloc.start()
    assert "must not expand more than 200-fold" in refused(options(), tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 8e6
    tracemalloc.stop()


def test_size_and_memory_limits(small: Make, options: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "speech.npz", **small())
    monkeypatch.setattr(archive, "MAX_EXPANDED_BYTES", 2000)
    assert "must expand to at most 2,000 bytes" in refused(options(), tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(archive, "free_memory_bytes", lambda: 1000)
    with pytest.raises(EnvironmentFault, match="needs more memory than is free"):
        load_source(options(), tmp_path, 7)
    monkeypatch.undo()
    assert archive.free_memory_bytes() > 10**6
    load_source(options(), tmp_path, 7)


def test_overlapping_entries(small: Make, options: Make, tmp_path: Path) -> None:
    """Many directory entries over the same bytes: more stored than the file has."""
    path = pack(tmp_path / "speech.npz", [(f"a{i}.npy", npy(np.zeros(500))) for i in range(4)])
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    for _ in range(4):
        struct.pack_into("<II", content, directory + 20, 8000, 8000)  # compressed and expanded size
        directory = content.find(b"PK\x01\x02", directory + 4)
    path.write_bytes(bytes(content))
    assert "must not hold entries that overlap; got 32,000 bytes of entries in" in refused(options(), tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_in_the_zip(small: Make, options: Make, tmp_path: Path) -> None:
    entries = [(f"{name}.npy", npy(array)) for name, array in small().items()]
    pack(tmp_path / "speech.npz", [*entries, entries[0]])
    assert "must name every array once; got twice\n  values.npy" in refused(options(), tmp_path)
    for odd in ("../values.npy", "/etc/x.npy", "sub/values.npy", "readme.txt", "a\nb.npy"):
        pack(tmp_path / "speech.npz", [*entries, (odd, npy(np.zeros(1)))])
        text = refused(options(), tmp_path)
        assert f"must hold plain .npy entries and nothing else\n  {odd!r}" in text


def test_other_compressions_and_encryption(small: Make, options: Make, tmp_path: Path) -> None:
    entries = [(f"{name}.npy", npy(array)) for name, array in small().items()]
    pack(tmp_path / "speech.npz", entries, compression=zipfile.ZIP_LZMA)
    assert "must be stored or deflated" in refused(options(), tmp_path)
    content = bytearray(pack(tmp_path / "speech.npz", entries).read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "speech.npz").write_bytes(bytes(content))
    assert "must not be encrypted" in refused(options(), tmp_path)


def test_too_many_entries(options: Make, tmp_path: Path) -> None:
    pack(tmp_path / "speech.npz", [(f"a{i}.npy", b"") for i in range(1001)])
    assert "must hold at most 1,000 arrays" in refused(options(), tmp_path)


def test_bytes_after_the_array(small: Make, options: Make, tmp_path: Path) -> None:
    entries = [(f"{name}.npy", npy(array) + b"\0" * (name == "labels")) for name, array in small().items()]
    pack(tmp_path / "speech.npz", entries)
    assert "speech.npz  labels must hold as many bytes as its header says" in refused(options(), tmp_path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_every_flipped_or_missing_byte_is_noticed_or_harmless(
    save: Callable[..., None], small: Make, options: Make, tmp_path: Path
) -> None:
    """Truncated anywhere it is refused; with one byte flipped it is refused or reads the same."""
    path = tmp_path / "speech.npz"
    save(path, **small())
    whole = path.read_bytes()
    sound = load_source(options(), tmp_path, 7).digest()
    for at in range(0, len(whole) - 1, 61):
        path.write_bytes(whole[:at])
        with pytest.raises(SeqpressError):
            load_source(options(), tmp_path, 7)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        with contextlib.suppress(SeqpressError):
            assert load_source(options(), tmp_path, 7).digest() == sound, at


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_bytes_crash_the_reader(data: st.DataObject) -> None:
    """Random bytes in the directory and in a header end in a refusal or in arrays, never in another error."""
    content = bytearray()
    with zipfile.ZipFile(out := io.BytesIO(), "w") as file:
        file.writestr("values.npy", npy(np.arange(6.0).reshape(2, 3)))
        file.writestr("labels.npy", npy(np.array(["a", "b"])))
    content = bytearray(out.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(SeqpressError):
        opened = Archive(io.BytesIO(bytes(content)), "x.npz")
        for name in opened.headers:
            opened.array(name)


@settings(max_examples=150, deadline=None)
@given(st.text("()[]{}<>'\",:=-+*/.\\ \n\t#0123456789abfUOTruFlsedcrhpnotran_", max_size=60))
def test_no_header_text_crashes_the_reader(text: str) -> None:
    raw = text.encode() + b"\n"
    entry = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw + b"\0" * 24
    with zipfile.ZipFile(out := io.BytesIO(), "w") as file:
        file.writestr("values.npy", entry)
    with pytest.raises(SeqpressError):
        Archive(io.BytesIO(out.getvalue()), "x.npz")


def test_only_regular_files(small: Make, options: Make, tmp_path: Path) -> None:
    real = tmp_path / "real.npz"
    np.savez(real, **small())
    link, path = tmp_path / "link.npz", tmp_path / "speech.npz"
    link.symlink_to(real)
    os.mkfifo(path)
    (tmp_path / "folder").mkdir()
    cases = {"link.npz": "a symbolic link", "speech.npz": "a named pipe", "folder": "a folder"}
    for name, kind in cases.items():
        text = refused(options(path=name), tmp_path)
        assert text.startswith(f"data.path must name a regular file; got {name!r}, {kind}")
        with pytest.raises(InputRejected):
            source_digest(options(path=name), tmp_path)
    assert "a device" in refused(options(path="/dev/zero"), tmp_path)
    with pytest.raises(SeqpressError):
        load_source(options(path="a\0b"), tmp_path, 7)


def test_a_file_that_changes_between_plan_and_read_is_refused(small: Make, options: Make, tmp_path: Path) -> None:
    np.savez(tmp_path / "speech.npz", **small())
    planned = source_digest(options(), tmp_path)
    load_source(options(), tmp_path, 7, expected=planned)
    np.savez(tmp_path / "speech.npz", **small(values=small()["values"] + 1))
    with pytest.raises(InputRejected, match="must not change while it is read"):
        load_source(options(), tmp_path, 7, expected=planned)


@pytest.mark.parametrize("name", ["naïve 音声.npz", "two words.npz", "-x.npz", "new\nline.npz", "n" * 200 + ".npz"])
def test_odd_file_names(name: str, small: Make, options: Make, tmp_path: Path) -> None:
    with open(tmp_path / name, "wb") as out:
        np.savez(out, **small())
    assert len(load_source(options(path=name), tmp_path, 7).test) == 6
