"""The training loop: repeatable, keeps the best, knows when to stop, and says so when it breaks."""

import math
import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings as limits, strategies as st
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from seqpress.pipeline.distillation.hard_labels import hard_labels
from seqpress.pipeline.training import loop
from seqpress.pipeline.training.batch import Split
from seqpress.pipeline.training.devices import seed_everything
from seqpress.pipeline.training.loop import Diverged, Epoch, evaluate, fit, predict
from small_networks import classifier
from toy_data import ALONE, TASK, sequences, settings, split

GRU = ("gru", {"hidden": 8})
FORMS = [GRU, ("lstm", {"hidden": 8, "bidirectional": True}), ("tcn", {"channels": 8, "levels": 2})]
HARD = hard_labels(TASK, 0.0)


def trained(how, form=GRU, seed=3, loss=HARD, train=None, validation=None, dropout=0.0, report=None):
    seed_everything(seed)
    network = classifier(*form)
    network.dropout.p = dropout
    history = ALONE.launch(
        fit, network, train or split(), validation or split(16, seed=1), loss, TASK, how, seed, report
    )
    return network, history


def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def identical(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


# -- repeatable ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[0])
def test_the_same_seed_gives_the_same_bits(form):
    (one, first), (two, second) = (trained(settings(), form, dropout=0.3) for _ in range(2))
    assert identical(weights(one), weights(two))
    assert first.epochs == second.epochs
    (other, _) = trained(settings(), form, seed=4, dropout=0.3)
    assert not identical(weights(one), weights(other))


def test_it_learns():
    _, history = trained(settings(epochs=12))
    assert history.epochs[-1].train_loss < 0.5 * history.epochs[0].train_loss
    assert history.best.validation_metric > 0.8


def test_the_numbers_of_an_epoch_are_those_of_the_network_after_it():
    seen = []
    _, history = trained(settings(), report=lambda *numbers: seen.append(numbers))
    assert [(done, total) for done, total, _, _ in seen] == [(n, 4) for n in (1, 2, 3, 4)]
    assert [metric for *_, metric in seen] == [epoch.validation_metric for epoch in history.epochs]
    assert [loss for *_, loss, _ in seen] == [epoch.train_loss for epoch in history.epochs]
    assert history.epoch_ms > 0


# -- the best state --------------------------------------------------------------------------------------


def test_the_best_state_is_kept_and_is_what_the_history_says():
    network, history = trained(settings(epochs=29, learning_rate=0.3), train=split(12, seed=5))
    losses = [epoch.validation_loss for epoch in history.epochs]
    assert history.best == history.epochs[int(np.argmin(losses))]
    assert history.best.epoch < 29, "for a test worth the name the last epoch must not be the best"
    found = ALONE.launch(evaluate, network, split(16, seed=1), TASK)
    assert found == (history.best.validation_loss, history.best.validation_metric)
    assert identical(weights(network), history.best_state)


def test_the_loss_it_keeps_the_best_of_is_the_hard_one_on_validation():
    network, history = trained(settings(), loss=hard_labels(TASK, 0.4))
    validation = sequences(16, seed=1)
    with torch.no_grad():
        logits = torch.stack(
            [
                network(torch.from_numpy(validation.item(i)[None]), torch.tensor([len(validation.item(i))]))[0]
                for i in range(16)
            ]
        )
    by_hand = -logits.log_softmax(1)[torch.arange(16), torch.from_numpy(validation.labels)].mean()
    assert history.best.validation_loss == pytest.approx(by_hand.item(), abs=1e-6)
    right = (logits.argmax(1).numpy() == validation.labels).mean()
    assert history.best.validation_metric == pytest.approx(right)


def test_the_epoch_may_be_chosen_by_the_metric_instead():
    how = settings(epochs=29, learning_rate=0.1, best_by="metric")
    network, history = trained(how, train=split(12, seed=5))
    most = max(epoch.validation_metric for epoch in history.epochs)
    equals = [epoch for epoch in history.epochs if epoch.validation_metric == most]
    assert history.best == min(equals, key=lambda epoch: epoch.validation_loss)
    lowest = min(history.epochs, key=lambda epoch: epoch.validation_loss)
    assert lowest.validation_metric < most, "for a test worth the name the two must disagree"
    assert ALONE.launch(evaluate, network, split(16, seed=1), TASK)[1] == most


@pytest.mark.parametrize(("better", "kept"), [("higher", 2), ("lower", 1)])
def test_a_metric_knows_which_way_is_better_and_nan_is_never_the_best(better, kept):
    named = SimpleNamespace(validation=SimpleNamespace(better=better))
    how = settings(best_by="metric")
    epochs = [Epoch(1, 0, 0.5, 0.2), Epoch(2, 0, 0.9, 0.7), Epoch(3, 0, 0.1, math.nan), Epoch(4, 0, 0.95, 0.7)]
    assert min(epochs, key=lambda epoch: how.rank(epoch, named)).epoch == kept


# -- stopping --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patience", [1, 3])
def test_it_stops_when_nothing_has_got_better_for_so_long(patience):
    how = settings(epochs=60, learning_rate=0.3, patience=patience)
    _, history = trained(how, train=split(12))
    assert len(history.epochs) == history.best.epoch + patience < 60
    (_, whole) = trained(settings(epochs=60, learning_rate=0.3), train=split(12))
    assert len(whole.epochs) == 60
    assert whole.epochs[: len(history.epochs)] == history.epochs


# -- one step --------------------------------------------------------------------------------------------


@pytest.fixture
def stepped(monkeypatch):
    """Norm of the whole gradient and the rate at every optimizer step."""
    found = []

    class Watched(torch.optim.AdamW):
        def step(self, closure=None):
            gradients = [p.grad.flatten() for group in self.param_groups for p in group["params"]]
            found.append((torch.cat(gradients).norm().item(), self.param_groups[0]["lr"]))
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "AdamW", Watched)
    return found


