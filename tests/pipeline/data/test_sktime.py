"""The data sets that sktime carries: read without it, and the same as it reads them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqpress.pipeline.data import load_source, source_digest
from seqpress.pipeline.data.sink import Sink
from seqpress.pipeline.data.sources import sktime as source
from seqpress.pipeline.errors import EnvironmentFault, InputRejected
from seqpress.pipeline.report.model import DataFacts
from seqpress.pipeline.tasks.baselines.mean_std import mean_std_logistic_regression

pytest.importorskip("sktime")
Make = Callable[..., dict[str, Any]]


@pytest.fixture
def vowels(options: Make) -> dict[str, Any]:
    return options(source="sktime", name="JapaneseVowels", validation={"fraction": 0.2, "by": "class"})


def test_japanese_vowels(vowels: dict[str, Any], tmp_path: Path) -> None:
    dataset = load_source(vowels, tmp_path, 7, expected=source_digest(vowels, tmp_path))
    facts = DataFacts(**dataset.facts())
    assert [split.items for split in facts.splits] == [216, 54, 370]
    assert min(split.length_min for split in facts.splits) == 7
    assert max(split.length_max for split in facts.splits) == 29
    assert facts.channels == 12
    assert facts.labels == tuple("123456789")
    assert set(facts.splits[0].by_label.values()) == {24}
    assert set(facts.splits[1].by_label.values()) == {6}
    assert list(facts.splits[2].by_label.values()) == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    assert dataset.findings == ()


@pytest.mark.parametrize("name", ["JapaneseVowels", "BasicMotions", "PLAID"])
def test_the_same_as_sktime_reads(name: str, tmp_path: Path) -> None:
    from sktime.datasets import load_from_tsfile

    sink = Sink(tmp_path)
    raw, _ = source.read({"name": name}, Path(), sink)
    stored, offsets = sink.close(), np.cumsum([0, *sink.scan.lengths])
    for split in ("train", "test"):
        path = source.bundled()[name] / f"{name}_{split.upper()}.ts"
        frames, labels = load_from_tsfile(str(path), return_data_type="nested_univ")
        mine = [i for i, part in enumerate(raw.split or ()) if part == split]
        assert [raw.labels[i].lower() for i in mine] == labels.tolist()  # sktime lowers class names
        for i, (_, row) in zip(mine, frames.iterrows(), strict=True):
            given = np.stack([np.asarray(channel) for channel in row], axis=1)
            np.testing.assert_array_equal(stored[offsets[i] : offsets[i + 1]], given.astype(np.float32))


def test_a_place_is_named_by_its_file(vowels: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = source.bundled()["JapaneseVowels"]
    folder = tmp_path / "JapaneseVowels"
    folder.mkdir()
    for path in real.glob("*.ts"):
        content = path.read_text()
        head, mark, body = content.partition("@data\n")
        if "_TEST" in path.name:
            body = "?" + body[body.index(",") :]
        (folder / path.name).write_text(head + mark + body)
    monkeypatch.setattr(source, "bundled", lambda package: {"JapaneseVowels": folder})
    with pytest.raises(InputRejected) as caught:
        load_source(vowels, tmp_path, 7)
    assert "frames of the test split must be finite; got 1 NaN, in 1 of 370 items" in str(caught.value)
    assert "item 0 of JapaneseVowels_TEST.ts, row 0, column 0: nan" in str(caught.value)


def test_other_kinds_of_set_are_refused(options: Make, tmp_path: Path) -> None:
    with pytest.raises(InputRejected, match="this is a regression set"):
        load_source(options(source="sktime", name="Tecator"), tmp_path, 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@classLabel true a b\n1,2:3,4:a\n", "must have a line @data"),
        ("@timeStamps true\n@classLabel true a b\n@data\n(0,1):a\n", "must not carry time stamps"),
        ("@classLabel true a b\n@data\n1,2:3:a\n1,x:1,2:b\n", "got 2 items in another form\n  item 0 of x.ts: "),
    ],
)
def test_a_file_in_another_form(text: str, message: str) -> None:
    with pytest.raises(InputRejected) as caught:
        source._parse(text, "x.ts")
    assert message in str(caught.value)


def test_without_sktime_it_says_what_to_install(
    vowels: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'seqpress\[data\]'"):
        source_digest(vowels, tmp_path)


def test_the_baseline(vowels: dict[str, Any], tmp_path: Path) -> None:
    """0.970 at seed 7; 0.957 to 0.970 over eight seeds of the validation cut."""
    dataset = load_source(vowels, tmp_path, 7)
    result = mean_std_logistic_regression(dataset)
    assert 0.95 <= result.accuracy <= 0.985
    assert result.probabilities.shape == (370, 9)
    np.testing.assert_allclose(result.probabilities.sum(axis=1), 1.0)
    assert result.accuracy == (result.predictions == dataset.test.labels).mean()
    again = mean_std_logistic_regression(dataset)
    np.testing.assert_array_equal(result.probabilities, again.probabilities)


def test_aeon_is_read_alike(vowels: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sets lie where sktime's do, in the same format."""
    real = source.find_spec("sktime")
    monkeypatch.setattr(source, "find_spec", lambda name: real if name == "aeon" else None)
    options = {**vowels, "source": "aeon"}
    dataset = load_source(options, tmp_path, 7, source_digest(options, tmp_path))
    assert dataset.source == "aeon JapaneseVowels"
    assert len(dataset.test) == 370
    with pytest.raises(InputRejected, match="this is a regression set"):
        load_source({**options, "name": "Tecator"}, tmp_path, 7)
