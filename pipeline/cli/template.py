"""The text that ``compress init`` writes."""

from collections.abc import Mapping, Sequence

_STUDENTS = {
    "gru": "  gru-32: {architecture: gru, hidden: 32} # long memory, one frame at a time",
    "tcn": "  tcn-16: {architecture: tcn, channels: 16, levels: 3, kernel: 3} # fast, sees 29 frames back",
    "lstm": "  lstm-32: {architecture: lstm, hidden: 32} # like gru, a third larger",
}

_TEMPLATE = """\
# compress run {file}
#
# Every key is explained by `compress explain`, and changed for one call by --set: --set distill.seeds=5

name: {name} # names the run's folder and the report
seed: 0 # every random choice follows from it

data:
{data}
  validation: {{fraction: 0.2, by: class}} # cut from training: early stopping and the choice of seed look at it
  # test: {{fraction: 0.2, by: class}} # only for a source without a test split of its own
task: classification

teacher: # large, never shipped
  architecture: lstm # or gru, tcn, transformer
  hidden: 96
  layers: 2
  bidirectional: true
  train: {{epochs: 40}}
  # weights: teacher.safetensors # load it instead of training it

students: # small; the names become folders and rows of the report
{students}

distill:
  losses:
    - {{kind: soft-targets, temperature: 3, weight: 0.7}} # what the teacher thinks of every label
    - {{kind: hard-labels, weight: 0.3}} # the truth
  train: {{epochs: 150}}
  seeds: 3 # the spread is reported, the best on validation is exported
  control: true # each student also without its teacher: what did distillation buy?

quantize: [auto] # tries the recipes and keeps the best; []: ship the float artifact

benchmark:
  providers: [cpu] # or cuda; {{name: cuda, required: true}} fails on a device without it
  batch: [1, 16]
  threads: 1

budgets: # a missed one ends in exit code 5
  size: 64 kB
  # latency.cpu.p95: 1 ms
  # step.cpu.p99: 100 us # one chunk of a stream
  # quality.drop: 1 % # against the teacher, on the test split

# regression: # what may become worse since the last release, measured side by side
#   baseline: releases/1.0 # a run folder, a bundle or a URL
#   latency: 5 %

report: {{formats: [html, markdown, json, junit]}}
"""


def render(file: str, name: str, data: Mapping[str, str], students: Sequence[str]) -> str:
    """The YAML. Values are quoted where YAML needs it; an unknown student is left for the check to name."""
    lines = [_STUDENTS.get(kind, f"  {_text(kind)}: {{architecture: {_text(kind)}}}") for kind in students]
    return _TEMPLATE.format(
        file=file,
        name=_text(name),
        data="\n".join(f"  {key}: {_text(value)}" for key, value in data.items()),
        students="\n".join(lines) or "  {}",
    )


def _text(value: str) -> str:
    """A text as a YAML scalar: bare where it is read back as itself."""
    from ..config.document import scalar

    bare = value.replace("-", "").replace("_", "").replace(".", "").replace("/", "").replace(":", "")
    if bare.isalnum() and value.isascii() and scalar(value) == value and value[0].isalnum() and not value.endswith(":"):
        return value
    return "'" + value.replace("'", "''").replace("\n", " ") + "'"
