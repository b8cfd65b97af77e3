"""One tiny pipeline, run once by the real command; whoever needs trained models takes them from its store."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command import TINY, Answer, compress
from seqpress.pipeline.config import load
from seqpress.pipeline.config.loader import Loaded


@dataclass(frozen=True)
class Tiny:
    """The first run.

    Args:
        folder: where pipeline.yaml lies.
        store: shared by every test that asks for it.
        answer: of ``compress run pipeline.yaml``.
    """

    folder: Path
    store: Path
    answer: Answer

    @property
    def run(self) -> Path:
        """The first run folder."""
        return self.folder / "runs" / "tiny" / "1"

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.run / "report.json").read_text(encoding="utf-8"))

    def load(self, *overrides: str) -> Loaded:
        """The configuration, changed by ``--set`` texts."""
        return load(self.folder / "pipeline.yaml", overrides)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    pytest.importorskip("torch")
    pytest.importorskip("sktime")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # workers of pytest share one store
    folder = tmp_path_factory.mktemp("mein Projekt für µs")
    (folder / "pipeline.yaml").write_text(TINY, encoding="utf-8")
    store = shared / "store größer"
    return Tiny(folder, store, compress("run", "pipeline.yaml", folder=folder, store=store))
