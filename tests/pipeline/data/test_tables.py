"""csv, parquet and arrow: the same items from each, in streams, and every fault with its row."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seqpress.pipeline.data import load_source, mapped, source_digest
from seqpress.pipeline.data.sources import tables
from seqpress.pipeline.errors import ConfigError, EnvironmentFault, InputRejected

pa = pytest.importorskip("pyarrow")
from pyarrow import csv, parquet  # noqa: E402

Make = Callable[..., dict[str, Any]]
LENGTHS = 3 + np.arange(24) % 5


def columns(**changes: Any) -> dict[str, Any]:
    """A long table of 24 sequences of 3 to 7 rows, classes a and b, the last 6 for testing."""
    rows = int(LENGTHS.sum())
    rng = np.random.default_rng(0)
    found = {
        "who": np.repeat([f"p{i:02d}" for i in range(24)], LENGTHS),
        "t": np.concatenate([np.arange(n) * 0.5 for n in LENGTHS]),
        "acc_x": rng.normal(size=rows).round(3),
        "acc_y": rng.normal(size=rows).round(3),
        "gyro": np.arange(rows),
        "kind": np.repeat(np.array(["a", "b"] * 12), LENGTHS),
        "part": np.repeat(["train"] * 18 + ["test"] * 6, LENGTHS),
        "note": np.array(["x"] * rows),
    }
    found.update(changes)
    return {name: column for name, column in found.items() if column is not None}


def write(folder: Path, source: str, table: dict[str, Any], name: str = "log") -> str:
    made = pa.table(table)
    path = folder / f"{name}.{source}"
    if source == "csv":
        csv.write_csv(made, path)
    elif source == "parquet":
        parquet.write_table(made, path, row_group_size=40)
    else:
        with pa.OSFile(str(path), "wb") as out, pa.ipc.new_file(out, made.schema) as writer:
            writer.write_table(made, max_chunksize=30)
    return path.name


def chosen(source: str, path: Any = None, **changes: Any) -> dict[str, Any]:
    base = {
        "source": source, "path": path or f"log.{source}", "layout": "long", "id": "who", "time": "t", "label": "kind",
        "split": "part", "features": (), "delimiter": ",", "validation": {"fraction": 0.25, "by": "class"},
        "test": None,
    }  # fmt: skip
    return {**base, **changes}


def refused(folder: Path, table: dict[str, Any], **changes: Any) -> str:
    write(folder, "parquet", table)
    with pytest.raises(InputRejected) as caught:
        load_source(chosen("parquet", **changes), folder, 7)
    return str(caught.value)


@pytest.mark.parametrize("block_bytes", [200, 2**24])
@pytest.mark.parametrize("source", ["csv", "parquet", "arrow"])
def test_long(source: str, block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the format and wherever the chunks end."""
    monkeypatch.setattr(tables, "BLOCK_BYTES", block_bytes)
    table = columns()
    write(tmp_path, source, table)
    options = chosen(source)
    dataset = load_source(options, tmp_path, 7, expected=source_digest(options, tmp_path))
    assert dataset.features == ("acc_x", "acc_y", "gyro")
    assert dataset.labels == ("a", "b")
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [14, 4, 6]
    assert dataset.test.lengths.tolist() == LENGTHS[18:].tolist()
    assert dataset.test.labels.tolist() == [0, 1] * 3
    frames = np.stack([table[name] for name in dataset.features], axis=1).astype(np.float32)
    np.testing.assert_array_equal(dataset.test.packed()[0], frames[LENGTHS[:18].sum() :])
    np.testing.assert_array_equal(dataset.train.values, frames)
    np.save(tmp_path / "kept.npy", dataset.mean)


def test_the_three_formats_are_the_same_data(tmp_path: Path) -> None:
    found = []
    for source in ("csv", "parquet", "arrow"):
        write(tmp_path, source, columns())
        found.append(load_source(chosen(source), tmp_path, 7).digest())
    assert found[0] == found[1] == found[2]


