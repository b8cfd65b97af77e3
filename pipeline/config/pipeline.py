"""The whole of ``pipeline.yaml``."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from .architecture import StudentArchitecture, Teacher
from .benchmark import Benchmark
from .budgets import Budgets
from .compute import Compute
from .data import DataSource
from .distill import Distill
from .export import Export
from .measured import unmeasured
from .options import JSON, Distinct, Options, Slug, Written, reject
from .parity import Parity
from .regression import Regression
from .report import ReportOptions
from .tasks import ClassificationTask, Task

RESERVED_NAMES = ("teacher", "baseline")  # they name other rows of the report


def _not_reserved(name: str) -> str:
    if name.lower() in RESERVED_NAMES:
        raise reject("config.name", "is reserved: the report uses it for another model", f"rename it: {name}-student")
    return name


StudentName = Annotated[Slug, AfterValidator(_not_reserved)]
Recipe = Literal["auto", "dynamic-int8", "static-int8", "weight-int8", "weight-int4", "float16"]

_DATA_EXAMPLE = {"source": "sktime", "name": "JapaneseVowels"}
_TEACHER_EXAMPLE = {"architecture": "lstm", "hidden": 96}
_STUDENTS_EXAMPLE = {"gru-32": {"architecture": "gru", "hidden": 32}}


class PipelineConfig(Options):
    """Everything one run does: data, teacher, students, and what is asked of the artifacts."""

    name: Annotated[Slug, Field(description="names the run's folder and the report", examples=["my-model"])]
    seed: Annotated[int, Field(ge=0, lt=2**31, description="every random choice follows from it")] = 0
    data: Annotated[DataSource, Field(description="the labelled sequences", examples=[_DATA_EXAMPLE])]
    task: Annotated[Task, Field(description="what is learned: a kind alone, or a mapping with its options")] = (
        ClassificationTask(kind="classification")
    )
    teacher: Annotated[Teacher, Field(description="the large network", examples=[_TEACHER_EXAMPLE])]
    students: Annotated[
        dict[StudentName, StudentArchitecture],
        Field(min_length=1, description="the small networks, by name", examples=[_STUDENTS_EXAMPLE]),
    ]
    distill: Annotated[Distill, Field(description="how the students learn")] = Distill()
    quantize: Annotated[
        tuple[Recipe, ...],
        Distinct,
        Field(description="recipes, each gives one artifact of every student; []: the float artifact ships"),
    ] = ("auto",)
    parity: Annotated[Parity, Field(description="tolerances of the proofs")] = Parity()
    export: Annotated[Export, Field(description="the ONNX that is written")] = Export()
    benchmark: Annotated[Benchmark, Field(description="what is timed")] = Benchmark()
    budgets: Annotated[Budgets, Field(description="limits that decide the exit code")] = Budgets()
    regression: Annotated[
        Regression | None, Written, Field(description="limits on what became worse since the last release")
    ] = None
    report: Annotated[ReportOptions, Field(description="which files are written")] = ReportOptions()
    compute: Annotated[Compute, Field(description="what the run may use of this machine")] = Compute()
    quick: Annotated[
        dict[str, JSON],
        Field(
            default_factory=dict,
            description="other values for a trial of minutes, by their paths; done by --quick, before --set",
            examples=[{"data.limit": 300, "teacher.train.epochs": 2}],
        ),
    ]

    @field_validator("students", mode="after")
    @classmethod
    def _folders_differ(cls, students: dict[str, StudentArchitecture]) -> dict[str, StudentArchitecture]:
        folded: dict[str, str] = {}
        for name in students:
            other = folded.setdefault(name.lower(), name)
            if other != name:
                raise reject(
                    "config.name", f"must have names that differ in more than case; got {other!r} and {name!r}"
                )
        return students

    @model_validator(mode="after")
    def _limits_are_measured(self) -> "PipelineConfig":
        budgets = [budget.name for budget in self.budgets.all() if budget.level != "off"]
        limits = (
            [limit.name for limit in self.regression.all() if limit.written and limit.level != "off"]
            if self.regression
            else []
        )
        task = self.model_dump(include={"task"})["task"]
        for fault in unmeasured(budgets, limits, self.benchmark, self.export.streaming, task):
            raise reject(fault.code, f"{'.'.join(fault.path)} {fault.rule}")
        return self

    @model_serializer(mode="wrap")
    def _only_what_is_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value or name not in ("regression", "quick")}
