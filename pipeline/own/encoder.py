"""A student of the user's own: an encoder that gets front, head, streaming and export like any other.

``build(inputs=F, **arguments)`` returns a torch module with ``width``, ``forward(frames, lengths)`` and, where it says
``causal = True``, ``initial_state`` and ``advance`` as ``models.contract.SequenceModel`` has them; it need not inherit
from it. What it promises is probed when it is built, because a broken promise would be found on the device.
"""

from collections.abc import Iterator, Mapping
from typing import Any, final

import torch
from torch import Tensor, nn

from ...models.contract import NotCausal, SequenceModel, State
from ..errors import Fault, InputRejected
from ..named.entry import Entry

_TIME, _BATCH, _CHUNKS = 9, 3, (4, 1, 4)
_TOLERANCE = 1e-4  # of the largest output: float32, other orders of summation


@final
class OwnEncoder(SequenceModel):
    """The user's module behind the contract; what it raises is named as theirs.

    Args:
        module: what their function returned.
        entry: the function, for messages.
        inputs: features per frame.
    """

    def __init__(self, module: nn.Module, entry: Entry, inputs: int) -> None:
        super().__init__()
        self.module, self.entry = module, entry
        self.inputs = inputs
        self.width = _number(module, "width", entry)
        self.causal = bool(getattr(module, "causal", False))
        field = getattr(module, "receptive_field", None)
        self.receptive_field = None if field is None else _number(module, "receptive_field", entry)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        if torch.compiler.is_exporting():  # the tracer names its own faults
            return self.module(frames, lengths)
        with self.entry.running():
            return self.module(frames, lengths)

    def initial_state(self, batch: int) -> State:
        if not self.causal:
            raise NotCausal(self.module)
        with self.entry.running():
            return self.module.initial_state(batch)  # type: ignore[operator]  # probed when it was built

    def advance(self, frames: Tensor, state: State) -> tuple[Tensor, State]:
        if not self.causal:
            raise NotCausal(self.module)
        if torch.compiler.is_exporting():
            return self.module.advance(frames, state)  # type: ignore[operator]  # probed when it was built
        with self.entry.running():
            return self.module.advance(frames, state)  # type: ignore[operator]  # probed when it was built


def build_encoder(
    entry: Entry, inputs: int, arguments: Mapping[str, Any], expected: Mapping[str, str] | None = None
) -> OwnEncoder:
    """Call the user's function and hold what it returns to the contract.

    Its weights are drawn from torch's current random state, which the probes leave alone.

    Args:
        inputs: features per frame, given to the function as ``inputs``.
        arguments: the other keyword arguments.
        expected: digest of the entry when the task's key was made.

    Raises:
        ConfigError, StageFailed: there is no such function; it, or its module, raised.
        InputRejected: what it returns is no encoder, or breaks promises: all that were found.
    """
    made = entry.call(arguments={"inputs": inputs, **arguments}, expected=expected)
    if not isinstance(made, nn.Module):
        raise InputRejected(Fault("module.kind", _where(entry), "must return a torch.nn.Module", type(made).__name__))
    encoder = OwnEncoder(made.float().cpu(), entry, inputs)
    missing = [name for name in ("initial_state", "advance") if not callable(getattr(made, name, None))]
    if encoder.causal and missing:
        hint = "initial_state(batch) -> {name: (batch, ...)}; advance(frames, state) -> (features, state)"
        rule = "must have initial_state and advance where causal is true"
        raise InputRejected(Fault("module.streaming", _where(entry), rule, f"no {' and no '.join(missing)}", hint))
    training = made.training
    encoder.eval()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        faults = list(_broken(encoder))
    if faults:
        raise InputRejected(faults)
    return encoder.train(training)


def _number(module: nn.Module, name: str, entry: Entry) -> int:
    value = getattr(module, name, None)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        hint = "width: features per frame that forward gives" if name == "width" else "None where it is unbounded"
        rule = f"must return a module whose {name} is a whole number from 1"
        raise InputRejected(Fault("module.answer", _where(entry), rule, repr(value)[:80], hint))
    return value


def _where(entry: Entry) -> str:
    return f"{entry.where} {entry.name}"


def _broken(encoder: OwnEncoder) -> Iterator[Fault]:
    """Promises that do not hold, the shape first: without it nothing else can be asked."""
    where = _where(encoder.entry)
    frames, lengths = torch.randn(_BATCH, _TIME, encoder.inputs), torch.full((_BATCH,), _TIME)
    shape = (_BATCH, _TIME, encoder.width)
    out = encoder(frames, lengths)
    if not isinstance(out, Tensor) or tuple(out.shape) != shape or not out.is_floating_point():
        got = f"{out.dtype} {tuple(out.shape)}" if isinstance(out, Tensor) else type(out).__name__
        rule = f"must give (batch, time, width), here {shape}, for frames {tuple(frames.shape)} and lengths (3,)"
        yield Fault("module.answer", where, rule, got)
        return
    if not torch.isfinite(out).all():
        yield Fault("module.answer", where, "must give finite features", "NaN or infinity")
        return
    probes = {
        "padding": "must give a frame the same features whatever stands behind the end of its sequence",
        "neighbours": "must give a sequence the same features whatever else is in the batch",
        "later frames": "says it is causal, so later frames must not change earlier features",
        "receptive field": f"says its receptive_field is {encoder.receptive_field}, so earlier frames must not count",
    }
    for probe, moved in _moved(encoder, frames, out).items():
        if not moved <= _TOLERANCE * max(1.0, float(out.abs().max())):
            yield Fault("module.claim", where, probes[probe], f"a difference of {moved:.2g}", _WAYS_OUT[probe])
    if encoder.causal:
        yield from _streamed(encoder, frames, out)


