"""An archive leaves nothing outside its folder, whatever it says, and fills no disk."""

import contextlib
import gzip
import io
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from seqpress.pipeline.comparing.unpack import Limits, unpack
from seqpress.pipeline.errors import ConfigError, InputRejected

SMALL = Limits(entries=20, expanded_bytes=100_000, ratio=10, ratio_free_bytes=50_000)


def zipped(path: Path, files: dict[str, bytes], mode: int = 0o100644) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, mode << 16, 3
            archive.writestr(entry, content)
    return path


def tarred(path: Path, files: dict[str, bytes], **more: object) -> Path:
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            for key, value in more.items():
                setattr(entry, key, value)
            archive.addfile(entry, io.BytesIO(content) if entry.isreg() else None)
    return path


MAKERS = [pytest.param(zipped, "a.zip", id="zip"), pytest.param(tarred, "a.tar.gz", id="tar")]


@pytest.fixture
def into(tmp_path: Path) -> Path:
    made = tmp_path / "inner" / "into"
    made.mkdir(parents=True)
    return made


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_what_was_packed_comes_out(make, name, tmp_path, into):
    files = {"v1/artifacts/a/model.onnx": b"m" * 1000, "v1/report.json": b"{}", "v1/empty": b""}
    root = unpack(make(tmp_path / name, files), into, limits=SMALL)
    assert root == into / "v1"
    assert {path: (into / path).read_bytes() for path in everything(into)} == files


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_a_model_alone(make, name, tmp_path, into):
    assert unpack(make(tmp_path / name, {"x/model.onnx": b"m"}), into) == into / "x" / "model.onnx"


@pytest.mark.parametrize(("make", "name"), MAKERS)
@pytest.mark.parametrize(
    "entry",
    ["../evil", "a/../../evil", "/evil", "C:/evil", "a\\..\\evil", "a/" * 20 + "b", "x" * 300, "a\nb", "\x1b[2J"],
)
def test_names_stay_inside(make, name, entry, tmp_path, into):
    with pytest.raises(InputRejected, match="stay inside"):
        unpack(make(tmp_path / name, {"fine": b"1", entry: b"2"}), into)
    assert everything(tmp_path) <= {name, "inner/into/fine"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_tar_with_something_that_is_no_file(kind, tmp_path, into):
    archive = tarred(tmp_path / "a.tgz", {"link": b""}, type=kind, linkname="/etc/passwd")
    with pytest.raises(InputRejected, match="files and folders alone"):
        unpack(archive, into)
    assert list(into.iterdir()) == []


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_a_zip_with_something_that_is_no_file(kind, tmp_path, into):
    with pytest.raises(InputRejected, match="files and folders alone"):
        unpack(zipped(tmp_path / "a.zip", {"link": b"/etc/passwd"}, kind | 0o777), into)
    assert list(into.iterdir()) == []


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_a_bomb(make, name, tmp_path, into):
    archive = make(tmp_path / name, {"bomb": bytes(5_000_000)})
    assert archive.stat().st_size < 10_000
    with pytest.raises(InputRejected, match="expand"):
        unpack(archive, into, limits=SMALL)
    assert sum(path.stat().st_size for path in into.rglob("*")) <= SMALL.expanded_bytes


@pytest.mark.parametrize(("make", "name"), MAKERS)
def test_a_bomb_of_many(make, name, tmp_path, into):
    with pytest.raises(InputRejected, match="at most 20 entries"):
        unpack(make(tmp_path / name, {f"{number}": b"" for number in range(21)}), into, limits=SMALL)
    archive = make(tmp_path / name, {f"more/{number}": bytes(9_000) for number in range(19)})
    with pytest.raises(InputRejected, match="expand"):
        unpack(archive, into, limits=SMALL)


def test_a_tar_header_that_wants_memory(tmp_path, into):
    entry = tarfile.TarInfo("pax")
    entry.type, entry.size = tarfile.XHDTYPE, 2**31
    path = tmp_path / "a.tar.gz"
    with gzip.open(path, "wb") as file:
        file.write(entry.tobuf(tarfile.USTAR_FORMAT) + bytes(4096))
    with pytest.raises(InputRejected, match="headers of at most"):
        unpack(path, into)


@pytest.mark.parametrize(("make", "name"), MAKERS)
@pytest.mark.parametrize("names", [["a", "a/b"], ["a/b", "a"]])
def test_a_file_that_is_also_a_folder(make, name, names, tmp_path, into):
    with pytest.raises(InputRejected, match="every file once"):
        unpack(make(tmp_path / name, dict.fromkeys(names, b"1")), into)


def test_a_zip_that_names_a_file_twice(tmp_path, into):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"2")
    with pytest.raises(InputRejected, match="every file once"):
        unpack(path, into)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"no archive"])
def test_no_archive(name, content, tmp_path, into):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputRejected, match="must be an intact archive"):
        unpack(tmp_path / name, into)


def test_there_is_no_such_file(tmp_path, into):
    with pytest.raises(ConfigError):
        unpack(tmp_path / "a.zip", into)


@pytest.mark.parametrize(("make", "name"), MAKERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_refused_or_harmless(make, name, tmp_path, data):
    archive = make(tmp_path / name, {"a/model.onnx": bytes(range(256)) * 8, "a/b": b"x" * 100})
    content = bytearray(archive.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    archive.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    target = Path(tempfile.mkdtemp(dir=tmp_path))
    with contextlib.suppress(InputRejected):
        unpack(archive, target, limits=SMALL)
    assert all(path.resolve().is_relative_to(target.resolve()) for path in target.rglob("*"))
