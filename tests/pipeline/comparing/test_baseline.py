"""A baseline from a path, an archive or a URL: found with a digest of its content, or told missing with the reason."""

import functools
import http.server
import shutil
import tarfile
import threading
from pathlib import Path

import pytest
from seqpress.pipeline.comparing import baseline
from seqpress.pipeline.comparing.baseline import digest_of, display, fetch
from seqpress.pipeline.comparing.find import locate
from seqpress.pipeline.errors import ConfigError, EnvironmentFault, InputRejected


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def test_a_path_is_used_where_it_is(bundle, tmp_path, cache):
    folder = bundle("v1")
    found = fetch("v1", tmp_path, cache)
    assert (found.path, found.shown, found.reason) == (folder, "v1", "")
    assert fetch(str(folder), Path(), cache).digest == found.digest
    assert not cache.exists()


def test_latest_is_followed_once(run_folder, tmp_path, cache):
    first, second = run_folder("1", "a/x"), run_folder("2", "b/x")
    link = tmp_path / "latest"
    link.symlink_to(first)
    found = fetch("latest", tmp_path, cache)
    link.unlink()
    link.symlink_to(second)
    assert found.path == first
    assert fetch("latest", tmp_path, cache).digest != found.digest


def test_the_digest_is_of_the_content_that_is_compared(run_folder, tmp_path, cache):
    run = run_folder("1", "a/x")
    before = fetch("1", tmp_path, cache).digest
    (run / "report.html").write_text("made anew")
    assert fetch("1", tmp_path, cache).digest == before
    moved = run.rename(tmp_path / "moved")
    assert fetch("moved", tmp_path, cache).digest == before
    model = next(moved.rglob("model.onnx"))
    model.write_bytes(model.read_bytes() + b"\0")
    assert fetch("moved", tmp_path, cache).digest != before


@pytest.mark.parametrize("name", ["gone", "gone/at/all", "a\0b", "x" * 5000, ""])
def test_nothing_at_a_path(tmp_path, cache, name):
    found = fetch(name, tmp_path, cache)
    assert (found.path, found.digest, found.reason) == (None, "", "there is nothing at that path")


def test_an_archive_is_unpacked_once(run_folder, tmp_path, cache):
    run = run_folder("1", "a/x")
    shutil.make_archive(str(tmp_path / "v1"), "zip", tmp_path, run.name)
    found = fetch("v1.zip", tmp_path, cache)
    assert [one.name for one in locate(found.path).artifacts] == ["a/x"]
    made = {path: path.stat().st_ino for path in cache.rglob("*")}
    assert fetch("v1.zip", tmp_path, cache) == found
    assert {path: path.stat().st_ino for path in cache.rglob("*")} == made
    assert found.digest == digest_of(found.path) == fetch("1", tmp_path, cache).digest, "packed or not"


def test_a_model_in_an_archive(bundle, tmp_path, cache):
    folder = bundle("v1")
    with tarfile.open(tmp_path / "v1.tgz", "w:gz") as archive:
        archive.add(folder / "model.onnx", "deep/model.onnx")
    found = fetch("v1.tgz", tmp_path, cache)
    assert locate(found.path).kind == "file"


def test_a_hostile_archive_leaves_nothing(tmp_path, cache):
    with tarfile.open(tmp_path / "v1.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../../evil"))
    with pytest.raises(InputRejected, match="stay inside"):
        fetch("v1.tar.gz", tmp_path, cache)
    assert list(cache.iterdir()) == []


def test_a_folder_of_everything(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(baseline, "_MOST_FILES", 3)
    for number in range(4):
        (tmp_path / f"{number}").write_text("x")
    with pytest.raises(InputRejected, match="at most 3 files"):
        fetch(".", tmp_path, cache)


def test_a_link_inside_is_no_content(bundle, tmp_path, cache):
    (bundle("v1") / "link").symlink_to("/etc")
    with pytest.raises(InputRejected, match="symbolic link"):
        fetch("v1", tmp_path, cache)


# -- URLs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["v1", "v1/model.onnx", "v1.zip"])
def test_a_url(what, bundle, tmp_path, cache):
    pytest.importorskip("fsspec")
    folder = bundle("v1")
    shutil.make_archive(str(folder), "zip", folder)
    found = fetch(f"file://{tmp_path}/{what}", Path(), cache)
    assert found.reason == ""
    assert cache in found.path.parents
    assert locate(found.path).artifacts[0].checked.sha256 == locate(folder).artifacts[0].checked.sha256
    assert fetch(f"file://{tmp_path}/{what}", Path(), cache) == found


@pytest.fixture
def server(tmp_path):
    """A web server that lists nothing, as a release page does."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None: ...

        def list_directory(self, path: object) -> None:
            self.send_error(403)

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield f"http://me:secret@127.0.0.1:{made.server_port}"
    made.shutdown()
    thread.join()


def test_a_run_folder_on_a_web_server(server, run_folder, cache, monkeypatch):
    pytest.importorskip("aiohttp")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    run = run_folder("1", "a/x", "b/float32")
    found = fetch(f"{server}/1?token=geheim", Path(), cache)
    assert found.reason == ""
    assert [one.name for one in locate(found.path).artifacts] == ["a/x"]
    assert "secret" not in found.shown
    assert "geheim" not in found.shown
    gone = fetch(f"{server}/none?token=geheim", Path(), cache)
    assert gone.path is None
    assert gone.reason
    assert not {"secret", "geheim"} & set(gone.reason.replace("=", " ").replace(":", " ").split())
    (run / "report.json").write_text("{}")
    assert fetch(f"{server}/1", Path(), cache).path is None


def test_a_download_that_takes_too_long(tmp_path, cache, bundle):
    pytest.importorskip("fsspec")
    bundle("v1")
    found = fetch(f"file://{tmp_path}/v1", Path(), cache, timeout_s=0.01)
    assert "no answer" in found.reason
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_a_protocol_nobody_knows(tmp_path, cache):
    pytest.importorskip("fsspec")
    found = fetch("carrier-pigeon://home/v1.zip", tmp_path, cache)
    assert found.path is None
    assert "carrier-pigeon" in found.reason


def test_a_chain_of_urls(tmp_path, cache):
    with pytest.raises(ConfigError, match="single URL"):
        fetch("simplecache::https://example.org/v1.zip", tmp_path, cache)


def test_without_fsspec_it_says_what_to_install(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(baseline, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match=r"seqpress\[remote\]"):
        fetch("https://example.org/v1.zip", tmp_path, cache)


def test_secrets_are_not_shown():
    assert display("s3://key:secret@bucket/v1?sig=abc#x") == "s3://bucket/v1"
