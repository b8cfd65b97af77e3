"""The folder that is shipped: files, contract, golden outputs, self test and card of one variant."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ...benchmarks import quality
from ...benchmarks.footprint import footprint
from ...exporters.bundle import model_card
from ...exporters.bundle.golden import make_golden
from ...exporters.bundle.manifest import Description, LeakProbe, Metric, NonFinite, Standardize, Weights
from ...exporters.bundle.write import write_bundle
from ...exporters.cleanup import to_bytes
from ...exporters.manifest import Manifest
from ..data.dataset import Dataset, Sequences
from ..engine.task import Artifact, Context, Outcome
from .quantize import MODEL, STEP

_GOLDEN_SEQUENCES = 4
_NON_FINITE = {
    "propagate": "a NaN or infinite feature in a real frame makes every output NaN",
    "clean": "a NaN or infinite feature is read as its mean over the training frames",
}


def run(given: Mapping[str, Artifact], options: Mapping[str, Any], into: Path, context: Context) -> Outcome:
    """Inputs: ``data``, ``models``, ``network`` (the best seed), ``parity``, and ``evaluation-<seed>`` for each seed.
    Options: ``name`` of the variant, ``recipe``, ``pipeline``, ``teacher``, ``losses``, ``non_finite``.
    """
    recipe, data = options["recipe"], Dataset.read(given["data"].files)
    metrics = _metrics(given, data)
    model = _with_quality(given["models"] / f"{recipe}.onnx", metrics, context.scratch / MODEL)
    stream = given["models"].files.get(f"{recipe}.step.onnx")
    step = _with_quality(stream, metrics, context.scratch / STEP) if stream else None
    manifest = Manifest.read(onnx.load(step or model))
    about = Description.of(
        manifest,
        name=options["name"],
        non_finite=NonFinite(policy=options["non_finite"], rule=_NON_FINITE[options["non_finite"]]),
        preprocessing=(Standardize(mean=tuple(map(float, data.mean)), std=tuple(map(float, data.std))),),
        metrics=metrics,
        weights=_weights(given["models"].facts["variants"][recipe]),
        leaks=_leaks(given["parity"].facts[recipe]),
        lineage={role: artifact.digest for role, artifact in given.items()},
    )
    golden = make_golden(model, step, _sequences(data.test), manifest.states)
    card = model_card.render(about, _card(given, options, data))
    folder = context.scratch / "bundle"
    written = write_bundle(folder, model=model, step=step, description=about, golden=golden, card=card)
    for file in folder.iterdir():
        file.rename(into / file.name)
    return Outcome({"digest": written.digest, "footprint": asdict(footprint(into / MODEL))})


def _with_quality(source: Path, metrics: tuple[Metric, ...], target: Path) -> Path:
    """The same graph with its measured quality in its metadata; not a node or a weight is touched."""
    model = onnx.load(source)
    words = tuple(
        f"{m.name} {m.value:.4f} on {m.n} {m.split} items, {m.confidence:.0%} interval {m.low:.4f} to {m.high:.4f}"
        for m in metrics
    )
    replace(Manifest.read(model), quality=words).write(model)
    target.write_bytes(to_bytes(model))
    return target


def _metrics(given: Mapping[str, Artifact], data: Dataset) -> tuple[Metric, ...]:
    """Accuracy on the test split, of this very file, with a 95 % interval; and each class's recall."""
    facts = given[f"evaluation-{given['models'].facts['seed']}"].facts
    predicted: NDArray[np.int64] = np.asarray(facts["predicted"], dtype=np.int64)
    found = quality.accuracy(predicted, np.asarray(data.test.labels))
    recalls = quality.by_class(predicted, np.asarray(data.test.labels), data.labels)
    return (
        Metric(
            name="accuracy",
            split="test",
            value=found.value,
            low=found.low,
            high=found.high,
            confidence=found.confidence,
            n=found.n,
            by_class=recalls,
        ),
    )


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


def _sequences(split: Sequences) -> list[NDArray[np.float32]]:
    """Real sequences from the shortest to the longest, then one with a NaN: the self test shows the policy for it."""
    order = np.argsort(split.lengths, kind="stable")
    places = np.linspace(0, len(order) - 1, min(_GOLDEN_SEQUENCES, len(order))).astype(int)
    found = [np.array(split.item(int(order[place]))) for place in places]
    broken = found[len(found) // 2].copy()
    broken[len(broken) // 2, 0] = np.nan
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
