"""A distillation loss of the user's own: ``fn(student_rows, teacher_rows, **arguments)`` gives a scalar tensor."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..named.entry import Entry
from ..tasks.contract import Task
from ..training.batch import Batch


@dataclass(frozen=True)
class OwnLoss:
    """Calls the user's function and holds what it returns to what a loss is.

    It can be sent to other processes, which import the module themselves.

    Args:
        entry: the function.
        arguments: keyword arguments after the rows.
        task: says which answers count.
        needs_teacher: without it the function gets ``None`` for the teacher's rows.
        expected: digest of the entry when the task's key was made.
    """

    entry: Entry
    arguments: Mapping[str, Any]
    task: Task
    needs_teacher: bool = True
    expected: Mapping[str, str] | None = None
    _loaded: list[Any] = field(default_factory=list, init=False, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaded": []}  # another process imports the module itself

    def __call__(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The loss of a batch.

        Raises:
            ValueError: it needs a teacher and the batch has none.
            ConfigError, InputRejected, StageFailed: as :meth:`Entry.call`; InputRejected too where it returns no
                finite scalar that depends on the student.
        """
        student, teacher = self.task.view(outputs, batch), None
        if self.needs_teacher:
            if batch.teacher is None:
                raise ValueError(f"{self.entry.name} needs the teacher's answers in the batch")
            teacher = self.task.view(batch.teacher, batch)
        if not self._loaded:
            function = self.entry.load(self.expected)
            self.entry.check_arguments(function, student, teacher, arguments=self.arguments)
            self._loaded.append(function)
        with self.entry.running():
            value = self._loaded[0](student, teacher, **self.arguments)
        self._check(value, student)
        return value

    def _check(self, value: object, student: Tensor) -> None:
        if not isinstance(value, Tensor) or value.dim() != 0 or not value.is_floating_point():
            got = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise self.entry.answered("must return a scalar tensor of a floating type", got)
        if student.requires_grad and not value.requires_grad:
            hint = "compute it from student_rows with torch alone, without detach, item or numpy"
            raise self.entry.answered("must return a tensor that depends on student_rows", "a constant", hint)
        if not torch.isfinite(value) and torch.isfinite(student).all():
            raise self.entry.answered("must return a finite number for finite rows", str(value.item()))
