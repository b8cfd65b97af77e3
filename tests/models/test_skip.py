"""The linear map of a window beside a forecast: what it reads, what it learns, what it cannot do."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings as limits, strategies as st
from seqpress.models.contract import NotCausal
from seqpress.models.fronts.standardize import Standardize
from seqpress.models.fronts.window_normalise import WindowNormalise
from seqpress.models.heads import Horizon, LinearSkip
from seqpress.models.network import SequenceNetwork
from seqpress.models.registry import build, build_front, build_head

LENGTH, HORIZON, COLUMNS = 6, 4, (2, 0)
ONE, NOUGHT = torch.ones(3), torch.zeros(3)


def network(front=None, **scaled):
    """Behind a GRU; all weights of the map drawn, the rest of the head at zero."""
    torch.manual_seed(1)
    front = front or WindowNormalise(NOUGHT, ONE, "last", scaled=False, targets=COLUMNS)
    skip = {"length": LENGTH, "columns": list(COLUMNS)}
    head = build_head("horizon", 5, front, horizon=HORIZON, targets=2, skip=skip, **scaled)
    for name, weight in head.named_parameters():
        if "ahead" in name:
            torch.nn.init.normal_(weight)
    return SequenceNetwork(front, build("gru", inputs=3, hidden=5), head, "last").eval()


def ahead(made):
    return next(weight for name, weight in made.output.named_parameters() if "ahead" in name).detach()


def test_it_is_a_linear_map_of_each_column_apart():
    made, frames = network(), torch.randn(2, LENGTH, 3)
    now = frames[:, -1:, list(COLUMNS)]
    expected = now + torch.einsum("hl,blk->bhk", ahead(made), frames[..., list(COLUMNS)] - now)
    torch.testing.assert_close(made(frames, torch.tensor([LENGTH, LENGTH])), expected)


def test_an_untrained_one_repeats_the_last_frame():
    made, frames = network(), torch.randn(2, LENGTH, 3)
    torch.nn.init.zeros_(made.output.ahead.weight)
    now = frames[:, -1:, list(COLUMNS)].expand(-1, HORIZON, -1)
    torch.testing.assert_close(made(frames, torch.tensor([LENGTH, LENGTH])), now)


@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4))
@limits(max_examples=20, deadline=None)
def test_it_reads_the_last_real_frames_and_zeros_before_the_first(lengths):
    made = network(Standardize(NOUGHT, ONE))
    frames = torch.full((len(lengths), max(lengths), 3), float("nan"))
    for row, length in enumerate(lengths):
        frames[row, :length] = torch.randn(length, 3)
    window = torch.zeros(len(lengths), LENGTH, 3)
    for row, length in enumerate(lengths):
        known = frames[row, max(0, length - LENGTH) : length]
        window[row, LENGTH - len(known) :] = known
    expected = torch.einsum("hl,blk->bhk", ahead(made), window[..., list(COLUMNS)])
    torch.testing.assert_close(made.output(torch.zeros(len(lengths), 5), frames, torch.tensor(lengths)), expected)


def test_quantiles_and_units_lie_around_it():
    made = network(Standardize(NOUGHT, ONE), location=[5.0, 6.0], scale=[1.0, 2.0], quantiles=3)
    frames = torch.randn(2, LENGTH, 3)
    plain = torch.einsum("hl,blk->bhk", ahead(made), frames[..., list(COLUMNS)])
    expected = plain * torch.tensor([1.0, 2.0]) + torch.tensor([5.0, 6.0])
    answers = made(frames, torch.tensor([LENGTH, LENGTH]))
    torch.testing.assert_close(answers, expected.unsqueeze(-1).expand(-1, -1, -1, 3))


def test_gradients_reach_the_map_from_its_start_at_zero():
    made = network()
    torch.nn.init.zeros_(made.output.ahead.weight)
    made(torch.randn(2, LENGTH, 3), torch.tensor([LENGTH, LENGTH])).square().sum().backward()
    assert made.output.ahead.weight.grad.any()


def test_it_learns_what_least_squares_finds():
    rng = np.random.default_rng(0)
    windows, truth = rng.normal(size=(64, LENGTH)), rng.normal(size=(HORIZON, LENGTH))
    head = LinearSkip(Horizon(5, HORIZON, 1), HORIZON, LENGTH, [0])
    frames, wanted = (torch.tensor(each, dtype=torch.float32)[..., None] for each in (windows, windows @ truth.T))
    optimizer = torch.optim.LBFGS(head.ahead.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = (head(torch.zeros(64, 5), frames, torch.full((64,), LENGTH)) - wanted).square().mean()
        value.backward()
        return value

    optimizer.step(loss)
    np.testing.assert_allclose(head.ahead.weight.detach(), truth, atol=1e-3)


def test_it_cannot_stream_and_says_why():
    made = network(Standardize(NOUGHT, ONE))
    assert (made.causal, made.receptive_field) == (False, None)
    with pytest.raises(NotCausal, match="it reads the whole window"):
        made.initial_state(1)
    plain = SequenceNetwork(Standardize(NOUGHT, ONE), build("tcn", inputs=3), torch.nn.Linear(16, 2), "last")
    assert plain.causal
    assert plain.receptive_field


def test_answers_that_are_no_forecast_stay_as_they_are():
    """A classifier behind a normalisation by the window: its logits have no units to go back to."""
    front = build_front("window", NOUGHT, ONE, around="mean", scaled=True, targets=[])
    answers = torch.randn(2, 7)
    assert torch.equal(front.undo(answers, front.read(torch.randn(2, 4, 3), torch.tensor([4, 4])).scales), answers)