def test_columns_by_pattern_in_their_order(tmp_path: Path) -> None:
    write(tmp_path, "csv", columns())
    options = chosen("csv", features=("gyro", "acc_*"), units={"gyro": "deg/s"})
    dataset = load_source(options, tmp_path, 7)
    assert dataset.features == ("gyro", "acc_x", "acc_y")
    assert dataset.device == {"units": {"gyro": "deg/s"}}
    np.testing.assert_array_equal(dataset.train.values[:, 0], np.arange(LENGTHS.sum()))


def test_several_files_are_one_table(tmp_path: Path) -> None:
    table = columns()
    cut = int(LENGTHS[:10].sum())
    write(tmp_path, "csv", {name: column[:cut] for name, column in table.items()}, "a")
    write(tmp_path, "csv", {name: column[cut:] for name, column in table.items()}, "b")
    write(tmp_path, "parquet", table)
    whole = load_source(chosen("parquet"), tmp_path, 7)
    assert load_source(chosen("csv", "[ab].csv"), tmp_path, 7).digest() == whole.digest()
    assert load_source(chosen("csv", ("a.csv", "b.csv")), tmp_path, 7).digest() == whole.digest()


def test_without_ids_every_file_is_a_series(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path, "csv", {"t": np.arange(50), "load": np.arange(50.0) + number}, f"day{number}")
    options = {
        "source": "csv", "path": "day*.csv", "layout": "long", "time": "t", "features": (), "delimiter": ",",
        "validation": {"fraction": 0.25, "by": "time"}, "test": {"fraction": 0.2, "by": "time"},
        "transforms": [{"kind": "window", "length": 4, "stride": 1}],
    }  # fmt: skip
    dataset = load_source(options, tmp_path, 7, wanted={"kind": "horizon", "horizon": 2})
    # 30 + 10 + 10 frames of each file; windows of 4 with 2 behind them
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [3 * 25, 3 * 5, 3 * 5]
    frames, _, ahead = dataset.test.batch([0, 14])
    assert frames[0, :, 0].tolist() == [40, 41, 42, 43]
    assert ahead[:, :, 0].tolist() == [[44, 45], [50, 51]]


def test_wide_rows_end_where_their_cells_do(tmp_path: Path) -> None:
    cells = np.arange(40.0).reshape(10, 4)
    cells[3, 2:] = np.nan
    table = {f"c{i}": cells[:, i] for i in range(4)} | {"y": ["a", "b"] * 5, "part": ["train"] * 6 + ["test"] * 4}
    write(tmp_path, "csv", table)
    options = chosen("csv", layout="wide", id=None, time=None, label="y", features=("c*",))
    dataset = load_source(options, tmp_path, 7)
    assert dataset.channels == 1
    every = sorted([*dataset.train.lengths.tolist(), *dataset.validation.lengths.tolist()])
    assert every == [2, 4, 4, 4, 4, 4]
    assert dataset.test.item(0)[:, 0].tolist() == [24, 25, 26, 27]


def test_a_tag_for_each_row(tmp_path: Path) -> None:
    tags = np.array(["noun", "verb", "adj"])[np.arange(LENGTHS.sum()) % 3]
    write(tmp_path, "parquet", columns(kind=tags))
    dataset = load_source(
        chosen("parquet", validation={"fraction": 0.25, "by": "random"}), tmp_path, 7, wanted={"kind": "tag"}
    )
    assert dataset.labels == ("adj", "noun", "verb")
    _, lengths, targets = dataset.test.batch([0, 1])
    begin = int(LENGTHS[:18].sum())
    expected = [sorted(set(tags)).index(tag) for tag in tags[begin : begin + lengths[0]]]
    assert targets[0, : lengths[0]].tolist() == expected


def test_a_number_to_learn(tmp_path: Path) -> None:
    write(tmp_path, "csv", columns(kind=np.repeat(np.arange(24) / 2, LENGTHS)))
    options = chosen("csv", validation={"fraction": 0.25, "by": "auto"})
    dataset = load_source(options, tmp_path, 7, wanted={"kind": "number"})
    assert dataset.test.targets.array.tolist() == [[i / 2] for i in range(18, 24)]
    assert dataset.test.targets.array.dtype == np.float32


