"""Soft targets: learn the teacher's whole answer (Hinton, Vinyals, Dean 2015, arXiv 1503.02531)."""

from functools import partial

from torch import Tensor
from torch.nn import functional as F

from ..tasks.contract import Task
from ..training.batch import Batch
from ..training.loop import Loss


def soft_targets(task: Task, temperature: float) -> Loss:
    """How far the student's answers are from the teacher's, a mean over the answers that count.

    By what an answer of the task is:

    - one class out of many: Kullback-Leibler divergence from the teacher's tempered distribution to the student's,
      times temperature², which keeps the gradient's size independent of the temperature (section 2.1 of the paper);
    - marks that are each there or not: the same for each mark, a distribution of two, summed over the marks;
    - numbers: squared error in standard deviations of the targets, a mean over the numbers. No temperature.

    Args:
        temperature: above 0; higher shows more of the teacher's smaller probabilities.
    """
    return partial(_distance, task=task, temperature=temperature)


def _distance(outputs: Tensor, batch: Batch, task: Task, temperature: float) -> Tensor:
    if batch.teacher is None:
        raise ValueError("soft targets need the teacher's answers in the batch")
    student, teacher = task.view(outputs, batch), task.view(batch.teacher, batch)  # (N, K)
    if task.rows == "values":
        return F.mse_loss(student, teacher)
    if task.rows == "several":
        return temperature**2 * _binary(student / temperature, teacher / temperature)
    tempered = F.log_softmax(student / temperature, dim=-1)
    goal = F.log_softmax(teacher / temperature, dim=-1)
    return temperature**2 * F.kl_div(tempered, goal, log_target=True, reduction="batchmean")


def _binary(student: Tensor, teacher: Tensor) -> Tensor:
    """Divergence of one mark, there with sigmoid(logit), summed over the marks: (N, K), (N, K) to a mean over rows.

    From logits alone: log(1 - p) is log sigmoid of minus the logit, and neither a certain teacher nor a certain
    student makes an infinity.
    """
    present = teacher.sigmoid() * (F.logsigmoid(teacher) - F.logsigmoid(student))
    absent = (-teacher).sigmoid() * (F.logsigmoid(-teacher) - F.logsigmoid(-student))
    return (present + absent).sum(dim=-1).mean()
