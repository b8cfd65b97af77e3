"""The folder that ``compress quantize`` leaves: a bundle, or the bare model where none can describe it. No torch."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx

from ...exporters.bundle import model_card
from ...exporters.bundle.golden import FLOAT_TOLERANCE, INT8_TOLERANCE, BadGolden, Golden, golden_of_feeds, make_golden
from ...exporters.bundle.graph_facts import BadGraphFacts
from ...exporters.bundle.manifest import Description, NonFinite, Tolerance, Weights
from ...exporters.bundle.verify import MODEL
from ...exporters.bundle.write import BadBundle, write_bundle
from ...exporters.manifest import Manifest
from ...exporters.quantize.contract import Floats
from ..errors import Fault, StageFailed
from .feeding import Feeding
from .inputs import Sample, Source
from .result import Request, Result

FACTS = "quantization.json"
NON_FINITE = {
    "propagate": "a NaN or infinite feature in a real frame makes every output NaN",
    "clean": "a NaN or infinite feature is read as its mean over the training frames",
    "undefined": "whatever the given graph did; recurrent and int8 kernels may turn NaN into an ordinary number",
}
_GOLDEN_SEQUENCES = 4


def write(
    request: Request, source: Source, result: Result, taken: Sample, feeding: Feeding, made: Path, step: Path | None
) -> Result:
    """Write the folder and say what is in it.

    Raises:
        StageFailed: the bundle does not pass its own check.
    """
    tolerance = INT8_TOLERANCE if "int8" in request.recipe else FLOAT_TOLERANCE
    try:
        about = _describe(source, result, feeding, made, step)
        golden = _golden(source, _spread(taken.sequences), feeding, made, step, tolerance)
        card = model_card.render(about, _card(source, result))
        written = write_bundle(request.out, model=made, step=step, description=about, golden=golden, card=card)
    except (BadGraphFacts, BadGolden) as error:
        return _bare(request, result, made, str(error))
    except BadBundle as error:
        faults = [Fault(one.code, one.where, one.rule, one.got) for one in error.problems]
        raise StageFailed(faults) from error
    files = tuple(sorted((*written.files, "manifest.json")))
    return replace(result, files=files, digest=written.digest)


def _describe(source: Source, result: Result, feeding: Feeding, made: Path, step: Path | None) -> Description:
    policy = source.policy or "undefined"
    name = source.path.stem if source.bundle is None else source.bundle.name
    more: dict[str, Any] = {
        "name": f"{name.removesuffix('/float32')}/{result.recipe}",
        "non_finite": NonFinite.model_validate({"policy": policy, "rule": NON_FINITE[policy]}),
        "weights": _weights(result, made),
        "leaks": result.leaks,
        "lineage": {"float model": result.reference_sha256},
    }
    if source.policy:
        manifest = Manifest.read(onnx.load(step or made))
        if source.bundle is not None:
            kept = ("preprocessing", "vocabulary", "device")
            more |= {name: getattr(source.bundle, name) for name in kept}
        return Description.of(manifest, **more)
    return Description(
        task="that of the given file",
        architecture=f"as in {source.path.name}",
        recipe=result.recipe,
        labels=(),
        features=(),
        causal=False,
        receptive_field=None,
        look_ahead=None,
        frame_period_ms=None,
        notes=(*result.notes, f"fed with {result.fed}"),
        roles=feeding.roles(),
        **more,
    )


def _weights(result: Result, made: Path) -> Weights:
    from ...benchmarks.footprint import footprint

    counted = footprint(made)
    return Weights(
        parameters=counted.parameters,
        weight_bytes=counted.weight_bytes,
        int8_share=counted.int8_share,
        left_in_float=tuple(f"{one.name} ({one.size_bytes} bytes): {one.reason}" for one in result.left_in_float),
    )


def _golden(
    source: Source, sequences: list[Floats], feeding: Feeding, made: Path, step: Path | None, tolerance: Tolerance
) -> Golden:
    if source.policy:
        states = Manifest.read(onnx.load(step)).states if step else ()
        return make_golden(made, step, [feeding.fed(one) for one in sequences], states, tolerance=tolerance)
    return golden_of_feeds(made, [feeding.feed([one]) for one in sequences], tolerance)


def _spread(sequences: list[Floats]) -> list[Floats]:
    """A few, from the shortest to the longest."""
    ordered = sorted(sequences, key=len)
    most = min(_GOLDEN_SEQUENCES, len(ordered))
    return [ordered[round(at * (len(ordered) - 1) / max(most - 1, 1))] for at in range(most)]


def _card(source: Source, result: Result) -> model_card.Card:
    agreement = "no output looks like scores" if result.agreement is None else f"{result.agreement:.2%}"
    return model_card.Card(
        intended_use=f"What {source.path.name} was made for; only its numbers were made narrower here.",
        data={"compared on": result.compared_on},
        making={
            "recipe": result.recipe,
            "from": f"{source.path.name}, sha256 {result.reference_sha256}",
            "largest difference": f"{result.worst:.3g}; the largest output is {result.largest_output:.3g}",
            "same label": agreement,
        },
        limits=("Its quality on labelled data was not measured here.",),
    )


def _bare(request: Request, result: Result, made: Path, why: str) -> Result:
    """The model and what is known of it, where its inputs or outputs are beyond a bundle's manifest."""
    request.out.mkdir(parents=True, exist_ok=True)
    noted = replace(
        result, notes=(*result.notes, f"no bundle, the model alone: {why}"), files=tuple(sorted((MODEL, FACTS)))
    )
    (request.out / FACTS).write_text(json.dumps(noted.as_json(), indent=2) + "\n", encoding="utf-8")
    (request.out / MODEL).write_bytes(made.read_bytes())
    return noted
