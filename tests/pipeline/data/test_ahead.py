"""Channels known ahead of time: whatever the chunks, a frame gets what they are ``horizon`` frames later."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from seqpress.pipeline.data import Dataset, load_source
from seqpress.pipeline.data.ahead import Ahead, joined
from seqpress.pipeline.data.stored import read
from seqpress.pipeline.errors import InputRejected

Make = Callable[..., dict[str, Any]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(1, 6), st.lists(st.integers(0, 40), max_size=8))
def test_chunks_of_any_size(lengths: list[int], horizon: int, cuts: list[int]) -> None:
    total = sum(lengths)
    frames = np.arange(2.0 * total).reshape(total, 2)
    tags, ends = np.array([f"t{i}" for i in range(total)]), np.cumsum(lengths)
    ahead = Ahead(np.array([1]), horizon)
    borders = sorted({0, total, *(min(cut, total) for cut in cuts)})
    out, made, told = [], 0, []
    for first, last in zip(borders, [*borders[1:], total], strict=True):
        # an item ends in the chunk that holds its last frame, or at the start of the first one
        mine = ends[(ends > first) & (ends <= last) | (ends == 0) & (first == 0) & (borders.index(first) == 0)]
        rows, stops = ahead((frames[first:last], tags[first:last], None), mine - first)
        out.append(rows)
        told += [made + int(stop) for stop in stops]
        made += len(rows[0])
    whole, told_tags, times = joined(out)
    assert times is None
    expected = []
    for start, stop in zip(ends - lengths, ends, strict=True):
        at = np.minimum(np.arange(start, stop) + horizon, stop - 1)
        expected.append(np.hstack([frames[start:stop], frames[at][:, [1]]]))
    np.testing.assert_array_equal(whole, np.concatenate(expected))
    np.testing.assert_array_equal(told_tags, tags)
    assert sorted(set(told)) == sorted(set(ends.tolist()))


@pytest.fixture
def load_curve(shared_data: Callable[[str], Path]) -> Callable[..., Dataset]:
    """The first windows of the transformer's temperature, its loads, and one of them known ahead."""
    path = shared_data("etth1/ETTh1.csv")

    def load(into: Path | None = None, **wanted: Any) -> Dataset:
        part = {"fraction": 0.2, "by": "time"}
        options = {
            "source": "csv", "path": str(path), "layout": "long", "features": ["HUFL", "HULL", "OT"], "time": "date",
            "delimiter": ",", "test": part, "validation": part, "transforms": [{"kind": "window", "length": 48}],
        }  # fmt: skip
        options["transforms"][0]["stride"] = 24
        asked = {"kind": "horizon", "horizon": 24, "columns": [], "period": 24, "future": ["HULL"], **wanted}
        return load_source(options, path.parent, 0, into=into, wanted=asked)

    return load


def test_a_window_reads_the_future_of_what_is_known(load_curve: Callable[..., Dataset], tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    dataset = load_curve(tmp_path)
    assert dataset.features == ("HUFL", "HULL", "OT", "HULL+24")
    assert dataset.labels == ("HUFL", "OT")
    assert dataset.device["future"] == {"frames": 24, "channels": {"HULL+24": "HULL"}}
    for name in ("train", "validation", "test"):
        part = dataset.split(name)
        frames, _, answers = part.batch(range(len(part)))
        assert answers.shape[1:] == (24, 2)
        following = np.stack([part.values[s + 48 : s + 72, 1] for s in part.starts])
        np.testing.assert_array_equal(frames[:, -24:, 3], following)  # its last 24 frames know all of the horizon
    dataset.write(tmp_path)
    back = read({path.name: path for path in tmp_path.iterdir()})
    assert back.device == dataset.device
    np.testing.assert_array_equal(back.test.batch([3])[2], dataset.test.batch([3])[2])


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"future": ["HUL"]}, "task.future must name a column of the source; got 'HUL'\n  did you mean: HULL"),
        ({"future": ["*"]}, "task.future must leave a channel to foresee; got 'HUFL', 'HULL', 'OT'"),
        ({"columns": ["H*"]}, "task.columns must not foresee what task.future gives; got 'HULL'"),
        ({"columns": ["HULL+24"]}, "task.columns must name a column of"),
    ],
)
def test_faults(load_curve: Callable[..., Dataset], wanted: dict[str, Any], told: str) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(InputRejected) as caught:
        load_curve(**wanted)
    assert told in str(caught.value)


def test_marked_holes_and_chosen_channels(options: Make, small: Make, tmp_path: Path) -> None:
    """The future is that of the frames as they are stored."""
    arrays = small(features=np.array(["a", "b", "c"]))
    arrays["values"][4, 1] = np.nan
    np.savez(tmp_path / "speech.npz", **arrays)
    steps = [{"kind": "select", "channels": ["b", "c"]}]
    wanted = {"kind": "horizon", "horizon": 2, "columns": ["c"], "period": 1, "future": ["b"]}
    dataset = load_source(
        options(missing="mask-channel", transforms=steps, validation={"fraction": 0.25, "by": "random"}),
        tmp_path, 3, wanted=wanted,
    )  # fmt: skip
    assert dataset.features == ("b", "c", "b missing", "c missing", "b+2")
    every = np.concatenate([dataset.split(name).packed()[0] for name in ("train", "validation", "test")])
    assert every.shape[1] == 5
    for part in (dataset.train, dataset.test):
        for start, length in zip(part.starts, part.lengths, strict=True):
            np.testing.assert_array_equal(
                part.values[start : start + length, 4], part.values[start + 2 : start + length + 2, 0]
            )


def test_tokens_have_no_future(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abcabcabc\n" * 20)
    options = {
        "source": "text", "path": "a.txt", "unit": "characters", "items": "line", "vocabulary": None, "min_count": 1,
        "test": {"fraction": 0.2, "by": "random"}, "validation": {"fraction": 0.2, "by": "random"},
    }  # fmt: skip
    wanted = {"kind": "horizon", "horizon": 2, "columns": [], "period": 1, "future": ["token"]}
    with pytest.raises(InputRejected, match=r"task\.future needs channels of numbers; got tokens"):
        load_source(options, tmp_path, 0, wanted=wanted)


def test_an_anomaly_wants_a_tag_for_each_frame(options: Make, tmp_path: Path) -> None:
    (tmp_path / "my_data.py").write_text(
        "def load():\n"
        "    for i in range(12):\n"
        "        yield {'frames': [[t + i, 1 + t * i] for t in range(5)], 'tags': [0, 0, int(i > 8), 0, 0]}\n"
    )
    by = {"fraction": 0.25, "by": "random"}
    chosen = options(source="python", entry="my_data:load", test=by, validation=by)
    dataset = load_source(chosen, tmp_path, 1, wanted={"kind": "anomaly", "normal": "0"})
    assert dataset.labels == ("0", "1")
    tags = [dataset.split(name).batch([0, 1])[2] for name in ("train", "validation", "test")]
    assert {part.shape[1] for part in tags} == {5}
    assert all(set(np.unique(part)) <= {0, 1} for part in tags)
