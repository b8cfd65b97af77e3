"""Tiny stages for the engine's tests; found by the workers because the folder is on ``path``."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time

from seqpress.pipeline.engine.task import Outcome
from seqpress.pipeline.errors import Fault, GateFailed, InputRejected


def note(options):
    """Leave a mark that outlives the store: this stage really ran."""
    if "journal" in options:
        with open(options["journal"], "a") as file:
            file.write(f"{options.get('name', '?')} {os.getpid()} {time.monotonic()}\n")


def make(given, options, into, context):
    """Writes its options and its inputs' contents; sleeps as told."""
    note(options)
    time.sleep(options.get("sleep_s", 0))
    texts = {role: (artifact / "result.json").read_text() for role, artifact in sorted(given.items())}
    value = options.get("value", 0)
    (into / "result.json").write_text(json.dumps({"value": value, "inputs": texts}))
    (into / "deep").mkdir()
    (into / "deep" / "bytes.bin").write_bytes(bytes(range(256)) * 4 + str(value).encode())
    return {"value": value, "roles": sorted(given)}


def parity(given, options, into, context):
    """Depends on the input only through odd or even: early cut-off behind it."""
    note(options)
    value = given["source"].facts["value"]
    (into / "result.json").write_text(str(value % 2))
    return Outcome({"odd": value % 2}, measured={"seconds": time.perf_counter()})


def measure(given, options, into, context):
    """The same result each time, other measurements."""
    note(options)
    return Outcome({"same": True}, {"now_s": time.monotonic()})


def random_bytes(given, options, into, context):
    note(options)
    (into / "result.json").write_text(os.urandom(64).hex())
    return {}


def noisy(given, options, into, context):
    print("python on stdout")
    print("python on stderr", file=sys.stderr)
    os.write(1, b"descriptor one\n")
    ctypes.CDLL(None).puts(b"from C")
    ctypes.CDLL(None).fflush(None)
    subprocess.run(["echo", "a child's output"], check=True)
    return {}


def boom(given, options, into, context):
    note(options)
    print("about to fail")
    raise ValueError("the reason\nin two lines")


def rejects(given, options, into, context):
    raise InputRejected([Fault("data.empty", "split 'test'", "must have items"), Fault("data.b", "b", "must c")])


class Private(GateFailed):
    """A class the parent cannot know."""


def rejects_privately(given, options, into, context):
    raise Private(Fault("gate", "size", "must fit"))


def kills_itself(given, options, into, context):
    note(options)
    os.kill(os.getpid(), getattr(signal, options.get("signal", "SIGKILL")))


def exits(given, options, into, context):
    (sys.exit if options["how"] == "sys" else os._exit)(options["status"])


def memory(given, options, into, context):
    raise MemoryError


def disk_full(given, options, into, context):
    with open("/dev/full", "wb", buffering=0) as file:
        file.write(b"x")


def returns(given, options, into, context):
    return {"nan": {"loss": float("nan")}, "object": {"x": object()}, "list": [1]}[options["what"]]


def links(given, options, into, context):
    (into / "link").symlink_to("/etc/hostname")


def tells(given, options, into, context):
    for step in range(50):
        context.progress(step + 1, 50, loss=1 / (step + 1))
        time.sleep(0.005)
    return {"threads": os.environ["OMP_NUM_THREADS"], "hash": os.environ["PYTHONHASHSEED"], "given": context.threads}


def peeks(given, options, into, context):
    """What a worker has loaded, and what it may see of its inputs."""
    (context.scratch / "x").write_text("x")
    return {
        "loaded": sorted(name for name in options["modules"] if name in sys.modules),
        "pid": os.getpid(),
        "measured": {role: dict(artifact.measured) for role, artifact in given.items()},
    }


def forks(given, options, into, context):
    """Starts a child that outlives it, and marks it so that a test can find it."""
    note(options)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", options["mark"]])
    time.sleep(options.get("sleep_s", 0))
    if options.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    return {}


def hostile(given, options, into, context):
    """Closes what it can."""
    sys.stdout.close()
    os.close(2)
    return {"done": True}
