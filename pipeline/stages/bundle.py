"""The folder that is shipped: files, contract, golden outputs, self test and card of one variant."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ...benchmarks.footprint import footprint
from ...exporters.bundle import model_card
from ...exporters.bundle.golden import make_golden
from ...exporters.bundle.manifest import Description, LeakProbe, Metric, NonFinite, Standardize, Weights
from ...exporters.bundle.model_card import number
from ...exporters.bundle.write import write_bundle
from ...exporters.cleanup import to_bytes
from ...exporters.manifest import Manifest
from ..data.dataset import Dataset, Sequences
from ..engine.task import Artifact, Context, Outcome
from ..grading import Grader
from ..tasks.metrics import METRICS
from .feeding import Reader
from .quantize import MODEL, STEP

_GOLDEN_SEQUENCES, _GOLDEN_FRAMES, _FEWEST_FRAMES = 4, 512, 8
_GOLDEN_NUMBERS = 2**17  # in the answers to a sequence, where there is one for every frame
_PREDICTED = "predicted.npy"


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``, ``models``, ``network`` (the best seed), ``parity``, and ``evaluation-<seed>`` for each seed.
    Metrics are those of the evaluation, and of single-label classification the accuracy with its interval.
    Options: ``name`` of the variant, ``recipe``, ``pipeline``, ``teacher``, ``losses``, ``non_finite``.
    """
    recipe, data = options["recipe"], Dataset.read(given["data"].files)
    metrics = _metrics(given, data)
    model = _with_quality(given["models"] / f"{recipe}.onnx", metrics, context.scratch / MODEL)
    stream = given["models"].files.get(f"{recipe}.step.onnx")
    step = _with_quality(stream, metrics, context.scratch / STEP) if stream else None
    manifest = Manifest.read(onnx.load(step or model))
    reader = Reader.of(model, data.features)
    about = Description.of(
        manifest,
        name=options["name"],
        non_finite=NonFinite(policy=options["non_finite"], rule=_rule(options["non_finite"], manifest)),
        preprocessing=_preprocessing(reader, data),
        vocabulary=data.vocabulary,
        device=dict(data.device),
        metrics=metrics,
        weights=_weights(given["models"].facts["variants"][recipe]),
        leaks=_leaks(given["parity"].facts[recipe]),
        lineage={role: artifact.digest for role, artifact in given.items()},
    )
    golden = make_golden(model, step, _sequences(data.test, reader, manifest), manifest.states)
    card = model_card.render(about, _card(given, options, data))
    folder = context.scratch / "bundle"
    written = write_bundle(folder, model=model, step=step, description=about, golden=golden, card=card)
    for file in folder.iterdir():
        file.rename(into / file.name)
    return Outcome({"digest": written.digest, "footprint": asdict(footprint(into / MODEL))})


def _with_quality(source: Path, metrics: tuple[Metric, ...], target: Path) -> Path:
    """The same graph with its measured quality in its metadata; not a node or a weight is touched."""
    model = onnx.load(source)
    replace(Manifest.read(model), quality=tuple(map(_in_words, metrics))).write(model)
    target.write_bytes(to_bytes(model))
    return target


def _in_words(metric: Metric) -> str:
    said = f"{metric.name} {number(metric.value)} on {metric.n} {metric.split} items"
    if metric.low is None or metric.high is None:
        return said
    return f"{said}, {metric.confidence:.0%} interval {number(metric.low)} to {number(metric.high)}"


def _rule(policy: str, about: Manifest) -> str:
    """What NaN does, in words."""
    kind = about.input.kind
    if kind == "tokens":
        return "tokens are integers, so there is neither NaN nor infinity"
    name = "feature" if kind == "frames" else "sample"
    if policy == "clean":
        return f"a NaN or infinite {name} is read as {'its mean over the training frames' if kind == 'frames' else '0'}"
    onward = about.output.per_frame and about.causal and kind == "frames"
    return f"a NaN or infinite {name} in a real frame makes every output {'from there on ' * onward}NaN"


