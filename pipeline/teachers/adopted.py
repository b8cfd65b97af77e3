"""A foreign ONNX file as a teacher: the same graph behind our names, so that nothing downstream needs a special case.

The file is checked before onnx or onnxruntime see it, and tried on two small batches in a child process with limits.
Only its ends change: inputs get the names and types that every artifact of ours has, outputs become ``logits`` and
``probabilities``, or ``values``. What it computes in between is the user's.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from ...benchmarks.footprint import ModelRejected, weigh
from ...exporters.foreign import isolate
from ...exporters.foreign.check_file import check_file
from ...exporters.foreign.check_tensors import FileRejected
from ...exporters.forms import LOGITS, PROBABILITIES, VALUES, Axes, InputForm, OutputForm
from ...exporters.manifest import LENGTHS, Manifest
from ..errors import ConfigError, Fault, InputRejected
from ..named.files import open_regular

Kind = Literal["logits", "probabilities", "values"]
_WHERE = "teacher.onnx"
_PREFIX = "theirs/"
_MOST_BYTES = 2**31 - 2**20  # of one protobuf file, with room for what is added
_TINY = float(np.finfo(np.float32).tiny)
_BELOW_ONE = float(np.nextafter(np.float32(1), np.float32(0)))
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
_WHOLE = (TensorProto.INT64, TensorProto.INT32)
_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}


@dataclass(frozen=True)
class Ends:
    """What the user says about the file's ends; what is left out is found where only one can be meant.

    Args:
        inputs: our name ("frames", "tokens" or "samples", and "lengths") to the file's own.
        output: the file's own name of what is learned from.
        kind: what the numbers are; left out, values where the task answers with values, else logits.
    """

    inputs: Mapping[str, str | None]
    output: str | None = None
    kind: Kind | None = None


def adopt(path: Path, ends: Ends, manifest: Manifest, expected: str | None = None) -> ModelProto:
    """The file as one of ours: one file, our names, our metadata.

    Args:
        path: the user's file; weights in files beside it come into the model.
        ends: what is what.
        manifest: what the task asks of every artifact: ``task``, ``labels``, ``features``, ``input`` and ``output``
            count; parameters are counted here.
        expected: the file's sha256 when the task's key was made.

    Raises:
        ConfigError: the file is not there, or has no such input or output.
        InputRejected: it is unsafe, changed, does not run, or its ends are not those of the task: all that was found.
    """
    with open_regular(path, _WHERE, path.name):
        pass  # a missing file, a link or a device gets the fault that every other path gets
    try:
        checked = check_file(path)
    except FileRejected as error:
        raise InputRejected(
            Fault("model.rejected", f"{_WHERE} {path.name}", f"{error.where} {error.rule}", error.got)
        ) from error
    if expected is not None and checked.sha256 != expected:
        raise InputRejected(Fault("model.changed", _WHERE, "must not change during a run", repr(path.name)))
    if checked.size_bytes + sum(checked.external.values()) > _MOST_BYTES:
        raise InputRejected(Fault("model.rejected", _WHERE, "must have at most 2 GB of weights", repr(path.name)))
    onnx.load_external_data_for_model(checked.model, str(path.parent))
    adopted = _Adoption(path.name, checked.model, ends, manifest).done()
    _try(adopted, manifest, path.name)
    return adopted


class _Adoption:
    def __init__(self, name: str, theirs: ModelProto, ends: Ends, manifest: Manifest) -> None:
        self.name, self.theirs, self.ends, self.manifest = name, theirs, ends, manifest
        stored = {tensor.name for tensor in theirs.graph.initializer}
        self.inputs = {value.name: value for value in theirs.graph.input if value.name not in stored}
        self.outputs = {value.name: value for value in theirs.graph.output}
        self.faults: list[Fault] = []

    def done(self) -> ModelProto:
        form, shaped = self.manifest.input, self.manifest.output
        kind: Kind = self.ends.kind or (VALUES if shaped.raw == VALUES else LOGITS)  # type: ignore[assignment]  # both are
        taken, output = self._names(), self._output()
        ours = {
            form.kind: (form.whole(len(self.manifest.features)), form.dtype),
            LENGTHS: (("batch",), "int64"),
        }
        for own, their in taken.items():
            self._check(own, self.inputs[their], *ours[own])
        if shaped.activation == "score":
            self._fault("must be a network of seqpress for the task anomaly: a score is made in its graph")
        elif (kind == VALUES) != (shaped.raw == VALUES):
            self._fault(f"teacher.output.kind must be {shaped.raw} for this task", repr(kind))
        if output is not None:
            self._check_output(self.outputs[output], shaped)
        if self.faults or output is None:
            raise InputRejected(self.faults)
        return self._built({own: (their, *ours[own]) for own, their in taken.items()}, output, kind)

    def _names(self) -> dict[str, str]:
        """Our names to the file's, the data first."""
        data = self.manifest.input.kind
        said = {own: their for own, their in self.ends.inputs.items() if their is not None}
        for own, their in said.items():
            if own not in (data, LENGTHS):
                self._wrong(
                    f"teacher.inputs.{own}", f"must be {data} or lengths: that is what the data are", repr(their)
                )
            if their not in self.inputs:
                self._wrong(f"teacher.inputs.{own}", f"must name one of {self._listed(self.inputs)}", repr(their))
        if self.faults:
            raise ConfigError(self.faults)
        left = [name for name in self.inputs if name not in said.values()]
        for own in (LENGTHS, data):  # lengths have one axis, the data never
            flat = [name for name in left if (len(_axes(self.inputs[name])) == 1) == (own == LENGTHS)]
            guess = [own] if own in left else flat
            if own not in said and len(guess) == 1:
                said[own] = guess[0]
                left.remove(guess[0])
        if data not in said or left:
            hint = f"say which is which: inputs: {{{data}: ..., lengths: ...}}"
            rule = f"must take {data}, may take lengths, and nothing else"
            self._fault(rule, self._listed(self.inputs), hint)
            raise ConfigError(self.faults)
        return {own: said[own] for own in (data, LENGTHS) if own in said}

    def _output(self) -> str | None:
        said = self.ends.output
        if said is None and len(self.outputs) == 1:
            return next(iter(self.outputs))
        if said is None and self.manifest.output.raw in self.outputs:  # it is named as ours are
            return self.manifest.output.raw
        if said in self.outputs:
            return said
        rule = f"must name one of {self._listed(self.outputs)}"
        raise ConfigError(Fault("model.inputs", "teacher.output.name", rule, "nothing" if said is None else repr(said)))

    def _check(self, own: str, value: ValueInfoProto, axes: Axes, dtype: str) -> None:
        kind, given = value.type.tensor_type.elem_type, _axes(value)
        allowed = _FLOATS if dtype == "float32" else _WHOLE
        if kind not in allowed:
            rule = f"must take {own} as {' or '.join(_type_name(one) for one in allowed)}"
            self._fault(f"input {value.name!r} {rule}", _type_name(kind))
        said = ", ".join(str(axis) for axis in axes)
        if value.type.tensor_type.HasField("shape") and len(given) != len(axes):
            self._fault(f"input {value.name!r} must be {own} ({said})", f"{len(given)} axes")
            return
        for axis, size in zip(axes, given, strict=False):
            if isinstance(axis, int) and isinstance(size, int) and size != axis:
                self._fault(f"input {value.name!r} must be {own} ({said})", f"{axis} is {size} there")
            elif isinstance(axis, str) and isinstance(size, int):
                hint = f"export it with the {axis} axis dynamic"
                self._fault(f"input {value.name!r} must leave {axis} free", f"fixed at {size}", hint)

    def _check_output(self, value: ValueInfoProto, shaped: OutputForm) -> None:
        axes, given = shaped.outputs(len(self.manifest.labels))[shaped.raw], _axes(value)
        said = f"output {value.name!r} must be ({', '.join(str(axis) for axis in axes)})"
        if value.type.tensor_type.elem_type not in _FLOATS:
            self._fault(f"output {value.name!r} must hold floats", _type_name(value.type.tensor_type.elem_type))
        if value.type.tensor_type.HasField("shape") and len(given) != len(axes):
            self._fault(said, f"{len(given)} axes")
            return
        wrong = [
            f"{b}" for a, b in zip(axes, given, strict=False) if isinstance(a, int) and isinstance(b, int) and a != b
        ]
        if wrong:
            self._fault(said, f"{', '.join(wrong)} there", "labels and targets are those of the data set, in its order")

    def _built(self, taken: Mapping[str, tuple[str, Axes, str]], output: str, kind: Kind) -> ModelProto:
        """Their graph, every name in it behind a prefix, between our ends."""
        model = onnx.compose.add_prefix(self.theirs, _PREFIX)
        graph, shaped = model.graph, self.manifest.output
        before = [
            helper.make_node("Cast", [own], [_PREFIX + their], to=self.inputs[their].type.tensor_type.elem_type)
            for own, (their, _, _) in taken.items()
        ]
        behind, constants = _answers(_PREFIX + output, kind, shaped)
        nodes = [*before, *graph.node, *behind]
        del graph.node[:], graph.input[:], graph.output[:]
        graph.node.extend(nodes)
        graph.initializer.extend(constants)
        graph.input.extend(
            helper.make_tensor_value_info(own, _TYPES[dtype], axes) for own, (_, axes, dtype) in taken.items()
        )
        graph.output.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, axes)
            for name, axes in shaped.outputs(len(self.manifest.labels)).items()
        )
        try:
            size = weigh(model, 0).parameters
        except ModelRejected as error:
            raise InputRejected(
                Fault("model.rejected", f"{_WHERE} {self.name}", "must be weighed", f"{error}")
            ) from error
        facts = {one: getattr(self.manifest, one) for one in ("task", "labels", "features", "input", "output")}
        own = Manifest(
            **facts,
            architecture=f"onnx {self.name}",
            parameters=size,
            causal=False,
            receptive_field=None,
            frame_period_ms=self.manifest.frame_period_ms,
            notes=(f"computed by {self.name} of the user's own",),
        )
        own.write(model)
        return model

    def _listed(self, values: Mapping[str, ValueInfoProto]) -> str:
        shown = [
            f"{name!r} {_type_name(value.type.tensor_type.elem_type)} ({', '.join(map(str, _axes(value)))})"
            for name, value in list(values.items())[:8]
        ]
        return ", ".join(shown)[:400]

    def _fault(self, rule: str, got: str = "", hint: str = "") -> None:
        self._wrong(f"{_WHERE} {self.name}", rule, got, hint)

    def _wrong(self, where: str, rule: str, got: str = "", hint: str = "") -> None:
        self.faults.append(Fault("model.inputs", where, rule, got, hint))


