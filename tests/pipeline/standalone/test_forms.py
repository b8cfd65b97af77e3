"""``compress bench``, ``quantize`` and ``compare`` on artifacts of ours that take and give anything."""

import numpy as np
import onnx
import pytest
from seqpress.exporters.bundle.golden import make_golden
from seqpress.exporters.bundle.manifest import Description, NonFinite
from seqpress.exporters.bundle.model_card import Card, render
from seqpress.exporters.bundle.verify import verify_bundle
from seqpress.exporters.bundle.write import write_bundle
from seqpress.exporters.cleanup import to_bytes
from seqpress.exporters.manifest import Manifest
from seqpress.exporters.non_finite import apply
from seqpress.exporters.streaming import export_step
from seqpress.exporters.whole import export_whole
from seqpress.models.contract import NotCausal
from seqpress.pipeline.comparing import find
from seqpress.pipeline.comparing.feeding import Both, Unlike, feed_both, grid
from seqpress.pipeline.errors import InputRejected
from seqpress.pipeline.standalone import bench as bench_job
from seqpress.pipeline.standalone.bench import bench
from seqpress.pipeline.standalone.quantize import quantize
from seqpress.pipeline.standalone.result import Request
from task_networks import CHANNELS, HOP, SIZES, inputs, manifest, network

FORMS = (
    "tokens-next",
    "tokens-tags",
    "samples-class",
    "samples-tags",
    "window-horizon",
    "frames-roll",
    "frames-surprise",
)
LENGTHS = (9, 4, 12, 30)


def write(form, folder, encoder="gru", **options):
    """A bundle of that form."""
    net = network(form, encoder, **options)
    facts = manifest(form, net)
    graphs = {"model": export_whole(net, facts)}
    try:
        graphs["step"] = export_step(net, facts)
    except NotCausal:
        graphs["step"] = None
    paths = {"step": None}
    folder.mkdir(parents=True)
    for name, graph in graphs.items():
        if graph is not None:
            paths[name] = folder / f"{name}.onnx"
            guarded = apply(graph, "propagate", np.zeros(CHANNELS, np.float32))
            paths[name].write_bytes(to_bytes(guarded))
            facts = Manifest.read(guarded)
    more = {"vocabulary": facts.labels, "device": {"text": {"unit": "words"}}} if form == "tokens-next" else {}
    about = Description.of(facts, name=form, non_finite=NonFinite(policy="propagate", rule="NaN in, NaN out."), **more)
    golden = make_golden(paths["model"], paths["step"], inputs(form, LENGTHS), facts.states)
    write_bundle(
        folder / "bundle", model=paths["model"], step=paths["step"], description=about, golden=golden,
        card=render(about, Card("To be tested.")),
    )  # fmt: skip
    return folder / "bundle"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    done = {}

    def make(form, **options):
        key = (form, *options.items())
        if key not in done:
            done[key] = write(form, tmp_path_factory.mktemp(form) / "made", **options)
        return done[key]

    return make


def npz(path, form, lengths=(20, 7, 11, 33)):
    """Sequences as a user would store them: tokens and samples end to end."""
    each = inputs(form, lengths, seed=4)
    np.savez(path, values=np.concatenate(each), offsets=np.cumsum([0, *map(len, each)]))
    return path


QUICK = {"launches": 1, "samples": 5, "paced_s": 0.1}


@pytest.mark.parametrize("form", FORMS)
def test_a_bundle_is_measured_on_its_golden_sequences(bundles, form):
    asked = ("single", "step") if not form.startswith("window") else ("single",)
    report = bench(bench_job.Request(bundles(form), lengths=(5, 40), chunks=(1, 3), scenarios=asked, **QUICK))
    assert "golden sequences of the bundle" in report.inputs
    assert [cell.length for cell in report.providers[0].latency.cells] == [5, 40]
    if "step" in asked:
        assert [cell.length for cell in report.providers[0].scenarios.step.cells] == [1, 3]