def _preprocessing(reader: Reader, data: Dataset) -> tuple[Standardize, ...]:
    """Of frames: tokens have no mean, and what is known of samples is that of their bands."""
    if reader.form.kind != "frames":
        return ()
    chosen = slice(None) if reader.columns is None else list(reader.columns)
    mean, std = data.mean[chosen], data.std[chosen]
    return (Standardize(mean=tuple(map(float, mean)), std=tuple(map(float, std))),)


def _metrics(given: Mapping[str, Artifact], data: Dataset) -> tuple[Metric, ...]:
    """Quality on the test split, of this very file; the task's own metric with its interval. What the split cannot tell
    is left out."""
    evaluation = given[f"evaluation-{given['models'].facts['seed']}"]
    facts, grader = evaluation.facts, Grader(given["data"], data.labels)
    found = []
    for name, value in facts["metrics"].items():
        about, own = METRICS.get(name), name == facts["metric"]
        score = grader.score(evaluation) if own else None
        if value is None:
            continue
        found.append(
            Metric(
                name=name,
                label="" if about is None or about.label == name else about.label,
                better="higher" if about is None else about.better,
                unit="" if about is None else about.unit,
                split="test",
                value=value,
                low=None if score is None else score.low,
                high=None if score is None else score.high,
                n=len(data.test),
                by_class={key: share for key, share in facts["by_class"].items() if own and share is not None},
            )
        )
    return tuple(found)


def _weights(facts: Mapping[str, Any]) -> Weights:
    counted = facts["footprint"]
    return Weights(
        parameters=counted["parameters"],
        weight_bytes=counted["weight_bytes"],
        int8_share=counted["int8_share"],
        left_in_float=tuple(
            f"{left['name']} ({left['size_bytes']} bytes): {left['reason']}" for left in facts.get("left_in_float", ())
        ),
    )


def _leaks(parity: Mapping[str, Any]) -> tuple[LeakProbe, ...]:
    return tuple(LeakProbe(**leak) for leak in parity["leaks"])


def _sequences(split: Sequences, reader: Reader, about: Manifest) -> list[NDArray[Any]]:
    """Real sequences from the shortest to the longest, of long ones the beginning; then, unless they are tokens, one
    with a NaN: the self test shows the policy for it.
    """
    order = np.argsort(split.lengths, kind="stable")
    places = np.linspace(0, len(order) - 1, min(_GOLDEN_SEQUENCES, len(order))).astype(int)
    frames = _GOLDEN_FRAMES
    if about.output.per_frame:
        frames = min(frames, max(_FEWEST_FRAMES, _GOLDEN_NUMBERS // max(1, len(about.labels))))
    found = [one[: reader.form.inputs(frames)] for one in reader.items(split, order[places])]
    if reader.form.kind == "tokens":
        return found
    broken = found[len(found) // 2].copy()
    broken.reshape(len(broken), -1)[len(broken) // 2, 0] = np.nan
    return [*found, broken]


def _card(given: Mapping[str, Artifact], options: Mapping[str, Any], data: Dataset) -> model_card.Card:
    parts = {name: data.split(name) for name in ("train", "validation", "test")}
    counts = {name: f"{len(part)} sequences, {int(part.lengths.sum())} frames" for name, part in parts.items()}
    best = given["network"].facts
    return model_card.Card(
        intended_use=f"The task of the pipeline {options['pipeline']!r}, on data like that it was trained on.",
        data={"source": data.source} | counts,
        making={
            "teacher": options["teacher"],
            "losses": ", ".join(options["losses"]),
            "seed": f"{best['seed']}, the best of its student's on validation",
            "recipe": options["recipe"],
        },
        limits=("Nothing is known about it on other populations, sensors or noise than those of its data.",),
    )
