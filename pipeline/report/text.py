"""Making foreign text harmless before any renderer sees it.

Names of labels, features, tensors and data sets come from files that strangers may have written. A terminal obeys
escape characters, XML forbids them, and bidirectional overrides let a line read differently from what it says.
"""

import re
import unicodedata

_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # C0 and C1 without tab, line feed, carriage return
    "\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction marks, overrides and isolates
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"  # lone surrogates, non-characters
)
_SPACE = re.compile(r"\s+")
_ASCII = str.maketrans(
    {"×": "x", "µ": "u", "−": "-", "…": "...", "✓": "+", "✗": "x", "→": "->", "·": "|", "—": "-", "–": "-"}
)


def clean(text: str) -> str:
    """Replace what no output format may carry; line breaks and tabs stay.

    >>> clean("a\\x1b[31mb")
    'a�[31mb'
    """
    return _CONTROL.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    """Cleaned, with every run of white space as one space.

    >>> one_line(" a\\n\\tb ")
    'a b'
    """
    return _SPACE.sub(" ", clean(text)).strip()


def width(text: str) -> int:
    """Columns a terminal needs for the text: 2 for East Asian wide characters, 0 for combining marks."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(c) or unicodedata.category(c) == "Cf"
        else 2
        if unicodedata.east_asian_width(c) in "WF"
        else 1
        for c in text
    )


def cut(text: str, columns: int) -> str:
    """One line of at most ``columns`` columns; an ellipsis says that something was cut.

    >>> cut("sequence models", 9)
    'sequence…'
    """
    line = one_line(text)
    if width(line) <= columns:
        return line
    taken = 0
    for index, sign in enumerate(line):
        taken += width(sign)
        if taken > columns - 1:
            return line[:index].rstrip() + "…"
    return line


def wrap(text: str, columns: int) -> list[str]:
    """Greedy word wrap by terminal columns; a word longer than a line is cut.

    >>> wrap("one two three", 8)
    ['one two', 'three']
    """
    lines: list[str] = []
    for word in one_line(text).split(" "):
        if lines and width(lines[-1]) + 1 + width(word) <= columns:
            lines[-1] += " " + word
        else:
            lines.append(cut(word, columns))
    return lines


def ascii_only(text: str) -> str:
    """For a stream that cannot say ×: readable replacements, then question marks.

    >>> ascii_only("131× smaller, −0.5 points, 21 µs")
    '131x smaller, -0.5 points, 21 us'
    """
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")
