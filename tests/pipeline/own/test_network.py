"""A teacher of the user's own: tried on one batch, exported where the tracer can follow."""

import numpy as np
import onnxruntime as ort
import pytest
import torch
from seqpress.exporters import cleanup
from seqpress.exporters.forms import InputForm, OutputForm
from seqpress.exporters.manifest import Manifest
from seqpress.exporters.whole import export_whole
from seqpress.pipeline.errors import InputRejected, StageFailed
from seqpress.pipeline.named.entry import Entry
from seqpress.pipeline.own.network import build_network, exporting

GOOD = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(5, 4)

    def forward(self, frames, lengths):
        real = (torch.arange(frames.shape[1]) < lengths[:, None])[..., None]
        return self.head((frames * real).sum(1) / lengths[:, None])

def build():
    return Net()
"""
MANIFEST = Manifest("classification", tuple("abcd"), tuple("fghij"), "", 0, False, None)


def built(folder, text=GOOD, output=None):
    (folder / "their_net.py").write_text(text)
    return build_network(
        Entry("their_net:build", folder, "teacher.python"), {}, InputForm(), 5, output or OutputForm(), 4
    )


def test_it_is_exported_like_any_other(tmp_path):
    network = built(tmp_path).eval()
    with exporting(network.entry):
        session = ort.InferenceSession(cleanup.to_bytes(export_whole(network, MANIFEST)))
    frames, lengths = torch.randn(3, 9, 5), torch.tensor([9, 2, 5])
    found = session.run(["logits"], {"frames": frames.numpy(), "lengths": lengths.numpy()})[0]
    np.testing.assert_allclose(found, network(frames, lengths).detach().numpy(), rtol=0, atol=1e-5)


def test_what_the_tracer_cannot_follow_is_told_with_the_way_out(tmp_path):
    mean = "(frames * real).sum(1) / lengths[:, None]"
    loop = "torch.stack([frames[i, : int(n)].mean(0) for i, n in enumerate(lengths)])"
    assert mean in GOOD
    network = built(tmp_path, GOOD.replace(mean, loop)).eval()
    rule = "must have an ONNX form with batch and time free"
    with pytest.raises(StageFailed, match=rule) as caught, exporting(network.entry):
        export_whole(network, MANIFEST)
    assert caught.value.faults[0].where == "teacher.python their_net:build"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "nn.Linear(5, 4)",
            "nn.Linear(5, 3)",
            r"must give logits \(batch, 4\), here \(2, 4\).*got torch.float32 \(2, 3\)",
        ),
        ("return self.head(", "return self.head(0 / 0 * ", "raised ZeroDivisionError"),
        ("return self.head(", "return torch.nan * self.head(", "must give finite logits"),
        ("return Net()", "return 'net'", "must return a torch.nn.Module; got str"),
    ],
)
def test_what_is_no_teacher_is_named(tmp_path, old, new, said):
    with pytest.raises((InputRejected, StageFailed), match=said):
        built(tmp_path, GOOD.replace(old, new))


def test_an_answer_a_frame_is_asked_for_where_the_task_has_one(tmp_path):
    with pytest.raises(InputRejected, match=r"must give logits \(batch, time, 4\), here \(2, 7, 4\)"):
        built(tmp_path, output=OutputForm("frames"))
