"""What reaches the terminal: answers on stdout, everything else on stderr."""

import contextlib
import json
import sys
from typing import Any

from ..errors import SeqpressError

_MOST_FAULTS = 200  # told in words: more is not read, and a log is cut off somewhere


def say(text: str) -> None:
    """Print an answer."""
    print(text)


def say_json(value: Any) -> None:
    """Print an answer for programs: one document, keys in the order given."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def fail(error: SeqpressError) -> int:
    """Print an error: its text for people, then one JSON line, the last on stderr. Returns its exit code."""
    with contextlib.suppress(OSError, ValueError):  # nobody reads stderr any more: the exit code remains
        sys.stdout.flush()
        print("\n".join(map(str, error.faults[:_MOST_FAULTS])), file=sys.stderr)
        if left := error.faults[_MOST_FAULTS:]:
            print(f"and {len(left):,} more, in the JSON line below", file=sys.stderr)
        print(json.dumps(error.as_json()), file=sys.stderr, flush=True)
    return error.exit_code


def is_interactive() -> bool:
    """Whether somebody is there to answer a question."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
