"""Files and modules that a configuration names: found without running anything."""

from pathlib import Path

import pytest
from seqpress.pipeline.config import load
from seqpress.pipeline.config.references import check_references
from seqpress.pipeline.errors import ConfigError

TEXT = "name: x\ndata: {data}\nteacher: {{architecture: lstm{weights}}}\nstudents: {{a: {{architecture: gru}}}}\n"


def codes(folder: Path, data: str, weights: str = "") -> list[str]:
    path = folder / "p.yaml"
    path.write_text(TEXT.format(data=data, weights=weights), encoding="utf-8")
    try:
        check_references(load(path))
    except ConfigError as error:
        return [fault.code for fault in error.faults]
    return []


def test_files_are_searched_beside_the_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "data.npz").write_bytes(b"")
    (tmp_path / "t.safetensors").write_bytes(b"")
    monkeypatch.chdir("/")
    good = "{source: npz, path: in/data.npz}"
    assert codes(tmp_path, good, ", weights: t.safetensors") == []
    assert codes(tmp_path, good, ", weights: gone.safetensors") == ["config.missing-file"]
    assert codes(tmp_path, "{source: npz, path: in}") == ["config.missing-file"]


def test_a_near_name_is_offered(tmp_path: Path) -> None:
    (tmp_path / "gestures.npz").write_bytes(b"")
    path = tmp_path / "p.yaml"
    path.write_text(TEXT.format(data="{source: npz, path: gesture.npz}", weights=""), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"did you mean: gestures\.npz"):
        check_references(load(path))


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ("loader:load", True),
        ("package.inner:load", True),
        ("package.gone:load", False),
        ("loader.inner:load", False),
        ("gone:load", False),
        ("json:loads", True),
        ("sys:exit", True),
    ],
)
def test_modules_are_found_without_running_them(entry: str, found: bool, tmp_path: Path) -> None:
    trap = "raise SystemExit('it ran')\n"
    (tmp_path / "loader.py").write_text(trap)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text(trap)
    (tmp_path / "package" / "inner.py").write_text(trap)
    expected = [] if found else ["config.missing-module"]
    assert codes(tmp_path, f"{{source: python, entry: '{entry}'}}") == expected


def test_files_of_a_python_source(tmp_path: Path) -> None:
    (tmp_path / "loader.py").write_text("")
    (tmp_path / "a.csv").write_text("")
    data = "{source: python, entry: 'loader:load', files: [a.csv, b.csv, c.csv]}"
    assert codes(tmp_path, data) == ["config.missing-file"] * 2
