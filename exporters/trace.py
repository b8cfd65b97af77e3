"""The one way from a torch module to a clean ONNX graph: what whole and step graph have in common."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from . import cleanup, log_mel, swap


@dataclass(frozen=True)
class Port:
    """An input or output of the graph.

    Args:
        name: in the ONNX file.
        axes: what the file must declare: a name where an axis is free, a number where it is fixed.
    """

    name: str
    axes: tuple[str | int, ...]


def trace(
    module: nn.Module,
    example: Sequence[Tensor | list[Tensor]],
    inputs: Sequence[Port],
    outputs: Sequence[Port],
    opset: int,
) -> onnx.ModelProto:
    """Export a module that takes tensors, or lists of them, and gives tensors, in the order of the ports.

    Args:
        module: a prepared copy is traced, itself left as it was.
        example: free axes must have sizes of 2 and more, and those of different names different sizes: the exporter
            bakes in sizes of one and equal sizes.
        opset: ONNX operator set, 18 to 21.

    Returns:
        A single-file model with readable names and nothing of the place it was made; still without metadata.

    Raises:
        BadGraph: the exporter froze an axis that must be free.
    """
    ports = iter(inputs)
    free = tuple([_free(next(ports)) for _ in one] if isinstance(one, list) else _free(next(ports)) for one in example)
    with _quiet():
        program = torch.onnx.export(
            swap.prepare(module),
            tuple(example),
            dynamo=True,
            opset_version=opset,
            input_names=[port.name for port in inputs],
            output_names=[port.name for port in outputs],
            dynamic_shapes=free,
            custom_translation_table=swap.translations(),
            verbose=False,
        )
    if program is None:
        raise cleanup.BadGraph("the exporter returned no graph")
    model = program.model_proto
    cleanup.strip(model)
    cleanup.stamp(model)
    cleanup.rename_weights(model, "network.")
    cleanup.share_tables(model)
    log_mel.compact(model, module)
    cleanup.rename_nodes(model)
    cleanup.rename_axes(model, {port.name: port.axes for port in (*inputs, *outputs)})
    return model


def _free(port: Port) -> dict[int, object]:
    return {axis: Dim.DYNAMIC for axis, name in enumerate(port.axes) if isinstance(name, str)}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress text and notes on absent packages off the user's terminal; errors still raise."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
