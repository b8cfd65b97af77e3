"""The same sequences for two models that may have other names, layouts and states for them.

Timing feeds both in one process by the names of their inputs. Where the two mean different things by one name, as two
step graphs do whose states have other sizes, the new one is timed as a copy with those inputs renamed: nothing that is
computed changes by that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto

from ...benchmarks import feeds
from ...exporters.bundle import golden_file
from ...exporters.bundle.golden import BadGolden
from ...exporters.bundle.graph_facts import own_manifest
from ...exporters.bundle.manifest import FED
from ...exporters.foreign.check_file import Checked, read_regular
from ...exporters.foreign.check_tensors import FileRejected
from ..errors import Fault, InputRejected
from ..standalone import inputs
from ..standalone.feeding import CannotFeed, Feeding, understand
from .find import Found

Arrays = dict[str, NDArray[Any]]
_VARIANTS = 4  # sets of feeds that are cycled at a point
_UNFED = ("model.inputs", "model.run")  # what is wrong with the model rather than with the sequences
_APART = "new_side."
_SHOWN = 3


@dataclass(frozen=True)
class Unlike:
    """Why two models cannot be given the same inputs."""

    reason: str


@dataclass(frozen=True)
class Both:
    """How each of the two is fed, and sequences (T, F) of inputs that fit both."""

    old: Feeding
    new: Feeding
    sequences: list[NDArray[Any]]
    origin: str

    @property
    def median_length(self) -> int:
        """In frames."""
        lengths = sorted(len(one) for one in self.sequences)
        return max(1, self.old.form.frames(lengths[len(lengths) // 2]))


def feed_both(
    old: Found, new: Found, sequences: Sequence[NDArray[Any]] | None, given: Path | None, layout: str, seed: int
) -> Both | Unlike:
    """Sequences for two whole-sequence graphs: those given, a file's, the golden ones of either, or random ones.

    Args:
        sequences: (T, F) each, finite, tokens and samples (T, 1) too; ``None`` to look for some.
        given: an npz as ``compress quantize --calibration`` takes it.
        layout: axes of the frames where the user says them.

    Raises:
        ConfigError, InputRejected: the file is not in form.
    """
    try:
        if sequences is not None:
            pool, origin, constants = list(sequences), f"{len(sequences)} test sequences", None
        elif given is None and (golden := _golden(new) or _golden(old)):
            pool, origin, constants = golden, f"{len(golden)} golden sequences of the bundle", None
        else:
            source = inputs.Source(new.model, new.checked, None, own_manifest(new.checked.model), None)
            sample, _ = inputs.sample(source, given, layout, seed)
            pool, origin, constants = sample.sequences, sample.origin, dict(sample.constants)
        features = pool[0].shape[1]
        sides = [understand(one.checked.model, layout, constants, features) for one in (old, new)]
        if unlike := _other_form(*sides) or _other_channels(old, new):
            return Unlike(unlike)
        if sides[0].features != sides[1].features:
            return Unlike(f"the old takes {sides[0].features} features a frame, the new {sides[1].features}")
        times = {side.time for side in sides if side.time is not None}
        batches = {side.batch for side in sides if side.batch is not None}
        if len(times) > 1 or len(batches) > 1:
            return Unlike("each takes calls of one size only, and not of the same")
        for side in sides:
            pool = side.fit(pool)
    except CannotFeed as error:
        return Unlike(str(error))
    except InputRejected as error:
        if {fault.code for fault in error.faults} <= set(_UNFED):
            return Unlike("; ".join(f"{fault.rule} {fault.got}".strip() for fault in error.faults))
        raise
    return Both(sides[0], sides[1], pool, origin)


def _other_form(old: Feeding, new: Feeding) -> str:
    """Why the same inputs mean something else to both; empty where they do not."""
    before, after = old.form, new.form
    if before.kind != after.kind:
        return f"the old takes {before.kind}, the new {after.kind}"
    if before.sizes != after.sizes:
        known = [" and ".join(map(str, one.sizes)) for one in (before, after)]
        return f"the old knows {known[0]} tokens, the new {known[1]}"
    if before != after:
        said = [
            f"{one.sample_rate_hz} Hz, {one.least} for the first frame and {one.hop} for the next"
            for one in (before, after)
        ]
        return f"the old takes samples at {said[0]}, the new at {said[1]}"
    return ""


def _other_channels(old: Found, new: Found) -> str:
    """Which channels the two expect under the same places, where both say it and there are as many."""
    names = [one.about.features if one.about else () for one in (old, new)]
    if len(names[0]) != len(names[1]):
        return ""  # told by number, which holds for files that name none, too
    differ = [f"{place}: {was!r}, {now!r}" for place, (was, now) in enumerate(zip(*names, strict=True)) if was != now]
    more = f" and {len(differ) - _SHOWN} more" if len(differ) > _SHOWN else ""
    return f"the old and the new read other channels ({', '.join(differ[:_SHOWN])}{more})" if differ else ""


def grid(
    both: Both, wanted: Sequence[tuple[int, int]], seed: int
) -> tuple[tuple[tuple[int, int], Arrays, Arrays], ...]:
    """Every (batch, length) once more for each set of feeds: the feeds of the old, those of the new."""
    rng, form = np.random.default_rng(seed), both.old.form
    values, offsets = np.concatenate(both.sequences), np.cumsum([0, *map(len, both.sequences)])
    made = []
    for batch, length in wanted:
        more: dict[str, Any] = {"variants": _VARIANTS, "seed": int(rng.integers(2**31))}
        for one in feeds.grid(values, offsets, (batch,), (length,), form=form, **more):
            rows = [[row.reshape(len(row), -1) for row in each[form.kind]] for each in one.feeds]
            made += [((batch, length), both.old.feed(row), both.new.feed(row)) for row in rows]
    return tuple(made)


def points(
    both: Both, models: tuple[Checked, Checked], wanted: Sequence[tuple[int, int]], seed: int, scratch: Path
) -> tuple[tuple[feeds.Point, ...], Path, Path]:
    """Points of the grid with feeds that serve both models, and the two files to time.

    Args:
        wanted: (batch, length) each.
        scratch: where a renamed copy goes, if one is needed.
    """
    fed = grid(both, wanted, seed)
    clash = sorted(
        name
        for name in fed[0][1].keys() & fed[0][2].keys()
        if any(not _same(old[name], new[name]) for _, old, new in fed)
    )
    old, new = models
    path = new.path
    if clash:
        path = scratch / "new.onnx"
        path.write_bytes(_renamed(new.model, {name: _APART + name for name in clash}))
    found: dict[tuple[int, int], list[Arrays]] = {}
    for at, left, right in fed:
        found.setdefault(at, []).append(left | {_APART * (name in clash) + name: right[name] for name in right})
    return tuple(feeds.Point(*at, tuple(sets)) for at, sets in found.items()), old.path, path


def allowed(both: Both, wanted: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The points of a grid that both can be called at, each once: a graph may fix its batch or its length."""
    batch = both.old.batch or both.new.batch
    time = both.old.time or both.new.time
    return list(dict.fromkeys((batch or b, time or length) for b, length in wanted))


