"""An example in a folder of its own, with its data linked as a user may link theirs."""

import shutil
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
DATA = {
    "anomaly": "etth1",
    "char_lm": "tinyshakespeare",
    "chorales": "polymusic",
    "forecast_load": "etth1",
    "spoken_digits": "fsdd",
    "tag_words": "ud_ewt",
}


@pytest.fixture
def example(tmp_path: Path) -> Callable[[str], Path]:
    """``example("anomaly")``: a copy of the folder; skips where its data are not beside the checkout."""

    def copy(name: str) -> Path:
        folder = tmp_path / name
        if not folder.exists():
            shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("data", "runs", "__pycache__"))
        if name in DATA and not (folder / "data").exists():
            data = ROOT.parent / "shared" / "data" / DATA[name]
            if not data.exists():
                pytest.skip(f"the data of {name} are not beside this checkout")
            (folder / "data").symlink_to(data, target_is_directory=True)
        return folder

    return copy


@pytest.fixture
def load_module(example: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], ModuleType]:
    """``load_module("anomaly", "faults")``: the Python file of an example, with its data."""

    def load(name: str, module: str) -> ModuleType:
        monkeypatch.setattr("sys.dont_write_bytecode", True)
        spec = spec_from_file_location(f"example_{module}", example(name) / f"{module}.py")
        assert spec is not None
        assert spec.loader is not None
        made = module_from_spec(spec)
        spec.loader.exec_module(made)
        return made

    return load
