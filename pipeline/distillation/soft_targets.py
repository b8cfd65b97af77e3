"""Soft targets: learn the teacher's whole distribution (Hinton, Vinyals, Dean 2015, arXiv 1503.02531)."""

from functools import partial

from torch import Tensor
from torch.nn import functional as F

from ..training.batch import Batch
from ..training.loop import Loss


def soft_targets(temperature: float) -> Loss:
    """Kullback-Leibler divergence from the teacher's tempered distribution to the student's, times temperature².

    The factor keeps the gradient's size independent of the temperature, as in section 2.1 of the paper.

    Args:
        temperature: above 0; higher shows more of the teacher's smaller probabilities.
    """

    return partial(_divergence, temperature=temperature)


def _divergence(logits: Tensor, batch: Batch, temperature: float) -> Tensor:
    if batch.teacher is None:
        raise ValueError("soft targets need the teacher's logits in the batch")
    student = F.log_softmax(logits / temperature, dim=-1)
    teacher = F.log_softmax(batch.teacher / temperature, dim=-1)
    return temperature**2 * F.kl_div(student, teacher, log_target=True, reduction="batchmean")
