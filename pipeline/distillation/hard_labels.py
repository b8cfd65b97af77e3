"""Hard labels: the data's own, as in training without a teacher."""

from torch import Tensor

from ..tasks.contract import Task
from ..training.batch import Batch
from ..training.loop import Loss


def hard_labels(task: Task, label_smoothing: float) -> Loss:
    """The task's own loss.

    Args:
        label_smoothing: 0 to 0.5.
    """

    def loss(logits: Tensor, batch: Batch) -> Tensor:
        return task.hard_loss(logits, batch.labels, label_smoothing)

    return loss
