"""The whole of ``pipeline.yaml``."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from .architecture import StudentArchitecture, Teacher
from .benchmark import Benchmark
from .budgets import Budgets
from .compute import Compute
from .data import DataSource
from .distill import Distill
from .export import Export
from .options import Distinct, Options, Slug, reject
from .parity import Parity
from .report import ReportOptions

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
    task: Annotated[Literal["classification"], Field(description="what is learned: one label for a sequence")] = (
        "classification"
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
    report: Annotated[ReportOptions, Field(description="which files are written")] = ReportOptions()
    compute: Annotated[Compute, Field(description="what the run may use of this machine")] = Compute()

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
    def _budgets_are_measured(self) -> "PipelineConfig":
        missing = unlisted_providers(
            [budget.name for budget in self.budgets.all()], [request.name for request in self.benchmark.providers]
        )
        for name, provider in missing:
            raise reject("config.budget-provider", f"budgets.{name} needs provider {provider} in benchmark.providers")
        return self


def unlisted_providers(budgets: list[str], providers: list[str]) -> list[tuple[str, str]]:
    """The latency budgets, with their provider, that no benchmark would ever measure.

    >>> unlisted_providers(["size", "latency.cuda.p95"], ["cpu"])
    [('latency.cuda.p95', 'cuda')]
    """
    latencies = [(name, name.split(".")[1]) for name in budgets if name.count(".") == 2]
    return [(name, provider) for name, provider in latencies if provider not in providers]