@pytest.mark.parametrize("form", ["tokens-tags", "samples-tags"])
def test_a_step_graph_by_itself_is_measured_in_frames(bundles, tmp_path, form):
    (tmp_path / "alone.onnx").write_bytes((bundles(form) / "step.onnx").read_bytes())
    for given in (None, npz(tmp_path / "a.npz", form)):
        report = bench(
            bench_job.Request(tmp_path / "alone.onnx", chunks=(1, 4), scenarios=("single",), inputs=given, **QUICK)
        )
        assert [cell.length for cell in report.providers[0].latency.cells] == [1, 4]
        assert report.real_inputs == (given is not None)


@pytest.mark.parametrize("form", FORMS)
def test_a_bundle_is_quantized_into_a_bundle(bundles, tmp_path, form):
    given, out = npz(tmp_path / "a.npz", form), tmp_path / "out"
    request = Request(bundles(form, hidden=64), "static-int8", out, calibration=given, samples=0, labels=1.0)
    done = quantize(request)
    assert "manifest.json" in done.files
    assert verify_bundle(tmp_path / "out") == []
    assert (done.agreement is None) == form.startswith(("window", "frames-surprise"))
    assert all(gap.passed for gap in done.gaps)
    about = Manifest.read(onnx.load(tmp_path / "out" / "model.onnx"))
    assert about.output == manifest(form, network(form)).output
    text = (tmp_path / "out" / "manifest.json").read_text()
    assert ('"vocabulary"' in text) == (form == "tokens-next")


@pytest.mark.parametrize("form", ["tokens-next", "samples-class"])
def test_without_sequences_random_ones_of_its_kind_are_taken(bundles, tmp_path, form):
    path = tmp_path / "alone.onnx"
    path.write_bytes((bundles(form) / "model.onnx").read_bytes())
    report = bench(bench_job.Request(path, scenarios=("single",), **QUICK))
    expected = {"tokens-next": "random sequences of known tokens", "samples-class": "of mean 0 and spread 0.1"}[form]
    assert expected in report.inputs
    assert not report.real_inputs


@pytest.mark.parametrize(
    ("form", "values", "rule"),
    [
        ("tokens-next", np.array([0, SIZES[0]]), "tokens from 0 to 23; the model knows 23, from 0 on"),
        ("tokens-next", np.array([0.5, 1.0]), "must hold numbers in the documented shapes"),
        ("tokens-tags", np.array([0, 1]), "has 1 features; the model takes 2"),
        ("samples-full", np.zeros(30, np.float32), "has 30; the model takes 200 samples or more"),
    ],
)
def test_sequences_that_do_not_fit_are_refused(bundles, tmp_path, form, values, rule):
    np.savez(tmp_path / "a.npz", values=values, offsets=[0, len(values)])
    with pytest.raises(InputRejected, match=rule):
        bench(bench_job.Request(bundles(form), inputs=tmp_path / "a.npz", **QUICK))


# -- compare -----------------------------------------------------------------------------------------------------------


def found(folder):
    return find.locate(folder, str(folder)).artifacts[0]


@pytest.mark.parametrize("form", FORMS)
def test_two_of_a_form_are_fed_alike(bundles, form):
    sides = [found(bundles(form)), found(bundles(form, hidden=64))]
    both = feed_both(*sides, None, None, "", 0)
    assert isinstance(both, Both)
    assert len(both.sequences) == len(LENGTHS)
    assert both.median_length in (12, 14)
    for (batch, length), old, new in grid(both, [(1, 5), (2, both.median_length)], 0):
        assert old.keys() == new.keys()
        assert old["lengths"].tolist() == [both.old.form.inputs(length)] * batch
        assert all(np.array_equal(old[name], new[name]) for name in old)
    if sides[0].step is not None:
        steps = [find.Found(one.name, one.source, one.step) for one in sides]
        fed = feed_both(*steps, both.sequences, None, "", 0)
        (_, old, _), *_ = grid(fed, [(1, 1)], 0)
        assert old[both.old.form.kind].shape[:2] == (1, 1)


def test_models_that_mean_other_things_are_not_compared(bundles):
    tokens, tags, sound = (found(bundles(form)) for form in ("tokens-next", "tokens-tags", "samples-class"))
    assert feed_both(tokens, sound, None, None, "", 0) == Unlike("the old takes tokens, the new samples")
    told = feed_both(tokens, tags, None, None, "", 0)
    assert isinstance(told, Unlike)
    assert sound_form(sound).hop == HOP


def sound_form(one):
    return Manifest.read(one.checked.model).input
