"""``compress``: the commands, and the one place that turns what went wrong into an exit code.

0 ok · 1 bug in seqpress · 2 usage or config · 3 input · 4 stage · 5 gate · 6 environment · 7 busy ·
8 inconclusive · 130 interrupted · 141 nobody reads the output · 143 terminated
"""

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from ... import __version__
from ..errors import ConfigError, EnvironmentFault, Fault, SeqpressError
from .arguments import examples
from .ci import Ci
from .console import fail

#: Every command, in the order in which a newcomer meets them. Each is a module here with a function of that name
#: (and, if it has some, ``EXAMPLES``), or with a Typer named ``app`` where it has sub-commands.
COMMANDS = (
    "init", "check", "data", "plan", "run", "report", "gate", "compare", "bench", "export",
    "quantize", "verify", "inspect", "cache", "explain", "schema",
)  # fmt: skip

#: What typer raises for a bad command line. Its public names hold only this class's heirs.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

#: Errors of the system that a user can mend; any other OSError that comes up to here is a bug of ours.
ENVIRONMENT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENOMEM}


class Terminated(BaseException):
    """SIGTERM has come; like KeyboardInterrupt no ``except Exception`` stops it."""


class Interrupted(SeqpressError):
    exit_code = 130
    kind = "interrupted"


class Ended(SeqpressError):
    exit_code = 143
    kind = "terminated"


def build() -> typer.Typer:
    """The program with all commands."""
    program = typer.Typer(
        help="Distill a sequence model into a small GRU or TCN, ship it as ONNX, and prove what it cost.",
        epilog=examples(
            "compress init               write a pipeline.yaml to start from",
            "compress check              find every fault of it before anything is spent",
            "compress plan               see what would be computed, and why",
            "compress run pipeline.yaml  train, distill, export, quantize, verify, measure, report",
            "compress explain budgets    read what a section may hold",
            "",
            "Exit codes: 0 ok, 1 bug, 2 usage or config, 3 input, 4 stage, 5 gate,",
            "6 environment, 7 busy, 8 inconclusive, 130 and 143 signals.",
        ),
        rich_markup_mode=None,  # plain help starts in half the time and keeps the examples' line breaks
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    program.callback(invoke_without_command=True)(_root)
    for name in COMMANDS:
        if find_spec(f"{__package__}.{name}") is None:
            continue
        module = import_module(f".{name}", __package__)
        if hasattr(module, "app"):
            program.add_typer(module.app, name=name)
        else:
            end = examples(*getattr(module, "EXAMPLES", ()))
            program.command(name, epilog=end)(getattr(module, name))
    return program


def _version(wanted: bool) -> None:
    if wanted:
        print(f"seqpress {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> NoReturn:
    """The entry point of ``compress``, ``seqpress`` and ``python -m seqpress``."""
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # None, or replaced by something without it
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal without '×' gets '?'
    code = execute(sys.argv[1:])
    Ci().output("exit-code", str(code))
    sys.exit(code)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def execute(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. Every failure is told on stderr, a JSON line last."""
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except SeqpressError as error:
        return fail(error)
    except UsageError as error:
        return _usage(error)
    except (KeyboardInterrupt, typer.Abort) as error:
        if getattr(error, "signal_number", signal.SIGINT) == signal.SIGTERM:  # the engine's InterruptedRun
            return fail(Ended(Fault("signal.terminated", "compress", "was terminated by SIGTERM", "", f"{error}")))
        hint = "finished tasks are kept: the same command goes on from there"
        return fail(Interrupted(Fault("signal.interrupted", "compress", "was interrupted", "", hint)))
    except Terminated:
        return fail(Ended(Fault("signal.terminated", "compress", "was terminated by SIGTERM")))
    except BrokenPipeError:
        return _nobody_reads()
    except (MemoryError, OSError) as error:
        return fail(_environment(error) or _bug(error, arguments))
    except Exception as error:  # noqa: BLE001  # the last net: a user must never see a bare traceback
        return fail(_bug(error, arguments))
    return code


def _invoke(arguments: Sequence[str]) -> int:
    """Like ``command.main()``, but exceptions come out as they are."""
    name = Path(sys.argv[0]).name
    program = "python -m seqpress" if name == "__main__.py" else name
    command: Any = typer.main.get_command(build())
    if f"_{program}_COMPLETE".replace("-", "_").upper() in os.environ:
        command.main(args=list(arguments), prog_name=program)  # answers the shell and exits
    try:
        with command.make_context(program, list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as error:
        return error.exit_code
    return 0


def _usage(error: Exception) -> int:
    context: typer.Context | None = getattr(error, "ctx", None)
    if context is not None and type(error).__name__ == "NoArgsIsHelpError":
        print(context.get_help())  # a command of commands was called alone: that is a question, not a mistake
        return 0
    where = context.command_path if context else "compress"
    said = error.format_message() if hasattr(error, "format_message") else str(error)
    rule = f"was called wrongly: {said.rstrip('.')}"
    return fail(ConfigError(Fault("usage", where, rule, "", f"see: {where} --help")))


def _environment(error: OSError | MemoryError) -> EnvironmentFault | None:
    if isinstance(error, MemoryError):
        hint = "fewer tasks at a time need less: --jobs 1"
        return EnvironmentFault(Fault("environment.memory", "compress", "ran out of memory", "", hint))
    if error.errno not in ENVIRONMENT:
        return None
    where = str(error.filename or "compress")
    return EnvironmentFault(Fault("environment.os", where, f"cannot be used: {error.strerror}"))


def _nobody_reads() -> int:
    """The reader of our output is gone (``compress schema | head``): be quiet, at interpreter exit too."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + 13


def _bug(error: BaseException, arguments: Sequence[str]) -> SeqpressError:
    import platform
    import tempfile
    import traceback

    story = "".join(traceback.format_exception(error))
    head = f"seqpress {__version__}, Python {platform.python_version()}, {platform.platform()}\n{list(arguments)}\n\n"
    try:
        number, path = tempfile.mkstemp(prefix="seqpress-bug-", suffix=".txt")
        with os.fdopen(number, "w", encoding="utf-8", errors="replace") as file:
            file.write(head + story)
        hint = f"the traceback is in {path}: please report it with that file"
    except OSError:
        hint = story
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return SeqpressError(Fault("bug", "compress", f"met a bug in seqpress: {what}", "", hint))
