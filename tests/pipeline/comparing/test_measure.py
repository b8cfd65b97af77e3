"""Every row says what two artifacts differ in, by the rules at the model's fields, and no more than is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from bundles import FEATURES, LABELS, SEQUENCES
from onnx import TensorProto, helper
from seqpress.pipeline.comparing import judged, timed, verdict
from seqpress.pipeline.comparing.find import Material, locate
from seqpress.pipeline.comparing.judged import Labelled, read_labelled
from seqpress.pipeline.comparing.measure import How, Measured, compare_pair
from seqpress.pipeline.comparing.predictions import Predictions
from seqpress.pipeline.comparing.releases import as_report, compare_all, exit_code
from seqpress.pipeline.report.comparison import Comparison, Row
from seqpress.pipeline.report.part import Estimate


def only(path: Path):
    return locate(path).artifacts[0]


def measured(old: Path, new: Path, fake, **more) -> Measured:
    predictions = more.pop("predictions", (None, None))
    return compare_pair(only(old), only(new), How(timings=fake, with_memory=False, **more), predictions)


def row(found: Measured | Comparison, metric: str) -> Row:
    comparison = found.comparison if isinstance(found, Measured) else found
    return next(one for one in comparison.rows if one.metric == metric)


def test_against_itself_nothing_differs(bundle, fake):
    folder = bundle()
    found = measured(folder, folder, fake()).comparison
    assert {one.metric: one.verdict for one in found.rows} == {
        "size": "same", "step_size": "same", "parameters": "same", "operators": "same", "int8.share": "same",
        "quality.accuracy": "not measured", "outputs": "same", "latency.cpu": "same", "step.cpu": "same",
    }  # fmt: skip
    assert found.verdict == "same"
    assert row(found, "outputs").new == 0.0
    assert (row(found, "quality.accuracy").old, row(found, "quality.accuracy").new) == (0.9, 0.9)
    assert found.old.bundle_digest == found.new.bundle_digest == only(folder).bundle.digest


def test_both_get_the_golden_sequences_at_the_points_asked_for(bundle, fake):
    timings = fake()
    measured(bundle("old"), bundle("new", scale=2.0), timings, batches=(2,), lengths=(5,), threads=1, launches=3)
    whole, step = timings.asked
    assert [(one.batch, one.length) for one in whole["points"]] == [(1, 3), (2, 5)]
    assert [(one.batch, one.length) for one in step["points"]] == [(1, 1)]
    assert (whole["launches"], whole["tolerance"], whole["provider"]) == (3, 0.05, "cpu")
    frames = whole["points"][0].feeds[0]["frames"]
    assert frames.shape == (1, 3, 3)
    assert any(np.array_equal(frames[0], one[:3]) for one in SEQUENCES if len(one) >= 3)
    assert set(step["points"][0].feeds[0]) == {"frames", "total_in", "count_in"}


def test_other_weights_answer_otherwise(bundle, fake):
    found = measured(bundle("old"), bundle("new", scale=-1.0), fake())
    assert row(found, "outputs").verdict == "differs"
    assert row(found, "outputs").new > 0.1
    assert "the same label on 0.0 %" in row(found, "outputs").detail
    assert not row(found, "outputs").counts
    assert found.comparison.verdict == "same"


def test_what_a_graph_holds_is_counted(bundle, fake):
    old, new = bundle("old"), bundle("new")
    model = onnx.load(new / "model.onnx")
    model.graph.node.append(helper.make_node("Identity", ["logits"], ["unused"]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(400, np.float32), "more"))
    onnx.save(model, new / "model.onnx")
    found = measured(old, new / "model.onnx", fake())
    size = row(found, "size")
    assert size.verdict == "worse"
    assert size.new == (new / "model.onnx").stat().st_size
    assert row(found, "operators").detail == "added: Identity 1"
    assert row(found, "parameters").new == row(found, "parameters").old + 400
    assert found.comparison.verdict == "worse"
    assert "size" in found.comparison.sentence
    wide = measured(old, new / "model.onnx", fake(), tolerances={"size": 9.0})
    assert row(wide, "size").verdict == "same"


def test_a_stream_on_one_side_only(bundle, fake):
    found = measured(bundle("old"), bundle("new", streaming=False), fake())
    assert row(found, "step_size").verdict == row(found, "step.cpu").verdict == "not measured"
    assert "only the old one streams" in row(found, "step_size").detail
    nowhere = measured(bundle("a", streaming=False), bundle("b", streaming=False), fake())
    assert not any(one.metric.startswith("step") for one in nowhere.comparison.rows)


# -- timings ---------------------------------------------------------------------------------------------


def test_slower_is_worse(bundle, fake):
    found = measured(bundle("old"), bundle("new"), fake(1.10, 0.0001, "worse"))
    assert row(found, "latency.cpu").p_worse == 0.0001
    assert row(found, "latency.cpu").change.value == pytest.approx(1.10)
    assert found.comparison.verdict == "worse"
    assert found.noise == {"steal": "0.0 %"}


def test_a_failed_control_takes_every_verdict_on_time_away(bundle, fake):
    found = measured(bundle("old"), bundle("new"), fake(1.10, 0.0001, "worse", control_ok=False)).comparison
    assert not found.control_ok
    assert row(found, "latency.cpu").verdict == row(found, "step.cpu").verdict == "inconclusive"
    assert found.verdict == "inconclusive"


def test_what_could_not_be_timed_says_why(bundle, fake):
    gone = {"new": ("absent", "this build has no CUDAExecutionProvider")}
    found = measured(bundle("old"), bundle("new"), fake(unmeasured=gone), providers=("cuda",))
    assert row(found, "latency.cuda").verdict == "not measured"
    assert "CUDAExecutionProvider" in row(found, "latency.cuda").detail


def test_no_provider_at_all(bundle, fake):
    folder = only(bundle())
    found = compare_pair(folder, folder, How(timings=fake(), providers=())).comparison
    assert row(found, "memory.peak").verdict == "not measured"
    assert not any(one.metric.startswith(("latency", "step.")) for one in found.rows)


def timing(p_worse: float, word: str = "worse") -> Row:
    ratio = Estimate(value=1.1, low=1.06, high=1.14, n=9, confidence=0.99)
    return Row(
        metric="latency.cpu", unit="us", old=1, new=1.1, kind="ratio", change=ratio, p_worse=p_worse, verdict=word
    )


def test_holm_over_all_timings():
    alone = timed.settle([timing(0.004)])
    assert alone[0].verdict == "worse"
    many = timed.settle([timing(0.004), timing(0.9, "same"), timing(0.9, "same"), timing(0.0001)])
    assert [one.verdict for one in many] == ["inconclusive", "same", "same", "worse"]
    assert "Holm" in many[0].detail


def test_the_family_spans_all_artifacts(run_folder, fake):
    timings = fake(1.10, 0.002, "worse")
    run = locate(run_folder("1", "a/x", "b/x"))
    found, unpaired = compare_all(run, run, How(timings=timings, with_memory=False))
    assert unpaired == []
    assert {one["family"] for one in timings.asked} == {4}
    # 0.002 passes alone (0.005), and not as the smallest of four
    assert {one.verdict for each in found for one in each.comparison.rows if one.p_worse} == {"inconclusive"}
    assert {each.comparison.verdict for each in found} == {"inconclusive"}
    assert "undecided" in found[0].comparison.sentence


# -- models that are not alike ----------------------------------------------------------------------------


def foreign(path: Path, features: int = 3, *, classes: int = 2, name: str = "x", states: int = 0) -> Path:
    """The mean over time times a matrix, as somebody else would export it: (time, batch, features)."""
    rng = np.random.default_rng(features)
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("ReduceMean", [name, "axis"], ["m"], keepdims=0),
        helper.make_node("MatMul", ["m", "w"], ["scores"]),
    ]
    inputs, outputs = [value(name, 1, ["T", "N", features])], [value("scores", 1, ["N", classes])]
    if states:
        nodes.append(helper.make_node("Identity", ["h_in"], ["h_out"]))
        inputs.append(value("h_in", 1, ["N", states]))
        outputs.append(value("h_out", 1, ["N", states]))
    stored = [
        onnx.numpy_helper.from_array(np.array([0]), "axis"),
        onnx.numpy_helper.from_array(rng.standard_normal((features, classes)).astype(np.float32), "w"),
    ]
    graph = helper.make_graph(nodes, "g", inputs, outputs, stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def test_an_artifact_gets_the_channels_that_it_reads(bundle, fake):
    timings, names = fake(), ("more", *reversed(FEATURES))
    wide = [np.column_stack([np.full(len(one), 99, np.float32), one[:, ::-1]]) for one in SEQUENCES]
    test = Labelled(wide, np.zeros(3, np.int64), LABELS, "3 test items")
    found = measured(bundle("old"), bundle("new"), timings, sequences=wide, features=names, test=test)
    assert found.comparison.reason == ""
    assert row(found, "outputs").verdict == "same"
    assert row(found, "quality.accuracy").old == row(found, "quality.accuracy").new is not None
    frames = timings.asked[0]["points"][0].feeds[0]["frames"]
    assert any(np.array_equal(frames[0], one[:3]) for one in SEQUENCES if len(one) >= 3)


def test_as_many_other_channels_are_told(bundle, fake):
    folder, swapped = bundle("old"), tuple(reversed(FEATURES))
    old = only(folder)
    new = replace(old, about=replace(old.about, features=swapped))
    found = compare_pair(old, new, How(timings=fake(), with_memory=False)).comparison
    assert found.reason == "the old and the new read other channels (0: 'a', 'c', 2: 'c', 'a')"


def test_other_features_are_told(bundle, fake, tmp_path):
    timings = fake()
    found = measured(bundle(), foreign(tmp_path / "f.onnx", 7), timings).comparison
    assert timings.asked == []
    assert found.reason == "the old takes 3 features a frame, the new 7"
    assert {row(found, name).verdict for name in ("outputs", "latency.cpu", "step.cpu")} == {"not measured"}
    assert row(found, "size").verdict in ("better", "worse")  # what can be counted still is


def test_other_names_and_layouts_get_the_same_sequences(bundle, fake, tmp_path):
    timings = fake()
    found = measured(bundle(), foreign(tmp_path / "f.onnx"), timings)
    feeds = timings.asked[0]["points"][0].feeds[0]
    assert np.array_equal(feeds["frames"], feeds["x"].transpose(1, 0, 2))
    assert row(found, "outputs").verdict == "not measured"  # no output of one name
    assert "the same label on" in row(found, "outputs").detail


def test_one_name_for_different_things_is_renamed_in_a_copy(fake, tmp_path):
    timings = fake()
    old, new = foreign(tmp_path / "a.onnx", states=4), foreign(tmp_path / "b.onnx", states=6)
    before = new.read_bytes()
    measured(old, new, timings)
    (asked,) = timings.asked
    feeds = asked["points"][0].feeds[0]
    copy = onnx.ModelProto.FromString(asked["new_bytes"])
    names = [one.name for one in copy.graph.input]
    assert asked["old"] == old
    assert names[0] == "x"
    assert names[1] != "h_in"
    assert (feeds["h_in"].shape, feeds[names[1]].shape) == ((1, 4), (1, 6))
    assert [node.input[0] for node in copy.graph.node if node.op_type == "Identity"] == [names[1]]
    assert new.read_bytes() == before


def test_a_model_that_takes_nothing_we_know(bundle, fake, tmp_path):
    value = helper.make_tensor_value_info("text", TensorProto.STRING, ["N"])
    out = helper.make_tensor_value_info("y", TensorProto.STRING, ["N"])
    graph = helper.make_graph([helper.make_node("Identity", ["text"], ["y"])], "g", [value], [out])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "t.onnx")
    found = measured(bundle(), tmp_path / "t.onnx", fake()).comparison
    assert "one float input" in found.reason
    assert row(found, "latency.cpu").verdict == "not measured"


# -- quality ---------------------------------------------------------------------------------------------


@pytest.fixture
def labelled(tmp_path):
    """60 items; those of class 1 have a large last feature, which the bundles' matrix answers "no" to."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    items = [rng.standard_normal((4, 3)) * 0.1 + np.array([0, 0, 2.0]) * (2 * label - 1) for label in labels]
    values, offsets = np.concatenate(items), np.arange(61) * 4

    def write(**more: np.ndarray) -> Path:
        arrays = {"values": values, "offsets": offsets, "labels": np.array(["yes", "no"])[labels]} | more
        np.savez(tmp_path / "test.npz", **arrays)
        return tmp_path / "test.npz"

    return write


