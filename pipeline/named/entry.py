"""``module:function`` as written in YAML: found, digested, imported and called, its faults named as the user's own.

The folder of the YAML file is searched first. Nothing here is a sandbox. A module stays imported while it is the same
text in the same file, so that what it made can be copied and sent to other processes; an edited one, or one of the
same name in another folder, is imported anew. What it prints goes to stderr. Imports no torch.
"""

import ast
import difflib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import ConfigError, Fault, InputRejected, SeqpressError, StageFailed
from .files import open_regular, sha256
from .modules import source_files

_STAMP = "__seqpress_sha256__"


@dataclass(frozen=True)
class Entry:
    """A function of the user's.

    Args:
        name: "my_net:build".
        folder: of the YAML file.
        where: the option that names it: "teacher.python".
    """

    name: str
    folder: Path
    where: str

    @property
    def module(self) -> str:
        return self.name.partition(":")[0]

    @property
    def function(self) -> str:
        return self.name.partition(":")[2]

    def digest(self) -> dict[str, str]:
        """SHA-256 of the module's text and of the modules of its own that it imports, by name; none of it is run.

        Raises:
            ConfigError: no such module, or nothing in it has the function's name.
        """
        paths = self._sources()
        _check_defined(paths[self.module], self)
        return {name: _sha256(path, self.where) for name, path in paths.items()}

    def load(self, expected: Mapping[str, str] | None = None) -> Callable[..., Any]:
        """Import the module and get the function.

        Args:
            expected: what :meth:`digest` said when the task's key was made.

        Raises:
            ConfigError: there is no such module or function.
            InputRejected: another text by now, or the name is no function.
            StageFailed: importing it raised.
        """
        found = self.digest()
        if expected is not None and dict(expected) != found:
            raise InputRejected(Fault("model.changed", self.where, "must not change during a run", repr(self.name)))
        with _importing(self.folder), self.running():
            _forget(found, self._sources())
            module = importlib.import_module(self.module)
        for name, digest in found.items():
            if name in sys.modules:
                setattr(sys.modules[name], _STAMP, digest)
        function = getattr(module, self.function, None)
        if not callable(function):
            got = "nothing" if function is None else type(function).__name__
            raise InputRejected(Fault("module.missing", self.where, f"must name a function, {self.name}", got))
        return function

    def call(self, *given: Any, arguments: Mapping[str, Any], expected: Mapping[str, str] | None = None) -> Any:
        """``function(*given, **arguments)``.

        Raises:
            ConfigError, StageFailed: as :meth:`load`; calling it raised.
            InputRejected: it does not take these arguments.
        """
        function = self.load(expected)
        self.check_arguments(function, *given, arguments=arguments)
        with self.running():
            return function(*given, **arguments)

    def check_arguments(self, function: Callable[..., Any], *given: Any, arguments: Mapping[str, Any]) -> None:
        """Whether the function can be called so.

        Raises:
            InputRejected: it cannot.
        """
        try:
            signature = inspect.signature(function)
        except ValueError:
            return  # a builtin without a signature: the call will tell
        try:
            signature.bind(*given, **arguments)
        except TypeError as error:
            where = f"{self.where.rpartition('.')[0]}.arguments" if arguments else self.where
            rule = f"must fit {self.name}{signature}: {error}"
            raise InputRejected(Fault("module.arguments", where, rule)) from error

    @contextmanager
    def running(self) -> Iterator[None]:
        """Whatever is raised inside is the user's: StageFailed, with the last line of theirs on the way to it.

        Ctrl-C and a full memory pass, and so do faults that are named already.
        """
        try:
            with redirect_stdout(sys.stderr):
                yield
        except (SeqpressError, KeyboardInterrupt, MemoryError, GeneratorExit):
            raise
        except BaseException as error:  # SystemExit too
            raise StageFailed(self._raised(error)) from error

    def answered(self, rule: str, got: str, hint: str = "") -> InputRejected:
        """The error for a function that returned what it must not."""
        return InputRejected(Fault("module.answer", f"{self.where} {self.name}", rule, got, hint))

    def _sources(self) -> dict[str, Path]:
        return source_files(self.module, self.folder, self.where)

    def _raised(self, error: BaseException) -> Fault:
        said = str(error).splitlines()[0][:300] if str(error) else ""
        rule = f"raised {type(error).__name__}" + (f": {said}" if said else "")
        hint = f"this is your own code, named in {self.where} as {self.name!r}; run it by itself to debug it"
        return Fault("module.user-code", self._place(error, error.__traceback__), rule, hint=hint)

    def _place(self, error: BaseException, trace: TracebackType | None) -> str:
        if isinstance(error, SyntaxError) and error.filename:
            return f"{Path(error.filename).name}:{error.lineno} "
        own = [frame for frame in traceback.extract_tb(trace) if self._is_own(Path(frame.filename))]
        if not own:
            return f"{self.where} {self.name}"
        return f"{Path(own[-1].filename).relative_to(self.folder)}:{own[-1].lineno}  {own[-1].name}"

    def _is_own(self, path: Path) -> bool:
        """Inside the user's folder, where a virtual environment may lie as well."""
        return path.is_relative_to(self.folder) and "site-packages" not in path.parts


def _sha256(path: Path, where: str) -> str:
    with open_regular(path.resolve(), where, path.name) as file:
        return sha256(file)


def _check_defined(path: Path, entry: Entry) -> None:
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
    if entry.function not in names and "*" not in names:
        near = difflib.get_close_matches(entry.function, sorted(names), 1)
        hint = f"did you mean: {entry.module}:{near[0]}" if near else f"{path.name} defines no {entry.function!r}"
        rule = "must name a function of that module"
        raise ConfigError(Fault("module.missing", entry.where, rule, repr(entry.name), hint))


@contextmanager
def _importing(folder: Path) -> Iterator[None]:
    """The folder first on the path; behind, last on it, for imports that user code makes late and in its copies."""
    quiet, first = sys.dont_write_bytecode, str(folder)
    sys.path.insert(0, first)
    sys.dont_write_bytecode = True  # a user's folder is not ours to write in
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(first)
        sys.dont_write_bytecode = quiet
        if first not in sys.path:
            sys.path.append(first)


def _forget(digests: Mapping[str, str], paths: Mapping[str, Path]) -> None:
    """Drops the user's modules where one of them is no longer what was imported under its name."""
    for name, path in paths.items():
        loaded = sys.modules.get(name)
        if loaded is None:
            continue
        same_file = getattr(loaded, "__file__", None) == str(path)
        if not same_file or getattr(loaded, _STAMP, digests[name]) != digests[name]:
            for other in paths:
                sys.modules.pop(other, None)
            return
