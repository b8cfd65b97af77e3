"""The store: results named by their content, trusted only after hashing them again.

    .seqpress/
        schema.json          layout number; a newer one is refused
        objects/ab/ab12…     files, named by their sha256
        records/<key>.json   what a finished task left; written last, all that a resume trusts
        history/             which keys a pipeline used last; to explain misses and to collect garbage
        locks/  lock         kernel locks: one a key, and one for the store (runs share it, gc owns it)
        logs/                what stages printed
        tmp/                 unfinished work; worthless without a living run
        quarantine/          what failed its hash

Publish = files first (temporary, fsync, rename, fsync of the folder), the record last. A crash at any point
leaves the old state or the new one, and rubbish in ``tmp/``.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Busy, EnvironmentFault, Fault
from . import disk, locks
from .keys import SCHEMA, plain
from .records import Blob, BrokenRecordError, Record, artifact_digest, decode, encode, newer_schema
from .task import Artifact

FOLDERS = ("objects", "records", "history", "locks", "logs", "tmp", "quarantine", "salvage")
_PATIENCE_S = 1.0
OTHER_ENTRIES = ("schema.json", "lock", ".gitignore")


@dataclass(frozen=True)
class Damage:
    """Something in the store that was not what its name says; it was set aside."""

    kind: str  # "object", "record"
    name: str
    reason: str


class Store:
    """A folder of results. Nothing is touched before the first call that needs it.

    Args:
        root: the folder, usually ``.seqpress`` beside the YAML.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(os.path.abspath(root))
        self.damage: list[Damage] = []  # found through this object
        self._verified: set[str] = set()

    # -- opening -------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Refuse what is not ours to touch.

        Raises:
            EnvironmentFault: written by a newer version, or a folder of somebody else's.
        """
        try:
            found = json.loads((self.root / "schema.json").read_bytes())["schema"]
        except FileNotFoundError:
            foreign = self._foreign_entries()
            if foreign:
                raise EnvironmentFault(
                    Fault(
                        "store.foreign",
                        str(self.root),
                        "must be a seqpress store or an empty folder",
                        f"a folder that holds '{foreign[0]}'",
                        "give another folder with --store",
                    )
                ) from None
            return
        except (ValueError, KeyError, TypeError):
            return  # damaged; records carry the number themselves, and prepare() writes it anew
        except OSError as error:
            raise disk.as_fault(error, self.root) from error
        if isinstance(found, int) and found > SCHEMA:
            raise newer_schema(str(self.root), found)

    def prepare(self) -> None:
        """Create the layout and prove that it can be written.

        Raises:
            EnvironmentFault: see ``check``; or the folder cannot be written.
        """
        self.check()
        disk.probe_writable(self.root)
        try:
            for name in FOLDERS:
                disk.make_folder(self.root / name)
            if not (self.root / ".gitignore").exists():
                disk.write_whole(self.root / ".gitignore", b"*\n", self.root / "tmp")
            current = json.dumps({"schema": SCHEMA}).encode()
            path = self.root / "schema.json"
            if not path.exists() or path.read_bytes() != current:
                disk.write_whole(path, current, self.root / "tmp")
        except OSError as error:
            raise disk.as_fault(error, self.root) from error

    def _foreign_entries(self) -> list[str]:
        try:
            names = os.listdir(self.root)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise disk.as_fault(error, self.root) from error
        return sorted(name for name in names if name not in FOLDERS and name not in OTHER_ENTRIES)

    # -- paths ---------------------------------------------------------------------------------------------

    def object_path(self, sha256: str) -> Path:
        return self.root / "objects" / sha256[:2] / sha256

    def record_path(self, key: str) -> Path:
        return self.root / "records" / f"{key}.json"

    def log_path(self, task: str, key: str) -> Path:
        """Where the output of a task is kept; the key's first digits tell two runs of one name apart."""
        return self.root / "logs" / f"{_file_name(task, key)}.log"

    def salvage_path(self, task: str, key: str) -> Path:
        """Where a failing task may leave what is worth keeping."""
        return self.root / "salvage" / _file_name(task, key)

    # -- reading -------------------------------------------------------------------------------------------

    def peek(self, key: str) -> Record | None:
        """The record of a key, or None; changes nothing, hashes no file."""
        try:
            record = self._read(key)
        except BrokenRecordError:
            return None
        return record if record and self._complete(record) else None

    def lookup(self, key: str) -> Record | None:
        """As ``peek``; what cannot be trusted is set aside and noted in ``damage``."""
        try:
            record = self._read(key)
        except BrokenRecordError as error:
            self.set_aside("record", self.record_path(key), key, str(error))
            return None
        if record and not self._complete(record) and not self.verify(record):
            return None
        return record

    def _read(self, key: str) -> Record | None:
        try:
            data = self.record_path(key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise disk.as_fault(error, self.root) from error
        return decode(data, key)

    def _complete(self, record: Record) -> bool:
        """Are all files there with their sizes? Cheap, so that a cached run need not hash what it does not open."""
        try:
            blobs = record.files.values()
            return all(os.stat(self.object_path(blob.sha256)).st_size == blob.size_bytes for blob in blobs)
        except OSError:
            return False

    def sound(self, blob: Blob) -> bool:
        """Hash the object again, once per Store; a damaged one is set aside."""
        if blob.sha256 in self._verified:
            return True
        path = self.object_path(blob.sha256)
        try:
            sha256, size_bytes = disk.hash_file(path)
        except FileNotFoundError:
            if all(damage.name != blob.sha256 for damage in self.damage):  # not the one that was just set aside
                self.damage.append(Damage("object", blob.sha256, "is gone"))
            return False
        except OSError as error:
            raise disk.as_fault(error, self.root) from error
        if (sha256, size_bytes) != (blob.sha256, blob.size_bytes):
            self.set_aside("object", path, blob.sha256, "its bytes do not hash to its name")
            return False
        self._verified.add(blob.sha256)
        return True

    def verify(self, record: Record) -> bool:
        """Hash all files of a record; where one is damaged, the record is set aside with it."""
        damaged = [name for name, blob in record.files.items() if not self.sound(blob)]
        if damaged:
            reason = f"refers to a damaged file ('{damaged[0]}')"
            self.set_aside("record", self.record_path(record.key), record.key, reason, count=False)
        return not damaged

    def artifact(self, record: Record) -> Artifact:
        """The record's result; each file is hashed before its path is first given out."""
        return Artifact(record.digest, StoredFiles(self, record), record.facts, record.measured)

    # -- writing -------------------------------------------------------------------------------------------

    def publish(
        self,
        *,
        key: str,
        task: str,
        preimage: Mapping[str, Any],
        folder: Path,
        facts: Mapping[str, Any],
        measured: Mapping[str, Any],
        compute_s: float,
    ) -> Record:
        """Move the files of ``folder`` into the store and then write the record.

        Raises:
            ValueError: facts that are no JSON, or something that is not a regular file.
            EnvironmentFault: the disk is full or does not take it; nothing is published.
        """
        for name, part in (("facts", facts), ("measured", measured)):
            if not isinstance(part, Mapping):
                raise ValueError(f"{name} must be an object of names and values; got {type(part)}")
        facts, measured = plain(facts, "facts"), plain(measured, "measured")
        found = list(disk.regular_files(folder))
        needed_bytes = sum(path.stat().st_size for _, path in found)
        try:
            files = self._keep_files(found)
            digest = artifact_digest(files, facts)
            record = Record(key, task, preimage, files, facts, measured, digest, compute_s)
            disk.write_whole(self.record_path(key), encode(record), self.root / "tmp")
        except OSError as error:
            raise disk.as_fault(error, self.root, needed_bytes) from error
        return record

    def _keep_files(self, found: list[tuple[str, Path]]) -> dict[str, Blob]:
        files, parents = {}, set()
        for name, path in found:
            blob = Blob(*disk.hash_file(path))
            target = self.object_path(blob.sha256)
            disk.make_folder(target.parent)
            path.chmod(0o444)  # against slips of the hand; what protects is the hash
            disk.sync(path)
            os.replace(path, target)  # always, so that a damaged object of that name is healed
            files[name] = blob
            parents.add(target.parent)
        for parent in sorted(parents):
            disk.sync(parent)
        return files

    def set_aside(self, kind: str, path: Path, name: str, reason: str, count: bool = True) -> None:
        """Move what cannot be trusted to ``quarantine/``; never delete it, somebody may want to know."""
        folder = self.root / "quarantine"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            target = next(free for n in range(10**6) if not (free := folder / f"{path.name}.{n}").exists())
            os.replace(path, target)
        except FileNotFoundError:
            pass  # another process was faster
        except OSError as error:
            raise disk.as_fault(error, self.root) from error
        if count:
            self.damage.append(Damage(kind, name, reason))

    # -- locks ---------------------------------------------------------------------------------------------

    def lock(self, key: str) -> locks.Lock | None:
        """The right to compute ``key``; None while another process has it."""
        try:
            return locks.acquire(self.root / "locks" / f"{key}.lock")
        except OSError as error:
            raise disk.as_fault(error, self.root) from error

    def lock_holder(self, key: str) -> str:
        return locks.holder(self.root / "locks" / f"{key}.lock")

    def enter(self, *, wait: bool = True) -> locks.Lock:
        """Take part in the store as one of many runs; leftovers of dead runs are removed by whoever is alone.

        Raises:
            Busy: garbage is being collected, and ``wait`` is false.
            EnvironmentFault: this file system has no locks.
        """
        path = self.root / "lock"
        try:
            alone = locks.acquire(path)
            if alone:
                self.remove_leftovers()
                alone.share()
                return alone
            lock = locks.acquire(path, shared=True, wait=wait)
            deadline = time.monotonic() + _PATIENCE_S  # another run may be cleaning up as it starts
            while lock is None and time.monotonic() < deadline:
                time.sleep(0.02)
                lock = locks.acquire(path, shared=True)
        except OSError as error:
            raise disk.as_fault(error, self.root) from error
        if lock is None:
            raise self._busy(path)
        return lock

    def own(self) -> locks.Lock:
        """Have the store alone, to remove from it.

        Raises:
            Busy: a run uses it.
        """
        path = self.root / "lock"
        lock = locks.acquire(path)
        if lock is None:
            raise self._busy(path)
        return lock

    def _busy(self, path: Path) -> Busy:
        hint = "wait until it has finished, or give another folder with --store"
        return Busy(Fault("store.busy", str(self.root), "must not be in use", locks.holder(path), hint))

    def remove_leftovers(self) -> None:
        """Empty ``tmp/``; only for whoever holds the store alone."""
        for path in (self.root / "tmp").iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _file_name(task: str, key: str) -> str:
    return f"{re.sub(r'[^A-Za-z0-9._-]', '_', task)[:80]}-{key[:12]}"


class StoredFiles(Mapping[str, Path]):
    """The files of one record; looking one up hashes it, once per Store."""

    def __init__(self, store: Store, record: Record) -> None:
        self._store, self._record = store, record

    def __getitem__(self, name: str) -> Path:
        blob = self._record.files.get(name)
        if blob is None:
            raise KeyError(f"'{name}'; there is: {', '.join(self._record.files) or 'no file'}")
        if not self._store.sound(blob):
            raise EnvironmentFault(
                Fault(
                    "store.damaged",
                    f"'{name}' of task '{self._record.task}'",
                    "must hash to its name",
                    hint="it was set aside; run again, and it is computed anew",
                )
            )
        return self._store.object_path(blob.sha256)

    def __iter__(self) -> Iterator[str]:
        return iter(self._record.files)

    def __len__(self) -> int:
        return len(self._record.files)