def _same(left: NDArray[Any], right: NDArray[Any]) -> bool:
    return left.dtype == right.dtype and np.array_equal(left, right)


def _golden(found: Found) -> list[NDArray[Any]]:
    """Finite sequences that a bundle was shipped with."""
    if found.bundle is None or found.golden is None:
        return []
    roles = {one.role: one.name for one in found.bundle.model.inputs}
    try:
        stored = golden_file.from_bytes(read_regular(found.golden, 2**31), found.bundle.golden.tolerance)
    except (BadGolden, FileRejected) as error:
        raise InputRejected(Fault("bundle.golden", found.source, "must hold the golden arrays", str(error))) from error
    frames, lengths = next((roles[role] for role in FED if role in roles), ""), roles.get("lengths", "")
    ranks, dtype = ((2, 3), "int64") if "tokens" in roles else ((2,) if "samples" in roles else (3,), "float32")
    return [
        np.ascontiguousarray(row[: int(length)], dtype=dtype).reshape(int(length), -1)
        for case in stored.whole
        if frames in case.inputs
        and lengths in case.inputs
        and case.inputs[frames].ndim in ranks
        and len(case.inputs[frames]) == 1  # the batched cases hold the same ones again
        for row, length in zip(case.inputs[frames], case.inputs[lengths], strict=True)
        if length > 0 and np.isfinite(row).all()
    ]


def _renamed(model: ModelProto, names: dict[str, str]) -> bytes:
    """The model with other names for inputs, wherever they are read or passed on."""
    copy = ModelProto()
    copy.CopyFrom(model)
    for value in copy.graph.input:
        value.name = names.get(value.name, value.name)
    for graph in _graphs(copy.graph):
        for node in graph.node:
            for at, name in enumerate(node.input):
                node.input[at] = names.get(name, name)
    return copy.SerializeToString()


def _graphs(graph: GraphProto) -> list[GraphProto]:
    inner = [
        one for node in graph.node for a in node.attribute for one in (*a.graphs, *([a.g] if a.HasField("g") else []))
    ]
    return [graph, *(each for one in inner for each in _graphs(one))]
