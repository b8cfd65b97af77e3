"""Sequences from the user's own Python function: ``entry: "module:function"``.

The function gets ``arguments`` and returns an iterable of dicts, one a sequence:

    frames  (T, F) numbers      label  text or integer
            where the options name tokens: (T, columns) identifiers, or (T,) where there is one column
    group   optional            split  optional: 'train', 'validation', 'test'
    tags    (T,) text or integers, for a task that labels frames; then, and where frames are foreseen, without label

This is the user's code and runs with the user's rights; nothing here is a sandbox. What it raises is named as its own,
with file and line. What it prints goes to stderr.
"""

import ast
import difflib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from ...errors import ConfigError, Fault, InputRejected, StageFailed
from ..files import open_regular, sha256
from ..modules import source_files
from ..raw import UNLABELLED, Array, Found, Raw, counted, first, listed, quoted
from ..sink import Sink

_WHERE = "data.entry"
_END = object()
_REQUIRED, _OPTIONAL = ("frames", "label"), ("group", "split")
_MORE = ("tags",)


def read(options: Mapping[str, Any], folder: Path, sink: Sink) -> tuple[Raw, dict[str, Any]]:
    """Calls the entry and pours what it yields, item by item."""
    entry, arguments = options["entry"], options.get("arguments") or {}
    code = digest(options, folder)
    with importable(folder, code["modules"]), redirect_stdout(sys.stderr):
        function = function_of(entry, folder)
        check_arguments(function, entry, arguments)
        with UserCode(entry, folder):
            returned = function(**arguments)
        if isinstance(returned, (str, bytes, Mapping)) or not isinstance(returned, Iterable):
            got = type(returned).__name__
            raise InputRejected(Fault("data.layout", entry, "must return an iterable of dicts", got))
        return _collect(_items(returned, entry, folder), options, sink), code


def _items(returned: Iterable[Any], entry: str, folder: Path) -> Iterator[Any]:
    """What the user's code yields; what it raises on the way is its own."""
    with UserCode(entry, folder):
        iterator = iter(returned)
    while True:
        with UserCode(entry, folder):
            item = next(iterator, _END)
        if item is _END:
            return
        yield item


