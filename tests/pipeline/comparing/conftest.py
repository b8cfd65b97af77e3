"""Two small bundles and their folders, and timings that a test can decide."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from bundles import parts
from onnx import numpy_helper
from seqpress.benchmarks.statistics import Estimate, Percentile


@dataclass(frozen=True)
class FakePoint:
    batch: int
    length: int
    old_us: Percentile
    new_us: Percentile
    ratio: Estimate
    p_worse: float
    verdict: str


@dataclass(frozen=True)
class FakeTimings:
    """As ``benchmarks.compare.timings`` answers; ``asked`` keeps what it was called with."""

    points: tuple[FakePoint, ...]
    control: Estimate | None = None
    control_ok: bool = True
    launches: int = 2
    looks: int = 1
    unmeasured: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    noise: dict[str, str] = field(default_factory=lambda: {"steal": "0.0 %"})


class Fake:
    """Timings that say one ratio everywhere."""

    def __init__(self, ratio: float = 1.0, p_worse: float = 1.0, verdict: str = "same", **more: Any) -> None:
        self.ratio, self.p_worse, self.verdict, self.more = ratio, p_worse, verdict, more
        self.asked: list[dict[str, Any]] = []

    def __call__(self, old: Path, new: Path, points: Any, **settings: Any) -> FakeTimings:
        self.asked.append({"old": old, "new": new, "points": points, "new_bytes": new.read_bytes(), **settings})
        ratio = Estimate(self.ratio, self.ratio - 0.01, self.ratio + 0.01, 100, 0.99)
        made = tuple(
            FakePoint(
                one.batch, one.length, Percentile(50, 10.0, 9.9, 10.1), Percentile(50, 10 * self.ratio, 9.9, 12.0),
                ratio, self.p_worse, self.verdict,
            )
            for one in points
        )  # fmt: skip
        control = Estimate(1.0, 0.999, 1.001, 100, 0.99)
        return FakeTimings(() if self.more.get("unmeasured") else made, control, **self.more)


@pytest.fixture
def fake() -> type[Fake]:
    return Fake


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[..., Path]:
    """Writes a bundle called ``name``; ``scale`` multiplies its weights, ``streaming`` gives it a step graph."""

    def write(folder: str = "old", *, name: str = "", scale: float = 1.0, streaming: bool = True) -> Path:
        made = parts(tmp_path / f"parts-{folder}", streaming=streaming)
        if scale != 1.0:
            for path in (made.model, made.step):
                if path is not None:
                    rescale(path, scale)
        if name:
            described = made.description.model_copy(update={"name": name})
            made = type(made)(made.model, made.step, described)
        made.write(tmp_path / folder)
        return tmp_path / folder

    return write


def rescale(path: Path, scale: float) -> None:
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.name == "w":
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(scale), "w"))
    onnx.save(model, path)


@pytest.fixture
def run_folder(tmp_path: Path, bundle: Callable[..., Path]) -> Callable[..., Path]:
    """A run folder with these variants; each ships unless its name ends in float32."""

    def write(folder: str, *ids: str) -> Path:
        at = tmp_path / folder
        variants = []
        for name in ids:
            plain = name.replace("/", "-")
            source = bundle(f"{folder}-{plain}", name=name)
            target = at / "artifacts" / plain
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
            file = f"artifacts/{plain}/model.onnx"
            variants.append({"id": name, "file": file, "ships": not name.endswith("float32"), "more": 1})
        report = {"students": [{"name": "s", "variants": variants}], "of_a_later_version": True}
        (at / "report.json").write_text(json.dumps(report), encoding="utf-8")
        return at

    return write
