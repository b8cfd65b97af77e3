"""What can go wrong, and the exit code each kind ends in.

    SeqpressError            1  a bug in seqpress
    ├── ConfigError          2  usage or configuration
    ├── InputRejected        3  data or a model that cannot be used
    ├── StageFailed          4  a stage ran and failed
    ├── GateFailed           5  a budget, parity or regression gate
    ├── EnvironmentFault     6  provider, disk, memory, permission
    ├── Busy                 7  somebody else holds the lock
    └── Inconclusive         8  undecided, under --strict

Signals end in 128 + number (130 SIGINT, 143 SIGTERM). Every error carries a list of faults, so that
a user sees all of them at once. This module imports nothing, so that any room of the pipeline may raise.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: where, which rule, what was given, what to do next.

    Args:
        code: stable identifier such as ``config.unknown-key``; documented in ``docs/errors.md``.
        where: file, line and column, or the stage, split and item.
        rule: the rule in words: "must be an integer from 4 to 1024".
        got: the offending value as the user wrote it, already quoted; empty where there is none.
        hint: what to do next; empty where the rule says it all.

    >>> print(Fault("config.type", "pipeline.yaml:3:7  seed", "must be an integer", "'x'", "write seed: 7"))
    pipeline.yaml:3:7  seed must be an integer; got 'x'
      write seed: 7
    """

    code: str
    where: str
    rule: str
    got: str = ""
    hint: str = ""

    def __str__(self) -> str:
        line = f"{self.where} {self.rule}" + (f"; got {self.got}" if self.got else "")
        return line + "".join(f"\n  {part}" for part in self.hint.splitlines())


class SeqpressError(Exception):
    """Base of all errors seqpress raises on purpose."""

    exit_code = 1
    kind = "bug"

    def __init__(self, faults: Fault | Sequence[Fault]) -> None:
        self.faults = [faults] if isinstance(faults, Fault) else list(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def as_json(self) -> dict[str, object]:
        """The machine-readable form that is the last line on stderr."""
        return {"error": self.kind, "exit_code": self.exit_code, "faults": [asdict(f) for f in self.faults]}

    def __reduce__(self) -> tuple[type["SeqpressError"], tuple[list[Fault]]]:
        return type(self), (self.faults,)  # errors cross process borders


class ConfigError(SeqpressError):
    exit_code = 2
    kind = "config"


class InputRejected(SeqpressError):
    exit_code = 3
    kind = "input"


class StageFailed(SeqpressError):
    exit_code = 4
    kind = "stage"


class GateFailed(SeqpressError):
    exit_code = 5
    kind = "gate"


class EnvironmentFault(SeqpressError):
    exit_code = 6
    kind = "environment"


class Busy(SeqpressError):
    exit_code = 7
    kind = "busy"


class Inconclusive(SeqpressError):
    exit_code = 8
    kind = "inconclusive"
