"""The promises of ``distillation.contract``, probed on every kind that is registered or can be configured."""

import math
import pickle

import pytest
import torch
from pydantic import TypeAdapter
from seqpress.pipeline.config import distill
from seqpress.pipeline.distillation.registry import kinds, terms
from toy_data import TASK, split

SECTIONS = {
    "soft-targets": {"kind": "soft-targets", "temperature": 3.0, "weight": 0.7},
    "hard-labels": {"kind": "hard-labels", "weight": 0.3},
    "python": {
        "kind": "python",
        "entry": "own_parts:distance",
        "arguments": {"power": 2},
        "needs_teacher": True,
        "weight": 0.5,
    },
}
every_kind = pytest.mark.parametrize("kind", kinds())


def term(kind):
    (found,) = terms([SECTIONS[kind]], TASK, 0.1)
    return found


def batch(taught=True):
    return next(split(taught=taught).batches(8, seed=0, epoch=0))


def logits():
    return torch.randn(8, 4, generator=torch.manual_seed(1)).requires_grad_()


def test_what_can_be_configured_is_registered_and_tested_here():
    schema = TypeAdapter(distill.Loss).json_schema()
    assert set(kinds()) == set(schema["discriminator"]["mapping"]) == set(SECTIONS)


@every_kind
def test_the_configuration_takes_the_section_and_sums_it_up(kind):
    section = TypeAdapter(distill.Loss).validate_python(SECTIONS[kind])
    assert section.model_dump() == SECTIONS[kind]
    assert section.summary.startswith(kind)
    assert section.summary.endswith(f"× {SECTIONS[kind]['weight']}")


@every_kind
def test_it_is_a_finite_scalar_whose_gradient_reaches_every_logit(kind):
    given = logits()
    loss = term(kind).loss(given, batch())
    assert (loss.shape, math.isfinite(loss.item())) == ((), True)
    loss.backward()
    assert given.grad.isfinite().all()
    assert given.grad.abs().min() > 0


@every_kind
def test_a_step_against_its_gradient_lowers_it(kind):
    given, items = logits(), batch()
    before = term(kind).loss(given, items)
    before.backward()
    assert term(kind).loss(given.detach() - 0.1 * given.grad, items) < before


@every_kind
def test_it_is_a_mean_over_items(kind):
    """Twice the same items: the same loss. Otherwise the last, smaller batch of an epoch would weigh otherwise."""
    items, given = batch(), logits().detach()
    doubled = type(items)(*(torch.cat([part, part]) for part in vars(items).values()))
    once, twice = term(kind).loss(given, items), term(kind).loss(torch.cat([given, given]), doubled)
    torch.testing.assert_close(once, twice)


@every_kind
def test_it_says_truly_whether_it_needs_a_teacher(kind):
    found = term(kind)
    if found.needs_teacher:
        with pytest.raises(ValueError, match="teacher"):
            found.loss(logits(), batch(taught=False))
        changed = batch()
        shuffled = type(changed)(changed.inputs, changed.lengths, changed.targets, changed.teacher.flip(0))
        assert found.loss(logits(), shuffled) != found.loss(logits(), changed)
    else:
        assert found.loss(logits(), batch(taught=False)) == found.loss(logits(), batch())


@every_kind
def test_its_weight_is_that_of_the_section(kind):
    assert term(kind).weight == SECTIONS[kind]["weight"]


@every_kind
def test_it_can_be_sent_to_another_process(kind):
    found = term(kind)
    copy = pickle.loads(pickle.dumps(found))
    assert copy.loss(logits(), batch()) == found.loss(logits(), batch())
