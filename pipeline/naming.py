"""Names of what a run makes: trainings, files and the tasks that make them."""

from collections.abc import Sequence
from dataclasses import dataclass

from .config.pipeline import PipelineConfig

FLOAT = "float32"
AUTO = "auto"
TEACHER = "teacher"
OUTPUTS = "teacher-outputs"


@dataclass(frozen=True)
class Arm:
    """One training of a student: with the teacher, or as a control without."""

    student: str
    kind: str  # "distilled" or "control"
    seed: int

    @property
    def path(self) -> str:
        return f"{self.student}/{self.kind}/seed-{self.seed}"

    @property
    def network(self) -> str:
        """Name of the task that trains it."""
        return f"distill/{self.path}" if self.kind == "distilled" else f"train/{self.path}"

    def model(self, recipe: str) -> str:
        """Name of the task that makes its file in one number format."""
        return f"export/{self.path}" if recipe == FLOAT else f"quantize/{self.path}/{recipe}"

    def evaluation(self, recipe: str) -> str:
        return f"evaluate/{self.path}/{recipe}"


def seeds(config: PipelineConfig) -> list[int]:
    """The seeds every student is trained with."""
    return [config.seed + index for index in range(config.distill.seeds)]


def arms(config: PipelineConfig, student: str) -> list[Arm]:
    """Every training of a student, distilled ones first."""
    kinds = ["distilled", "control"] if config.distill.control else ["distilled"]
    return [Arm(student, kind, seed) for kind in kinds for seed in seeds(config)]


def recipes(config: PipelineConfig) -> list[str]:
    """Number formats that every distilled student is made in, float first."""
    return [FLOAT, *config.quantize]


def variant(model: str, recipe: str) -> str:
    """The id of one file: ``tcn-16/dynamic-int8``."""
    return f"{model}/{recipe}"


def with_only(config: PipelineConfig, names: Sequence[str]) -> PipelineConfig:
    """The same run with these students alone; every name must be one."""
    kept = {name: section for name, section in config.students.items() if name in names}
    return config.model_copy(update={"students": kept})
