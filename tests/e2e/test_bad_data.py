"""Data that cannot be used ends in exit code 3 before anything is trained, and says all that is wrong."""

import numpy as np
import pytest
from command import compress
from speech import MINI, arrays, project


def with_holes():
    values = arrays()["values"]
    values[2, 1] = np.nan  # item 0, training
    values[-1, 0] = np.inf  # the last item, testing
    return values


def empty_item():
    offsets = arrays()["offsets"].copy()
    offsets[7] = offsets[6]
    return offsets


def unknown_in_training():
    labels = arrays()["labels"].astype("U16")
    labels[-1] = "never heard"
    return labels


CASES = {
    "holes": (
        {"values": with_holes()},
        ["data.non-finite"],
        ["the train split", "item 0, row 2, column 1", "the test split", "item 44"],
    ),
    "one class": ({"labels": np.array(["ja"] * 45)}, ["data.one-class"], ["'ja' only"]),
    "label absent": ({"labels": unknown_in_training()}, ["data.label-absent"], ["'never heard'"]),
    "group leak": ({"groups": np.array([f"speaker {i % 20}" for i in range(45)])}, ["data.group-leak"], ["speaker "]),
    "zero length": ({"offsets": empty_item()}, ["data.zero-length"], ["item 6"]),
    "several": ({"values": with_holes(), "offsets": empty_item()}, ["data.zero-length", "data.non-finite"], []),
}


@pytest.mark.parametrize("case", CASES)
def test_refused_before_training(case, tmp_path):
    changes, codes, words = CASES[case]
    answer = compress("run", folder=project(tmp_path, **changes))
    assert answer.code == 3, answer.err
    found = answer.codes
    assert set(found) == {*codes, "run.incomplete"}
    assert all(word in answer.err for word in words), answer.err
    assert answer.tasks("started") == {"data"}
    assert not (tmp_path / "runs" / "mini").exists() or not list((tmp_path / "runs" / "mini").iterdir())


def test_a_python_source_whose_channels_differ(tmp_path):
    module = (
        "def load():\n    return [{'frames': [[0.0] * (2 + (i == 5))] * 4, 'label': 'ab'[i % 2]} for i in range(20)]\n"
    )
    folder = project(
        tmp_path, MINI.replace("{source: npz, path: speech.npz}", "{source: python, entry: mine:load, test: {}}")
    )
    (folder / "mine.py").write_text(module, encoding="utf-8")
    answer = compress("run", folder=folder)
    assert (answer.code, answer.codes[0]) == (3, "data.channels"), answer.err
    assert "item 5 has 3" in answer.err
    assert answer.tasks("started") == {"data"}
