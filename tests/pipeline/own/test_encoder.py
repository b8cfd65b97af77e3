"""A student of the user's own: like any other where it keeps its promises, named where it does not."""

import numpy as np
import onnxruntime as ort
import pytest
import torch
from seqpress.exporters import cleanup
from seqpress.exporters.manifest import Manifest, initial_states
from seqpress.exporters.streaming import export_step
from seqpress.exporters.whole import export_whole
from seqpress.models.contract import NotCausal
from seqpress.pipeline.errors import ConfigError, InputRejected, StageFailed
from seqpress.pipeline.named.entry import Entry
from seqpress.pipeline.own.encoder import build_encoder
from seqpress.pipeline.training import networks
from toy_data import TASK

GOOD = """
import torch
from torch import nn

class Own(nn.Module):
    causal = True

    def __init__(self, inputs, hidden):
        super().__init__()
        self.width = hidden
        self.gru = nn.GRU(inputs, hidden, batch_first=True)

    def forward(self, frames, lengths):
        return self.gru(frames)[0]

    def initial_state(self, batch):
        return {"h": torch.zeros(batch, self.width)}

    def advance(self, frames, state):
        out, after = self.gru(frames, state["h"].unsqueeze(0))
        return out, {"h": after.squeeze(0)}

def build(inputs, hidden=6):
    return Own(inputs, hidden)
"""
FORWARD = "return self.gru(frames)[0]"


def built(folder, text=GOOD, arguments=None, entry="my_net:build"):
    (folder / "my_net.py").write_text(text)
    return build_encoder(Entry(entry, folder, "students.own.python"), 5, arguments or {})


def test_it_is_trained_saved_exported_and_streamed_like_any_other(tmp_path):
    (tmp_path / "my_net.py").write_text(GOOD)
    section = {"architecture": "python", "python": "my_net:build", "arguments": {"hidden": 8}}
    specification = networks.Specification.of(section | {"pooling": "mean", "dropout": 0.1}, TASK)
    torch.manual_seed(1)
    network = specification.network(np.zeros(5), np.ones(5), tmp_path)
    networks.save(network, specification, tmp_path)
    again = networks.load(tmp_path / "model.safetensors", tmp_path / "network.json", tmp_path)
    frames, lengths = torch.randn(3, 9, 5), torch.tensor([9, 4, 7])
    with torch.no_grad():
        logits = again(frames, lengths)
        assert torch.equal(logits, network.eval()(frames, lengths))
    manifest = Manifest("classification", tuple("abcd"), tuple("fghij"), "own", 1, True, None)
    whole = ort.InferenceSession(cleanup.to_bytes(export_whole(again, manifest)))
    found = whole.run(["logits"], {"frames": frames.numpy(), "lengths": lengths.numpy()})[0]
    np.testing.assert_allclose(found, logits.numpy(), rtol=0, atol=1e-5)
    step = export_step(again, manifest)
    session, feeds = ort.InferenceSession(cleanup.to_bytes(step)), initial_states(Manifest.read(step).states, 3)
    for start, stop in ((0, 3), (3, 4), (4, 9)):
        answers = session.run(None, {"frames": frames[:, start:stop].numpy(), **feeds})
        named = dict(zip([one.name for one in session.get_outputs()], answers, strict=True))
        feeds = {state.input: named[state.output] for state in Manifest.read(step).states}
    np.testing.assert_allclose(named["logits"][0], logits[0].numpy(), rtol=0, atol=1e-5)


def test_probing_leaves_the_random_state_alone(tmp_path):
    torch.manual_seed(4)
    weights = [part.clone() for part in built(tmp_path).parameters()]
    after = torch.rand(1)
    torch.manual_seed(4)
    namespace: dict[str, object] = {}
    exec(GOOD, namespace)
    own = namespace["build"](5)
    assert all(torch.equal(a, b) for a, b in zip(weights, own.parameters(), strict=True))
    assert torch.equal(after, torch.rand(1))


