"""Sentences of the English Web Treebank as four identifiers a word, with its universal part of speech.

    word    the lower-cased word          ending  its last three letters
    ending2 its last two letters          shape   runs of X (upper), x (lower), 9 (digit) and the other characters

Each column has a table of the most frequent entries of the training part; 0 is everything that is not in it, so what
training has once or never still has an ending and a shape. ``python words.py`` writes the tables that a device needs.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "data"
PARTS = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}
Table = dict[str, int]


def load(sizes: list[int]) -> Iterator[dict[str, Any]]:
    """All sentences; ``sizes`` of the tables, in the order of the columns."""
    known = tables(sizes)
    for split, name in PARTS.items():
        for words, tags in sentences(FOLDER / name):
            yield {"frames": encode(words, known), "tags": tags, "split": split}


def sentences(path: Path) -> Iterator[tuple[list[str], list[str]]]:
    """Words and their universal tags of each sentence of a file."""
    lines = path.read_text(encoding="utf-8").split("\n")
    for is_blank, block in groupby(lines, key=lambda line: not line):
        if not is_blank:
            rows = [line.split("\t") for line in block]
            yield [row[0] for row in rows], [row[1] for row in rows]


def encode(words: list[str], known: list[Table]) -> np.ndarray:
    """Identifiers (words, 4), as a device has to make them."""
    columns = zip(COLUMNS, known, strict=True)
    return np.array([[table.get(read(word), 0) for word in words] for read, table in columns], np.int64).T


def tables(sizes: list[int]) -> list[Table]:
    """The most frequent entries of each column in training, ties by the alphabet; identifiers from 1 to size - 1."""
    words = Counter(word for sentence, _ in sentences(FOLDER / PARTS["train"]) for word in sentence)
    return [table(read, words, size) for read, size in zip(COLUMNS, sizes, strict=True)]


def table(read: Callable[[str], str], words: Counter[str], size: int) -> Table:
    counts: Counter[str] = Counter()
    for word, count in words.items():
        counts[read(word)] += count
    # seen once is as good as never: its row would be learned from one sentence, and the unknown row from none
    order = sorted((entry for entry in counts if counts[entry] > 1), key=lambda entry: (-counts[entry], entry))
    return {entry: number for number, entry in enumerate(order[: size - 1], start=1)}


def shape(word: str) -> str:
    """
    >>> shape("McDonald's"), shape("B-52"), shape("2004")
    ("XxXx'x", 'X-9', '9')
    """
    return "".join(kind for kind, _ in groupby(map(_kind, word)))


def _kind(character: str) -> str:
    return "X" if character.isupper() else "x" if character.islower() else "9" if character.isdigit() else character


COLUMNS: tuple[Callable[[str], str], ...] = (
    str.lower,
    lambda word: word.lower()[-3:],
    lambda word: word.lower()[-2:],
    shape,
)


def accuracy_of_most_frequent() -> float:
    """On the test part, of the tag that each word has most often in training; NOUN for unknown words."""
    seen: dict[str, Counter[str]] = {}
    for words, tags in sentences(FOLDER / PARTS["train"]):
        for word, tag in zip(words, tags, strict=True):
            seen.setdefault(word, Counter())[tag] += 1
    best = {word: tags.most_common(1)[0][0] for word, tags in seen.items()}
    test = sentences(FOLDER / PARTS["test"])
    pairs = [pair for words, tags in test for pair in zip(words, tags, strict=True)]
    return sum(best.get(word, "NOUN") == tag for word, tag in pairs) / len(pairs)


if __name__ == "__main__":
    import yaml

    text = (Path(__file__).parent / "pipeline.yaml").read_text(encoding="utf-8")
    wanted = yaml.safe_load(text)["data"]["arguments"]["sizes"]
    Path("tables.json").write_text(json.dumps(tables(wanted), ensure_ascii=False), encoding="utf-8")
    print(f"tables.json; the most frequent tag of each word has an accuracy of {accuracy_of_most_frequent():.3f}")
