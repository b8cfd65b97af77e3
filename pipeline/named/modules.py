"""Which files make up a user's module, found by reading and not by running it.

The digest of a Python source must change when its code does, and must be known at plan time, when nothing of the
user's may run. So imports are followed in the text: those of the entry's own package, and of modules in the folder of
the YAML file. Installed libraries are not followed, nor is an import whose name is computed.
"""

import ast
import importlib
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path

from ..errors import ConfigError, Fault


def source_files(module: str, folder: Path, where: str) -> dict[str, Path]:
    """Module name -> file of the entry's module and of all modules of its own that it imports.

    Args:
        module: dotted name, looked for in ``folder`` first, then where Python looks.
        folder: where the YAML file lies.
        where: the option that names it.

    Raises:
        ConfigError: there is no such module, or a file of it is not Python.
    """
    importlib.invalidate_caches()
    own = module.partition(".")[0]
    found: dict[str, Path] = {}
    seen: set[str] = set()
    queue = list(_with_parents(module))
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        top = name.partition(".")[0]
        path = _locate(name, [str(folder), *(sys.path if top == own else ())])
        if path is not None:
            found[name] = path
            queue += _imported(path, name)
    if module not in found:
        rule = "must name a module of its folder or an installed one"
        raise ConfigError(Fault("module.missing", where, rule, repr(module)))
    return dict(sorted(found.items()))


def _locate(name: str, search: list[str]) -> Path | None:
    """The file of a module; packages are walked down, never imported."""
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:depth]), search)
        if spec is None:
            return None
        search = list(spec.submodule_search_locations or ())
    has_file = spec is not None and spec.origin is not None and spec.has_location
    return Path(spec.origin) if has_file and spec is not None and spec.origin else None


def _imported(path: Path, module: str) -> list[str]:
    """Names that ``import`` statements of a file could mean."""
    if path.suffix != ".py":
        return []
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else 1
        rule = f"must be valid Python: {error.msg if isinstance(error, SyntaxError) else error}"
        raise ConfigError(Fault("module.user-code", f"{path.name}:{line} ", rule)) from error
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [name for alias in node.names for name in _with_parents(alias.name)]
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, package)
            names += _with_parents(base) if base else []
            names += [f"{base}.{alias.name}" if base else alias.name for alias in node.names]
    return names


def _base(node: ast.ImportFrom, package: str) -> str:
    """The absolute module of ``from … import``."""
    if not node.level:
        return node.module or ""
    parents = package.split(".")
    kept = parents[: len(parents) - node.level + 1]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _with_parents(name: str) -> Iterator[str]:
    """``a``, ``a.b``, ``a.b.c``: importing the last runs the others."""
    parts = name.split(".")
    return (".".join(parts[: depth + 1]) for depth in range(len(parts)))
