"""What onnxruntime raises, and what it means by it."""

import re

from onnxruntime.capi import onnxruntime_pybind11_state as _c

# onnxruntime's own exceptions have no common base but Exception, and not every build has all of them.
_NAMES = [
    "EPFail",
    "EngineError",
    "Fail",
    "InvalidArgument",
    "InvalidGraph",
    "InvalidProtobuf",
    "ModelLoadCanceled",
    "NoModel",
    "NoSuchFile",
    "NotFound",
    "NotImplemented",
    "RuntimeException",
]
RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    *(getattr(_c, name) for name in _NAMES if hasattr(_c, name)),
    MemoryError,
    RuntimeError,
    ValueError,
)

_LONGEST = 300
_STATUS = re.compile(r".*(?:\[ONNXRuntimeError\] : \d+ : \w+ : | was false\. )")  # a status, or a failed assertion
_SOURCE = re.compile(r"^\S+\.(?:cc|cpp|h):\d+ ")  # where in onnxruntime's own source it was raised
_FOLDERS = re.compile(r"(?:[A-Za-z]:)?(?:[/\\][\w.+@ -]+)+[/\\](?=[\w.+-]+\.(?:so|dll|dylib)\b)")


def first_line(error: Exception) -> str:
    """What onnxruntime said, without its status code, the place in its source, and the stack."""
    lines = str(error).strip().splitlines()
    return tidy(lines[0]) if lines else type(error).__name__


def tidy(line: str) -> str:
    """One line of onnxruntime's for people: the message alone, libraries without their folders.

    A line that is still too long keeps its end, where the reason stands.

    >>> tidy("/src/a.cc:3 void f() [ONNXRuntimeError] : 1 : FAIL : Failed to load library /opt/x/libcudart.so.13")
    'Failed to load library libcudart.so.13'
    """
    text = _FOLDERS.sub("", _SOURCE.sub("", _STATUS.sub("", line.strip())))
    return text if len(text) <= _LONGEST else "…" + text[1 - _LONGEST :]
