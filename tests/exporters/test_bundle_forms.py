"""Bundles of every form: described, verified, replayed by their selftest, and shown by their example."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from seqpress.exporters.bundle.golden import make_golden
from seqpress.exporters.bundle.manifest import Description, NonFinite
from seqpress.exporters.bundle.model_card import Card, render
from seqpress.exporters.bundle.verify import verify_bundle
from seqpress.exporters.bundle.write import BadBundle, write_bundle
from seqpress.exporters.cleanup import to_bytes
from seqpress.exporters.manifest import Manifest
from seqpress.exporters.non_finite import apply
from seqpress.exporters.streaming import export_step
from seqpress.exporters.whole import export_whole
from task_networks import CHANNELS, inputs, manifest, network

# Each says: which axis means what, and a line of the card.
FORMS = {
    "frames-roll": ("logits", ["batch", "time", "label"], "any of the labels for a frame"),
    "frames-surprise": ("scores", ["batch", "time"], "a score for a frame"),
    "window-quantiles": ("values", ["batch", "horizon", "label", "quantile"], "6 steps ahead, as quantiles 0.1, 0.5"),
    "tokens-next": ("probabilities", ["batch", "time", "label"], "tokens, 23 of them known"),
    "tokens-tags": ("tokens", ["batch", "time", "column"], "tokens, 23 and 6 of them known"),
    "samples-tags": ("samples", ["batch", "samples"], "sound at 8000 Hz, a frame every 80 samples"),
}


def write(form, into, **changes):
    net = network(form)
    facts = manifest(form, net)
    facts = dataclasses.replace(facts, **{name: changes[name] for name in ("labels", "task") if name in changes})
    graphs = {"model": export_whole(net, facts)}
    if net.causal:
        graphs["step"] = export_step(net, facts)
    paths = {}
    for name, graph in graphs.items():
        paths[name] = into.parent / f"{name}.onnx"
        paths[name].write_bytes(to_bytes(apply(graph, "propagate", np.zeros(CHANNELS, np.float32))))
        facts = Manifest.read(apply(graph, "propagate", np.zeros(CHANNELS, np.float32)))
    about = Description.of(facts, name=form, non_finite=NonFinite(policy="propagate", rule="NaN in, NaN out."))
    about = about.model_copy(update=changes)
    golden = make_golden(paths["model"], paths.get("step"), inputs(form, (9, 4, 12)), facts.states)
    card = render(about, Card("To be tested."))
    write_bundle(into, model=paths["model"], step=paths.get("step"), description=about, golden=golden, card=card)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    made = {}

    def make(form):
        if form not in made:
            made[form] = tmp_path_factory.mktemp(form) / "bundle"
            write(form, made[form])
        return made[form]

    return make


def run(program, *arguments):
    done = subprocess.run([sys.executable, program, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("form", FORMS)
def test_it_verifies_and_its_selftest_finds_all_well(bundles, form):
    assert verify_bundle(bundles(form)) == []
    said = run(bundles(form) / "selftest.py")
    assert "all is well" in said
    assert ("streamed in one chunk" in said) == (not form.startswith("window"))


@pytest.mark.parametrize("form", FORMS)
def test_the_manifest_names_every_axis_and_the_card_says_it_in_words(bundles, form):
    tensor, axes, words = FORMS[form]
    said = json.loads((bundles(form) / "manifest.json").read_text())
    found = {one["name"]: one for one in (*said["model"]["inputs"], *said["model"]["outputs"])}
    assert [axis["name"] for axis in found[tensor]["axes"]] == axes
    assert all(one["role"] != "other" for one in found.values())
    assert words in (bundles(form) / "MODEL_CARD.md").read_text()


@pytest.mark.parametrize("form", FORMS)
def test_the_example_runs(bundles, form):
    said = run(bundles(form) / "example.py")
    if form == "tokens-next":
        assert len(said.split("label ")) > 100
    else:
        assert "score" in said if form == "frames-surprise" else "label" in said or "values" in said


def test_a_generator_goes_on_from_where_it_is_and_the_same_again(bundles):
    program = bundles("tokens-next") / "example.py"
    first, again, likeliest = run(program, "30"), run(program, "30"), run(program, "30", "0")
    start = " ".join(f"label {token}" for token in inputs("tokens-next", (9, 4, 12))[0])
    assert first == again != likeliest
    assert all(said.startswith(start) for said in (first, likeliest))


def test_a_generator_of_marks_feeds_back_those_that_the_network_reads(tmp_path):
    names = tuple(f"f{index}" for index in (9, 4, 3, 2, 1, 0, 8))
    write("frames-roll", tmp_path / "bundle", task="next-step", labels=names)
    program = tmp_path / "bundle" / "example.py"
    first, again = run(program, "40"), run(program, "40")
    assert first == again
    frames = [line.partition(": ")[2].split() for line in first.splitlines()]
    assert len(frames) == 40
    assert {name for frame in frames for name in frame} == set(names), "with such weights each is drawn at times"


def spelled(text):
    """Bytes as letters, as byte pair encoders write them."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return "".join(chr(byte if byte in shown else 256 + hidden.index(byte)) for byte in text.encode())


@pytest.mark.parametrize(
    ("unit", "texts"),
    [
        ("characters", ["<unk>", *"abcdefghijklmnopqrst", "\n", " "]),
        ("words", ["<unk>", *(f"word{index}" for index in range(22))]),
        ("bpe", ["<unk>", *map(spelled, [" größe", "ß", " ", *(f"p{index}" for index in range(19))])]),
    ],
)
def test_a_generator_writes_text(tmp_path, unit, texts):
    device = {"text": {"unit": unit, "unknown": "<unk>"}}
    write("tokens-next", tmp_path / "bundle", vocabulary=tuple(texts), labels=tuple(texts), device=device)
    text = run(tmp_path / "bundle" / "example.py", "200", "2")
    if unit == "words":
        assert set(text.split()) <= set(texts)
        assert len(text.split()) == 209
    elif unit == "characters":
        assert set(text.replace("<unk>", "")) <= {*texts, "\n"}
    else:
        assert " größe" in text
        assert "\u0120" not in text  # the letter that stands for a space
    card = (tmp_path / "bundle" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "stands in `manifest.json` under `device`: text" in card


def test_a_vocabulary_of_another_size_is_found(tmp_path):
    with pytest.raises(BadBundle, match="must have a text for every token, 23"):
        write("tokens-next", tmp_path / "bundle", vocabulary=("a", "b"))


def test_forms_other_than_the_graph_s_are_found(tmp_path):
    with pytest.raises(BadBundle, match="must have the output of the graph's metadata"):
        write("frames-roll", tmp_path / "bundle", output=None)
