"""Sets of the Hugging Face hub: fetched by its own library, which is stood in for here, as tests have no network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqpress.pipeline.cli.check import _origin
from seqpress.pipeline.config import load
from seqpress.pipeline.data import load_source, source_digest
from seqpress.pipeline.data.sources import huggingface
from seqpress.pipeline.errors import ConfigError, EnvironmentFault, SeqpressError

pa = pytest.importorskip("pyarrow")
hub = pytest.importorskip("huggingface_hub")
from huggingface_hub import errors  # noqa: E402
from pyarrow import parquet  # noqa: E402

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def options(**changes: Any) -> dict[str, Any]:
    cut = {"fraction": 0.25, "by": "class"}
    return {
        "source": "huggingface", "path": None, "hub": "somebody/steps", "revision": "main", "config": None,
        "splits": None, "layout": "nested", "label": "y", "features": (), "test": None, "validation": cut, **changes,
    }  # fmt: skip


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A cache as the library keeps it: links with names to files without; the calls that were made."""
    rng = np.random.default_rng(0)
    root = tmp_path / "cache" / "snapshots" / COMMIT
    names = ["walking/train-0", "walking/train-1", "walking/test-0", "running/train-0", "running/extra-0"]
    for number, name in enumerate(names):
        rows = [rng.normal(size=(4 + i % 3, 2)).tolist() for i in range(12)]
        blob, link = tmp_path / "cache" / "blobs" / f"b{number}", root / f"{name}-of-2.parquet"
        blob.parent.mkdir(exist_ok=True, parents=True)
        link.parent.mkdir(exist_ok=True, parents=True)
        parquet.write_table(pa.table({"steps": rows, "y": ["a", "b"] * 6}), blob)
        link.symlink_to(blob)
    calls: list[dict[str, Any]] = []

    def fetch(name: str, **asked: Any) -> str:
        calls.append({"name": name, **asked})
        return str(root)

    monkeypatch.setattr(hub, "snapshot_download", fetch)
    return calls


def test_a_set_is_fetched_and_read(cache: list[dict[str, Any]], tmp_path: Path) -> None:
    chosen = options(config="walking")
    dataset = load_source(chosen, tmp_path, 7, source_digest(chosen, tmp_path))
    assert cache[0] == {
        "name": "somebody/steps", "repo_type": "dataset", "revision": "main", "allow_patterns": ["*.parquet"]
    }  # fmt: skip
    assert dataset.source == "huggingface somebody/steps@0123456789ab"
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [18, 6, 12]
    told = [finding["text"] for finding in dataset.findings]
    assert f"somebody/steps was read at commit {COMMIT}; name it in data.revision to read the same ever after." in told
    pinned = load_source(options(config="walking", revision=COMMIT), tmp_path, 7)
    assert not any("data.revision" in finding["text"] for finding in pinned.findings)
    assert pinned.digest() == dataset.digest()


def test_other_splits(cache: list[dict[str, Any]], tmp_path: Path) -> None:
    chosen = options(config="running", splits={"train": "train", "validation": None, "test": "extra"})
    dataset = load_source(chosen, tmp_path, 7)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [9, 3, 12]
    only = options(splits={"train": "extra", "validation": None, "test": None}, test={"fraction": 0.25, "by": "class"})
    assert sum(split["items"] for split in load_source(only, tmp_path, 7).facts()["splits"]) == 12


def test_messages_name_the_files_of_the_set(cache: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "cache" / "blobs" / "b2").write_bytes(b"PAR1 not really")
    with pytest.raises(SeqpressError, match=r"walking/test-0-of-2\.parquet must be a readable parquet file"):
        load_source(options(config="walking"), tmp_path, 7)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"config": "runing"}, "data.config must be a folder of the set; got 'runing'\n  it has running, walking"),
        ({"splits": {"train": "train", "test": "held"}}, "data.splits.test must name a split of the set; got 'held'"),
    ],
)
def test_no_such_part(cache: list[dict[str, Any]], changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        source_digest(options(**changes), tmp_path)
    assert told in str(caught.value)


def raised(kind: type[Exception], said: str) -> Exception:
    """An error of the library without the answer of a server that its constructor asks for."""
    error = kind.__new__(kind, said)
    error.args = (said,)
    return error


FAILURES: dict[str, tuple[Callable[[], Exception], type[SeqpressError], str]] = {
    "no network": (
        lambda: errors.LocalEntryNotFoundError("no connection, and nothing in the cache\nmore"),
        EnvironmentFault,
        "data.hub  somebody/steps cannot be fetched: no connection, and nothing in the cache\n"
        "  where there is a connection: hf download somebody/steps --repo-type dataset --revision main\n"
        "  its cache (HF_HOME) may be copied to here; or give the folder of a copy: data.path",
    ),
    "switched off": (lambda: errors.OfflineModeIsEnabled("offline"), EnvironmentFault, "cannot be fetched: offline"),
    "a login": (
        lambda: raised(errors.GatedRepoError, "gated"),
        EnvironmentFault,
        "cannot be fetched: its owner wants to know who does",
    ),
    "no such set": (
        lambda: raised(errors.RepositoryNotFoundError, "404"),
        ConfigError,
        "data.hub must name a data set of the hub; got 'somebody/steps'",
    ),
    "no such revision": (
        lambda: raised(errors.RevisionNotFoundError, "404"),
        ConfigError,
        "data.revision must name a branch, a tag or a commit of the set; got 'main'",
    ),
    "a server in trouble": (
        lambda: raised(errors.HfHubHTTPError, "500 in trouble"),
        EnvironmentFault,
        "cannot be fetched: 500 in trouble",
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_what_the_library_raises(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, kind, told = FAILURES[case]

    def fetch(*_: Any, **__: Any) -> str:
        raise make()

    monkeypatch.setattr(hub, "snapshot_download", fetch)
    with pytest.raises(kind) as caught:
        source_digest(options(), tmp_path)
    assert told in str(caught.value)


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'seqpress\[hub\]'"):
        source_digest(options(), tmp_path)


def test_the_configuration(tmp_path: Path) -> None:
    text = (
        "name: x\ndata: {source: huggingface, WHERE}\n"
        "teacher: {architecture: lstm}\nstudents: {g: {architecture: gru}}\n"
    )

    def read(where: str) -> Any:
        (tmp_path / "p.yaml").write_text(text.replace("WHERE", where))
        return load(tmp_path / "p.yaml").config.data

    fetched = read("hub: somebody/steps, revision: v1, splits: {test: extra}")
    assert _origin(fetched) == "somebody/steps of the hub at v1"
    assert _origin(read("path: steps")) == "steps"
    for where, told in (
        ("hub: a/b, path: c", "data must have one of path and hub"),
        ("label: y", "data must have one of path and hub"),
        ("path: c, revision: v1", "data must have a revision only with hub"),
        ("hub: ../b", "data.hub must be the name of a set, such as owner/name, or null; got '../b'"),
    ):
        with pytest.raises(ConfigError) as caught:
            read(where)
        assert told in str(caught.value)