def test_gradients_are_bound(stepped):
    trained(settings(clip_norm=1e6, learning_rate=1e-9))
    free = [norm for norm, _ in stepped]
    stepped.clear()
    bound = sorted(free)[len(free) // 2]  # half of them are longer
    trained(settings(clip_norm=bound, learning_rate=1e-9))
    clipped = [norm for norm, _ in stepped]
    assert max(clipped) <= bound * (1 + 1e-5)
    assert clipped == pytest.approx([min(norm, bound) for norm in free], rel=1e-4)


def test_the_rate_follows_the_schedule_over_the_whole_run(stepped):
    trained(settings(epochs=4, warmup=0.5, learning_rate=0.02))
    rates = [rate for _, rate in stepped]
    assert len(rates) == 4 * 5, "40 items, 8 at a time"
    assert rates[:10] == pytest.approx([0.02 * (step + 1) / 10 for step in range(10)])
    assert rates[10:] == pytest.approx([0.01 * (1 + math.cos(math.pi * step / 10)) for step in range(10)])


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[0])
@given(data=st.data())
@limits(max_examples=8, deadline=None)
def test_padding_does_not_change_the_loss(form, data):
    network = classifier(*form)
    items = split()
    chosen = np.array(data.draw(st.lists(st.integers(0, 39), min_size=1, max_size=6, unique=True)))
    batch = items.collate(chosen)
    garbage = 1e3 * torch.randn(len(chosen), data.draw(st.integers(1, 5)), batch.inputs.shape[2])
    longer = torch.cat([batch.inputs, garbage], dim=1)
    with torch.no_grad():
        loss = HARD(network(batch.inputs, batch.lengths), batch)
        padded = HARD(network(longer, batch.lengths), batch)
        alone = [
            HARD(network(one.inputs, one.lengths), one)
            for one in (items.collate(chosen[i : i + 1]) for i in range(len(chosen)))
        ]
    assert padded.item() == pytest.approx(loss.item(), abs=1e-5)
    assert torch.stack(alone).mean().item() == pytest.approx(loss.item(), abs=1e-5)


def everything(fabric, network, items):
    return list(predict(fabric, network, items))