def scrambled() -> dict[str, Any]:
    table = columns()
    order = np.arange(LENGTHS.sum())
    order[[2, 40]] = order[[40, 2]]
    return {name: np.asarray(column)[order] for name, column in table.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (scrambled, "must have the rows of a sequence together; sort the file by id and time"),
        (lambda: columns(t=-columns()["t"]), "row 2 of log.parquet: -0.5 after -0"),
        (lambda: columns(kind=np.array(["a", "b"] * 59)), "must have one label in all rows of a sequence; got"),
        (lambda: columns(who=None), "data.id must name a column of log.parquet; got 'who'"),
        (lambda: columns(acc_x=None, acc_y=None, gyro=None), "log.parquet must have a column of numbers"),
        (lambda: columns(t=columns()["note"]), "must have times that are numbers or time stamps"),
    ],
)
def test_faults_of_rows(change: Callable[[], dict[str, Any]], message: str, tmp_path: Path) -> None:
    assert message in refused(tmp_path, change())


def test_faults_of_columns(tmp_path: Path) -> None:
    said = refused(tmp_path, columns(), features=("acc_z", "note"), units={"acc_X": "g"})
    assert "data.features must name a column of log.parquet; got 'acc_z'\n  did you mean: acc_y" in said
    assert "must hold numbers; got text in 'note'" in said


def test_damage_is_no_traceback(tmp_path: Path) -> None:
    for source, content in (("parquet", b"PAR1junk"), ("arrow", b"ARROW1junk"), ("csv", b"")):
        (tmp_path / f"log.{source}").write_bytes(content)
        with pytest.raises(InputRejected, match=f"{source} must be a readable {source} file"):
            load_source(chosen(source), tmp_path, 7)
    write(tmp_path, "csv", columns())
    with (tmp_path / "log.csv").open("a") as out:
        out.write("p99,1,not a number,2,3,a,test,x\n")
    with pytest.raises(InputRejected, match="must hold numbers; got text in 'acc_x'"):
        load_source(chosen("csv", features=("acc_*",)), tmp_path, 7)
    unread = [found["text"] for found in load_source(chosen("csv"), tmp_path, 7).findings]
    assert "log.csv also holds acc_x, note, which nothing reads." in unread


