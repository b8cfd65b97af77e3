"""A bundle of a model small enough to read: the mean of all frames so far, times a matrix."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from seqpress.exporters.bundle.golden import make_golden
from seqpress.exporters.bundle.manifest import BundleManifest, Description, Metric, NonFinite
from seqpress.exporters.bundle.model_card import Card, render
from seqpress.exporters.bundle.write import write_bundle
from seqpress.exporters.manifest import Manifest, StateSpec

LABELS, FEATURES = ("yes", "no"), ("a", "b", "c")
STATES = (
    StateSpec("total", "total_in", "total_out", ("batch", 3), "float32"),
    StateSpec("count", "count_in", "count_out", ("batch", 1), "int64"),
)
_HEAD = '<ir_version: 10, opset_import: ["" : 20]>'
_WEIGHTS = "<float[3,2] w = {0.5, -1.0, 2.0, 0.25, -0.75, 1.5}, int64[1] one = {1}>"
_ENDS = "float[batch,2] probabilities, float[batch,2] logits"
_WHOLE = f"""{_HEAD} whole (float[batch,time,3] frames, int64[batch] lengths) => ({_ENDS}) {_WEIGHTS} {{
    total = ReduceSum <keepdims = 0> (frames, one)
    counted = Cast <to = 1> (lengths)
    count = Unsqueeze (counted, one)
    mean = Div (total, count)
    logits = MatMul (mean, w)
    probabilities = Softmax <axis = -1> (logits)
}}"""
_STEP = f"""{_HEAD} step (float[batch,chunk,3] frames, float[batch,3] total_in, int64[batch,1] count_in)
    => ({_ENDS}, float[batch,3] total_out, int64[batch,1] count_out) {_WEIGHTS} {{
    new = ReduceSum <keepdims = 0> (frames, one)
    total_out = Add (total_in, new)
    chunk = Shape <start = 1, end = 2> (frames)
    count_out = Add (count_in, chunk)
    count = Cast <to = 1> (count_out)
    mean = Div (total_out, count)
    logits = MatMul (mean, w)
    probabilities = Softmax <axis = -1> (logits)
}}"""
SEQUENCES = [
    np.random.default_rng(seed).standard_normal((length, 3)).astype(np.float32)
    for seed, length in enumerate((3, 1, 16))
]


def own(**changes: object) -> Manifest:
    facts: dict[str, object] = {
        "task": "classification", "labels": LABELS, "features": FEATURES, "architecture": "mean", "parameters": 6,
        "causal": True, "receptive_field": None, "look_ahead": 0,
    }  # fmt: skip
    return Manifest(**(facts | changes))


@dataclass(frozen=True)
class Parts:
    """What goes into a bundle, to be changed by a test before it is written."""

    model: Path
    step: Path | None
    description: Description

    def write(self, into: Path) -> BundleManifest:
        golden = make_golden(self.model, self.step, SEQUENCES, self.description.states)
        card = render(self.description, Card("To be tested."))
        return write_bundle(
            into, model=self.model, step=self.step, description=self.description, golden=golden, card=card
        )


def parts(folder: Path, *, streaming: bool = True) -> Parts:
    """The graphs in ``folder``, and their description."""
    folder.mkdir(exist_ok=True)
    whole, step = _parsed(_WHOLE), _parsed(_STEP)
    own().write(whole)
    told = own(states=STATES)
    told.write(step)
    onnx.save(whole, folder / "whole.onnx")
    onnx.save(step, folder / "step.onnx")
    metric = Metric(name="accuracy", split="test", value=0.9, low=0.8, high=0.95, n=60, by_class={"yes": 1.0})
    about = Description.of(
        told if streaming else replace(told, states=()),
        name="mean/float32",
        non_finite=NonFinite(policy="propagate", rule="NaN in, NaN out."),
        metrics=(metric,),
        lineage={"data": "ab" * 32},
    )
    return Parts(folder / "whole.onnx", folder / "step.onnx" if streaming else None, about)


def _parsed(text: str) -> onnx.ModelProto:
    """The parser keeps numbers in lists, exporters as raw bytes."""
    model = onnx.parser.parse_model(text)
    for tensor in model.graph.initializer:
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor), tensor.name))
    return model