def digest(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """SHA-256 of the entry's module, the modules of its own it imports, and the declared ``files``."""
    modules = module_digest(options["entry"], folder)
    declared = options.get("files") or ()
    files = {name: _sha256(folder / name, f"data.files[{i}]", name) for i, name in enumerate(declared)}
    return {"modules": modules, "files": files}


def module_digest(entry: str, folder: Path, option: str = _WHERE) -> dict[str, str]:
    """SHA-256 of the entry's module and of the modules of its own that it imports, by name. Nothing of them runs.

    Raises:
        ConfigError: there is no such module or function.
    """
    module, _, function = entry.partition(":")
    paths = source_files(module, folder, option)
    _check_defined(paths[module], module, function, option)
    return {name: _sha256(path.resolve(), option, path.name) for name, path in paths.items()}


def _sha256(path: Path, where: str, shown: str) -> str:
    with open_regular(path, where, shown) as file:
        return sha256(file)


def _check_defined(path: Path, module: str, function: str, option: str) -> None:
    """Refuses a misspelled function at plan time; a name that is made at run time must at least be assigned."""
    if path.suffix != ".py":
        return
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    if function not in names and "*" not in names:
        near = difflib.get_close_matches(function, sorted(names), 1)
        hint = f"did you mean: {module}:{near[0]}" if near else f"{path.name} defines no {function!r}"
        rule = "must name a function of that module"
        raise ConfigError(Fault("data.missing-function", option, rule, repr(f"{module}:{function}"), hint))


@contextmanager
def importable(folder: Path, modules: Iterable[str]) -> Iterator[None]:
    """The folder on the path while user code runs; its modules are forgotten after, so that an edit is seen."""
    fresh = [name for name in modules if name not in sys.modules]
    quiet = sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True  # a user's folder is not ours to write in
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = quiet
        for name in fresh:
            sys.modules.pop(name, None)


def function_of(entry: str, folder: Path, option: str = _WHERE) -> Callable[..., Any]:
    """The function, its module imported.

    Raises:
        StageFailed: the module raised.
        InputRejected: the module has no such function.
    """
    module_name, _, name = entry.partition(":")
    with UserCode(entry, folder, option):
        module = importlib.import_module(module_name)
    function = getattr(module, name, None)
    if not callable(function):
        got = "nothing" if function is None else type(function).__name__
        raise InputRejected(Fault("data.missing-function", option, f"must name a function, {entry}", got))
    return function


def check_arguments(
    function: Callable[..., Any],
    entry: str,
    arguments: Mapping[str, Any],
    option: str = "data.arguments",
    given: tuple[Any, ...] = (),
) -> None:
    """Refuses arguments that the function does not take; ``given`` are positional ones that come from us."""
    try:
        inspect.signature(function).bind(*given, **arguments)
    except TypeError as error:
        rule = f"must fit {entry}{inspect.signature(function)}: {error}"
        raise InputRejected(Fault("data.arguments", option, rule)) from error
    except ValueError:
        return  # a builtin without a signature: the call will tell


class UserCode:
    """Turns whatever the user's code raises into a StageFailed that names its file and line.

    A context manager and not an except clause, because it must see ``SystemExit`` too. Ctrl-C and a full memory pass.
    """

    def __init__(self, entry: str, folder: Path, option: str = _WHERE) -> None:
        self.entry, self.folder, self.option = entry, folder, option

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, (KeyboardInterrupt, MemoryError, GeneratorExit)):
            return
        said = str(error).splitlines()[0][:300] if str(error) else ""
        rule = f"raised {type(error).__name__}" + (f": {said}" if said else "")
        hint = f"this is your own code, called as {self.option} {self.entry!r}; run it by itself to debug it"
        raise StageFailed(Fault("data.user-code", self._place(error, trace), rule, hint=hint)) from error

    def _place(self, error: BaseException, trace: TracebackType | None) -> str:
        """The last line of the user's own on the way to the error."""
        if isinstance(error, SyntaxError) and error.filename:
            return f"{Path(error.filename).name}:{error.lineno} "
        frames = traceback.extract_tb(trace)
        own = [frame for frame in frames if self._is_own(Path(frame.filename))]
        if not own:
            return self.entry
        return f"{Path(own[-1].filename).relative_to(self.folder)}:{own[-1].lineno}  {own[-1].name}"

    def _is_own(self, path: Path) -> bool:
        """Inside the user's folder, where a virtual environment may lie as well."""
        return path.is_relative_to(self.folder) and "site-packages" not in path.parts


def _collect(given: Iterable[Any], options: Mapping[str, Any], sink: Sink) -> Raw:
    """The dicts' frames into the sink, the rest as a Raw; one fault a kind for those that are not in form."""
    entry, wanted, tokens = options["entry"], options.get("wanted", "class"), options.get("tokens") or ()
    problems: dict[str, list[str]] = {}
    kept: dict[str, list[Any]] = {key: [] for key in ("label", *_OPTIONAL)}
    count = 0
    for index, item in enumerate(given):
        count += 1
        made = _arrays(item, wanted, tokens)
        if made.problem:
            problems.setdefault(made.problem[0], []).append(f"item {index}: {made.problem[1]}")
        elif not problems:
            sink.feed(made.frames, (len(made.frames) if made.frames.ndim else 0,), made.tags)
            for key, column in kept.items():
                column.append(item.get(key))
    found = Found()
    for rule, examples in problems.items():
        found.fault("layout", entry, rule, counted(len(examples), "item") + " in another form", first(examples))
    for key in _OPTIONAL if not problems else ():
        without = [f"item {i} has none" for i, value in enumerate(kept[key]) if value is None]
        if 0 < len(without) < count:
            rule = f"must give {key!r} for every item or for none"
            found.fault("layout", entry, rule, counted(len(without), "item") + " without", first(without))
    if found.faults:
        raise InputRejected(found.faults)
    return Raw(
        name=entry,
        kind=f"python {entry}",
        count=count,
        labels=None if wanted in UNLABELLED else kept["label"],
        groups=_texts(kept["group"]),
        split=_texts(kept["split"]),
        features=tuple(column["name"] for column in tokens) or tuple(options.get("features") or ()) or None,
        device={"tokens": [dict(column) for column in tokens]} if tokens else {},
    )