def test_both_answer_labelled_items(bundle, fake, labelled):
    test = read_labelled(labelled())
    assert len(test.sequences) == 60
    good = measured(bundle("old"), bundle("new"), fake(), test=test)
    quality = row(good, "quality.accuracy")
    assert quality.old == quality.new == 1.0
    assert quality.verdict == "inconclusive"  # 60 items cannot show a loss below one point
    assert row(measured(bundle("a"), bundle("b"), fake(), test=test, tolerances={"quality.drop": 0.2}),
               "quality.accuracy").verdict == "same"  # fmt: skip
    broken = row(measured(bundle("c"), bundle("d", scale=-1.0), fake(), test=test), "quality.accuracy")
    assert (broken.old, broken.new, broken.verdict) == (1.0, 0.0, "worse")
    assert "in the old alone 60" in broken.detail


def test_only_the_test_split_is_judged(bundle, labelled):
    split = np.array(["train"] * 40 + ["test"] * 20)
    assert len(read_labelled(labelled(split=split)).sequences) == 20
    with pytest.raises(judged.ConfigError, match="must hold test items"):
        read_labelled(labelled(split=np.array(["train"] * 60)))


def test_class_names_meet_by_name_not_by_number(bundle, fake, labelled, tmp_path):
    test = read_labelled(labelled())
    other = bundle("new")
    model = onnx.load(other / "model.onnx")
    for prop in model.metadata_props:
        if prop.key == "seqpress.labels":
            prop.value = '["no","yes"]'
    onnx.save(model, tmp_path / "swapped.onnx")
    found = row(measured(bundle("old"), tmp_path / "swapped.onnx", fake(), test=test), "quality.accuracy")
    assert (found.old, found.new) == (1.0, 0.0)


