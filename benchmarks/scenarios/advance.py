"""States of a stream after real chunks, so that a step is timed with what it would be given, not with zeros."""

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..process import Say

_ROUNDS = 2  # the first chunk of a round follows the last of the round before


def child(job: dict[str, Any], say: "Say") -> dict[str, Any]:
    """Write the feeds anew into ``into``, with the states that the last round met; on the CPU, whatever is measured."""
    import numpy as np

    from . import host

    say("", "loading the model")
    session = host.opened(job | {"provider": "cpu"})
    outputs = [one.name for one in session.get_outputs()]
    met: dict[str, Any] = {}
    for at, chunks in enumerate(host.feeds(job)):
        say("", f"advancing by chunks of {job['points'][at][1]}")
        states = {name: chunks[0][name] for name in job["states"]}
        for _ in range(_ROUNDS):
            for variant, chunk in enumerate(chunks):
                given = {**chunk, **states}
                met |= {f"{at}/{variant}/{name}": array for name, array in given.items()}
                answer = host.attempt(partial(session.run, outputs, host.picked(session, given)))
                after = dict(zip(outputs, answer, strict=True))
                states = {name: after[output] for name, output in job["states"].items()}
    np.savez(job["into"], **met)
    return {}