class _Made(NamedTuple):
    """What an item holds, or what is wrong with it: a rule and what was there instead."""

    frames: Array = np.zeros(0)
    tags: Array | None = None
    problem: tuple[str, str] | None = None


def _arrays(item: Any, wanted: str, tokens: Sequence[Mapping[str, Any]]) -> _Made:
    """Frames and tags of one dict as arrays."""
    if problem := _item_problem(item, wanted):
        return _Made(problem=problem)
    try:
        frames = np.asarray(item["frames"])
        tags = np.asarray(item["tags"], str) if wanted == "tag" else None
    except (ValueError, TypeError, RuntimeError) as error:  # nested lists of unequal length, a CUDA tensor
        return _Made(problem=("must hold 'frames' that make an array", str(error).splitlines()[0][:160]))
    if tokens:
        frames = frames[:, 0] if frames.ndim == 2 and len(tokens) == 1 and frames.shape[1] == 1 else frames
        if problem := _token_problem(frames, tokens):
            return _Made(problem=problem)
    rows = len(frames) if frames.ndim else 0
    if tags is not None and tags.shape != (rows,):
        return _Made(problem=("must yield one tag a frame", f"tags {tags.shape} for {rows} frames"))
    return _Made(frames, tags)


def _token_problem(frames: Array, tokens: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """Identifiers in the columns that the options name, each inside its table."""
    row = (len(tokens),) if len(tokens) > 1 else ()
    if frames.ndim == 0 or frames.shape[1:] != row or frames.dtype.kind not in "iu":
        shape = f"(T, {len(tokens)})" if row else "(T,)"
        return f"must hold integer 'frames' {shape}, one column a token", f"{frames.dtype} {frames.shape}"
    columns = frames.reshape(len(frames), len(tokens))
    for at, column in enumerate(tokens) if len(frames) else ():
        low, high = int(columns[:, at].min()), int(columns[:, at].max())
        if low < 0 or high >= column["size"]:
            got = f"{column['name']} from {low} to {high}, its size is {column['size']}"
            return "must hold identifiers from 0 to size - 1", got
    return None


def _item_problem(item: object, wanted: str) -> tuple[str, str] | None:
    if not isinstance(item, Mapping):
        return "must yield dicts", type(item).__name__
    required = ("frames", "tags") if wanted == "tag" else _REQUIRED[:1] if wanted in UNLABELLED else _REQUIRED
    missing = [key for key in required if key not in item]
    unknown = [str(key) for key in item if key not in (*_REQUIRED, *_OPTIONAL, *_MORE)]
    if missing:
        rule = f"must yield dicts with {listed([repr(key) for key in missing])}"
        return rule, f"has {quoted(sorted(map(str, item))) or 'nothing'}"
    if unknown:
        near = difflib.get_close_matches(unknown[0], (*_REQUIRED, *_OPTIONAL), 1)
        hint = f"; did you mean {near[0]!r}" if near else ""
        return "must yield dicts with frames, label, group and split only", f"has {quoted(unknown)}{hint}"
    return None


def _texts(given: list[Any]) -> list[str] | None:
    return None if not given or given[0] is None else [str(value) for value in given]
