"""Sets of the hub, by a download that fetches nothing: the cache it leaves is laid out like the real one."""

from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqpress.pipeline.config import load
from seqpress.pipeline.data import load_source, source_digest
from seqpress.pipeline.data.sources import huggingface
from seqpress.pipeline.errors import ConfigError, EnvironmentFault, InputRejected

hub = pytest.importorskip("huggingface_hub")
pa = pytest.importorskip("pyarrow")

FIRST, SECOND = "a" * 40, "b" * 40


class Hub:
    """One set with a subset; ``main`` moves when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.main, self.calls, self.raises = folder, FIRST, [], None
        self.fetched: list[str] = []

    def snapshot_download(self, repo_id: str, **asked: Any) -> str:
        assert (repo_id, asked["repo_type"]) == ("ann/steps", "dataset")
        self.calls.append(asked)
        if self.raises is not None and not asked["local_files_only"]:
            raise self.raises
        commit = {"main": self.main}.get(asked["revision"], asked["revision"])
        snapshot = self.folder / "snapshots" / commit
        for name in ("data/train-0.parquet", "data/train-1.parquet", "data/test-0.parquet", "README.md"):
            self._file(snapshot, name, commit, asked)
        return str(snapshot)

    def _file(self, snapshot: Path, name: str, commit: str, asked: dict[str, Any]) -> None:
        if not any(fnmatch(name, pattern) for pattern in asked["allow_patterns"]) or (snapshot / name).exists():
            return
        assert not asked["local_files_only"], "planning fetched everything"
        self.fetched.append(name)
        from pyarrow import parquet

        items = {"data/train-0.parquet": 10, "data/train-1.parquet": 8, "data/test-0.parquet": 6}[name]
        rng = np.random.default_rng([len(self.fetched), commit == FIRST])
        table = {"y": ["a", "b"] * (items // 2), "x": [rng.normal(size=5).tolist() for _ in range(items)]}
        blob = self.folder / "blobs" / f"{commit[0]}{len(self.fetched)}"
        blob.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pa.table(table), blob)
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).symlink_to(blob)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    made = Hub(tmp_path / "cache")
    monkeypatch.setattr(hub, "snapshot_download", made.snapshot_download)
    return made


def options(**changes: Any) -> dict[str, Any]:
    fixed = {"source": "huggingface", "path": None, "hub": "ann/steps", "revision": "main", "subset": None}
    fixed |= {"layout": "nested", "id": None, "time": None, "features": ("x",), "label": "y", "group": None}
    fixed |= {"split": None, "units": {}, "validation": {"fraction": 0.25, "by": "class"}, "test": None}
    return fixed | changes


def test_what_was_planned_is_read_without_another_download(fake: Hub, tmp_path: Path) -> None:
    planned = source_digest(options(), tmp_path)
    assert (planned["commit"], len(planned["files"])) == (FIRST, 3)
    assert fake.fetched == ["data/train-0.parquet", "data/train-1.parquet", "data/test-0.parquet"]
    fake.main = SECOND  # somebody pushes before the run begins
    dataset = load_source(options(), tmp_path, 7, planned)
    assert len(fake.fetched) == 3
    assert [(call["revision"], call["local_files_only"]) for call in fake.calls] == [("main", False), (FIRST, True)]
    assert dataset.source == f"huggingface ann/steps at {FIRST[:12]}"
    assert [len(dataset.train) + len(dataset.validation), len(dataset.test)] == [18, 6]
    assert source_digest(options(), tmp_path)["commit"] == SECOND


def test_planning_twice_fetches_once_and_the_commit_is_in_the_key(fake: Hub, tmp_path: Path) -> None:
    assert source_digest(options(), tmp_path) == source_digest(options(revision=FIRST), tmp_path)
    assert len(fake.fetched) == 3


def test_a_cache_that_changed_since_is_refused(fake: Hub, tmp_path: Path) -> None:
    planned = source_digest(options(), tmp_path)
    (fake.folder / "blobs" / "a1").write_bytes((fake.folder / "blobs" / "a2").read_bytes())
    with pytest.raises(InputRejected, match="must not change while it is read"):
        load_source(options(), tmp_path, 7, planned)


def test_a_subset_is_a_folder(fake: Hub, tmp_path: Path) -> None:
    assert len(source_digest(options(subset="data"), tmp_path)["files"]) == 3
    assert fake.calls[0]["allow_patterns"] == ["data/*.parquet", "data/*.arrow"]
    with pytest.raises(ConfigError, match="must be a set, or a folder of one, with Parquet or Arrow files"):
        source_digest(options(subset="other"), tmp_path)


def refusal(kind: str) -> Exception:
    """As the library raises it; an answer of the server where its kind wants one."""
    from huggingface_hub import errors

    made: Exception = getattr(errors, kind).__new__(getattr(errors, kind))
    made.args = ("it said no",)
    return made


@pytest.mark.parametrize(
    ("kind", "error", "code", "hint"),
    [
        ("LocalEntryNotFoundError", EnvironmentFault, "data.offline", "connect once and plan again"),
        ("OfflineModeIsEnabled", EnvironmentFault, "data.offline", "connect once and plan again"),
        ("HfHubHTTPError", EnvironmentFault, "data.offline", "connect once and plan again"),
        ("RepositoryNotFoundError", ConfigError, "data.unknown-name", "hf auth login"),
        ("GatedRepoError", ConfigError, "data.unknown-name", "hf auth login"),
        ("RevisionNotFoundError", ConfigError, "data.unknown-name", "hf auth login"),
    ],
)
def test_what_the_hub_may_answer(
    kind: str, error: type[ConfigError], code: str, hint: str, fake: Hub, tmp_path: Path
) -> None:
    fake.raises = refusal(kind)
    with pytest.raises(error) as caught:
        source_digest(options(), tmp_path)
    (fault,) = caught.value.faults
    assert (fault.code, hint in fault.hint) == (code, True)


def test_a_connection_that_breaks_off(fake: Hub, tmp_path: Path) -> None:
    from huggingface_hub.errors import HfHubHTTPError

    library = HfHubHTTPError.__bases__[0]  # of whichever package carries the requests
    fake.raises = library("reset by peer")
    with pytest.raises(EnvironmentFault, match="reset by peer"):
        source_digest(options(), tmp_path)


def test_without_the_library_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'seqpress\[hub\]'"):
        source_digest(options(), tmp_path)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ("label: y", "must have one of path and hub"),
        ("path: x, hub: a/b", "must have one of path and hub"),
        ("path: x, revision: v1", "must have hub where it has revision or subset"),
        ("path: x, subset: s", "must have hub where it has revision or subset"),
        ("hub: name", "'owner/name', as the hub has it"),
    ],
)
def test_a_section_that_names_no_set(data: str, rule: str, yaml: Callable[[str], Path]) -> None:
    with pytest.raises(ConfigError, match=rule):
        load(yaml(data))


def test_a_section_that_names_one(yaml: Callable[[str], Path]) -> None:
    found = load(yaml("hub: ann/steps, subset: walks")).config.data.model_dump(mode="json")
    assert [found[name] for name in ("path", "hub", "revision", "subset")] == [None, "ann/steps", "main", "walks"]


@pytest.fixture
def yaml(tmp_path: Path) -> Callable[[str], Path]:
    def write(data: str) -> Path:
        path = tmp_path / "p.yaml"
        rest = "teacher: {architecture: gru}\nstudents: {a: {architecture: gru}}\n"
        path.write_text(f"name: x\ndata: {{source: huggingface, {data}}}\n{rest}", encoding="utf-8")
        return path

    return write
