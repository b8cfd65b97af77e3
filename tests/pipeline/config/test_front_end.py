"""Front ends of sound: what can be computed, and what cannot."""

import pytest
from seqpress.pipeline.config import load
from seqpress.pipeline.errors import ConfigError

TEXT = """\
name: x
data: {{source: audio, path: takes.npz, test: {{by: class}}, front_end: {{{front}}}{more}}}
teacher: {{architecture: gru}}
students: {{a: {{architecture: gru}}}}
"""


def read(tmp_path, front: str, more: str = ""):
    path = tmp_path / "p.yaml"
    path.write_text(TEXT.format(front=front, more=more), encoding="utf-8")
    return load(path).config.data


@pytest.mark.parametrize(
    ("front", "more", "rule"),
    [
        ("kind: mfcc, in_graph: true", "", "must be log-mel in the graph"),
        ("kind: mfcc, coefficients: 30, bands: 20", "", "at most as many coefficients as bands"),
        ("kind: log-mel, hop_ms: 30", "", "hop_ms of at most window_ms"),
        ("kind: log-mel, low_hz: 300, high_hz: 200", "", "high_hz above low_hz"),
        ("kind: log-mel, emphasis: 1", "", "emphasis must be"),
        (
            "kind: log-mel, in_graph: true",
            ", transforms: [{kind: normalise, by: window}]",
            "must not normalise by window where the front end is in the graph",
        ),
        ("kind: log-mel, in_graph: true", ", missing: mask-channel", "must not mask channels"),
    ],
)
def test_what_cannot_be_computed_is_refused(tmp_path, front, more, rule):
    with pytest.raises(ConfigError, match=rule):
        read(tmp_path, front, more)


def test_the_same_options_serve_both_ways(tmp_path):
    one, other = (read(tmp_path, f"kind: log-mel, in_graph: {way}, low_hz: 0").front_end for way in ("true", "false"))
    assert (one.in_graph, other.in_graph) == (True, False)
    assert one.model_dump(exclude={"in_graph"}) == other.model_dump(exclude={"in_graph"})
    assert (one.bands, one.low_hz, one.high_hz, one.emphasis) == (40, 0, None, 0.97)
