"""Sections ``teacher.train`` and ``distill.train``: the one training loop's settings."""

from typing import Annotated, Literal

from pydantic import Field

from .options import Options


class Training(Options):
    """AdamW with warm-up and cosine decay, clipped gradients, and the best weights on validation kept."""

    epochs: Annotated[int, Field(ge=1, le=100_000, description="passes over the training split, at most")] = 60
    batch_size: Annotated[int, Field(ge=1, le=65_536, description="sequences in a step")] = 32
    learning_rate: Annotated[float, Field(gt=0, le=1, description="highest rate, reached after the warm-up")] = 3e-3
    weight_decay: Annotated[float, Field(ge=0, le=1, description="AdamW's decoupled decay")] = 0.01
    warmup: Annotated[float, Field(ge=0, le=0.5, description="share of all steps over which the rate rises")] = 0.1
    clip_norm: Annotated[float, Field(gt=0, le=1e6, description="largest norm of the gradient")] = 1.0
    label_smoothing: Annotated[
        float, Field(ge=0, le=0.5, description="share of the target spread evenly over all labels")
    ] = 0.0
    patience: Annotated[
        int | None,
        Field(ge=1, le=100_000, description="epochs without a better one before it stops; null: never"),
    ] = 30
    best_by: Annotated[
        Literal["loss", "metric"],
        Field(description="which epoch is kept: lowest validation loss, or best validation metric of the task"),
    ] = "loss"
