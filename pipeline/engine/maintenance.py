"""Looking after a store: what is in it, is it sound, what can go. Behind ``compress cache``."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import disk, history
from .records import BrokenRecordError, Record, decode
from .store import FOLDERS, OTHER_ENTRIES, Damage, Store

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Amount:
    """So many files, so many bytes."""

    count: int
    size_bytes: int


@dataclass(frozen=True)
class Entry:
    """One record, as a list shows it."""

    task: str
    key: str
    entry: str
    files: int
    size_bytes: int
    compute_s: float
    in_use: bool  # by the latest run of some pipeline


@dataclass(frozen=True)
class Inventory:
    """What a store holds. Sizes are those of the files; one object may serve several records."""

    root: Path
    entries: tuple[Entry, ...]
    objects: Amount
    quarantine: Amount
    temporary: Amount
    logs: Amount
    unreadable: int  # records that are damaged; ``verify`` sets them aside


def inventory(store: Store) -> Inventory:
    """List a store without hashing its objects or changing it."""
    store.check()
    used = history.keys_in_use(store)
    records, unreadable = [], 0
    for path in _files(store.root / "records"):
        try:
            records.append(decode(path.read_bytes(), path.stem))
        except BrokenRecordError:
            unreadable += 1
    entries = [
        Entry(r.task, r.key, str(r.preimage["entry"]), len(r.files), r.size_bytes, r.compute_s, r.key in used)
        for r in sorted(records, key=lambda record: (record.task, record.key))
    ]
    return Inventory(
        root=store.root,
        entries=tuple(entries),
        objects=_amount(store.root / "objects"),
        quarantine=_amount(store.root / "quarantine"),
        temporary=_amount(store.root / "tmp"),
        logs=_amount(store.root / "logs"),
        unreadable=unreadable,
    )


@dataclass(frozen=True)
class Verdict:
    """What a full check found; everything in ``damage`` has been set aside."""

    records: int
    objects: Amount
    damage: tuple[Damage, ...]


def verify(store: Store) -> Verdict:
    """Hash every object and check every record against its name and its files.

    Raises:
        Busy: garbage is being collected right now.
        EnvironmentFault: the store cannot be read, or damage cannot be set aside.
    """
    store.check()
    if not store.root.exists():
        return Verdict(0, Amount(0, 0), ())
    store.prepare()
    lock = store.enter(wait=False)
    try:
        paths = list(_files(store.root / "records"))  # before the objects: these are written first
        count = size_bytes = 0
        for path in _files(store.root / "objects"):
            count += 1
            size_bytes += _check_object(store, path)
        kept = [path for path in paths if _check_record(store, path)]
        return Verdict(len(kept), Amount(count, size_bytes), tuple(store.damage))
    except OSError as error:
        raise disk.as_fault(error, store.root) from error
    finally:
        lock.release()


def _check_object(store: Store, path: Path) -> int:
    sha256, size_bytes = disk.hash_file(path)
    if path != store.object_path(sha256):
        store.set_aside("object", path, path.name, "its bytes do not hash to its name")
    return size_bytes


def _check_record(store: Store, path: Path) -> bool:
    if not _SHA256.fullmatch(path.stem) or path.suffix != ".json":
        store.set_aside("record", path, path.name, "is not named by a key")
        return False
    before = len(store.damage)
    record = store.lookup(path.stem)
    new = store.damage[before:]
    if record is None and not any(damage.kind == "record" for damage in new):
        store.damage[before:] = [Damage("record", path.stem, "refers to a file that is gone or damaged")]
    return record is not None


@dataclass(frozen=True)
class Collected:
    """What garbage collection removed."""

    records: int
    objects: int
    temporary: int
    logs: int
    quarantined: int
    freed_bytes: int


def collect(store: Store, *, unused: bool = False, quarantine: bool = False) -> Collected:
    """Remove what nothing refers to; no clock is asked.

    Args:
        unused: also the records that the latest run of no pipeline used, and what failed tasks left.
        quarantine: also what was set aside as damaged.

    Raises:
        Busy: a run uses the store.
    """
    store.check()
    if not store.root.exists():
        return Collected(0, 0, 0, 0, 0, 0)
    store.prepare()
    lock = store.own()
    try:
        before_bytes = disk.folder_bytes(store.root)
        temporary = sum(1 for _ in _files(store.root / "tmp"))
        store.remove_leftovers()
        kept, records = _sweep_records(store, unused=unused)
        objects = _sweep(store.root / "objects", {blob.sha256 for r in kept for blob in r.files.values()})
        logs = _sweep(store.root / "logs", {store.log_path(r.task, r.key).name for r in kept})
        _sweep_salvage(store, kept, unused=unused)
        quarantined = _sweep(store.root / "quarantine", set()) if quarantine else 0
        _sweep(store.root / "locks", set())
        freed_bytes = before_bytes - disk.folder_bytes(store.root)
        return Collected(records, objects, temporary, logs, quarantined, freed_bytes)
    except OSError as error:
        raise disk.as_fault(error, store.root) from error
    finally:
        lock.release()


def _sweep_records(store: Store, *, unused: bool) -> tuple[list[Record], int]:
    used = history.keys_in_use(store) if unused else None
    kept, removed = [], 0
    for path in list(_files(store.root / "records")):
        record = store.lookup(path.stem)
        if record and (used is None or record.key in used):
            kept.append(record)
        elif record:
            path.unlink()
            removed += 1
    return kept, removed


def _sweep_salvage(store: Store, kept: list[Record], *, unused: bool) -> None:
    """Remove what failing tasks left, once they have a result; all of it with ``unused``."""
    finished = {store.salvage_path(record.task, record.key).name for record in kept}
    for path in list((store.root / "salvage").iterdir()):
        if unused or path.name in finished:
            shutil.rmtree(path)


def _sweep(folder: Path, keep: set[str]) -> int:
    removed = 0
    for path in list(_files(folder)):
        if path.name not in keep:
            path.unlink()
            removed += 1
    return removed


def clear(store: Store) -> int:
    """Remove everything the store made, and nothing else in its folder; returns the freed bytes.

    Raises:
        Busy: a run uses the store.
    """
    store.check()
    if not store.root.exists():
        return 0
    store.prepare()
    lock = store.own()
    try:
        freed_bytes = disk.folder_bytes(store.root)
        for name in ("schema.json", "records"):  # first what gives the rest its meaning
            _remove(store.root / name)
        for name in (*FOLDERS, *OTHER_ENTRIES):
            _remove(store.root / name)
        if not any(store.root.iterdir()):
            store.root.rmdir()
        return freed_bytes
    except OSError as error:
        raise disk.as_fault(error, store.root) from error
    finally:
        lock.release()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() or path.is_symlink())


def _amount(folder: Path) -> Amount:
    return Amount(sum(1 for _ in _files(folder)), disk.folder_bytes(folder))
