"""The data room imports numpy and nothing heavy, also while it reads; its docstring examples hold."""

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest
import seqpress.pipeline.data
import seqpress.pipeline.tasks.baselines

HEAVY = ("torch", "pandas", "sklearn", "sktime", "scipy", "onnx", "onnxruntime", "lightning_fabric", "pydantic")
ROOM = seqpress.pipeline.data.__name__
MODULES = [name for _, name, _ in pkgutil.walk_packages(seqpress.pipeline.data.__path__, ROOM + ".")]


def loaded(code: str) -> set[str]:
    code += f"\nimport sys\nprint(*[name for name in {HEAVY} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_importing_is_light() -> None:
    everything = "\n".join(f"import {name}" for name in [*MODULES, "seqpress.pipeline.tasks.baselines"])
    assert loaded(everything) == set()
    assert loaded("import torch") >= {"torch"}  # the probe sees what it looks for


def test_digesting_and_reading_are_light() -> None:
    pytest.importorskip("sktime")
    assert (
        loaded(
            "from pathlib import Path\n"
            "from seqpress.pipeline.data import load_source, source_digest\n"
            "chosen = {'source': 'sktime', 'name': 'JapaneseVowels', 'test': None,\n"
            "          'validation': {'fraction': 0.2, 'by': 'class'}}\n"
            "load_source(chosen, Path(), 7, expected=source_digest(chosen, Path()))\n"
        )
        == set()
    )


@pytest.mark.parametrize("name", [ROOM, *MODULES, "seqpress.pipeline.tasks.baselines"])
def test_docstring_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