def test_predictions_come_in_the_order_of_the_split_and_without_dropout():
    network = classifier(*GRU)
    network.dropout.p = 0.9
    items = split(600)  # more than one batch of evaluation
    found = torch.cat([answers for _, answers in ALONE.launch(everything, network.train(), items)])
    assert found.shape == (600, 4)
    assert not network.training
    with torch.no_grad():
        for index in (0, 255, 256, 599):
            one = items.collate(np.array([index]))
            torch.testing.assert_close(found[index], network(one.inputs, one.lengths)[0], rtol=0, atol=1e-6)


# -- breaking --------------------------------------------------------------------------------------------


class Breaks:
    """The hard loss, and from one step on ``value`` times it."""

    def __init__(self, step, value=math.nan):
        self.left, self.value = step, value

    def __call__(self, logits, batch):
        self.left -= 1
        return HARD(logits, batch) * (self.value if self.left < 0 else 1)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_ends_it_with_the_best_state(value):
    with pytest.raises(Diverged, match=r"not finite at step 13 \(epoch 3, learning rate 0\.00") as caught:
        trained(settings(epochs=9), loss=Breaks(12, value))
    history = caught.value.history
    assert [epoch.epoch for epoch in history.epochs] == [1, 2]
    _, whole = trained(settings(epochs=9))
    assert history.epochs == whole.epochs[:2]
    assert history.best in history.epochs
    assert all(tensor.isfinite().all() for tensor in history.best_state.values())


def test_a_gradient_that_is_no_number_ends_it_too():
    """The square root at nought: a finite loss, an infinite slope."""

    def steep(logits, batch):
        return (logits - logits).abs().sum().sqrt() + HARD(logits, batch)

    with pytest.raises(Diverged) as caught:
        trained(settings(), loss=steep)
    assert (caught.value.step, caught.value.epoch, caught.value.history.best) == (1, 1, None)


def test_a_validation_loss_that_is_no_number_ends_it_too():
    """Training never sees it: only validation has an item that overflows."""
    broken = sequences(16, seed=1)
    values = broken.values.copy()
    values[0] = 1e38
    validation = Split(replace(broken, values=values))
    with pytest.raises(Diverged) as caught:
        trained(settings(), ("tcn", {"channels": 8, "levels": 2}), validation=validation)
    assert (caught.value.epoch, caught.value.history.best) == (1, None)


def test_the_error_passes_between_processes():
    with pytest.raises(Diverged) as caught:
        trained(settings(), loss=Breaks(6))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert copy.history.epochs == caught.value.history.epochs
    assert identical(copy.history.best_state, caught.value.history.best_state)


# -- number formats --------------------------------------------------------------------------------------


def mixed(precision, **how):
    """Train on the CPU in a number format; what Fabric refuses there (float16) it is handed by a plugin."""
    scaler = torch.amp.GradScaler("cpu", **how) if how else None
    fabric = Fabric(accelerator="cpu", devices=1, plugins=[MixedPrecision(precision, "cpu", scaler)])
    seed_everything(3)
    network = classifier("tcn", {"channels": 8, "levels": 2})
    inside = []
    network.encoder.register_forward_hook(lambda module, given, out: inside.append(out.dtype))
    history = fabric.launch(fit, network, split(), split(16, seed=1), HARD, TASK, settings(epochs=8), 3)
    return network, history, set(inside)


def test_bfloat16_trains():
    network, history, inside = mixed("bf16-mixed")
    assert inside == {torch.bfloat16}
    assert {tensor.dtype for tensor in network.state_dict().values()} == {torch.float32}
    assert history.epochs[-1].train_loss < history.epochs[0].train_loss
    assert all(math.isfinite(epoch.validation_loss) for epoch in history.epochs)


def test_float16_finds_its_scale_without_calling_it_divergence():
    _, history, inside = mixed("16-mixed", init_scale=2.0**40)
    assert inside == {torch.float16}
    assert len(history.epochs) == 8
    assert history.epochs[-1].train_loss < history.epochs[0].train_loss


def test_float16_that_never_finds_a_scale_is_divergence(monkeypatch):
    monkeypatch.setattr(loop, "_MOST_SKIPPED", 3)
    with pytest.raises(Diverged) as caught:
        mixed("16-mixed", init_scale=2.0**120, backoff_factor=0.999)
    assert caught.value.step == 4
