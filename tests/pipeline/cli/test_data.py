"""``compress data``: what was read, as text, JSON and a page."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from seqpress.pipeline.config import load
from seqpress.pipeline.data import load_source

YAML = """
name: x
data:
  source: npz
  path: d.npz
  missing: interpolate
  validation: {fraction: 0.25, by: class}
teacher: {architecture: gru, hidden: 8}
students: {gru-4: {architecture: gru, hidden: 4}}
"""


@pytest.fixture
def project(in_folder: Path) -> Path:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(96, 2)).astype(np.float32)
    values[5, 1] = np.nan
    values[92:96] = values[0:4]
    np.savez(
        "d.npz", values=values, offsets=np.arange(25) * 4, labels=np.array(["<no>", "yes"] * 12),
        split=np.array(["train"] * 18 + ["test"] * 6), features=np.array(["a&b", "level"]),
    )  # fmt: skip
    Path("p.yaml").write_text(YAML)
    return in_folder


def test_text(compress: Callable[..., Any], project: Path) -> None:
    answer = compress("data", "p.yaml")
    assert answer.code == 0, answer.err
    assert re.search(r"train +14 +56  4 to 4, median 4", answer.out)
    assert re.search(r"'<no>' +7 +2 +3", answer.out)
    assert re.search(r"'level' ", answer.out)
    assert "1 missing value in 1 item: interpolated over time." in answer.out
    assert "1 item of test also in train, bit for bit" in answer.out
    assert re.search("[▁▂▃▄▅▆▇█]{4}", answer.out)
    assert sorted(path.name for path in project.iterdir()) == ["d.npz", "p.yaml"]


def test_json(compress: Callable[..., Any], project: Path) -> None:
    facts = json.loads(compress("data", "p.yaml", "--json").out)
    assert [split["items"] for split in facts["data"]["splits"]] == [14, 4, 6]
    assert [channel["name"] for channel in facts["channels"]] == ["a&b", "level"]
    assert facts["channels"][0]["least"] < facts["channels"][0]["mean"] < facts["channels"][0]["greatest"]
    assert len(facts["examples"][0]["channels"]["level"]) == 4


def test_html_is_whole_and_escaped(compress: Callable[..., Any], project: Path) -> None:
    assert compress("data", "p.yaml", "--html", "d.html").code == 0
    text = Path("d.html").read_text(encoding="utf-8")
    root = ElementTree.fromstring(text.partition("\n")[2].replace('<meta charset="utf-8">', ""))
    assert len(root.findall(".//polyline")) == 2 * 3
    assert "<no>" not in text
    assert "&lt;no&gt;" in text
    assert "http" not in text


def test_faults_are_those_of_a_run(compress: Callable[..., Any], project: Path) -> None:
    answer = compress("data", "p.yaml", "--set", "data.missing=error")
    assert answer.code == 3
    assert "must be finite; got 1 NaN" in answer.err


def test_arrays_are_those_of_the_splits_in_their_order(compress: Callable[..., Any], project: Path) -> None:
    """What somebody else's teacher answers to, row by row."""
    answer = compress("data", "p.yaml", "--arrays", "all.npz")
    assert (answer.code, answer.out.splitlines()[-1]) == (0, "wrote all.npz"), answer.err
    dataset = load_source(load("p.yaml").config.data.model_dump(mode="json"), project, 0)
    with np.load("all.npz") as arrays:
        assert set(arrays) == {f"{name}{tail}" for name in ("train", "validation", "test") for tail in ("", "_lengths")}
        for name in ("train", "validation", "test"):
            split = dataset.split(name)
            np.testing.assert_array_equal(arrays[f"{name}_lengths"], split.lengths)
            items = np.split(arrays[name], np.cumsum(split.lengths)[:-1])
            assert all(np.array_equal(item, split.item(index)) for index, item in enumerate(items))
