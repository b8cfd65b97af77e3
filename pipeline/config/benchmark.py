"""Section ``benchmark``: what is measured, where."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from .options import Distinct, Options, Shorthand, reject
from .providers import ProviderName

Scenario = Literal["step", "cold-start", "memory", "throughput", "paced", "energy"]
Positive = Annotated[int, Field(ge=1, le=65_536)]


class ProviderRequest(Shorthand):
    """An execution provider of onnxruntime: its name, or ``{name: cuda, required: true}``."""

    shorthand: ClassVar[str] = "name"
    name: Annotated[ProviderName, Field(description="the provider", examples=["cpu"])]
    required: Annotated[
        bool, Field(description="a device without it fails the run; else it is reported as not available")
    ] = False


def _one_request_each(requests: tuple[ProviderRequest, ...]) -> tuple[ProviderRequest, ...]:
    if len({request.name for request in requests}) < len(requests):
        raise reject("config.duplicate-value", "must not repeat a value")
    return requests


class Benchmark(Options):
    """Latency on every listed provider, at each batch size and length, and what else is measured."""

    providers: Annotated[
        tuple[ProviderRequest, ...],
        AfterValidator(_one_request_each),
        Field(min_length=1, description="where the artifacts are timed"),
    ] = (ProviderRequest(name="cpu"),)
    fallback: Annotated[
        Literal["error", "warn"],
        Field(
            description="a provider that is there and leaves nodes to another one: error: not timed, exit 5; "
            "warn: timed all the same, and told"
        ),
    ] = "error"
    scenarios: Annotated[
        tuple[Scenario, ...],
        Distinct,
        Field(
            description="beside latency: step: chunks of a stream; cold-start: process to first answer; memory: its "
            "peak; throughput: batches back to back; paced: a stream at export.frame_period; energy: by a real counter"
        ),
    ] = ("step", "cold-start", "memory")
    batch: Annotated[
        tuple[Positive, ...], Distinct, Field(min_length=1, max_length=8, description="sequences in a call")
    ] = (1, 16)
    lengths: Annotated[
        Literal["auto"] | Annotated[tuple[Positive, ...], Distinct, Field(min_length=1, max_length=8)],
        Field(description="frames in a sequence; auto: the 5 % quantile, the median and the longest of the test split"),
    ] = "auto"
    threads: Annotated[int, Field(ge=1, le=256, description="intra-op threads of onnxruntime")] = 1
    launches: Annotated[int, Field(ge=1, le=50, description="fresh processes that share the samples")] = 3
    samples: Annotated[
        int,
        Field(
            ge=50,
            le=100_000,
            description="timed calls of each point, at least; more where a budget needs them: p99 459",
        ),
    ] = 200
