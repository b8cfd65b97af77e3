"""Fronts and heads by name, as a file of plain values says them."""

import pytest
import torch
from seqpress.models.heads import Scaled
from seqpress.models.network import count_parameters
from seqpress.models.registry import build_front, build_head, fronts, heads

MEAN, STD = torch.zeros(6), torch.ones(6)
OPTIONS = {"embedding": {"sizes": [9], "widths": [6]}, "log_mel": {"sample_rate_hz": 8000}}
HEADS = {
    "linear": ({"outputs": 4}, (3, 4)),
    "factorised": ({"outputs": 4, "rank": 2}, (3, 4)),
    "tied": ({}, (3, 9)),
    "horizon": ({"horizon": 5, "targets": 2, "quantiles": 3}, (3, 5, 2, 3)),
}


def test_every_name_has_a_case_here():
    assert set(HEADS) == set(heads())
    assert fronts() == ("embedding", "log_mel", "standardize", "window")


@pytest.mark.parametrize("name", fronts())
def test_a_front_is_held_under_its_name(name):
    front = build_front(name, MEAN, STD, **OPTIONS.get(name, {}))
    assert (front.name, front.width) == (name, 6)


@pytest.mark.parametrize("name", heads())
def test_a_head_gives_its_shape(name):
    options, shape = HEADS[name]
    front = build_front("embedding", MEAN, STD, **OPTIONS["embedding"])
    assert build_head(name, 8, front, **options)(torch.randn(3, 8)).shape == shape


def test_a_head_in_units_of_the_targets():
    front = build_front("standardize", MEAN, STD)
    made = build_head("horizon", 8, front, [5.0, 6.0], [1.0, 2.0], **HEADS["horizon"][0])
    assert isinstance(made, Scaled)
    assert made(torch.randn(3, 8))[0, 0, :, 0].tolist() == [5.0, 6.0]


def test_a_waist_in_front_of_a_horizon():
    front = build_front("standardize", MEAN, STD)
    wide, narrow = (build_head("horizon", 64, front, **HEADS["horizon"][0], rank=rank) for rank in (None, 2))
    assert narrow(torch.randn(3, 64)).shape == (3, 5, 2, 3)
    assert count_parameters(narrow) == 64 * 2 + (2 + 1) * 30 < count_parameters(wide)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (
            lambda: build_front("mfcc", MEAN, STD),
            r"must be one of embedding, log_mel, standardize, window\. Got 'mfcc'",
        ),
        (lambda: build_head("crf", 8, build_front("standardize", MEAN, STD)), r"must be one of .*Got 'crf'"),
        (lambda: build_head("tied", 8, build_front("standardize", MEAN, STD)), "must have a front of tokens"),
    ],
)
def test_unknown_names_and_misfits_are_refused(make, rule):
    with pytest.raises(ValueError, match=rule):
        make()
