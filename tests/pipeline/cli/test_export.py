"""`compress export`: somebody's torch module as a bundle, or the reason why not."""

import json
import sys

import pytest
import torch
from safetensors.torch import save_file
from seqpress.exporters.bundle.verify import verify_bundle

SOURCE = """
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Net(nn.Module):
    def __init__(self, layer, final=False):
        super().__init__()
        self.layer, self.final = layer, final
        self.head = nn.Linear(8 * (2 if layer.bidirectional and not final else 1), 3)

    def forward(self, frames, lengths):
        out, after = self.layer(frames if self.layer.batch_first else frames.transpose(0, 1))
        if self.final:
            return self.head((after if isinstance(after, torch.Tensor) else after[0])[-1])
        out = out if self.layer.batch_first else out.transpose(0, 1)
        return self.head(out[torch.arange(len(frames)), lengths - 1])


class Streaming(Net):
    def initial_state(self, batch):
        return {"hidden": torch.zeros(batch, 1, 8)}

    def advance(self, frames, state):
        out, after = self.layer(frames, state["hidden"].transpose(0, 1))
        return self.head(out[:, -1]), {"hidden": after.transpose(0, 1)}


class Packed(Net):
    def forward(self, frames, lengths):
        packed = pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False)
        return self.head(pad_packed_sequence(self.layer(packed)[0], batch_first=True)[0][:, 0])


class Loop(Net):
    def forward(self, frames, lengths):
        total = torch.zeros(len(frames), 8)
        for index in range(frames.shape[1]):
            total = torch.tanh(total + frames[:, index].sum(dim=1, keepdim=True))
        return self.head(total)


class Raises(Net):
    def forward(self, frames, lengths):
        raise KeyError("oops")


gru = lambda: Net(nn.GRU(5, 8, batch_first=True))
deep = lambda: Net(nn.GRU(5, 8, num_layers=3, dropout=0.5))
lstm = lambda: Net(nn.LSTM(5, 8, num_layers=2, batch_first=True, bias=False), final=True)
both = lambda: Net(nn.LSTM(5, 8, num_layers=2, batch_first=True, bidirectional=True))
streaming = lambda: Streaming(nn.GRU(5, 8, batch_first=True))
packed = lambda: Packed(nn.GRU(5, 8, batch_first=True))
loop = lambda: Loop(nn.GRU(5, 8, batch_first=True))
raises = lambda: Raises(nn.GRU(5, 8, batch_first=True))
number = lambda: 3
"""


@pytest.fixture
def module(in_folder, monkeypatch):
    """A user's file, new to the interpreter each time."""
    (in_folder / "their_net.py").write_text(SOURCE)
    monkeypatch.delitem(sys.modules, "their_net", raising=False)
    yield in_folder
    sys.modules.pop("their_net", None)


def export(compress, entry, *more, classes=("--classes", "3")):
    return compress("export", f"their_net:{entry}", "--inputs", "5", *classes, "--out", "made", *more)


@pytest.mark.parametrize("entry", ["gru", "deep", "lstm", "both"])
def test_plain_recurrent_layers_keep_time_free(compress, module, entry):
    answer = export(compress, entry, "--json")
    assert answer.code == 0, answer.err
    said = json.loads(answer.out)
    assert all(gap["passed"] for gap in said["gaps"])
    cases = {gap["case"] for gap in said["gaps"]}
    assert {"length 1, batch 1", "length 2, batch 3", "length 25, batch 1", "length 204, batch 3"} <= cases
    assert any("weights are those that" in note for note in said["notes"])
    leaks = {leak["probe"]: leak["leaks"] for leak in said["leaks"]}
    assert leaks["padding"] == (entry in ("lstm", "both"))  # both read what stands behind the end, as in torch
    assert verify_bundle(module / "made") == []
    assert not list(module.rglob("__pycache__"))


def test_weights_and_labels(compress, module):
    torch.manual_seed(1)
    sys.path.insert(0, str(module))
    try:
        import their_net
    finally:
        sys.path.remove(str(module))
    net = their_net.gru()
    save_file(net.state_dict(), module / "net.safetensors")
    answer = export(compress, "gru", "--weights", "net.safetensors", classes=("--labels", "yes, no,other"))
    assert answer.code == 0, answer.err
    manifest = json.loads((module / "made" / "manifest.json").read_text())
    assert manifest["labels"] == ["yes", "no", "other"]
    assert manifest["notes"] == []
    answer = compress("export", "their_net:deep", "--inputs", "5", "--classes", "3", "--weights", "net.safetensors")
    assert (answer.code, answer.codes) == (3, ["model.weights"])


def test_streaming(compress, module):
    answer = export(compress, "streaming", "--streaming", "--json")
    assert answer.code == 0, answer.err
    said = json.loads(answer.out)
    assert "step.onnx" in said["files"]
    assert sum("streamed" in gap["name"] for gap in said["gaps"]) > 5
    assert verify_bundle(module / "made") == []


@pytest.mark.parametrize(
    ("entry", "more", "code", "fault", "text"),
    [
        ("loop", (), 4, "stage.export", "freeze the length of the example"),
        ("packed", (), 4, "stage.export", "a packed sequence has no ONNX form"),
        ("raises", (), 4, "module.user-code", "their_net.py:"),
        ("number", (), 3, "module.kind", "got int"),
        ("gone", (), 2, "module.missing", "gone"),
        ("gru", ("--streaming",), 3, "module.streaming", "no initial_state and no advance"),
        ("gru", ("--weights", "gone.safetensors"), 2, "model.missing", "gone"),
    ],
)
def test_what_cannot_be_exported_is_named(compress, module, entry, more, code, fault, text):
    answer = export(compress, entry, *more)
    assert (answer.code, answer.codes) == (code, [fault]), answer.err
    assert text in answer.err
    assert answer.out == ""
    assert not (module / "made").exists()


def test_other_logits_than_classes(compress, module):
    answer = export(compress, "gru", classes=("--classes", "4"))
    assert (answer.code, answer.codes) == (3, ["module.logits"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["their_net"],
        ["their_net:gru", "--classes", "3", "--labels", "a,b,c"],
        ["their_net:gru"],
        ["their_net:gru", "--labels", "a,a,b"],
    ],
    ids=str,
)
def test_a_wrong_call(compress, module, arguments):
    answer = compress("export", *arguments, "--inputs", "5")
    assert (answer.code, answer.codes) == (2, ["usage"])


def test_a_module_that_is_not_there(compress, module):
    answer = compress("export", "no_such_net:build", "--inputs", "5", "--classes", "3")
    assert (answer.code, answer.codes) == (2, ["module.missing"])


def test_without_torch(compress, module, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    answer = export(compress, "gru")
    assert (answer.code, answer.codes) == (6, ["environment.no-torch"])
    assert "seqpress[train]" in answer.err
