"""Every fault that data can have is named, grouped, counted and placed: one golden text a case."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqpress.pipeline.data import load_source, source_digest
from seqpress.pipeline.errors import ConfigError, InputRejected, SeqpressError

Make = Callable[..., dict[str, Any]]


def holed(make: Make, *places: tuple[int, int, float], **changes: Any) -> dict[str, Any]:
    arrays = make(**changes)
    for row, column, value in places:
        arrays["values"][row, column] = value
    return arrays


# offsets of the small set: item 0 is rows 0:3, item 1 is 3:7, item 2 is 7:12 …; items 18 to 23 are the test split
START_OF_TEST = 87
NPZ_CASES: dict[str, Callable[[Make], dict[str, Any]]] = {
    "empty": lambda make: make(
        values=np.zeros((0, 3), np.float32), offsets=np.array([0]), labels=np.zeros(0, "U1"), split=np.zeros(0, "U5")
    ),
    "one-class": lambda make: make(labels=np.array(["a"] * 24)),
    "label-absent": lambda make: make(labels=np.array(["a", "b"] * 9 + ["c", "a", "d", "c", "c", "c"])),
    "zero-length": lambda make: make(offsets=np.array([0, 3, 3, *make()["offsets"][3:]])),
    "non-finite-train": lambda make: holed(
        make, (0, 0, np.nan), (1, 1, np.inf), (4, 2, -np.inf), (9, 0, np.nan), features=np.array(["pitch", "f1", "f2"])
    ),
    "non-finite-test": lambda make: holed(make, (START_OF_TEST, 1, np.nan)),
    "non-finite-both": lambda make: holed(make, (0, 0, np.nan), (START_OF_TEST + 2, 1, np.inf)),
    "overflow": lambda make: make(values=make()["values"].astype(np.float64) * 1e39),
    "label-float": lambda make: make(labels=np.array([0.0, 1.0] * 11 + [0.5, np.nan])),
    "label-negative": lambda make: make(labels=np.array([0, 1] * 11 + [-1, -1])),
    "label-out-of-range": lambda make: make(labels=np.array([0, 1] * 11 + [2, 7]), label_names=np.array(["no", "yes"])),
    "label-unknown-name": lambda make: make(
        labels=np.array(["no", "yes"] * 11 + ["yess", "no"]), label_names=np.array(["no", "yes"])
    ),
    "label-blank": lambda make: make(labels=np.array(["a", "b"] * 11 + ["", " "])),
    "label-names-twice": lambda make: make(label_names=np.array(["a", "b", "a"])),
    "features-count": lambda make: make(features=np.array(["x", "y"])),
    "features-twice": lambda make: make(features=np.array(["x", "y", "x"])),
    "labels-count": lambda make: make(labels=np.array(["a", "b"])),
    "offsets-fall": lambda make: make(offsets=np.array([0, 7, 3, *make()["offsets"][3:]])),
    "offsets-end": lambda make: make(offsets=make()["offsets"] + 1),
    "lengths-outside": lambda make: make(
        values=None, offsets=None, frames=np.zeros((24, 5, 3), np.float32), lengths=np.array([5, 9] + [3] * 21 + [-1])
    ),
    "dtype-complex": lambda make: make(values=make()["values"].astype(np.complex64)),
    "dtype-text": lambda make: make(values=make()["values"].astype("U8")),
    "shape": lambda make: make(values=make()["values"][:, 0]),
    "missing-array": lambda make: {("label" if k == "labels" else k): v for k, v in make().items()},
    "near-miss": lambda make: make(group=np.array(["g"] * 24)),
    "both-layouts": lambda make: make(frames=np.zeros((24, 3, 3), np.float32), is_test=np.zeros(24, bool)),
    "split-value": lambda make: make(split=np.array(["train"] * 12 + ["valid"] * 6 + ["test"] * 6)),
    "split-none": lambda make: make(split=None),
    "split-empty": lambda make: make(split=np.array(["test"] * 24)),
    "group-leak": lambda make: make(groups=np.array(["ann", "bob", "cyd", "dan"] * 6)),
    "too-few": lambda make: make(labels=np.array(["a", "b"] * 8 + ["c", "d"] + ["a"] * 6)),
    "everything": lambda make: holed(
        make, (0, 0, np.nan), (START_OF_TEST, 1, np.nan),
        offsets=np.array([0, 3, 7, 7, *make()["offsets"][4:]]),
        labels=np.array(["a", "b"] * 9 + ["c"] + ["a"] * 5),
        groups=np.array([f"speaker {i}" for i in range(18)] + ["speaker 3"] * 6),
        features=np.array(["x", "y"]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NPZ_CASES)
def test_bad_npz(case: str, small: Make, options: Make, tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    np.savez(tmp_path / "speech.npz", **NPZ_CASES[case](small))
    with pytest.raises(InputRejected) as caught:
        load_source(options(), tmp_path, 7)
    assert caught.value.exit_code == 3
    golden(case, str(caught.value))


OPTION_CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "no-groups": ({}, {"validation": {"fraction": 0.25, "by": "group"}}),
    "one-group": ({"groups": np.array(["ann"] * 18 + ["bob"] * 6)}, {"validation": {"fraction": 0.25, "by": "group"}}),
    "group-leak-test": (
        {"groups": np.array([f"s{i // 2}" for i in range(24)]), "split": None},
        {"test": {"fraction": 0.3, "by": "class"}, "validation": {"fraction": 0.2, "by": "group"}},
    ),
}


@pytest.mark.parametrize("case", OPTION_CASES)
def test_bad_holdout(case: str, small: Make, options: Make, tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    changes, chosen = OPTION_CASES[case]
    np.savez(tmp_path / "speech.npz", **small(**changes))
    with pytest.raises(InputRejected) as caught:
        load_source(options(**chosen), tmp_path, 7)
    golden(case, str(caught.value))


PYTHON_CASES = {
    "python-channels": "return [{'frames': np.zeros((4, 3 if i % 5 else 2)), 'label': 'ab'[i % 2]} for i in range(20)]",
    "python-object": "return [{'frames': np.array([[None, 1]]), 'label': 'a'}, {'frames': [[1, 2]], 'label': 'b'}]",
    "python-types": "return [{'frames': [[1j]], 'label': 'a'}, {'frames': [[b'x']], 'label': 'b'}]",
    "python-shape": "return [{'frames': [1, 2, 3], 'label': 'ab'[i % 2]} for i in range(9)]",
    "python-ragged": "return [{'frames': [[1, 2], [3]], 'label': 'a'}]",
    "python-no-channels": "return [{'frames': np.zeros((4, 0)), 'label': 'ab'[i % 2]} for i in range(9)]",
    "python-labels-mixed": "return [{'frames': [[i]], 'label': [0, 'a', None][i % 3]} for i in range(9)]",
    "python-keys": "return [{'frames': [[1]], 'lable': 'a'}, 3, {'frames': [[1]], 'label': 'a', 'groups': 'x'}]",
    "python-group-some": "return [{'frames': [[1]], 'label': 'a'}, {'frames': [[1]], 'label': 'b', 'group': 'x'}]",
    "python-returns-none": "return None",
    "python-returns-nothing": "return []",
}


@pytest.mark.parametrize("case", PYTHON_CASES)
def test_bad_python(case: str, options: Make, tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    (tmp_path / "my_data.py").write_text(f"import numpy as np\ndef load():\n    {PYTHON_CASES[case]}\n")
    with pytest.raises(InputRejected) as caught:
        load_source(
            {**options(), "source": "python", "entry": "my_data:load", "arguments": {}, "files": ()}, tmp_path, 7
        )
    golden(case, str(caught.value))


MISSING: dict[str, dict[str, Any]] = {
    "missing-file": {"path": "speach.npz"},
    "missing-folder": {"path": "data/speech.npz"},
    "unknown-name": {"source": "sktime", "name": "JapaneseVowel"},
    "missing-module": {"source": "python", "entry": "your_data:load"},
    "missing-function": {"source": "python", "entry": "my_data:laod"},
    "missing-declared": {"source": "python", "entry": "my_data:load", "files": ("my_data.py", "take1.wav")},
    "broken-module": {"source": "python", "entry": "broken:load"},
}


@pytest.mark.parametrize("case", MISSING)
def test_missing_is_found_at_plan_time(
    case: str, small: Make, options: Make, tmp_path: Path, golden: Callable[[str, str], None]
) -> None:
    np.savez(tmp_path / "speech.npz", **small())
    (tmp_path / "my_data.py").write_text("def load():\n    return []\n")
    (tmp_path / "broken.py").write_text("def load():\n    return [\n")
    with pytest.raises(ConfigError) as caught:
        source_digest(options(**MISSING[case]), tmp_path)
    assert caught.value.exit_code == 2
    golden(case, str(caught.value).replace(str(tmp_path), "."))
    with pytest.raises(SeqpressError):
        load_source(options(**MISSING[case]), tmp_path, 7)


def test_at_most_three_examples_are_shown(small: Make, options: Make, tmp_path: Path) -> None:
    arrays = small()
    arrays["values"][:] = np.nan
    np.savez(tmp_path / "speech.npz", **arrays)
    with pytest.raises(InputRejected) as caught:
        load_source(options(), tmp_path, 7)
    by_split = [fault for fault in caught.value.faults if fault.code == "data.non-finite"]
    assert len(by_split) == 3
    for fault in by_split:
        places = [line for line in fault.hint.splitlines() if line.startswith("item ")]
        assert len({line.partition(",")[0] for line in places}) == 3  # of three items, not three of one
        assert "… and " in fault.hint


def test_all_faults_come_at_once(small: Make, options: Make, tmp_path: Path) -> None:
    np.savez(tmp_path / "speech.npz", **NPZ_CASES["everything"](small))
    with pytest.raises(InputRejected) as caught:
        load_source(options(), tmp_path, 7)
    codes = {fault.code for fault in caught.value.faults}
    assert codes == {"data.zero-length", "data.count", "data.label-absent", "data.group-leak", "data.non-finite"}
