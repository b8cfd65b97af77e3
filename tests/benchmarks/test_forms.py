"""Everything that feeds or reads an artifact, with a small one of every form; then real characters and speech."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from seqpress.benchmarks import child, feeds, latency, predict as module, proving
from seqpress.benchmarks.predict import NotFinite, OutputMissing, predict
from seqpress.benchmarks.scenarios import measure as scenarios
from seqpress.benchmarks.scenarios.stream import own
from seqpress.exporters.cleanup import to_bytes
from seqpress.exporters.manifest import Manifest
from seqpress.exporters.non_finite import apply
from seqpress.exporters.streaming import export_step
from seqpress.exporters.whole import export_whole
from seqpress.models.contract import NotCausal
from task_networks import CHANNELS, FORMS, inputs, manifest, network

LENGTHS = (9, 4, 1, 14, 4, 30)
every_form = pytest.mark.parametrize("form", FORMS)
# One of each way in and each way out.
FEW = ("frames-surprise", "window-quantiles", "tokens-next", "tokens-tags", "samples-class", "samples-tags")


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """Paths of the whole and the step graph, exported once."""
    done, folder = {}, tmp_path_factory.mktemp("forms")

    def make(form):
        if form not in done:
            net = network(form)
            paths = [folder / f"{form}.onnx", None]
            paths[0].write_bytes(to_bytes(export_whole(net, manifest(form, net))))
            try:
                step = export_step(net, manifest(form, net))
            except NotCausal:
                step = None
            if step is not None:
                paths[1] = folder / f"{form}.step.onnx"
                paths[1].write_bytes(to_bytes(step))
            done[form] = tuple(paths)
        return done[form]

    return make


def stored(form, lengths=LENGTHS):
    """(values, offsets) as the data room stores them: samples are one channel, tokens of any integer type."""
    each = inputs(form, lengths)
    values = np.concatenate(each)
    if form.startswith("samples"):
        values = values[:, None]
    if form.startswith("tokens"):
        values = values.astype(np.int32)
    return values, np.concatenate([[0], np.cumsum([len(one) for one in each])])


def one_by_one(path, form, output):
    session = ort.InferenceSession(path)
    kind = Manifest.from_props(session.get_modelmeta().custom_metadata_map).input.kind
    each = [
        session.run([output], {kind: one[None], "lengths": np.array([len(one)])})[0][0] for one in inputs(form, LENGTHS)
    ]
    return np.concatenate(each) if FORMS[form].output.per_frame else np.stack(each)


@every_form
@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_predict_equals_item_by_item(artifacts, form, batch_size):
    path = artifacts(form)[0]
    for output in (FORMS[form].output.raw, FORMS[form].output.final):
        found = predict(path, *stored(form), batch_size=batch_size, output=output)
        np.testing.assert_allclose(found, one_by_one(path, form, output), atol=2e-5)
    np.testing.assert_array_equal(
        predict(path, *stored(form)), predict(path, *stored(form), output=FORMS[form].output.raw)
    )


def test_answers_of_every_frame_are_cut_to_a_memory_that_fits(artifacts, monkeypatch):
    path, given = artifacts("tokens-next")[0], stored("tokens-next")
    whole, sizes, run = predict(path, *given), [], module._run

    def watched(*asked):
        for items, answer in run(*asked):
            sizes.append(answer.shape)
            yield items, answer

    monkeypatch.setattr(module, "_MOST_NUMBERS", 14 * 23 * 3)
    monkeypatch.setattr(module, "_run", watched)
    np.testing.assert_allclose(predict(path, *given), whole, atol=2e-5)
    assert max(np.prod(size) for size in sizes if size[0] > 1) <= 14 * 23 * 3
    assert [size[0] for size in sizes if size[1] == 30] == [1]


def test_a_sequence_that_answers_with_nan_is_named(artifacts, tmp_path):
    path, (values, offsets) = tmp_path / "guarded.onnx", stored("frames-tags")
    guarded = apply(onnx.load(artifacts("frames-tags")[0]), "propagate", np.zeros(CHANNELS, np.float32))
    path.write_bytes(to_bytes(guarded))
    values = values.copy()
    values[offsets[2]] = values[offsets[4]] = np.nan
    with pytest.raises(NotFinite, match="not finite for 2 of 6 sequences: 2, 4"):
        predict(path, values, offsets)


def test_what_does_not_fit_is_refused(artifacts):
    path, (values, offsets) = artifacts("samples-full")[0], stored("samples-full")
    least = feeds.input_form(path).least
    with pytest.raises(ValueError, match=f"must be 1 and {least} or more; got 64 and {least - 1}"):
        predict(path, values, np.array([0, least - 1]))
    with pytest.raises(ValueError, match="samples must be one number an instant; got 2"):
        predict(path, np.zeros((500, 2), np.float32), np.array([0, 500]))
    with pytest.raises(OutputMissing, match="must have an output 'scores'; it has logits, probabilities"):
        predict(path, values, offsets, output="scores")


# -- feeds, latency, scenarios -----------------------------------------------------------------------------------------


@every_form
def test_a_grid_is_in_frames_and_runs(artifacts, form):
    path = artifacts(form)[0]
    values, offsets = stored(form)
    taken = feeds.input_form(path)
    session = ort.InferenceSession(path)
    assert feeds.auto_lengths(offsets, taken)[-1] >= max(LENGTHS)
    for point in feeds.grid(values, offsets, (1, 3), (1, 7, 40), form=taken):
        for fed in point.feeds:
            assert fed.keys() == {taken.kind, "lengths"}
            assert fed["lengths"].tolist() == [taken.inputs(point.length)] * point.batch
            (answer,) = session.run([FORMS[form].output.final], fed)
            if FORMS[form].output.per_frame:
                assert answer.shape[1] == point.length


@every_form
def test_chunks_of_a_stream_run(artifacts, form):
    step = artifacts(form)[1]
    if step is None:
        assert form.startswith("window") or form == "samples-full"
        return
    session, about = ort.InferenceSession(step), Manifest.read(onnx.load(step))
    longest = max(inputs(form, LENGTHS), key=len)
    stream = own(step, longest[:, None] if form.startswith("samples") else longest, (1, 5))
    for point in stream.points:
        for fed in point.feeds:
            assert fed[about.input.kind].shape[:2] == (1, point.length)
            session.run(None, dict(fed))
    hops = np.concatenate([fed[about.input.kind][0] for fed in stream.points[1].feeds])
    np.testing.assert_array_equal(
        hops.reshape(-1)[: 5 * len(hops[0].reshape(-1))], longest.reshape(-1)[: 5 * hops[0].size]
    )


@pytest.mark.parametrize("form", FEW)
def test_every_form_is_timed(artifacts, form):
    path = artifacts(form)[0]
    points = feeds.grid(*stored(form), (1,), (9,), form=feeds.input_form(path))
    found = latency.measure({"one": path}, points, launches=1, samples=1, claim=50.0)
    assert not found.unmeasured
    assert found.latency["one"].cells[0].n > 0
    assert proving.answer_gap(str(path), "cpu", 1, points[0].feeds[0]) == 0.0


@pytest.mark.parametrize(("form", "columns"), [("frames-tags", [4, 0]), ("tokens-next", [0]), ("tokens-tags", [1, 0])])
def test_a_contender_reads_its_own_columns_of_the_frames(artifacts, form, columns):
    array = stored(form)[0][None]
    wide = {"other": np.array([3]), "in": array if array.ndim == 3 else np.stack([array, array + 1], axis=-1)}
    got = child.read_by("narrow", {"narrow": columns}, wide)
    expected = wide["in"][..., columns] if form != "tokens-next" else wide["in"][..., 0]
    np.testing.assert_array_equal(got["in"], expected)
    assert got["other"].tolist() == [3]
    assert child.read_by("wide", {"narrow": columns}, wide) is wide


def test_contenders_of_other_channels_are_timed_beside_each_other(models, sequences):
    points = feeds.grid(sequences[0].repeat(2, axis=1), sequences[1], (1,), (6,))
    every = {"even": models["gru"], "odd": models["gru"], "all": models["gru"]}
    columns = {"even": range(0, 10, 2), "odd": range(1, 10, 2)}
    found = latency.measure(every, points, launches=1, samples=1, claim=50.0, columns=columns)
    assert set(found.latency) == {"even", "odd"}
    assert [one.contender for one in found.unmeasured] == ["all"]


@pytest.mark.parametrize("form", FEW)
def test_every_scenario_takes_every_form(artifacts, form):
    path, step = artifacts(form)
    points = feeds.grid(*stored(form), (1,), (9,), form=feeds.input_form(path))
    stream = step and own(step, max(inputs(form, LENGTHS), key=len), (1,))
    wanted = ("cold-start", "memory", "throughput", *(("step", "paced") if step else ()))
    found = scenarios.measure(
        path, stream, points, wanted=wanted, frame_period_us=2000.0, processes=1, launches=1, samples=1, claim=50.0,
        paced_s=0.1,
    )  # fmt: skip
    assert found.missing == {}
    assert json.dumps(found.throughput[0].frames_per_s)


# -- real data ---------------------------------------------------------------------------------------------------------

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def data(*parts):
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    return path


def test_real_characters(artifacts):
    text = data("tinyshakespeare", "input.txt").read_text()[:20_000]
    letters = sorted(set(text))
    tokens = np.array([letters.index(one) % 23 for one in text], dtype=np.int32)
    offsets = np.concatenate([np.arange(0, 20_000, 512), [20_000]])
    path = artifacts("tokens-next")[0]
    found = predict(path, tokens, offsets)
    assert found.shape == (20_000, 23)
    session = ort.InferenceSession(path)
    last = tokens[None, offsets[-2] :].astype(np.int64)
    expected = session.run(["logits"], {"tokens": last, "lengths": np.array([last.shape[1]])})[0][0]
    np.testing.assert_allclose(found[offsets[-2] :], expected, atol=2e-5)
    assert feeds.auto_lengths(offsets, feeds.input_form(path)) == (512,)


def test_real_sound(artifacts):
    audio = np.load(data("fsdd", "fsdd_audio.npz"))
    cuts = audio["offsets"][:31]
    sound = (audio["audio"][: cuts[-1]] / 32768).astype(np.float32)[:, None]
    path, taken = artifacts("samples-tags")[0], feeds.input_form(artifacts("samples-tags")[0])
    found = predict(path, sound, cuts, batch_size=8)
    frames = taken.frames(np.diff(cuts))
    assert found.shape == (frames.sum(), FORMS["samples-tags"].labels)
    one = sound[None, cuts[4] : cuts[5], 0]
    session = ort.InferenceSession(path)
    expected = session.run(["logits"], {"samples": one, "lengths": np.array([one.shape[1]])})[0][0]
    np.testing.assert_allclose(found[frames[:4].sum() :][: frames[4]], expected, atol=2e-4)
    point = feeds.grid(sound, cuts, (2,), (int(frames.max()),), form=taken)[0]
    assert session.run(["logits"], dict(point.feeds[0]))[0].shape[:2] == (2, frames.max())
