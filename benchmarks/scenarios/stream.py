"""A graph that is fed chunk by chunk: what goes in, and which states it hands from call to call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ...exporters.manifest import Manifest, initial_states
from ..feeds import Point
from ..providers import Feeds

if TYPE_CHECKING:
    from .task import Task

VARIANTS = 8


@dataclass(frozen=True)
class Stream:
    """A streaming graph with real chunks to feed.

    Args:
        model: an ONNX file.
        points: one a chunk size; the length is the chunk, the feeds are one stream's chunks in order, each with
            the states before it.
        states: the input that takes a state, to the output that it came from; empty where nothing is kept.
    """

    model: Path
    points: tuple[Point, ...]
    states: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.points:
            raise ValueError("a stream needs at least one chunk size; got none")


def own(step: Path, inputs: NDArray[Any], chunks: Sequence[int] = (1,)) -> Stream:
    """A step graph of ours, fed from one sequence.

    Args:
        step: what it takes and its states are in its metadata.
        inputs: raw features (T, F), tokens (T,) or (T, columns), or samples (T,) or (T, 1); repeated in time where it
            is too short.
        chunks: frames a call, from 1.

    Raises:
        NotOurs: the file says nothing about states.
        ValueError: no frame, or a chunk of none.
    """
    about = Manifest.read(onnx.load(step, load_external_data=False))
    form, states = about.input, about.states
    start = initial_states(states, 1)
    rows = form.rows(inputs).astype(form.dtype, copy=False)
    if form.kind == "samples" and len(rows):
        hops = max(1, len(rows) // form.hop)
        rows = np.resize(rows, (hops, form.hop))
    made = cut(rows, chunks, lambda piece: {form.kind: piece[np.newaxis], **start})
    return Stream(step, made, {state.input: state.output for state in states})


def cut(frames: NDArray[Any], chunks: Sequence[int], feed: Callable[[NDArray[Any]], Feeds]) -> tuple[Point, ...]:
    """One point a chunk size, each with consecutive chunks of the frames.

    Args:
        frames: (T, …) of one sequence.
        feed: makes a call's inputs of one chunk (n, …).
    """
    if not len(frames) or not chunks or min(chunks) < 1:
        raise ValueError(f"frames and chunks must be 1 or more; got {len(frames)} and {tuple(chunks)}")
    points = []
    for chunk in chunks:
        long = np.resize(frames, (VARIANTS * chunk, *frames.shape[1:]))
        pieces = long.reshape(VARIANTS, chunk, *frames.shape[1:])
        points.append(Point(1, chunk, tuple(feed(piece) for piece in pieces)))
    return tuple(points)


def advanced(task: "Task", stream: Stream) -> Stream:
    """The stream with states as the chunks before each left them, computed in a process of its own.

    Raises:
        Missing: the process failed.
    """
    if not stream.states:
        return stream
    into = task.scratch / "advanced.npz"
    for _ in replace(task, model=stream.model, points=stream.points, states=stream.states).ask(
        "advance", 1, into=str(into)
    ):
        pass
    points = []
    with np.load(into, allow_pickle=False) as stored:
        for at, point in enumerate(stream.points):
            sets = tuple(
                {name: stored[f"{at}/{variant}/{name}"] for name in feeds} for variant, feeds in enumerate(point.feeds)
            )
            points.append(replace(point, feeds=sets))
    return replace(stream, points=tuple(points))
