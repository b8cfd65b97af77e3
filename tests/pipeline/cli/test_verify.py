"""`compress verify`: sound ends with 0, anything else with 3, every problem told at once."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bundles import parts
from seqpress.pipeline.cli.codes import CODES

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify")
    parts(folder / "parts").write(folder / "bundle")
    return folder / "bundle"


@pytest.fixture
def bundle(written, tmp_path):
    return Path(shutil.copytree(written, tmp_path / "bundle"))


def digest_of(bundle):
    return json.loads((bundle / "manifest.json").read_text())["digest"]


def test_a_sound_bundle(compress, written):
    answer = compress("verify", str(written))
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("mean/float32 is sound\n")
    assert "4 cases whole, 3 streamed in three ways" in answer.out
    assert digest_of(written) in answer.out


def test_for_programs(compress, written):
    answer = compress("verify", str(written), "--json")
    assert answer.code == 0
    said = json.loads(answer.out)
    assert said == {
        "sound": True,
        "bundle": str(written),
        "name": "mean/float32",
        "digest": digest_of(written),
        "problems": [],
    }


@pytest.mark.parametrize("json_too", [False, True])
def test_every_problem_is_a_fault_with_a_documented_code(compress, bundle, json_too):
    (bundle / "model.onnx").write_bytes(b"\0" + (bundle / "model.onnx").read_bytes()[1:])
    (bundle / "golden.npz").unlink()
    (bundle / "more").write_text("")
    (bundle / "link").symlink_to("/etc/passwd")
    answer = compress("verify", str(bundle), *(["--json"] if json_too else []))
    assert answer.code == 3
    assert sorted(answer.codes) == ["bundle.changed", "bundle.extra", "bundle.link", "bundle.missing"]
    assert set(answer.codes) <= set(CODES)
    if json_too:
        said = json.loads(answer.out)
        assert not said["sound"]
        assert [one["code"] for one in said["problems"]] == answer.codes
    else:
        assert answer.out == ""
        assert f"{bundle}: model.onnx must have the digest" in answer.err


@pytest.mark.parametrize("name", ["MODEL_CARD.md", "example.py", "golden.npz", "manifest.json", "model.onnx",
                                  "selftest.py", "step.onnx"])  # fmt: skip
def test_a_flipped_bit_in_any_file_ends_with_3(compress, bundle, name):
    data = bytearray((bundle / name).read_bytes())
    data[len(data) // 2] ^= 4
    (bundle / name).write_bytes(data)
    answer = compress("verify", str(bundle))
    assert answer.code == 3
    assert name in answer.err


def test_the_digest_that_was_released(compress, written):
    digest = digest_of(written)
    assert compress("verify", str(written), "--digest", digest).code == 0
    assert compress("verify", str(written), "--digest", digest[:12].upper()).code == 0
    for other in ("0" * 64, digest[:11], digest + "0"):
        answer = compress("verify", str(written), "--digest", other)
        assert (answer.code, answer.codes) == (3, ["bundle.other"])


def test_no_folder_is_a_wrong_call(compress, tmp_path):
    (tmp_path / "file").write_text("")
    for path in ("gone", "file"):
        answer = compress("verify", str(tmp_path / path))
        assert (answer.code, answer.codes) == (2, ["bundle.not-found"])


def test_an_empty_folder(compress, tmp_path):
    answer = compress("verify", str(tmp_path))
    assert (answer.code, answer.codes) == (3, ["bundle.missing"])


def test_a_newer_bundle_says_what_to_do(compress, bundle):
    text = (bundle / "manifest.json").read_text()
    (bundle / "manifest.json").write_text(text.replace('"schema_version": 1', '"schema_version": 2'))
    answer = compress("verify", str(bundle))
    assert (answer.code, answer.codes) == (3, ["bundle.newer"])
    assert "update seqpress" in answer.err


def test_no_code_of_the_bundle_is_run(compress, bundle, tmp_path, monkeypatch):
    for name in ("selftest.py", "example.py", "sitecustomize.py", "numpy.py"):
        (bundle / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.chdir(bundle)
    assert compress("verify", ".").code == 3
    assert not (tmp_path / "ran").exists()


def test_torch_is_not_imported(written):
    script = (
        "import sys; from seqpress.pipeline.cli.app import execute; code = execute(['verify', sys.argv[1]]);"
        "assert 'torch' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(written)], cwd=ROOT.parent, timeout=60, capture_output=True
    )
    assert done.returncode == 0, done.stderr
