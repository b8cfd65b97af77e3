"""Text as tokens: the vocabulary is training's, windows foresee the next token, tags stay beside their words."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqpress.pipeline.data import load_source, source_digest
from seqpress.pipeline.data.sources import text
from seqpress.pipeline.errors import EnvironmentFault, InputRejected

VERSE = "abab cabab\n" * 30 + "zebra\n"
NEXT = {"kind": "next"}


def options(**changes: Any) -> dict[str, Any]:
    base = {
        "source": "text", "path": "verse.txt", "unit": "characters", "items": "file", "vocabulary": None,
        "min_count": 1, "test": {"fraction": 0.1, "by": "time"}, "validation": {"fraction": 0.1, "by": "time"},
        "transforms": [{"kind": "window", "length": 8, "stride": 8}],
    }  # fmt: skip
    return {**base, **changes}


def spelled(dataset: Any, tokens: Any) -> str:
    return "".join(dataset.vocabulary[token] for token in tokens)


@pytest.mark.parametrize("piece", [7, 2**20])
def test_characters(piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "_PIECE", piece)
    (tmp_path / "verse.txt").write_text(VERSE)
    dataset = load_source(options(), tmp_path, 7, source_digest(options(), tmp_path), wanted=NEXT)
    assert dataset.kind == "tokens"
    assert dataset.vocabulary == ("<unk>", "a", "b", "\n", " ", "c")  # by frequency, then by name; no z: not trained
    cut = round(len(VERSE) * 0.9)
    cut = len(VERSE) - round(0.1 * len(VERSE))
    frames, lengths, targets = dataset.train.batch([0, 1])
    assert spelled(dataset, frames[0]) == VERSE[:8]
    assert spelled(dataset, targets[0]) == VERSE[1:9]
    assert lengths.tolist() == [8, 8]
    assert spelled(dataset, dataset.test.item(0)) == VERSE[cut : cut + 8]
    assert (dataset.test.starts + dataset.test.lengths + 1).max() <= len(VERSE)
    assert any("tokens are not in the vocabulary of training" in found["text"] for found in dataset.findings)


def test_words_by_line(tmp_path: Path) -> None:
    (tmp_path / "verse.txt").write_text("the cat sat\nthe dog sat\n\nthe cow\n" * 6)
    chosen = options(
        unit="words", items="line", vocabulary=4, transforms=(), test={"fraction": 0.3, "by": "random"},
        validation={"fraction": 0.2, "by": "auto"},
    )  # fmt: skip
    dataset = load_source(chosen, tmp_path, 7, wanted=NEXT)
    assert dataset.vocabulary[:2] == ("<unk>", "the")
    assert len(dataset.vocabulary) == 4
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 18
    assert set(dataset.train.lengths.tolist()) <= {1, 2}  # the last token is only a target


def test_tags_beside_their_words(tmp_path: Path) -> None:
    def lines(*words: str) -> str:
        return "".join(f"{word}\t{'VERB' if word == 'runs' else 'NOUN'}\tX\n" for word in words) + "\n"

    (tmp_path / "train.tsv").write_text(lines("cat", "runs") + lines("dog", "runs", "cat") + lines("cat"))
    (tmp_path / "dev.tsv").write_text(lines("cow", "runs") + lines("dog"))
    (tmp_path / "test.tsv").write_text(lines("pig"))
    chosen = options(
        path={"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}, items="tagged", unit="words",
        transforms=(), test=None, validation={"fraction": 0.2, "by": "random"},
    )  # fmt: skip
    dataset = load_source(chosen, tmp_path, 7, wanted={"kind": "tag"})
    assert dataset.vocabulary == ("<unk>", "cat", "runs", "dog")
    assert dataset.labels == ("NOUN", "VERB")
    frames, lengths, tags = dataset.validation.batch([0, 1])
    assert frames.tolist() == [[0, 2], [3, 0]]
    assert tags.tolist() == [[0, 1], [0, -100]]
    assert lengths.tolist() == [2, 1]
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [3, 2, 1]
    folder = tmp_path / "stored"
    folder.mkdir()
    load_source(chosen, tmp_path, 7, into=folder, wanted={"kind": "tag"}).write(folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "dataset.json", "mean.npy", "std.npy", "targets.npy", "test.items.npy", "tokens.npy", "train.items.npy",
        "validation.items.npy",
    ]  # fmt: skip


def test_byte_pairs_of_training(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    (tmp_path / "verse.txt").write_text(VERSE * 4)
    dataset = load_source(options(unit="bpe", vocabulary=280), tmp_path, 7, wanted=NEXT)
    assert 256 < len(dataset.vocabulary) <= 280
    assert len(dataset.train.values) < len(VERSE * 4) / 2
    assert any("abab" in piece for piece in dataset.vocabulary)
    again = load_source(options(unit="bpe", vocabulary=280), tmp_path, 7, wanted=NEXT)
    assert again.digest() == dataset.digest()


def test_what_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "verse.txt").write_bytes(b"abc\xff\xfe" * 100)
    with pytest.raises(InputRejected, match=r"verse\.txt must be text in UTF-8"):
        load_source(options(), tmp_path, 7, wanted=NEXT)


def test_without_tokenizers_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'seqpress\[text\]'"):
        source_digest(options(unit="bpe"), tmp_path)


def test_shakespeare(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    path = shared_data("tinyshakespeare/input.txt")
    chosen = options(path=str(path), transforms=[{"kind": "window", "length": 128, "stride": 128}])
    dataset = load_source(chosen, tmp_path, 7, wanted=NEXT)
    assert len(dataset.vocabulary) == 66  # 65 and the unknown one
    assert len(dataset.train.values) == 1_115_394
    assert np.unique(dataset.train.values).min() >= 1


def joined(text: str, merges: list[str]) -> list[str]:
    """What a device does with the pairs: join the earliest pair there is, again and again."""
    ranks = {tuple(pair.split(" ")): rank for rank, pair in enumerate(merges)}
    pieces = list(text)
    while pairs := [pair for pair in pairwise(pieces) if pair in ranks]:
        best, out = min(pairs, key=ranks.__getitem__), []
        while pieces:
            fits = tuple(pieces[:2]) == best
            out.append("".join(pieces[: 1 + fits]))
            del pieces[: 1 + fits]
        pieces = out
    return pieces


def test_a_device_is_told_how_to_number_a_text_alike(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    (tmp_path / "verse.txt").write_text(20 * VERSE)
    told = {
        unit: load_source(options(unit=unit, vocabulary=size), tmp_path, 7, wanted=NEXT)
        for unit, size in (("characters", None), ("words", None), ("bpe", 280))
    }
    about = {unit: dataset.device["text"] for unit, dataset in told.items()}
    assert about["characters"] == {"unit": "characters", "unknown": "<unk>"}
    assert about["words"] == {"unit": "words", "unknown": "<unk>", "pattern": text._WORD.pattern}
    pieces = told["bpe"]
    merges = about["bpe"]["merges"]
    assert joined("abab", merges) == [pieces.vocabulary[pieces.train.item(0)[0]]]
    assert all(first + second in pieces.vocabulary for first, second in (pair.split(" ") for pair in merges))