def test_a_model_of_other_classes_is_not_judged(bundle, fake, labelled, tmp_path):
    test = read_labelled(labelled())
    found = measured(bundle(), foreign(tmp_path / "f.onnx", classes=5), fake(), test=test)
    assert "answers 5 classes, the test has 2" in row(found, "quality.accuracy").detail


def told(split: str, right: int, name: str = "a/x") -> Predictions:
    labels = np.zeros(400, np.int64)
    predicted = np.r_[np.zeros(right, np.int64), np.ones(400 - right, np.int64)]
    return Predictions(split, ("yes", "no"), labels, {name: predicted})


@pytest.mark.parametrize(("right", "word"), [(390, "same"), (380, "inconclusive"), (340, "worse"), (399, "better")])
def test_predictions_of_two_runs(bundle, fake, right, word):
    both = (told("s", 390), told("s", right))
    found = measured(bundle("old", name="a/x"), bundle("new", name="a/x"), fake(), predictions=both)
    quality = row(found, "quality.accuracy")
    assert (quality.old, quality.new, quality.change.n) == (0.975, right / 400, 400)
    assert quality.change.value == pytest.approx((right - 390) / 400)
    assert quality.verdict == word
    assert found.comparison.verdict == word


def test_predictions_for_other_items_are_not_compared(bundle, fake):
    both = (told("one", 390), told("two", 300))
    found = measured(bundle("old", name="a/x"), bundle("new", name="a/x"), fake(), predictions=both)
    assert row(found, "quality.accuracy").verdict == "not measured"
    assert "--test" in row(found, "quality.accuracy").detail


