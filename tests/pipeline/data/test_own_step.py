"""A transform of the user's own: called item by item, digested by its text, and blamed by file and line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqpress.pipeline.config import load
from seqpress.pipeline.config.references import check_references
from seqpress.pipeline.data import load_source, source_digest
from seqpress.pipeline.errors import ConfigError, InputRejected, StageFailed

Make = Callable[..., dict[str, Any]]

MODULE = """
import numpy as np
import helpers_of_mine

def smooth(frames, share=0.5):
    print("called")
    assert frames.dtype == np.float32
    frames[1:] = share * frames[1:] + (1 - share) * frames[:-1]
    return frames

def halve(frames):
    return frames[::2, :2]

def energy(frames):
    return np.hstack([frames, (frames ** 2).sum(axis=1, keepdims=True)])

def fails(frames):
    return helpers_of_mine.divide(frames)

def flat(frames):
    return frames.ravel()

def ragged(frames):
    return [[1.0], [1.0, 2.0]]
"""


@pytest.fixture
def folder(tmp_path: Path, small: Make) -> Path:
    (tmp_path / "my_steps.py").write_text(MODULE)
    (tmp_path / "helpers_of_mine.py").write_text("def divide(frames):\n    return 1 // 0\n")
    np.savez(tmp_path / "speech.npz", **small(features=np.array(["x", "y", "z"])))
    return tmp_path


def step(function: str, **more: Any) -> dict[str, Any]:
    return {"kind": "python", "entry": f"my_steps:{function}", "arguments": {}, "features": (), **more}


def items(dataset: Any) -> list[np.ndarray]:
    return [
        dataset.split(name).item(i) for name in ("train", "validation", "test") for i in range(len(dataset.split(name)))
    ]


def test_every_item_goes_through_it(folder: Path, options: Make, capsys: pytest.CaptureFixture[str]) -> None:
    plain = load_source(options(), folder, 7)
    chosen = options(transforms=[step("smooth", arguments={"share": 0.25})])
    smooth = load_source(chosen, folder, 7, source_digest(chosen, folder))
    assert smooth.features == plain.features == ("x", "y", "z")
    for before, after in zip(items(plain), items(smooth), strict=True):
        np.testing.assert_allclose(after[1:], 0.25 * before[1:] + 0.75 * before[:-1], rtol=1e-6)
        np.testing.assert_array_equal(after[0], before[0])
    assert smooth.device["python"] == {"entry": "my_steps:smooth", "arguments": {"share": 0.25}, "features": ()}
    told = capsys.readouterr()
    assert ("called" in told.err, told.out) == (True, "")
    assert not (folder / "__pycache__").exists()


def test_other_frames_and_channels(folder: Path, options: Make) -> None:
    plain = load_source(options(), folder, 7)
    half = load_source(options(transforms=[step("halve")]), folder, 7)
    assert half.features == ("f0", "f1")
    for before, after in zip(items(plain), items(half), strict=True):
        np.testing.assert_array_equal(after, before[::2, :2])
    more = load_source(options(transforms=[step("energy", features=("x", "y", "z", "energy"))]), folder, 7)
    assert more.features == ("x", "y", "z", "energy")


def test_between_the_other_steps(folder: Path, options: Make, small: Make) -> None:
    """Behind the choice of channels and the marks of missing values, before windows."""
    arrays = small(features=np.array(["x", "y", "z"]))
    arrays["values"][2, 2] = np.nan
    np.savez(folder / "speech.npz", **arrays)
    steps = [{"kind": "select", "channels": ["z"]}, step("energy"), {"kind": "window", "length": 3, "stride": 3}]
    dataset = load_source(options(transforms=steps, missing="mask-channel"), folder, 7)
    assert dataset.features == ("f0", "f1", "f2")
    frames = np.concatenate(items(dataset))
    np.testing.assert_allclose(frames[:, 2], frames[:, 0] ** 2 + frames[:, 1] ** 2, rtol=1e-6)


def test_an_edit_changes_the_digest(folder: Path, options: Make) -> None:
    chosen = options(transforms=[step("smooth")])
    first = source_digest(chosen, folder)
    assert set(first["transform"]) == {"my_steps", "helpers_of_mine"}
    assert "transform" not in source_digest(options(), folder)
    (folder / "helpers_of_mine.py").write_text("def divide(frames):\n    return frames\n")
    assert source_digest(chosen, folder) != first
    with pytest.raises(InputRejected, match="must not change while it is read"):
        load_source(chosen, folder, 7, first)


def test_what_it_raises_is_the_users(folder: Path, options: Make) -> None:
    with pytest.raises(StageFailed) as caught:
        load_source(options(transforms=[step("fails")]), folder, 7)
    assert str(caught.value) == (
        "helpers_of_mine.py:2  divide raised ZeroDivisionError: integer division or modulo by zero\n"
        "  this is your own code, named in data.transforms[0].entry as 'my_steps:fails'; run it by itself to debug it"
    )


@pytest.mark.parametrize(
    ("given", "wanted", "told"),
    [
        (step("flat"), "class", "data.transforms[0].entry  my_steps:flat must return frames (T, F)"),
        (step("ragged"), "class", "must return frames (T, F), an array of numbers"),
        (step("energy", features=("a",)), "class", "must return the 1 channels of its features; got (3, 4)"),
        (step("halve"), "next", "must return as many frames as it gets, for each has a tag, a time or an answer"),
        (step("smooth", arguments={"shar": 1}), "class", "data.transforms[0].arguments must fit my_steps:smooth"),
    ],
)  # fmt: skip
def test_what_it_returns(folder: Path, options: Make, given: dict[str, Any], wanted: str, told: str) -> None:
    with pytest.raises(InputRejected) as caught:
        load_source(options(transforms=[given]), folder, 7, wanted={"kind": wanted})
    assert told in str(caught.value)


def test_no_such_function(folder: Path, options: Make) -> None:
    with pytest.raises(ConfigError) as caught:
        source_digest(options(transforms=[step("smoth")]), folder)
    assert str(caught.value) == (
        "data.transforms[0].entry must name a function of that module; got 'my_steps:smoth'\n"
        "  did you mean: my_steps:smooth"
    )


def test_the_configuration_names_it(folder: Path) -> None:
    text = (
        "name: x\ndata:\n  source: npz\n  path: speech.npz\n  transforms:\n"
        "    - {kind: python, entry: 'MODULE:smooth', arguments: {list: [1, 1]}}\n"
        "teacher: {architecture: lstm}\nstudents: {g: {architecture: gru}}\n"
    )
    (folder / "p.yaml").write_text(text.replace("MODULE", "my_steps"))
    loaded = load(folder / "p.yaml")
    check_references(loaded)
    assert loaded.config.data.transforms[0].kind == "python"
    (folder / "p.yaml").write_text(text.replace("MODULE", "steps_nobody_has"))
    with pytest.raises(ConfigError, match=r"p.yaml:6:29  data.transforms\[0\].entry must name a module"):
        check_references(load(folder / "p.yaml"))
