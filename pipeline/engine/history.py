"""Which key each task of a pipeline had last: explains a miss, and tells what is still in use.

One small file a pipeline. It is advice: lost or broken, results stay valid and only an explanation is missing.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from .disk import write_whole
from .store import Store


def read(store: Store, pipeline: str) -> dict[str, str]:
    """Task name -> key of the latest run of this pipeline; empty where nothing is known."""
    try:
        tasks = json.loads(_path(store, pipeline).read_bytes())["tasks"]
        return {str(task): str(key) for task, key in tasks.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write(store: Store, pipeline: str, keys: Mapping[str, str]) -> None:
    """Remember the keys of this run, unless they are remembered already.

    Raises:
        OSError: the folder cannot be written.
    """
    if keys != read(store, pipeline):
        data = json.dumps({"tasks": dict(sorted(keys.items()))}, indent=0).encode()
        write_whole(_path(store, pipeline), data, store.root / "tmp")


def keys_in_use(store: Store) -> set[str]:
    """The keys that the latest run of any pipeline used."""
    names = [path.stem for path in (store.root / "history").glob("*.json")]
    return {key for name in names for key in read(store, name).values()}


def _path(store: Store, pipeline: str) -> Path:
    return store.root / "history" / f"{re.sub(r'[^A-Za-z0-9._-]', '_', pipeline)}.json"