def errors(split: str, each: np.ndarray, name: str = "a/x", metric: str = "mse") -> Predictions:
    """Squared errors of blocks of two items."""
    parts = np.stack([2 * each, np.full(len(each), 2.0)], axis=1)
    return Predictions(split, metric=metric, items=np.full(len(each), 2), parts={name: parts})


@pytest.mark.parametrize(("factor", "word"), [(1.0, "same"), (1.005, "same"), (1.2, "worse"), (0.9, "better")])
def test_runs_of_another_task_are_compared_by_blocks(bundle, fake, factor, word):
    each = np.random.default_rng(3).gamma(2.0, 0.2, 40)
    both = (errors("s", each), errors("s", factor * each))
    found = measured(bundle("old", name="a/x"), bundle("new", name="a/x"), fake(), predictions=both)
    quality = row(found, "quality.mse")
    assert (quality.unit, quality.better, quality.verdict) == ("value", "lower", word)
    assert (quality.old, quality.new) == (pytest.approx(each.mean()), pytest.approx(factor * each.mean()))
    assert quality.change.n == 80
    assert quality.detail == "40 blocks of items"


def test_one_block_of_items_decides_nothing(bundle, fake):
    both = (errors("s", np.array([0.4])), errors("s", np.array([0.8])))
    found = measured(bundle("old", name="a/x"), bundle("new", name="a/x"), fake(), predictions=both)
    assert row(found, "quality.mse").verdict == "inconclusive"


