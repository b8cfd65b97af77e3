"""Hard labels: the data's own, as in training without a teacher."""

from functools import partial

from torch import Tensor

from ..tasks.contract import Task
from ..training.batch import Batch
from ..training.loop import Loss

_TINY = 1e-12  # a batch may have nothing that counts: its loss is 0


def hard_labels(task: Task, label_smoothing: float) -> Loss:
    """The task's own loss: what it sums over the answers that count, by their number.

    Args:
        label_smoothing: 0 to 0.5.
    """

    return partial(_against_labels, task=task, label_smoothing=label_smoothing)


def _against_labels(logits: Tensor, batch: Batch, task: Task, label_smoothing: float) -> Tensor:
    total, count = task.hard_losses(logits, batch, label_smoothing)
    return total / count.clamp(min=_TINY)
