"""A network's front in the words of a manifest."""

from ..models.fronts.contract import Front
from ..models.fronts.embedding import Embedding
from ..models.fronts.log_mel import LogMel
from ..models.fronts.standardize import Standardize
from ..models.fronts.window_normalise import WindowNormalise
from .forms import InputForm


def input_form(front: Front) -> InputForm:
    """What a host feeds to a network with this front."""
    return InputForm(
        front.kind,
        sizes=front.sizes if isinstance(front, Embedding) else (),
        sample_rate_hz=front.sample_rate_hz if isinstance(front, LogMel) else None,
        hop=front.hop,
        least=front.least,
    )


def preprocessing(front: Front) -> tuple[str, ...]:
    """What the graph does to raw inputs first, one line a step."""
    standardize = "(feature - mean) / std of the training frames"
    if isinstance(front, Standardize):
        return (f"in the graph: {standardize}",)
    if isinstance(front, WindowNormalise):
        unit = ", / its own standard deviation" if front.scaled else ""
        return (
            f"in the graph: {standardize}",
            f"in the graph: each window - its own {front.around}{unit}; undone behind",
        )
    if isinstance(front, LogMel):
        window = f"{front.window} samples under a Hann window every {front.hop}, {front.transform} points"
        bands = f"{front.width} mel bands from {front.low_hz:g} to {front.high_hz:g} Hz"
        log = f"log(power + {front.floor:g}), then (band - mean) / std of the training frames"
        return (f"in the graph: pre-emphasis {front.emphasis:g}, {window}, {bands}, {log}",)
    return ()