@pytest.mark.parametrize(
    "other",
    [errors("two", np.ones(4)), errors("one", np.ones(5)), errors("one", np.ones(4), metric="mae"), told("one", 390)],
    ids=["other split", "other blocks", "other metric", "other task"],
)
def test_what_was_tested_otherwise_is_not_compared(bundle, fake, other):
    both = (errors("one", np.ones(4)), other)
    found = measured(bundle("old", name="a/x"), bundle("new", name="a/x"), fake(), predictions=both)
    quality = next(one for one in found.comparison.rows if one.metric.startswith("quality."))
    assert quality.verdict == "not measured"
    assert "different" in quality.detail


# -- the whole -------------------------------------------------------------------------------------------


def test_nobody_has_a_counterpart(run_folder, fake):
    old, new = locate(run_folder("1", "a/x", "b/x")), locate(run_folder("2", "c/x"))
    found, unpaired = compare_all(old, new, How(timings=fake(), with_memory=False))
    report = as_report("1", "2", found, unpaired, strict=False)
    assert (report.verdict, report.exit_code, len(report.unpaired)) == ("not measured", 0, 3)
    assert "no artifact" in report.sentence.lower()
    assert as_report("1", "2", found, unpaired, strict=True).exit_code == 8


@pytest.mark.parametrize(
    ("word", "codes"),
    [("better", (0, 0)), ("same", (0, 0)), ("worse", (5, 5)), ("inconclusive", (0, 8)), ("not measured", (0, 8))],
)
def test_exit_codes(word, codes):
    assert (exit_code(word, False), exit_code(word, True)) == codes


def test_the_order_of_verdicts():
    def counted(word: str, counts: bool = True) -> Row:
        return Row(metric="m", unit="us", old=1, new=1, verdict=word, counts=counts)

    words = ["worse", "inconclusive", "better", "same", "not measured"]
    for at, word in enumerate(words):
        rows = [counted(one) for one in words[at:]]
        assert verdict.overall([*rows, counted("worse", counts=False)]) == word


def test_peak_memory_is_measured_alone(bundle):
    folder = only(bundle(streaming=False))
    peak = row(compare_pair(folder, folder, How(timings=lambda *_, **__: Nothing())), "memory.peak")
    assert 10e6 < peak.old < 1e9
    assert peak.change.low <= peak.change.value <= peak.change.high
    assert peak.verdict == "same"


class Nothing:
    points, control, control_ok, launches, unmeasured, noise, settings = (), None, True, 0, {}, {}, {}


def test_materials_say_what_they_are(bundle):
    assert isinstance(locate(bundle()), Material)