def test_nothing_that_matches(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.path must match a file"):
        source_digest(chosen("csv", "*.csv"), tmp_path)


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'seqpress\[columnar\]'"):
        source_digest(chosen("csv"), tmp_path)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """As much as a few chunks of frames, for a file of many."""
    rows = 400_000
    table = {"who": np.repeat(np.arange(400), 1000), "kind": np.repeat(np.arange(400) % 2, 1000)}
    table |= {f"f{i}": np.random.default_rng(i).normal(size=rows).astype(np.float32) for i in range(8)}
    parquet.write_table(pa.table(table), tmp_path / "log.parquet", row_group_size=50_000)
    import tracemalloc

    options = chosen("parquet", time=None, split=None, test={"fraction": 0.2, "by": "class"})
    tracemalloc.start()
    load_source(options, tmp_path, 7)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * mapped.BLOCK_BYTES


MISSING = {"acc_x": np.where(np.arange(int(LENGTHS.sum())) % 11 == 4, np.nan, columns()["acc_x"])}


def test_missing_values_are_refused_unless_the_yaml_says_more(tmp_path: Path) -> None:
    said = refused(tmp_path, columns(**MISSING))
    assert "must be finite; got" in said
    assert "data.missing" in said


@pytest.mark.parametrize("source", ["csv", "parquet"])
@pytest.mark.parametrize("missing", ["drop", "interpolate", "mask-channel"])
def test_missing(source: str, missing: str, tmp_path: Path) -> None:
    write(tmp_path, source, columns(**MISSING))
    dataset = load_source(chosen(source, missing=missing), tmp_path, 7)
    holes = np.isnan(MISSING["acc_x"])
    count = int(holes.sum())
    assert any(f"{count} missing values in " in found["text"] for found in dataset.findings)
    assert len(dataset.train.values) == len(holes) - (count if missing == "drop" else 0)
    assert np.isfinite(dataset.train.values).all()
    if missing == "mask-channel":
        assert dataset.features == ("acc_x", "acc_y", "gyro", "acc_x missing", "acc_y missing", "gyro missing")
        np.testing.assert_array_equal(dataset.train.values[:, 3], holes)
        assert "missing" in dataset.device
    if missing == "interpolate":
        row = int(np.flatnonzero(holes)[1])  # 15: the first of four rows of its item
        assert dataset.train.values[row, 0] != 0


def test_an_item_that_loses_all_frames_is_left_out(tmp_path: Path) -> None:
    values = np.array(columns()["acc_x"])
    values[:3] = np.nan
    write(tmp_path, "parquet", columns(acc_x=values))
    dataset = load_source(chosen("parquet", missing="drop"), tmp_path, 7)
    assert len(dataset.train) + len(dataset.validation) == 17
    assert any("left out with 3 frames" in found["text"] for found in dataset.findings)


def test_even_time_steps(tmp_path: Path) -> None:
    write(tmp_path, "parquet", columns())
    steps = [{"kind": "select", "channels": ["gyro"]}, {"kind": "resample", "rate_hz": 4.0}]
    dataset = load_source(chosen("parquet", transforms=steps), tmp_path, 7)
    assert dataset.features == ("gyro",)
    assert dataset.test.lengths.tolist() == (2 * LENGTHS[18:] - 1).tolist()
    first = float(LENGTHS[:18].sum())
    assert dataset.test.item(0)[:3, 0].tolist() == [first, first + 0.5, first + 1]
    assert dataset.device["resample"] == {"rate_hz": 4.0}
    said = refused(tmp_path, columns(), transforms=steps, time=None)
    assert "data.transforms.resample needs the time of every frame" in said


def nested(as_lists: bool) -> dict[str, Any]:
    frames = [np.arange(2 * n, dtype=np.float64).reshape(n, 2) + i for i, n in enumerate(LENGTHS)]
    table: dict[str, Any] = {"y": ["a", "b"] * 12}
    if as_lists:
        return table | {"steps": [item.tolist() for item in frames]}
    return table | {"x0": [item[:, 0].tolist() for item in frames], "x1": [item[:, 1].tolist() for item in frames]}


@pytest.mark.parametrize("as_lists", [True, False])
def test_rows_that_hold_lists(as_lists: bool, tmp_path: Path) -> None:
    write(tmp_path, "parquet", nested(as_lists))
    share = {"fraction": 0.25, "by": "class"}
    options = chosen(
        "parquet", layout="nested", id=None, time=None, split=None, label="y", test=share, validation=share
    )
    dataset = load_source(options, tmp_path, 7)
    assert dataset.features == (("steps0", "steps1") if as_lists else ("x0", "x1"))
    every = np.sort(np.concatenate([dataset.split(name).lengths for name in ("train", "validation", "test")]))
    assert every.tolist() == sorted(LENGTHS.tolist())
    assert dataset.train.values[: LENGTHS[0]].tolist() == np.arange(2.0 * LENGTHS[0]).reshape(-1, 2).tolist()


def test_lists_of_unequal_length(tmp_path: Path) -> None:
    table = nested(False)
    table["x1"][4] = table["x1"][4][:-1]
    changes = {"layout": "nested", "id": None, "time": None, "split": None, "label": "y"}
    assert "x1 must hold lists as long as those of x0; got 6 and 7 in row 5" in refused(tmp_path, table, **changes)


def test_a_folder_as_the_hub_keeps_it(tmp_path: Path) -> None:
    rows = nested(True)
    (tmp_path / "set" / "data").mkdir(parents=True)
    for name, low, high in (("train-0", 0, 9), ("train-1", 9, 16), ("valid-0", 16, 20), ("test-0", 20, 24)):
        write(tmp_path / "set" / "data", "parquet", {key: column[low:high] for key, column in rows.items()}, name)
    options = chosen("huggingface", "set", layout="nested", id=None, time=None, split=None, label="y")
    dataset = load_source(options, tmp_path, 7, source_digest(options, tmp_path))
    assert dataset.source == "huggingface set"
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [16, 4, 4]
    assert dataset.test.lengths.tolist() == LENGTHS[20:].tolist()
    with pytest.raises(ConfigError, match="must name a folder with Parquet or Arrow files"):
        source_digest({**options, "path": "elsewhere"}, tmp_path)
