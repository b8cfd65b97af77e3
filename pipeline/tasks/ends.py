"""What stands in front of a network, as the data set has it: channels, tokens or samples."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..data.columns import select
from ..data.dataset import Dataset
from ..data.mapped import blocks
from ..data.raw import Found
from ..errors import ConfigError, Fault

EMBEDDING_WIDTH = 32


@dataclass(frozen=True)
class Ends:
    """The inputs of every network of one data set.

    Args:
        features: channel names.
        sizes: of tokens: identifiers in each column; empty for numbers.
        bands: features of a frame where the graph makes frames of samples.
        in_graph: kind and arguments of the front that does so.
        by_window: whether each window is normalised by its own frames.
    """

    features: tuple[str, ...]
    sizes: tuple[int, ...] = ()
    bands: int = 0
    in_graph: Mapping[str, Any] = field(default_factory=dict)
    by_window: bool = False

    @classmethod
    def of(cls, dataset: Dataset) -> "Ends":
        in_graph = dict(dataset.device.get("front", {}))
        by_window = dataset.device.get("normalise", {}).get("by") == "window"
        sizes = dataset.sizes if all(dataset.sizes) else _sizes(dataset)
        return cls(dataset.features, sizes, len(dataset.mean), in_graph, by_window)

    @property
    def plain_frames(self) -> bool:
        """Whether a network reads numbers that constants standardize."""
        return not (self.sizes or self.in_graph or self.by_window)

    def chosen(self, section: Mapping[str, Any]) -> tuple[int, ...]:
        """Numbers of the channels that a network reads: those of its ``reads``, or all.

        Raises:
            ConfigError: a pattern that means no channel, or channels of what has none.
        """
        patterns = section.get("reads")
        if patterns is None:
            return tuple(range(len(self.features)))
        if self.in_graph:
            raise ConfigError(Fault("config.reads", "reads", "needs frames of several channels", "sound"))
        found = Found()
        names = select(patterns, self.features, "reads", "the data", found)
        if found.faults:
            raise ConfigError(found.faults)
        return tuple(self.features.index(name) for name in names)

    def front(self, section: Mapping[str, Any]) -> dict[str, Any]:
        """``kind`` and arguments of the front."""
        if self.sizes:
            sizes = [self.sizes[column] for column in self.chosen(section)]
            width = section.get("embedding") or EMBEDDING_WIDTH
            return {"kind": "embedding", "sizes": sizes, "widths": [width] * len(sizes)}
        if self.in_graph:
            return {name: value for name, value in self.in_graph.items() if name != "bands"}
        if self.by_window:
            return {"kind": "window", "around": "mean", "scaled": True, "targets": []}
        return {"kind": "standardize"}

    def width(self, section: Mapping[str, Any]) -> int:
        """Features of a frame that the front gives to the encoder."""
        if self.sizes:
            return (section.get("embedding") or EMBEDDING_WIDTH) * len(self.chosen(section))
        return self.bands if self.in_graph else len(self.chosen(section))


def _sizes(dataset: Dataset) -> tuple[int, ...]:
    """As many identifiers as there are in each column, where nobody says how many there can be."""
    largest = [0] * dataset.channels
    for block in blocks(dataset.train.values):  # all splits are stretches of it
        found = block.reshape(len(block), -1).max(axis=0).tolist()
        largest = [max(pair) for pair in zip(largest, found, strict=True)]
    return tuple(size + 1 for size in largest)
