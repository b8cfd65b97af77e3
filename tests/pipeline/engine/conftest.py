import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from seqpress.pipeline.engine.keys import digest_of
from seqpress.pipeline.engine.records import decode
from seqpress.pipeline.engine.run import run
from seqpress.pipeline.engine.store import Store
from seqpress.pipeline.engine.task import Task

TOYS = Path(__file__).parent / "toys"


def make_task(name, stage="make", inputs=None, **fields):
    options = fields.pop("options", {})
    fields.setdefault("revision", 1)
    fields.setdefault("libraries", ())
    return Task(name=name, entry=f"toy_stages:{stage}", options=options, inputs=inputs or {}, **fields)


@pytest.fixture
def task():
    return make_task


@pytest.fixture
def chain(tmp_path):
    """source → middle → end, each noting in a journal that it ran."""

    def build(value=1, **options):
        def with_name(name, **more):
            return {"journal": str(tmp_path / "journal"), "name": name, **more}

        return [
            make_task("source", options=with_name("source", value=value, **options)),
            make_task("middle", inputs={"source": "source"}, options=with_name("middle", value=10)),
            make_task("end", inputs={"source": "middle"}, options=with_name("end", value=20)),
        ]

    return build


@pytest.fixture
def ran(tmp_path):
    """The names of the stages that ran since the last call."""
    seen = [0]

    def read():
        path = tmp_path / "journal"
        names = [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []
        new, seen[0] = names[seen[0] :], len(names)
        return new

    return read


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def go(store):
    """Run tasks on a fresh Store object over the same folder, as another process would."""

    def start(tasks, **settings):
        settings.setdefault("jobs", 2)
        return run(tasks, Store(store.root), path=[TOYS], **settings)

    return start


@pytest.fixture
def drive(tmp_path, store):
    """Start the run in a process of its own."""
    started = []

    def start(tasks, **settings):
        spec = tmp_path / f"spec-{len(started)}.json"
        content = {"store": str(store.root), "tasks": [asdict(one) for one in tasks], "settings": settings}
        spec.write_text(json.dumps(content))
        command = [sys.executable, str(TOYS / "driver.py"), str(spec)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def check_invariant(store):
    """Every object hashes to its name, and no record refers to what is not there."""
    import hashlib

    for path in (store.root / "objects").rglob("*"):
        if path.is_file():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    for path in (store.root / "records").glob("*"):
        record = decode(path.read_bytes(), path.stem)
        assert digest_of(record.preimage) == path.stem
        for blob in record.files.values():
            assert store.object_path(blob.sha256).stat().st_size == blob.size_bytes


@pytest.fixture
def invariant(store):
    return lambda: check_invariant(store)


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def eventually():
    return wait_until
