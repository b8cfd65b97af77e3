"""What an artifact says about itself, kept inside the ONNX file as ``metadata_props``. No torch.

Keys are prefixed ``seqpress.``; values are JSON, so that a device reads them with any parser.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import onnx

_PREFIX = "seqpress."
FRAMES = "frames"
LENGTHS = "lengths"
PROBABILITIES = "probabilities"
LOGITS = "logits"


class NotOurs(ValueError):
    """An ONNX file without, or with damaged, seqpress metadata."""


@dataclass(frozen=True)
class Manifest:
    """Facts a device needs beside the graph.

    Args:
        task: "classification".
        labels: class names in the order of the output.
        features: channel names in the order of the input.
        architecture: human-readable, "tcn: 3 levels × 16, kernel 3".
        parameters: trainable weights of the network.
        causal: whether the encoder reads no later frames.
        receptive_field: frames that an output sees; ``None`` where unbounded.
        recipe: "float32" or the quantization recipe.
        notes: what a recipe did, for a reader.
    """

    task: str
    labels: tuple[str, ...]
    features: tuple[str, ...]
    architecture: str
    parameters: int
    causal: bool
    receptive_field: int | None
    recipe: str = "float32"
    notes: tuple[str, ...] = ()

    def write(self, model: onnx.ModelProto) -> None:
        """Put the facts into the model, replacing earlier ones."""
        kept = {prop.key: prop.value for prop in model.metadata_props if not prop.key.startswith(_PREFIX)}
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, kept | {_PREFIX + key: _compact(v) for key, v in asdict(self).items()})

    @classmethod
    def read(cls, model: onnx.ModelProto) -> "Manifest":
        """Read the facts back.

        Raises:
            NotOurs: the file was not written by seqpress, or was changed since.
        """
        props = {prop.key: prop.value for prop in model.metadata_props}
        return cls.from_props(props)

    @classmethod
    def from_props(cls, props: Mapping[str, str]) -> "Manifest":
        """The same from a session's ``get_modelmeta().custom_metadata_map``."""
        try:
            given: dict[str, Any] = {
                key.removeprefix(_PREFIX): json.loads(v) for key, v in props.items() if key.startswith(_PREFIX)
            }
            fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in given.items()}
            return cls(**fields)
        except (json.JSONDecodeError, TypeError) as error:
            raise NotOurs(f"no readable seqpress metadata in this ONNX file: {error}") from error


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