_WAYS_OUT = {
    "padding": "mask with lengths, or read earlier frames only; a bidirectional layer must pack its sequences",
    "neighbours": "statistics over the batch (BatchNorm in training mode, a softmax over axis 0) mix sequences",
    "later frames": "set causal = False, or pad convolutions on the left and mask attention",
    "receptive field": "set receptive_field = None, or count again",
}


def _moved(encoder: OwnEncoder, frames: Tensor, out: Tensor) -> dict[str, float]:
    """How far features moved that must not, by probe."""

    def run(given: Tensor, lengths: int) -> Tensor:
        return encoder(given, torch.full((len(given),), lengths))

    loud = 10 * torch.randn(1, 5, encoder.inputs)
    alone = run(frames[:1], _TIME)
    longer = torch.cat([frames[:1], loud], dim=1)
    # The longest item fills the batch, as in training: some code takes the longest length for the time axis.
    behind = encoder(torch.cat([longer, longer]), torch.tensor([_TIME, longer.shape[1]]))[:1, :_TIME]
    found = {"padding": _apart(behind, alone), "neighbours": _apart(out[:1], alone)}
    if encoder.causal:
        changed = torch.cat([frames[:, :5], 10 * torch.randn_like(frames[:, 5:])], dim=1)
        found["later frames"] = _apart(run(changed, _TIME)[:, :5], out[:, :5])
    field = encoder.receptive_field
    if field is not None and field <= 4096:
        long = torch.randn(1, field + 3, encoder.inputs)
        other = torch.cat([10 * torch.randn(1, 3, encoder.inputs), long[:, 3:]], dim=1)
        found["receptive field"] = _apart(run(other, field + 3)[:, -1], run(long, field + 3)[:, -1])
    return found


def _apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


def _streamed(encoder: OwnEncoder, frames: Tensor, whole: Tensor) -> Iterator[Fault]:
    """Whether the frames in chunks give what they give whole, and states are what a graph can carry."""
    where, state, parts, at = _where(encoder.entry), encoder.initial_state(_BATCH), [], 0
    problem = _state_problem(state)
    for chunk in _CHUNKS:
        if problem:
            yield Fault("module.answer", where, "must carry its state as {name: tensor (batch, ...)}", problem)
            return
        before = {name: (tuple(value.shape), value.dtype, value.clone()) for name, value in state.items()}
        answer: Any = encoder.advance(frames[:, at : at + chunk], state)
        if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[0], Tensor):
            yield Fault("module.answer", where, "advance must return (features, state)", type(answer).__name__)
            return
        if any(not torch.equal(kept, state[name]) for name, (_, _, kept) in before.items()):
            yield Fault("module.claim", where, "advance must leave the state that it is given as it was")
            return
        features, state = answer
        parts.append(features)
        at += chunk
        problem = _state_problem(state) or _state_change(before, state)
    streamed = torch.cat(parts, dim=1)
    if streamed.shape != whole.shape:
        rule = f"advance must give (batch, frames, width), here {tuple(whole.shape)} over all chunks"
        yield Fault("module.answer", where, rule, str(tuple(streamed.shape)))
    elif not _apart(streamed, whole) <= _TOLERANCE * max(1.0, float(whole.abs().max())):
        rule = f"advance over chunks of {', '.join(map(str, _CHUNKS))} frames must equal forward over the whole"
        yield Fault("module.claim", where, rule, f"a difference of {_apart(streamed, whole):.2g}")


def _state_problem(state: object) -> str:
    if not isinstance(state, dict):
        return type(state).__name__
    odd = [f"{name}: {type(value).__name__}" for name, value in state.items() if not isinstance(value, Tensor)]
    odd += [f"{n}: {tuple(v.shape)}" for n, v in state.items() if isinstance(v, Tensor) and v.shape[:1] != (_BATCH,)]
    return ", ".join(odd)


def _state_change(before: Mapping[str, tuple[tuple[int, ...], torch.dtype, Tensor]], after: State) -> str:
    was = {name: (shape, dtype) for name, (shape, dtype, _) in before.items()}
    now = {name: (tuple(value.shape), value.dtype) for name, value in after.items()}
    return "" if was == now else f"{was} before and {now} after"[:300]
