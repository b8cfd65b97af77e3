"""What the child's halves share: feeds, and a session that is held to its provider."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from .. import providers
from .contract import Missing

Arrays = dict[str, NDArray[Any]]
_T = TypeVar("_T")


def feeds(job: dict[str, Any]) -> list[list[Arrays]]:
    """[point][variant] -> inputs."""
    found: list[list[Arrays]] = [[] for _ in job["points"]]
    with np.load(job["feeds"], allow_pickle=False) as stored:
        for key in stored:
            point, variant, name = key.split("/", 2)
            variants = found[int(point)]
            while len(variants) <= int(variant):
                variants.append({})
            variants[int(variant)][name] = stored[key]
    return found


def opened(job: dict[str, Any]) -> ort.InferenceSession:
    """The session alone: `held` looks where its nodes went, which a deployment does not.

    Raises:
        Missing: onnxruntime refuses the model, or the provider is not there.
    """
    return attempt(lambda: providers.open_session(job["model"], job["provider"], job["threads"]))


def held(session: ort.InferenceSession, job: dict[str, Any]) -> ort.InferenceSession:
    """The same session, where its nodes ran as asked, or where that only warns.

    Raises:
        Missing: other nodes than those of the provider asked for did the work.
    """
    if job["fallback"] == "error":
        attempt(lambda: providers.proof(session, job["provider"]))
    return session


def picked(session: ort.InferenceSession, given: Arrays) -> Arrays:
    """The feeds that the model has inputs for.

    Raises:
        Missing: an input has no feed.
    """
    return attempt(lambda: providers.pick(session, given))


def attempt(call: Callable[[], _T]) -> _T:
    """What onnxruntime and the providers refuse becomes a reason."""
    try:
        return call()
    except providers.RUNTIME_ERRORS as error:
        raise Missing(providers.first_line(error)) from error
