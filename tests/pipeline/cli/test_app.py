"""Every way to end: its exit code, its text, its JSON line."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from seqpress import __version__
from seqpress.pipeline import errors
from seqpress.pipeline.cli import app
from seqpress.pipeline.errors import Fault

ROOT = Path(__file__).parents[3]
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SeqpressError)]


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make `compress check` fail with ``error``."""

    def raise_it(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("seqpress.pipeline.config.load", raise_it)


def test_version(compress) -> None:
    assert compress("--version").out == f"seqpress {__version__}\n"


def test_alone_it_helps(compress) -> None:
    answer = compress()
    assert (answer.code, answer.err) == (0, "")
    for command in ("init", "check", "explain", "schema"):
        assert f"\n  {command} " in answer.out


@pytest.mark.parametrize("command", ["init", "check", "explain", "schema"])
def test_help_teaches(command: str, compress) -> None:
    for flag in ("-h", "--help"):
        answer = compress(command, flag)
        assert answer.code == 0
        assert f"compress {command}" in answer.out.partition("Examples:")[2]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["chek"], "'chek'"),
        (["check", "--jsn"], "--jsn"),
        (["check", "a", "b"], "b"),
        (["check", "--set"], "--set"),
        (["--loud"], "--loud"),
    ],
)
def test_a_wrong_command_line(arguments: list[str], text: str, compress) -> None:
    answer = compress(*arguments)
    assert answer.code == 2
    assert (answer.error["error"], answer.codes) == ("config", ["usage"])
    assert text in answer.error["faults"][0]["rule"]
    assert "--help" in answer.error["faults"][0]["hint"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_our_errors_end_in_their_code(kind, compress, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, kind([Fault("a.b", "here", "must be so", "'x'", "do this"), Fault("c.d", "there", "is bad")]))
    answer = compress("check")
    assert answer.code == kind.exit_code == answer.error["exit_code"]
    assert answer.error["error"] == kind.kind
    assert answer.codes == ["a.b", "c.d"]
    assert answer.err.startswith("here must be so; got 'x'\n  do this\nthere is bad\n{")


def test_a_bug_is_owned_and_its_traceback_kept(compress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing(monkeypatch, ZeroDivisionError("seven over nothing"))
    answer = compress("check", "p.yaml")
    assert (answer.code, answer.codes) == (1, ["bug"])
    assert "met a bug in seqpress: ZeroDivisionError: seven over nothing" in answer.err
    assert "Traceback" not in answer.err
    [story] = tmp_path.glob("seqpress-bug-*.txt")
    assert str(story) in answer.err
    assert "Traceback" in story.read_text()
    assert "['check', 'p.yaml']" in story.read_text()


def test_a_bug_without_a_temporary_folder(compress, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    failing(monkeypatch, ZeroDivisionError("seven over nothing"))
    answer = compress("check")
    assert (answer.code, answer.codes) == (1, ["bug"])
    assert "Traceback" in answer.err


@pytest.mark.parametrize(
    ("error", "code", "fault"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/full"), 6, "environment.os"),
        (PermissionError(errno.EACCES, "Permission denied", "/locked"), 6, "environment.os"),
        (MemoryError(), 6, "environment.memory"),
        (OSError(errno.EBADF, "Bad file descriptor"), 1, "bug"),
        (KeyboardInterrupt(), 130, "signal.interrupted"),
        (app.Terminated(), 143, "signal.terminated"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_the_system_refuses(
    error: BaseException, code: int, fault: str, compress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing(monkeypatch, error)
    answer = compress("check")
    assert (answer.code, answer.codes, answer.error["exit_code"]) == (code, [fault], code)


def program(*arguments: str, **options: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "seqpress", *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        cwd=ROOT.parent, **options,
    )  # fmt: skip


def test_the_module_is_the_program(in_folder: Path) -> None:
    process = program("check", str(in_folder / "gone.yaml"))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert json.loads(err.splitlines()[-1])["exit_code"] == 2


def test_nobody_reads_the_output() -> None:
    process = program("schema")
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 141
    assert err == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals(number: int, code: int, in_folder: Path) -> None:
    fifo = in_folder / "pipe.yaml"
    os.mkfifo(fifo)
    process = program("check", str(fifo))
    writer = _open_once_somebody_reads(fifo)
    err = _signal_until_it_ends(process, number)
    os.close(writer)
    assert process.returncode == code
    assert json.loads(err.splitlines()[-1])["exit_code"] == code
    assert "Traceback" not in err


def _signal_until_it_ends(process: subprocess.Popen[str], number: int) -> str:
    """A signal between two Python instructions, just before a blocking read, is only seen when the next one comes."""
    for _ in range(30):
        process.send_signal(number)
        try:
            return process.communicate(timeout=1)[1]
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    raise AssertionError("the command does not end on a signal")


def _open_once_somebody_reads(fifo: Path) -> int:
    deadline = time.monotonic() + 30
    while True:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:  # ENXIO: no reader yet
            if error.errno != errno.ENXIO or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def test_a_terminal_without_unicode(in_folder: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    process = program("check", str(ROOT / "pipeline.yaml"), env=environment)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "3 levels ? 16" in out


def test_completion_answers() -> None:
    asked = {"_COMPRESS_COMPLETE": "complete_bash", "COMP_WORDS": "compress explain students.", "COMP_CWORD": "2"}
    environment = {**os.environ, **asked}
    script = "import sys; sys.argv[0] = 'compress'; from seqpress.pipeline.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, text=True, capture_output=True, cwd=ROOT.parent, timeout=60
    )
    assert "students.tcn" in done.stdout.split()
