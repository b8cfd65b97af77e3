"""What the recipes buy: python benchmarks/studies/quantization.py [--quick]

Trained networks on real speech (JapaneseVowels: 12 channels, 7 to 29 frames; also mixed into 40 channels), tested on
its 370 test sequences. Times are ratios of runs with bound buffers on one pinned thread, in fresh processes and with
the contenders in turns; a ratio is the median over rounds, its 95 % interval in brackets. Where a length exceeds the
data, sequences repeat in time. Prints a card and one JSON line. --quick trains and times less.
"""

import json
import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import quantize_dynamic
from seqpress.benchmarks import feeds, latency, machine
from seqpress.benchmarks.predict import predict
from seqpress.benchmarks.statistics import Estimate
from seqpress.exporters.cleanup import to_bytes
from seqpress.exporters.manifest import FRAMES, LENGTHS, LOGITS, Manifest
from seqpress.exporters.quantize.contract import Calibration
from seqpress.exporters.quantize.registry import recipe, recipes
from seqpress.exporters.trace import Port, trace
from seqpress.exporters.whole import export_whole
from seqpress.models.contract import SequenceModel
from seqpress.models.network import SequenceClassifier
from seqpress.models.registry import build
from seqpress.pipeline.data.load import load_source
from torch import Tensor, nn

NARROW, WIDE = 12, 40
NEIGHBOURS: dict[str, dict[str, Any]] = {  # the networks that other tools were measured with
    "gru": {"hidden": 64, "layers": 2},
    "tcn": {"channels": 32, "levels": 4, "kernel": 3},
}
Row = dict[str, Any]


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for one in Study(Path(folder), quick="--quick" in sys.argv).rows():
            rows.append(one)
            mark = {True: "ok  ", False: "MISS", None: "    "}[one["holds"]]
            print(f"{mark}  {one['what']:<76}  {one['measured']:<22}  {one['bound']}", flush=True)
    print(json.dumps({"machine": machine.fingerprint(), "rows": rows}, default=str))


def row(what: str, measured: float | Estimate, bound: float | None = None, most: bool = True, form: str = ".3f") -> Row:
    """One figure beside its bound; without a bound it is only shown."""
    value = measured.value if isinstance(measured, Estimate) else measured
    text = f"{value:{form}}"
    if isinstance(measured, Estimate):
        text += f" [{measured.low:{form}}, {measured.high:{form}}]"
    holds = None if bound is None else (value <= bound if most else value >= bound)
    words = "" if bound is None else f"at {'most' if most else 'least'} {bound:g}"
    facts = asdict(measured) if isinstance(measured, Estimate) else {"value": value}
    return {"what": what, "measured": text, "bound": words, "holds": holds, **facts}


