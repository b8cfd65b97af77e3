"""Text as tokens: characters, words, or pieces of words (byte pair encoding, learned by the ``tokenizers`` package).

    items: file     every file is one stream of tokens
    items: line     every line is a sequence
    items: tagged   a line is a token, a tab and its tag; a blank line ends a sequence

Characters and words are numbered in the order of their appearance; the vocabulary is made of the training split once
that is known, and what training never saw becomes the unknown token. Files are read in pieces.
"""

import json
import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import EnvironmentFault, Fault, InputRejected
from ...named.files import expand, open_regular, sha256
from ..raw import SPLITS, Array, Raw, SplitName, counted
from ..sink import Sink
from ..vocabulary import UNKNOWN

_PIECE = 2**20  # characters
_WORD = re.compile(r"\w+|[^\w\s]|\n")


def read(options: Mapping[str, Any], folder: Path, sink: Sink) -> tuple[Raw, dict[str, Any]]:
    """All tokens of the files."""
    files = _files(options, folder)
    name = files[0][1].name if len(files) == 1 else f"{files[0][1].name} and {counted(len(files) - 1, 'more file')}"
    numbering = _Pieces(options, files) if options["unit"] == "bpe" else _Numbering(options["unit"])
    split: list[SplitName | None] = []
    parts: list[tuple[str, int]] = []
    for part, path in files:
        parts.append((path.name, len(sink.scan)))
        with open_regular(path, "data.path", path.name) as file:
            text = TextIOWrapper(file, encoding="utf-8", newline="")
            try:
                _pour(text, options["items"], numbering, sink)
            except UnicodeDecodeError as error:
                rule = "must be text in UTF-8"
                raise InputRejected(Fault("data.file", path.name, rule, f"{error.reason} at {error.start}")) from error
        split += [part] * (len(sink.scan) - len(split))
    raw = Raw(
        name=name,
        kind=f"text {name}",
        count=len(sink.scan),
        labels=None,
        split=[str(part) for part in split] if any(part for part, _ in files) else None,
        features=("token",),
        parts=tuple(parts) if len(files) > 1 else (),
        vocabulary=numbering.names(),
        learned=options["unit"] == "bpe",
        device={"text": {"unit": options["unit"], "unknown": UNKNOWN} | numbering.rules()},
    )
    return raw, digest(options, folder)


def digest(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """SHA-256 of every file, in the order in which they are read."""
    if options["unit"] == "bpe" and find_spec("tokenizers") is None:
        rule = "needs the package tokenizers, which is not installed"
        raise EnvironmentFault(Fault("data.no-library", "data.unit", rule, hint="pip install 'seqpress[text]'"))
    found: dict[str, list[str]] = {}
    for part, path in _files(options, folder):
        with open_regular(path, "data.path", path.name) as file:
            found.setdefault(part or "files", []).append(sha256(file))
    return found


def _files(options: Mapping[str, Any], folder: Path) -> list[tuple[SplitName | None, Path]]:
    """The files, with the split that each belongs to where ``path`` says so."""
    given = options["path"]
    if not isinstance(given, Mapping):
        return [(None, path) for path in expand(given, folder)]
    return [(part, path) for part in SPLITS if given.get(part) for path in expand(given[part], folder)]


def _pour(text: TextIOWrapper, items: str, numbering: "_Numbering", sink: Sink) -> None:
    if items == "file":
        for piece in _stream(text, numbering.unit):
            sink.feed(numbering(piece), ())
        sink.feed(np.zeros(0, np.int32), (0,))
    elif items == "line":
        for line in text:
            tokens = numbering(line.rstrip("\r\n"))
            if len(tokens):
                sink.item(tokens)
    else:
        for words, tags in _tagged(text):
            sink.feed(numbering.number(words), (len(words),), np.array(tags))


def _stream(text: TextIOWrapper, unit: str) -> Iterator[str]:
    """Pieces of about a mebibyte that end behind a line, unless single characters are meant."""
    rest = ""
    while piece := text.read(_PIECE):
        whole = rest + piece
        cut = len(whole) if unit == "characters" else whole.rfind("\n") + 1
        rest = whole[cut:]
        yield whole[:cut]
    yield rest


def _tagged(text: TextIOWrapper) -> Iterator[tuple[list[str], list[str]]]:
    """Tokens and tags of each sequence; a line without a tag has an empty one."""
    words: list[str] = []
    tags: list[str] = []
    for line in text:
        fields = line.rstrip("\r\n").split("\t")
        if fields[0]:
            words.append(fields[0])
            tags.append(fields[1] if len(fields) > 1 else "")
        elif words:
            yield words, tags
            words, tags = [], []
    if words:
        yield words, tags


class _Numbering:
    """Tokens by number, in the order of their appearance."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self._numbers: dict[str, int] = {}

    def __call__(self, text: str) -> Array:
        return self.number(list(text) if self.unit == "characters" else _WORD.findall(text))

    def number(self, tokens: list[str]) -> Array:
        numbers = self._numbers
        return np.array([numbers.setdefault(token, len(numbers)) for token in tokens], np.int32)

    def names(self) -> tuple[str, ...]:
        return tuple(self._numbers)

    def rules(self) -> dict[str, Any]:
        """What a device must know beside the vocabulary to number a text alike."""
        return {"pattern": _WORD.pattern} if self.unit == "words" else {}


class _Pieces(_Numbering):
    """Byte pair encoding, learned on the training part alone: its files, or the beginning of each file."""

    def __init__(self, options: Mapping[str, Any], files: list[tuple[SplitName | None, Path]]) -> None:
        from tokenizers import ByteLevelBPETokenizer

        super().__init__("bpe")
        self._coder = ByteLevelBPETokenizer()
        texts = _training_text(options, files)
        self._coder.train_from_iterator(
            texts, vocab_size=options["vocabulary"] or 1000, min_frequency=2, special_tokens=[UNKNOWN],
            show_progress=False,
        )  # fmt: skip

    def __call__(self, text: str) -> Array:
        return np.array(self._coder.encode(text).ids, np.int32)

    def number(self, tokens: list[str]) -> Array:
        numbers = [self._coder.token_to_id(token) for token in tokens]
        return np.array([0 if number is None else number for number in numbers], np.int32)

    def names(self) -> tuple[str, ...]:
        return tuple(str(self._coder.id_to_token(number)) for number in range(self._coder.get_vocab_size()))

    def rules(self) -> dict[str, Any]:
        """Pairs in the order in which they are joined, in the byte alphabet of GPT-2 (Radford et al. 2019)."""
        pairs = json.loads(self._coder.to_str())["model"]["merges"]
        return {"merges": [pair if isinstance(pair, str) else " ".join(pair) for pair in pairs]}


def _training_text(options: Mapping[str, Any], files: list[tuple[SplitName | None, Path]]) -> Iterator[str]:
    """Text that is training's for certain: of a stream that is cut in time, its first bytes with a margin."""
    shares = [(options.get(name) or {}).get("fraction", 0.0) for name in ("test", "validation")]
    share = 0.95 * (1 - shares[0]) * (1 - shares[1])
    for part, path in files:
        if part in (None, "train"):
            left = path.stat().st_size * (1.0 if part else share)
            with path.open(encoding="utf-8", newline="") as file:
                while left > 0 and (piece := file.read(min(_PIECE, max(1, int(left))))):
                    left -= len(piece.encode())
                    yield piece
