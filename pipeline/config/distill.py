"""Section ``distill``: what a student learns from, one class a loss."""

from typing import Annotated, Literal

from pydantic import Field

from .brought import EntryPoint
from .options import JSON, Distinct, Options
from .training import Training

Weight = Annotated[float, Field(gt=0, le=1000, description="factor of this loss in the sum")]


class SoftTargets(Options):
    """Kullback-Leibler divergence to the teacher's tempered outputs (Hinton et al. 2015).

    Marks that are each there or not are tempered one by one. Numbers are compared by their squared error in standard
    deviations of the targets, and the temperature means nothing.
    """

    kind: Literal["soft-targets"]
    temperature: Annotated[
        float,
        Field(gt=0, le=100, description="above 1 it brings out how the teacher ranks the wrong labels"),
    ] = 4.0
    weight: Weight = 1.0

    @property
    def summary(self) -> str:
        """``soft-targets (temperature 3) × 0.7``"""
        return f"soft-targets (temperature {self.temperature:g}) × {self.weight:g}"


class HardLabels(Options):
    """Cross-entropy to the true labels, with the training section's label smoothing."""

    kind: Literal["hard-labels"]
    weight: Weight = 1.0

    @property
    def summary(self) -> str:
        """``hard-labels × 0.3``"""
        return f"hard-labels × {self.weight:g}"


class PythonLoss(Options):
    """A loss of your own: ``fn(student_rows, teacher_rows, **arguments)`` returns a scalar tensor.

    Rows are (N, K) answers that count, teacher_rows is none without needs_teacher. It runs as your code, with your
    rights.
    """

    kind: Literal["python"]
    entry: Annotated[
        EntryPoint,
        Field(
            description="module and function; the folder of the YAML file is searched first", examples=["my_losses:fn"]
        ),
    ]
    arguments: Annotated[dict[str, JSON], Field(default_factory=dict, description="keyword arguments of the function")]
    needs_teacher: Annotated[
        bool, Field(description="it reads the teacher's answers; a control is trained without such losses")
    ] = True
    weight: Weight = 1.0

    @property
    def summary(self) -> str:
        """``python my_losses:fn × 1``"""
        return f"python {self.entry} × {self.weight:g}"


Loss = Annotated[SoftTargets | HardLabels | PythonLoss, Field(discriminator="kind")]


class Distill(Options):
    """How every student is trained: a weighted sum of losses, several seeds, a control beside it."""

    losses: Annotated[
        tuple[Loss, ...],
        Distinct,
        Field(min_length=1, max_length=8, description="their weighted sum is what training lowers"),
    ] = (
        SoftTargets(kind="soft-targets", temperature=3.0, weight=0.7),
        HardLabels(kind="hard-labels", weight=0.3),
    )
    train: Annotated[Training, Field(description="how the students are trained")] = Training()
    seeds: Annotated[
        int,
        Field(ge=1, le=32, description="trainings of each student; the spread is reported, the best one ships"),
    ] = 3
    control: Annotated[
        bool, Field(description="also train each student without the teacher: what did distillation buy?")
    ] = True
