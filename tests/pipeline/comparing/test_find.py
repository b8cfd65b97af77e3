"""What lies at a path is found whole, or refused with the reason; nothing leads out of its folder."""

import json
import os
import shutil
from pathlib import Path

import pytest
from seqpress.pipeline.comparing.find import Found, Material, locate, of_files, pair
from seqpress.pipeline.errors import ConfigError, InputRejected


def test_a_bundle(bundle):
    found = locate(bundle("old", name="tcn-16/auto"))
    (one,) = found.artifacts
    assert (found.kind, one.name, one.student, one.labels) == ("bundle", "tcn-16/auto", "tcn-16", ("yes", "no"))
    assert one.step is not None
    assert one.bundle.digest


def test_a_single_file(bundle):
    folder = bundle()
    (one,) = locate(folder / "model.onnx").artifacts
    assert (one.name, one.bundle, one.step) == ("model.onnx", None, None)
    assert one.labels == ("yes", "no")  # the graph's own metadata


def test_a_run_by_what_it_ships_through_a_link(run_folder, tmp_path):
    run = run_folder("1", "tcn-16/float32", "tcn-16/auto", "gru-8/auto")
    (tmp_path / "latest").symlink_to(run)
    found = locate(tmp_path / "latest", "latest")
    assert (found.kind, found.shown) == ("run", "latest")
    assert [one.name for one in found.artifacts] == ["tcn-16/auto", "gru-8/auto"]


def test_a_folder_of_bundles(run_folder):
    run = run_folder("1", "tcn-16/float32", "tcn-16/auto")
    (run / "report.json").unlink()
    assert {one.name for one in locate(run).artifacts} == {"tcn-16/float32", "tcn-16/auto"}
    assert {one.name for one in locate(run / "artifacts").artifacts} == {"tcn-16/float32", "tcn-16/auto"}


def test_files_of_the_store_are_found_by_their_names(bundle, tmp_path):
    folder = bundle("old", name="tcn-16/auto")
    files = {}
    for number, entry in enumerate(sorted(folder.iterdir())):
        files[entry.name] = tmp_path / f"{number:064x}"
        shutil.copyfile(entry, files[entry.name])
    found = of_files(files, "store")
    assert found.name == "tcn-16/auto"
    assert found.checked.sha256 == locate(folder).artifacts[0].checked.sha256


@pytest.mark.parametrize("name", ["gone", "x" * 5000, "a\0b"])
def test_nothing_there(tmp_path, name):
    with pytest.raises(ConfigError, match="must be an ONNX file, a bundle or a run folder"):
        locate(tmp_path / name)


def test_an_empty_folder_and_the_folder_of_runs(tmp_path):
    with pytest.raises(ConfigError, match="artifacts/"):
        locate(tmp_path)
    (tmp_path / "1").mkdir()
    (tmp_path / "latest").symlink_to("1")
    with pytest.raises(ConfigError, match="the run folder itself"):
        locate(tmp_path)


@pytest.mark.parametrize(
    ("name", "code"),
    [("model.onnx", "bundle.changed"), ("golden.npz", "bundle.changed"), ("manifest.json", "bundle.manifest")],
)
def test_a_bundle_that_was_changed(bundle, name, code):
    folder = bundle()
    with (folder / name).open("r+b") as file:
        file.seek(-3, os.SEEK_END)
        file.write(b"\x07")
    with pytest.raises(InputRejected) as caught:
        locate(folder)
    assert code in {fault.code for fault in caught.value.faults}


def test_a_bundle_with_a_file_too_many(bundle):
    folder = bundle()
    (folder / "notes.txt").write_text("hello")
    with pytest.raises(InputRejected, match=r"notes\.txt"):
        locate(folder)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08" * 100])
def test_a_file_that_is_no_model(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(InputRejected):
        locate(path)


def test_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "model.onnx")
    with pytest.raises(InputRejected):
        locate(tmp_path / "model.onnx")


@pytest.mark.parametrize(
    "file",
    ["../outside/model.onnx", "/etc/passwd", "artifacts/../../x/model.onnx", "", "a\0b/model.onnx", "link/model.onnx"],
)
def test_a_report_that_points_elsewhere(run_folder, bundle, file):
    run = run_folder("1", "tcn-16/auto")
    outside = bundle("outside")
    (run / "link").symlink_to(outside)
    told = json.loads((run / "report.json").read_text())
    told["students"][0]["variants"][0]["file"] = file
    (run / "report.json").write_text(json.dumps(told))
    with pytest.raises(InputRejected, match="inside its folder"):
        locate(run)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"students": 3}', '{"students": []}', "[" * 10_000, "\xff"])
def test_a_report_that_cannot_be_read(run_folder, text):
    run = run_folder("1", "tcn-16/auto")
    (run / "report.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputRejected) as caught:
        locate(run)
    assert caught.value.faults[0].code == "report.unreadable"


def test_a_report_without_its_artifacts(run_folder):
    run = run_folder("1", "tcn-16/auto")
    shutil.rmtree(run / "artifacts")
    with pytest.raises(InputRejected, match="copy the artifacts"):
        locate(run)


def named(material: Material, *names: str) -> Material:
    one = material.artifacts[0]
    made = tuple(Found(name, one.source, one.checked) for name in names)
    return Material("bundles", "given", made)


@pytest.mark.parametrize(
    ("before", "after", "pairs", "alone"),
    [
        (["a/x"], ["b/y"], [("a/x", "b/y")], []),
        (["a/x", "b/x"], ["b/x", "a/x"], [("b/x", "b/x"), ("a/x", "a/x")], []),
        (["a/x", "b/x"], ["a/y", "b/x"], [("a/x", "a/y"), ("b/x", "b/x")], []),
        (["a/x", "a/y"], ["a/z", "c/x"], [], ["a/x: only in the old", "a/y: only in the old",
                                              "a/z: only in the new", "c/x: only in the new"]),
        (["a/x", "a/y"], ["a/x", "a/z"], [("a/x", "a/x"), ("a/y", "a/z")], []),
        (["a/x", "b/x"], ["c/x"], [], ["a/x: only in the old", "b/x: only in the old", "c/x: only in the new"]),
    ],
)  # fmt: skip
def test_pairs(bundle, before, after, pairs, alone):
    material = locate(Path(bundle()))
    found, unpaired = pair(named(material, *before), named(material, *after))
    assert [(old.name, new.name) for old, new in found] == pairs
    assert unpaired == alone
