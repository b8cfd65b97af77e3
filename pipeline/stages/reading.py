"""What nearly every stage reads first: the data set as one network sees it, and the task on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...exporters.forms import InputForm
from ..data.dataset import Dataset
from ..engine.task import Artifact
from ..tasks.contract import Task
from ..tasks.registry import task as make_task


@dataclass(frozen=True, eq=False)
class Reading:
    """A data set and the task on it.

    Args:
        data: with the channels alone that the network reads.
        task: made for all channels: what is to be answered does not depend on what is read.
    """

    data: Dataset
    task: Task

    @property
    def samples(self) -> bool:
        """Whether the one channel is sound, and the graph makes frames of it."""
        return bool(self.data.device.get("front"))

    def input_form(self) -> InputForm:
        """What a network takes that is not one of ours: it has no front to ask."""
        if self.samples:
            return InputForm("samples", sample_rate_hz=self.data.device["front"]["sample_rate_hz"])
        return InputForm("tokens", self.data.sizes) if self.data.kind == "tokens" else InputForm()


def read(given: Mapping[str, Artifact], options: Mapping[str, Any]) -> Reading:
    """Inputs: ``data``. Options: ``task`` (the YAML's section), ``reads``: channels of this network, or None."""
    whole = Dataset.read(given["data"].files)
    return Reading(whole.only(options.get("reads")), make_task(options["task"], whole))
