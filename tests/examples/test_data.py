"""The examples' data as the YAML of each loads them: the splits that the pages claim, and figures of others.

The configuration is read without the task: what each wants of its data stands here.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import TypeAdapter
from seqpress.pipeline.config.data import DataSource
from seqpress.pipeline.data import load_source
from seqpress.pipeline.data.dataset import Dataset

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture
def load(example, monkeypatch):
    """``load("anomaly/pipeline.yaml", {"kind": "tag"})``: in a copy of the folder with the data linked."""

    def loaded(file: str, wanted: dict[str, Any], **changes: Any) -> Dataset:
        name, _, yaml_name = file.partition("/")
        folder = example(name)
        section = yaml.safe_load((folder / yaml_name).read_text(encoding="utf-8"))["data"] | changes
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        options = TypeAdapter(DataSource).validate_python(section, strict=False).model_dump(mode="json")
        return load_source(options, folder, 7, wanted=wanted)

    return loaded


def sizes(dataset: Dataset) -> list[int]:
    return [len(dataset.train), len(dataset.validation), len(dataset.test)]


def test_forecast_load_is_the_standard_split(load):
    pytest.importorskip("pyarrow")
    wanted = {"kind": "horizon", "horizon": 96, "columns": [], "period": 24}
    data = load("forecast_load/pipeline.yaml", wanted)
    window = int(data.train.lengths[0])
    assert sizes(data) == [8640 - window - 96 + 1, 2880 - 96 + 1, 2880 - 96 + 1]
    assert data.validation.starts[0] + window == 8640
    assert data.test.starts[0] + window == 11520
    np.testing.assert_allclose(data.std, data.train.values[:8640].std(axis=0, dtype=np.float64), rtol=1e-6)
    squared = []
    for start in range(0, len(data.test), 500):
        frames, _, ahead = data.test.batch(np.arange(start, min(start + 500, len(data.test))))
        squared.append((((ahead - frames[:, -1:]) / data.std) ** 2).mean(axis=(1, 2)))
    # repeating the last value, published as 1.295
    assert np.concatenate(squared).mean() == pytest.approx(1.294, abs=6e-4)


def test_spoken_digits_of_unheard_speakers(load):
    data = load("spoken_digits/pipeline.yaml", {"kind": "class"}, front_end=None)
    assert sizes(data) == [1500, 500, 1000]
    assert data.labels == tuple("0123456789")


def test_char_lm_is_cut_in_time(load):
    data = load("char_lm/pipeline.yaml", {"kind": "next"})
    window = int(data.train.lengths[0])
    assert len(data.vocabulary) == 66  # 65 characters and the unknown one
    last = [int(part.starts[-1]) + window for part in (data.train, data.validation)]
    assert last[0] <= data.validation.starts[0] == 1_003_855 - 2_008
    assert last[1] <= data.test.starts[0] == 1_003_855  # 90 %, and one to be the first to foresee from


def test_tag_words_are_the_treebanks_split(load):
    data = load("tag_words/pipeline.yaml", {"kind": "tag"})
    assert sizes(data) == [12544, 2001, 2077]
    assert int(data.test.lengths.sum()) == 25094
    assert (data.channels, len(data.labels)) == (4, 17)
    assert data.sizes == (8000, 2000, 500, 100)


def test_the_most_frequent_tag(load_module):
    assert load_module("tag_words", "words").accuracy_of_most_frequent() == pytest.approx(0.862, abs=5e-4)


@pytest.mark.parametrize(
    ("file", "tunes", "steps"), [("pipeline.yaml", [229, 76, 77], 4725), ("nottingham.yaml", [694, 173, 170], 44463)]
)
def test_chorales_are_the_usual_split(file, tunes, steps, load):
    data = load(f"chorales/{file}", {"kind": "next"})
    assert sizes(data) == tunes
    assert int(data.test.lengths.sum()) == steps - tunes[2]  # the first step of a tune is foreseen by nobody
    assert set(np.unique(data.train.values)) == {0, 1}
    # how often each key sounds in training, as the probability of every step
    share = np.clip(data.train.packed()[0].mean(axis=0, dtype=np.float64), 1e-6, 1 - 1e-6)
    keys = np.concatenate([data.test.batch([item])[2][0] for item in range(len(data.test))])
    nats = -(keys * np.log(share) + (1 - keys) * np.log1p(-share)).sum(axis=1).mean()
    assert nats == pytest.approx(11.09 if file == "pipeline.yaml" else 10.26, abs=0.05)


def test_engine_wear_is_the_same_every_time_and_no_engine_is_twice(load, load_module):
    data, again = (load("engine_wear/pipeline.yaml", {"kind": "number"}) for _ in range(2))
    assert data.digest() == again.digest()
    assert sizes(data) == [2400, 480, 300]
    left = np.concatenate([part.targets.array for part in (data.train, data.validation, data.test)])
    assert (left.min(), left.max()) == (1, 125)
    items = list(load_module("engine_wear", "simulate").load(train=3, validation=2, test=2, cuts=2, seed=1))
    assert len({item["group"] for item in items}) == 7
    assert [item["split"] for item in items] == ["train"] * 6 + ["validation"] * 4 + ["test"] * 2


def test_anomaly_has_faults_in_the_test_weeks_only(load, load_module):
    data = load("anomaly/pipeline.yaml", {"kind": "tag"})
    assert sizes(data) == [60, 18, 25]
    assert data.labels == ("0", "1")
    marked = {name: data.split(name).batch(np.arange(len(data.split(name))))[2] for name in ("train", "validation")}
    assert not marked["train"].any()
    assert not marked["validation"].any()
    tags = data.test.batch(np.arange(25))[2]
    assert 0.05 < tags.mean() < 0.15
    assert 10 < tags.any(axis=1).sum() < 25
    series = load_module("anomaly", "faults").read(SHARED / "etth1" / "ETTh1.csv")
    weeks = series[: 103 * 168].reshape(103, 168, 7)
    assert np.array_equal(data.train.batch(np.arange(60))[0], weeks[:60])
    changed = (data.test.batch(np.arange(25))[0] != weeks[78:]).any(axis=2)
    assert not (changed & (tags == 0)).any()
    assert (changed[tags == 1]).mean() > 0.9  # a stuck sensor may read what it would have read


def test_vowels_is_the_pipeline_of_the_front_page():
    own, root = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in
                 (EXAMPLES / "vowels" / "pipeline.yaml", ROOT / "pipeline.yaml"))  # fmt: skip
    assert own.pop("quick")
    root.pop("quick", None)
    assert own == root