def _answers(output: str, kind: Kind, shaped: OutputForm) -> tuple[list[NodeProto], list[TensorProto]]:
    """Nodes from the file's answer to our outputs."""
    if kind == VALUES:
        return [helper.make_node("Cast", [output], [VALUES], to=TensorProto.FLOAT)], []
    one_of_many = shaped.activation == "softmax"
    if kind == LOGITS:
        final = helper.make_node("Sigmoid", [LOGITS], [PROBABILITIES])
        if one_of_many:
            final = helper.make_node("Softmax", [LOGITS], [PROBABILITIES], axis=-1)
        return [helper.make_node("Cast", [output], [LOGITS], to=TensorProto.FLOAT), final], []
    # A probability of nought has a logit of minus infinity, which no loss could learn from.
    constants = [_scalar("ours/tiny", _TINY)]
    nodes = [
        helper.make_node("Cast", [output], [PROBABILITIES], to=TensorProto.FLOAT),
        helper.make_node("Max", [PROBABILITIES, "ours/tiny"], ["ours/least"]),
    ]
    if one_of_many:
        return [*nodes, helper.make_node("Log", ["ours/least"], [LOGITS])], constants
    constants += [_scalar("ours/one", 1.0), _scalar("ours/below_one", _BELOW_ONE)]
    return [
        *nodes,
        helper.make_node("Min", ["ours/least", "ours/below_one"], ["ours/present"]),
        helper.make_node("Sub", ["ours/one", "ours/present"], ["ours/absent"]),
        helper.make_node("Div", ["ours/present", "ours/absent"], ["ours/odds"]),
        helper.make_node("Log", ["ours/odds"], [LOGITS]),
    ], constants


