"""Which distribution is onnxruntime here. Real wheels lay their metadata out as these folders do."""

import sys

import pytest
from seqpress.exporters import runtime
from seqpress.exporters.runtime import Installed


@pytest.fixture
def install(tmp_path):
    """Lay a distribution's metadata into a folder of packages."""

    def lay(name, version, files=("onnxruntime/__init__.py",), record=True, folder="site"):
        site = tmp_path / folder
        metadata = site / f"{name.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        if record:
            (metadata / "RECORD").write_text("".join(f"{file},sha256=abc,12\n" for file in files))
        return str(site)

    return lay


@pytest.mark.parametrize("name", ["onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "ort-nightly-gpu"])
def test_every_build_is_found_under_its_own_name(install, name):
    site = [install(name, "1.31.0")]
    assert runtime.installed(site) == (Installed(name, "1.31.0"),)
    assert runtime.distributions(site) == (name,)
    assert runtime.conflict(site) == ""


def test_a_plugin_beside_it_is_none(install):
    install("onnxruntime-ep-webgpu", "0.4.0", ["onnxruntime_ep_webgpu/__init__.py"])
    install("onnxruntime-qnn", "2.7.0", ["onnxruntime_qnn/__init__.py", "onnxruntime_qnn/libonnxruntime.so"])
    site = [install("onnxruntime", "1.31.0")]
    assert runtime.distributions(site) == ("onnxruntime",)
    assert runtime.conflict(site) == ""


def test_two_at_once_are_a_conflict_with_the_way_out(install):
    install("onnxruntime", "1.31.0")
    site = [install("onnxruntime-gpu", "1.30.0")]
    assert runtime.distributions(site) == ("onnxruntime", "onnxruntime-gpu")
    assert runtime.conflict(site) == (
        "onnxruntime 1.31.0 and onnxruntime-gpu 1.30.0 overwrite each other's files; "
        "pip uninstall -y onnxruntime onnxruntime-gpu, then pip install the one that is wanted"
    )


def test_the_same_one_seen_twice_is_one(install):
    sites = [install("onnxruntime", "1.31.0"), install("onnxruntime", "1.30.0", folder="system")]
    assert runtime.installed(sites) == (Installed("onnxruntime", "1.31.0"),)  # the first one is imported


def test_without_a_list_of_files_only_the_plain_name_counts(install):
    install("onnxruntime-tools", "1.7.0", record=False)
    assert runtime.installed([install("onnxruntime", "1.31.0", record=False)]) == (Installed("onnxruntime", "1.31.0"),)


def test_nothing_installed_still_has_a_name_to_ask_for(tmp_path):
    assert runtime.installed([str(tmp_path), str(tmp_path / "gone"), ""]) == ()
    assert runtime.distributions([str(tmp_path)]) == ("onnxruntime",)


def test_here_it_is_the_one_that_is_imported():
    import onnxruntime

    (one,) = runtime.installed()
    assert one.version.startswith(onnxruntime.__version__)
    assert runtime.installed(sys.path) == (one,)