@dataclass(frozen=True)
class Data:
    """Sequences (T, F) with labels."""

    train: list[NDArray[np.float32]]
    train_labels: NDArray[np.int64]
    test: list[NDArray[np.float32]]
    classes: int

    @property
    def flat(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Test frames of all sequences, and the first frame of each."""
        return np.concatenate(self.test), np.cumsum([0, *(len(one) for one in self.test)])

    @property
    def manifest(self) -> Manifest:
        labels, features = map(str, range(self.classes)), map(str, range(self.train[0].shape[1]))
        return Manifest("classification", tuple(labels), tuple(features), "study", 0, True, None)


def vowels() -> Data:
    holdout = {"fraction": 0.01, "by": "random"}
    source = {"source": "sktime", "name": "JapaneseVowels", "validation": holdout, "test": None}
    data = load_source(source, Path(), seed=0)
    train, test = ([np.array(split.item(at)) for at in range(len(split))] for split in (data.train, data.test))
    return Data(train, np.array(data.train.labels), test, len(data.labels))


def mixed(data: Data, features: int) -> Data:
    """The same sequences in more channels: each a fixed random sum of the old ones, with a little noise."""
    rng = np.random.default_rng(0)
    spread = np.concatenate(data.train).std(axis=0)
    weights = (rng.standard_normal((len(spread), features)) / spread[:, None]).astype(np.float32)

    def wider(sequence: NDArray[np.float32]) -> NDArray[np.float32]:
        return sequence @ weights + rng.normal(0, 0.3, (len(sequence), features)).astype(np.float32)

    return Data([wider(one) for one in data.train], data.train_labels, [wider(one) for one in data.test], data.classes)


def fit(network: SequenceClassifier, data: Data, epochs: int) -> None:
    """Plain training; good enough for weights and activations that look like those of a product."""
    lengths = torch.tensor([len(one) for one in data.train])
    frames = nn.utils.rnn.pad_sequence([torch.from_numpy(one) for one in data.train], batch_first=True)
    labels = torch.from_numpy(data.train_labels).long()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(epochs):
        for batch in torch.split(torch.randperm(len(labels)), 32):
            loss = nn.functional.cross_entropy(network(frames[batch], lengths[batch]), labels[batch])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()


class _Features(nn.Module):
    """An encoder as a module of its own; without lengths it takes every frame as real."""

    def __init__(self, encoder: SequenceModel) -> None:
        super().__init__()
        self.network = encoder

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        return self.network(frames, lengths)


def bare(encoder: SequenceModel) -> onnx.ModelProto:
    """Our export of an encoder alone: frames (B, T, F) to features (B, T, H)."""
    inputs = [Port(FRAMES, ("batch", "time", encoder.inputs)), Port(LENGTHS, ("batch",))]
    outputs = [Port("features", ("batch", "time", encoder.width))]
    example = (torch.zeros(2, 7, encoder.inputs), torch.tensor([7, 5]))
    return trace(_Features(encoder).eval(), example, inputs, outputs, opset=20)


def by_torch(module: nn.Module, features: int, dynamo: bool) -> onnx.ModelProto:
    """What ``torch.onnx.export`` makes of the same module by itself."""
    example = (torch.zeros(2, 7, features), torch.tensor([7, 5]))
    names: dict[str, Any] = {"input_names": [FRAMES, LENGTHS], "output_names": [LOGITS]}
    if dynamo:
        free = torch.export.Dim.DYNAMIC
        shapes = ({0: free, 1: free}, {0: free})
        program = torch.onnx.export(module, example, dynamo=True, dynamic_shapes=shapes, verbose=False, **names)
        assert program is not None
        return program.model_proto
    axes = {FRAMES: {0: "batch", 1: "time"}, LENGTHS: {0: "batch"}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(module, example, path, dynamo=False, opset_version=17, dynamic_axes=axes, **names)
        return onnx.load(path)


class Study:
    """The files of one run, and their times."""

    def __init__(self, folder: Path, quick: bool) -> None:
        self.folder, self.quick = folder, quick
        narrow = vowels()
        self.data = {NARROW: narrow, WIDE: mixed(narrow, WIDE)}
        self.networks: dict[str, SequenceClassifier] = {}

    def rows(self) -> Iterator[Row]:
        for part in (self.gru, self.graph, self.convolutions, self.lstm, self.neighbours, self.shelf):
            yield from part()

    def gru(self) -> Iterator[Row]:
        """The GRU that library calls leave in float."""
        network = self.trained(WIDE, "mean", "gru", hidden=64)
        ours = self.pair("gru", export_whole(network, self.data[WIDE].manifest), "dynamic-int8", WIDE)
        yield row("GRU H=64 I=40, dynamic-int8: bytes", shrunk(ours), 0.30)
        yield row("  time at T=200", self.time(ours, WIDE, 200), 1.03)
        yield row("  agreement", self.agreement(ours, WIDE), 0.995, most=False)
        theirs = (self.save("gru-torch", by_torch(network, WIDE, dynamo=False)), self.folder / "gru-library.onnx")
        quantize_dynamic(*theirs)
        yield row("  by torch.onnx.export + quantize_dynamic instead: bytes", shrunk(theirs))
        yield row("  time at T=200", self.time(theirs, WIDE, 200))

    def graph(self) -> Iterator[Row]:
        """Our float graph against torch.onnx.export(dynamo=False) of the same module, with and without its head."""
        network = self.trained(WIDE, "mean", "gru", hidden=64)
        graphs = {
            "classifier": (by_torch(network, WIDE, dynamo=False), export_whole(network, self.data[WIDE].manifest)),
            "encoder alone": (by_torch(_Features(network.encoder), WIDE, dynamo=False), bare(network.encoder)),
        }
        for name, (theirs, ours) in graphs.items():
            files = (self.save(f"{name}-torch", theirs), self.save(f"{name}-ours", ours))
            # Alone, a layer's file is weights to 99 %: no exporter can make it 3 % smaller.
            most_bytes = 0.97 if name == "classifier" else None
            yield row(f"GRU H=64 I=40, float {name}, ours against dynamo=False: bytes", shrunk(files), most_bytes)
            yield row("  time at T=1", self.time(files, WIDE, 1), 0.90)
            yield row("  time at T=50", self.time(files, WIDE, 50), 1.0)

    def convolutions(self) -> Iterator[Row]:
        """Static int8 against float, for the convolutions alone, which the bounds are for, and for the classifier.

        Around them it standardizes and pools in float in both files, which takes a tenth of the float time at T=200.
        """
        for channels, points, most_bytes in ((32, {1: 0.36}, 0.36), (64, {1: 0.29, 16: 0.25}, None)):
            network = self.trained(WIDE, "mean", "tcn", channels=channels, levels=4, kernel=3)
            graphs = {
                "encoder alone": bare(network.encoder),
                "classifier": export_whole(network, self.data[WIDE].manifest),
            }
            for name, graph in graphs.items():
                files = self.pair(f"tcn-{channels}-{name}", graph, "static-int8", WIDE)
                yield row(f"TCN C={channels} k=3 4 levels, static-int8, {name}: bytes", shrunk(files), most_bytes)
                for batch, most in points.items():
                    bound = most if name == "encoder alone" else None
                    yield row(f"  time at T=200, batch {batch}", self.time(files, WIDE, 200, batch), bound)
            yield row("  agreement", self.agreement(files, WIDE), 0.99, most=False)

    def lstm(self) -> Iterator[Row]:
        network = self.trained(WIDE, "mean", "lstm", hidden=128)
        files = self.pair("lstm", export_whole(network, self.data[WIDE].manifest), "dynamic-int8", WIDE)
        yield row("LSTM H=128 I=40, dynamic-int8: bytes", shrunk(files))
        yield row("  time at T=200", self.time(files, WIDE, 200), 0.55)
        yield row("  agreement", self.agreement(files, WIDE), 0.99, most=False)

    def neighbours(self) -> Iterator[Row]:
        """The task that other tools were measured on: last frame pooled, T=29, batch 1, against the best float file."""
        for kind, method, most_bytes, bound in (
            ("gru", "dynamic-int8", 55_000, 1.02),
            ("tcn", "static-int8", 42_000, 0.45),
        ):
            network = self.trained(NARROW, "last", kind, **NEIGHBOURS[kind])
            whole, small = self.pair(f"task-{kind}", export_whole(network, self.data[NARROW].manifest), method, NARROW)
            floats = {"ours": whole}
            for name, dynamo in {"dynamo=False": False, "dynamo=True": True}.items():
                if kind == "gru" and dynamo:
                    continue  # its time axis would be frozen
                floats[name] = self.save(f"task-{kind}-{name}", by_torch(network, NARROW, dynamo))
            took_us = self.medians_us(floats, NARROW, 29)
            best = min(took_us, key=lambda name: took_us[name])
            yield row(
                f"{kind.upper()} of other tools' task, {method}: bytes", small.stat().st_size, most_bytes, form=".0f"
            )
            yield row(
                f"  time at T=29 against the best float: {best}", self.time((floats[best], small), NARROW, 29), bound
            )
            yield row("  time at T=200", self.time((whole, small), NARROW, 200))
            yield row("  agreement", self.agreement((whole, small), NARROW), 0.99, most=False)

    def shelf(self) -> Iterator[Row]:
        """Every recipe on the same two networks."""
        for kind, options in NEIGHBOURS.items():
            network = self.trained(NARROW, "last", kind, **options)
            graph = export_whole(network, self.data[NARROW].manifest)
            for method in recipes():
                files = self.pair(f"shelf-{kind}", graph, method, NARROW)
                yield row(f"{kind.upper()} of other tools' task, {method}: bytes", shrunk(files))
                yield row("  time at T=29", self.time(files, NARROW, 29))
                yield row("  agreement", self.agreement(files, NARROW))
            library = self.folder / f"shelf-{kind}-library.onnx"
            quantize_dynamic(files[0], library)
            yield row(f"{kind.upper()} of other tools' task, quantize_dynamic: bytes", shrunk((files[0], library)))
            yield row("  time at T=29", self.time((files[0], library), NARROW, 29))

    def trained(self, features: int, pooling: Any, architecture: str, **options: Any) -> SequenceClassifier:
        key = f"{features} {pooling} {architecture} {options}"
        if key not in self.networks:
            torch.manual_seed(0)
            data = self.data[features]
            every = torch.from_numpy(np.concatenate(data.train))
            body = build(architecture, inputs=features, **options)
            made = SequenceClassifier(body, data.classes, every.mean(dim=0), every.std(dim=0), pooling)
            fit(made, data, epochs=5 if self.quick else 30)
            self.networks[key] = made.eval()
        return self.networks[key]

    def pair(self, name: str, model: onnx.ModelProto, method: str, features: int) -> tuple[Path, Path]:
        """The float file and what a recipe makes of it."""
        made = recipe(method)(model, Calibration(self.data[features].train)).model
        return self.save(f"{name}-float", model), self.save(f"{name}-{method}", made)

    def save(self, name: str, model: onnx.ModelProto) -> Path:
        path = self.folder / f"{name.replace(' ', '-')}.onnx"
        path.write_bytes(to_bytes(model))
        return path

    def time(self, files: tuple[Path, Path], features: int, length: int, batch: int = 1) -> Estimate:
        """Time of the second file over that of the first."""
        cells = self._measure({"first": files[0], "second": files[1]}, features, length, batch, "first")
        faster = cells["second"].faster_than_teacher
        if faster is None:
            raise RuntimeError(f"{files[1].name} was not measured against {files[0].name}")
        return Estimate(1 / faster.value, 1 / faster.high, 1 / faster.low, faster.n, faster.confidence)

    def medians_us(self, files: Mapping[str, Path], features: int, length: int) -> dict[str, float]:
        cells = self._measure(files, features, length, 1, None)
        return {name: cell.percentiles[0].value_us or np.inf for name, cell in cells.items()}

    def _measure(
        self, files: Mapping[str, Path], features: int, length: int, batch: int, reference: str | None
    ) -> dict[str, latency.LatencyCell]:
        points = feeds.grid(*self.data[features].flat, (batch,), (length,))
        launches, samples = (2, 200) if self.quick else (5, 1000)
        found = latency.measure(files, points, reference=reference, launches=launches, samples=samples)
        if found.unmeasured:
            raise RuntimeError("; ".join(f"{one.contender}: {one.reason}" for one in found.unmeasured))
        return {name: one.cells[0] for name, one in found.latency.items()}

    def agreement(self, files: tuple[Path, Path], features: int) -> float:
        """Share of test sequences with the same label."""
        values, offsets = self.data[features].flat
        before, after = (predict(path, values, offsets, output=LOGITS).argmax(axis=1) for path in files)
        return float((before == after).mean())


def shrunk(files: tuple[Path, Path]) -> float:
    """Bytes of the second file over those of the first."""
    return files[1].stat().st_size / files[0].stat().st_size


if __name__ == "__main__":
    main()