def test_one_that_looks_ahead_cannot_stream_and_says_so(tmp_path):
    encoder = built(tmp_path, GOOD.replace("causal = True", "causal = False"))
    with pytest.raises(NotCausal):
        encoder.initial_state(1)


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        (FORWARD, "return self.gru(frames)[0][:, -1]", "module.answer", r"must give \(batch, time, width\)"),
        (FORWARD, "return self.gru(frames)", "module.answer", "got tuple"),
        (FORWARD, "return self.gru(frames)[0] / 0 * 0", "module.answer", "must give finite features"),
        (FORWARD, "return self.gru(frames.flip(1))[0].flip(1)", "module.claim", "later frames must not change"),
        (FORWARD, "o = self.gru(frames)[0]; return o - o.mean(0)", "module.claim", "whatever else is in the batch"),
        ("causal = True", "causal = True; receptive_field = 3", "module.claim", "receptive_field is 3"),
        ('state["h"].unsqueeze(0))', 'state["h"].unsqueeze(0) * 0)', "module.claim", "must equal forward over"),
        ('{"h": after.squeeze(0)}', '{"k": after.squeeze(0)}', "module.answer", "must carry its state"),
        ("return out, {", "return out, None or {0: out[0, 0], ", "module.answer", "must carry its state"),
        ("self.width = hidden", "self.width = 0.5", "module.answer", "width is a whole number"),
        ("def initial_state", "def first_state", "module.streaming", "no initial_state"),
        ("return Own(inputs, hidden)", "return 3", "module.kind", "must return a torch.nn.Module; got int"),
        ("def build(inputs, hidden=6)", "def build(hidden=6)", "module.arguments", "must fit my_net:build"),
    ],
)  # fmt: skip
def test_broken_promises_are_named(tmp_path, old, new, code, said):
    assert old in GOOD
    with pytest.raises(InputRejected, match=said) as caught:
        built(tmp_path, GOOD.replace(old, new))
    assert code in {fault.code for fault in caught.value.faults}


def test_every_broken_promise_is_named_at_once(tmp_path):
    flipped = GOOD.replace(FORWARD, "o = self.gru(frames.flip(1))[0].flip(1); return o - o.mean(0)")
    with pytest.raises(InputRejected) as caught:
        built(tmp_path, flipped)
    assert len(caught.value.faults) >= 3


def test_a_module_that_reads_padding_backwards_is_found(tmp_path):
    text = GOOD.replace("causal = True", "causal = False").replace(
        FORWARD, "return self.gru(frames.flip(1))[0].flip(1)"
    )
    with pytest.raises(InputRejected, match="whatever stands behind the end"):
        built(tmp_path, text)


def test_what_it_raises_is_named_by_file_and_line(tmp_path):
    line = GOOD.splitlines().index("        " + FORWARD) + 1
    with pytest.raises(StageFailed, match=rf"my_net\.py:{line}  forward raised ZeroDivisionError") as caught:
        built(tmp_path, GOOD.replace(FORWARD, "return 1 / 0"))
    assert caught.value.faults[0].code == "module.user-code"


def test_it_raises_while_training_too(tmp_path):
    encoder = built(tmp_path, GOOD.replace(FORWARD, "return self.gru(frames)[0] if len(frames) < 9 else boom"))
    with pytest.raises(StageFailed, match="NameError: name 'boom'"):
        encoder(torch.zeros(9, 2, 5), torch.full((9,), 2))


@pytest.mark.parametrize(
    ("entry", "said"),
    [("my_nets:build", "must name a module"), ("my_net:bild", "did you mean: my_net:build")],
)
def test_what_is_not_there_is_named(tmp_path, entry, said):
    with pytest.raises(ConfigError, match=said) as caught:
        built(tmp_path, entry=entry)
    assert caught.value.faults[0].code == "module.missing"