def _scalar(name: str, value: float) -> TensorProto:
    return onnx.numpy_helper.from_array(np.array(value, np.float32), name)


def _axes(value: ValueInfoProto) -> list[str | int]:
    """Sizes where fixed, names where free."""
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in dims]


def _type_name(kind: int) -> str:
    return TensorProto.DataType.Name(kind).lower()


# -- a first try, in a child process ---------------------------------------------------------------------------------


def _try(model: ModelProto, manifest: Manifest, name: str) -> None:
    """Two batches of other sizes.

    Raises:
        InputRejected: it does not run on them, or answers in another shape, or with what are no probabilities.
    """
    where = f"{_WHERE} {name}"
    with tempfile.TemporaryDirectory(prefix="seqpress-teacher-") as scratch:
        path = Path(scratch, "model.onnx")
        path.write_bytes(model.SerializeToString(deterministic=True))
        try:
            problems = isolate.call(f"{__name__}:trial", [str(path)])
        except isolate.ChildFailed as error:
            raise InputRejected(
                Fault("model.run", where, "must run on sequences of the data's form", str(error))
            ) from error
    if problems:
        raise InputRejected([Fault("model.run", where, rule, got, hint) for rule, got, hint in problems])


def trial(path: str) -> list[Sequence[str]]:
    """Run an adopted file on small random batches; rule, got and hint of what is wrong. Runs in a child process."""
    from ...exporters.bundle.golden import open_session

    session = open_session(Path(path))
    manifest = Manifest.from_props(session.get_modelmeta().custom_metadata_map)
    form, shaped = manifest.input, manifest.output
    names = list(shaped.outputs(len(manifest.labels)))
    takes_lengths = LENGTHS in {one.name for one in session.get_inputs()}
    rng, problems = np.random.default_rng(0), []
    for batch, frames in ((2, 7), (3, 4)):
        feeds: dict[str, Any] = {form.kind: _example(form, len(manifest.features), batch, frames, rng)}
        if takes_lengths:
            feeds[LENGTHS] = np.array([form.inputs(frames)] + [form.inputs(frames - 2)] * (batch - 1), np.int64)
        answers = dict(zip(names, session.run(names, feeds), strict=True))
        axes = shaped.outputs(len(manifest.labels))[shaped.raw]
        sizes = {"batch": batch, "time": frames}
        expected = tuple(sizes[axis] if isinstance(axis, str) else axis for axis in axes)
        found = answers[shaped.raw]
        if found.shape != expected:
            rule = f"must give ({', '.join(map(str, axes))}), here {expected} for {batch} sequences of {frames} frames"
            return [(rule, str(found.shape), "")]
        if not np.isfinite(found).all():
            return [("must give finite answers", "NaN or infinity for random inputs", "")]
        if shaped.raw == LOGITS:
            problems += _probability_problems(answers[PROBABILITIES], shaped)
    return problems[:1]


def _probability_problems(found: np.ndarray[Any, Any], shaped: OutputForm) -> list[Sequence[str]]:
    hint = "say teacher.output.kind: logits if that is what the file gives"
    if found.min() < -1e-4 or found.max() > 1 + 1e-4:
        return [("must give probabilities from 0 to 1", f"{found.min():.3g} to {found.max():.3g}", hint)]
    if shaped.activation == "softmax" and np.abs(found.sum(axis=-1) - 1).max() > 1e-2:
        total = float(found.sum(axis=-1).max())
        return [("must give probabilities that sum to 1", f"a sum of {total:.3g}", hint)]
    return []


def _example(form: InputForm, features: int, batch: int, frames: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    if form.kind == "samples":
        return rng.uniform(-0.5, 0.5, (batch, form.inputs(frames))).astype(np.float32)
    shape = (batch, frames, *form.item(features))
    if form.kind == "tokens":
        return rng.integers(0, min(form.sizes or (1,)), shape)
    return rng.standard_normal(shape).astype(np.float32)
