"""Section ``compute``: what the run may use of this machine."""

from typing import Annotated, Literal

from pydantic import Field

from .options import Options


class Compute(Options):
    """Processes, threads and devices. Threads, device and precision can change results, so they are in the keys."""

    jobs: Annotated[
        Literal["auto"] | Annotated[int, Field(ge=1, le=256)],
        Field(description="tasks at a time; auto: one for each core over threads, as far as memory allows"),
    ] = "auto"
    threads: Annotated[int, Field(ge=1, le=256, description="threads of one task")] = 1
    device: Annotated[
        Literal["auto", "cpu", "cuda"], Field(description="where networks are trained; auto: cuda if it is there")
    ] = "auto"
    precision: Annotated[
        Literal["32-true", "bf16-mixed", "16-mixed"], Field(description="number format while training")
    ] = "32-true"
    devices: Annotated[int, Field(ge=1, le=64, description="devices for one training")] = 1
    strategy: Annotated[Literal["auto", "ddp_spawn"], Field(description="how several devices share one training")] = (
        "auto"
    )
