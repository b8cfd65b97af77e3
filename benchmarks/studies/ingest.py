"""How fast a table larger than memory is read, and how little memory that takes.

    python benchmarks/studies/ingest.py [--megabytes 4000] [--formats csv parquet] [--epoch] [--folder DIR]

Writes a long table (id, time, 8 features, label; 1000 rows a sequence) of about that size, reads it through the data
stage in a process of its own, then one epoch's batches, and prints MB/s of the file and the peak memory of the process.
Asked of 4 GB: at most 1.5 GB of memory, and from parquet at least 100 MB/s on two cores. The epoch is the training
loop's own feed; ``--train`` puts a GRU behind it.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

FEATURES, ROWS, CHUNK = 8, 1000, 250
MOST_BYTES, LEAST_MB_S = 1.5e9, 100.0
SHARE = {"fraction": 0.1, "by": "class"}


def generate(path: Path, size_bytes: float) -> None:
    """Write sequences until the file has its size; values have three decimals, as sensors' have."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    rng, first, writer = np.random.default_rng(0), 0, None
    try:
        while writer is None or path.stat().st_size < size_bytes:
            ids = np.repeat(np.arange(first, first + CHUNK), ROWS)
            columns: dict[str, Any] = {"run": ids, "t": np.tile(np.arange(ROWS) / 100, CHUNK)}
            for index in range(FEATURES):
                noise = rng.normal(size=len(ids)).astype(np.float32)
                columns[f"x{index}"] = np.round(noise + (ids % 4 == index), 3)
            columns["label"] = ids % 4
            table = pa.table(columns)
            if writer is None:
                kind = parquet.ParquetWriter if path.suffix == ".parquet" else csv.CSVWriter
                more = {"compression": "none", "use_dictionary": False} if path.suffix == ".parquet" else {}
                writer = kind(path, table.schema, **more)
            writer.write_table(table)
            first += CHUNK
    finally:
        if writer is not None:
            writer.close()


def peak_bytes() -> int:
    """The most memory that this process has had at once, mapped files included."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def ingest(path: Path, into: Path, epoch: bool, train: bool) -> dict[str, Any]:
    """Read the file as the data stage does; facts of that."""
    from seqpress.pipeline.data import Dataset, length_batches, load_source, source_digest

    options = {
        "source": path.suffix[1:], "path": path.name, "layout": "long", "id": "run", "time": "t", "label": "label",
        "delimiter": ",", "test": SHARE, "validation": SHARE,
    }  # fmt: skip
    started = time.perf_counter()
    digest = source_digest(options, path.parent)
    planned = time.perf_counter()
    dataset = load_source(options, path.parent, 7, digest, into)
    loaded = time.perf_counter()
    dataset.write(into)
    done = time.perf_counter()
    size = path.stat().st_size
    facts: dict[str, Any] = {
        "format": path.suffix[1:],
        "megabytes": size / 1e6,
        "frames": len(dataset.train.values),
        "plan_s": planned - started,
        "load_s": loaded - planned,
        "write_s": done - loaded,
        "mb_per_s": size / 1e6 / (done - planned),
        "peak_bytes": peak_bytes(),
    }
    if epoch or train:
        stored = Dataset.read({file.name: file for file in into.iterdir()})
        started = time.perf_counter()
        if train:
            _train(stored)
        else:
            for indices in length_batches(stored.train.lengths, 32, 7, 0):
                stored.train.batch(indices)
        facts |= {"epoch_s": time.perf_counter() - started, "peak_bytes_after_epoch": peak_bytes()}
    return facts


def _train(dataset: Any) -> None:
    """One epoch of a small GRU through the training loop."""
    import torch
    from lightning_fabric import Fabric
    from seqpress.models.network import SequenceClassifier
    from seqpress.models.registry import build
    from seqpress.pipeline.distillation.hard_labels import hard_labels
    from seqpress.pipeline.tasks.registry import task
    from seqpress.pipeline.training.batch import Split
    from seqpress.pipeline.training.loop import Settings, fit

    torch.set_num_threads(2)
    named, how = task({"kind": "classification"}, dataset), Settings(1, 32, 0.01, 0.01, 0.1, 1.0, None)
    mean, std = torch.from_numpy(dataset.mean), torch.from_numpy(dataset.std)
    encoder = build(architecture="gru", inputs=dataset.channels, hidden=16)
    network = SequenceClassifier(encoder, len(dataset.labels), mean, std)
    splits = Split(dataset.train), Split(dataset.validation)
    fit(Fabric(accelerator="cpu"), network, *splits, hard_labels(named, 0.0), named, how, 7)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=400)
    parser.add_argument("--formats", nargs="+", choices=("csv", "parquet"), default=["csv", "parquet"])
    parser.add_argument("--epoch", action="store_true", help="also one epoch's batches")
    parser.add_argument("--train", action="store_true", help="also one epoch of a GRU")
    parser.add_argument("--folder", type=Path, help="where the files go; a temporary folder by default")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)  # the process of one file
    asked = parser.parse_args()
    if asked.read:
        with tempfile.TemporaryDirectory(dir=asked.read.parent) as into:
            print(json.dumps(ingest(asked.read, Path(into), asked.epoch, asked.train)))
        return 0
    holds = True
    with tempfile.TemporaryDirectory(dir=asked.folder) as scratch:
        need, free = 2.2e6 * asked.megabytes, shutil.disk_usage(scratch).free
        if free < need:
            sys.exit(f"{need / 1e9:.1f} GB of disk are needed, {free / 1e9:.1f} GB are free")
        for name in asked.formats:
            path = Path(scratch, f"log.{name}")
            generate(path, 1e6 * asked.megabytes)
            flags = [f"--{flag}" for flag in ("epoch", "train") if getattr(asked, flag)]
            command = [sys.executable, __file__, "--read", str(path), *flags]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
            facts = json.loads(done.stdout.splitlines()[-1])
            peak = max(facts["peak_bytes"], facts.get("peak_bytes_after_epoch", 0))
            print(
                f"{name:8} {facts['megabytes']:.0f} MB, {facts['frames']:,} frames: {facts['mb_per_s']:.0f} MB/s, "
                f"peak {peak / 1e6:.0f} MB" + (f", epoch {facts['epoch_s']:.1f} s" if "epoch_s" in facts else "")
            )
            print(json.dumps(facts))
            holds = holds and peak <= MOST_BYTES and (name == "csv" or facts["mb_per_s"] >= LEAST_MB_S)
            path.unlink()
    print("holds" if holds else "does not hold: at most 1.5 GB of memory, at least 100 MB/s from parquet")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
