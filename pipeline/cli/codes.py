"""Every code that a ``Fault`` can carry: what it means, what to do. docs/errors.md is made from these tables."""

from .codes_config import CONFIG
from .codes_run import RUN

CODES = {**CONFIG, **RUN}


def as_markdown() -> str:
    """docs/errors.md, whole."""
    head = """# Error codes

<!-- Generated from pipeline/cli/codes*.py: python -m seqpress.pipeline.cli.documents docs -->

Every error says where, which rule, what was given and what to do; the last line on stderr is the same as JSON with
the code of each fault. `compress explain CODE` prints what stands here.

| exit code | meaning |
|---|---|
| 0 | ok |
| 1 | bug in seqpress |
| 2 | usage or configuration |
| 3 | input rejected: data, model, security |
| 4 | a stage ran and failed |
| 5 | a gate failed: budget, parity, regression |
| 6 | environment: provider, disk, memory, permission |
| 7 | busy: another process holds the lock |
| 8 | inconclusive, under --strict |
| 130, 143 | interrupted, terminated |
| 141 | nobody reads the output any more |

| code | meaning | what to do |
|---|---|---|
"""
    return head + "".join(f"| `{name}` | {code.meaning} | {code.remedy} |\n" for name, code in CODES.items())
