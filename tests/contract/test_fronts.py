"""The promises of ``models.fronts.contract`` and of whole networks, probed on every front, readout and encoder."""

import pytest
import torch
from seqpress.models.contract import NotCausal
from task_networks import ENCODERS, FORMS, HOP, SIZES, inputs, network

every_form = pytest.mark.parametrize("form", FORMS)
every_encoder = pytest.mark.parametrize("encoder", ENCODERS)


def batch(form, frames, seed=0):
    return torch.stack([torch.from_numpy(one) for one in inputs(form, (frames,) * 3, seed)])


def real_frames(net, inputs_each):
    return int(net.front.frames(torch.tensor([inputs_each]))[0])


def answer(net, given, lengths=None):
    with torch.no_grad():
        return net(given, torch.full((len(given),), given.shape[1]) if lengths is None else lengths)


def streams(net):
    try:
        net.initial_state(1)
    except NotCausal:
        return False
    return True


@every_form
def test_padding_and_neighbours_change_nothing(form):
    net = network(form)
    given = batch(form, 9)
    garbage = batch(form, 9, seed=1)
    alone = answer(net, given[:1])
    beside = answer(net, torch.cat([given, garbage], dim=1), torch.tensor([given.shape[1]] + [2 * given.shape[1]] * 2))
    torch.testing.assert_close(beside[:1, : alone.shape[1]], alone, rtol=0, atol=1e-5)


@every_form
def test_nan_in_the_padding_stays_there(form):
    if form.startswith("tokens"):
        pytest.skip("integers")
    net, given = network(form), batch(form, 9)
    spoiled = torch.cat([given, torch.full_like(given, torch.nan)], dim=1)
    alone = answer(net, given)
    beside = answer(net, spoiled, torch.full((3,), given.shape[1]))
    torch.testing.assert_close(beside[:, : alone.shape[1]], alone, rtol=0, atol=1e-5)


@every_encoder
@every_form
def test_causal_means_that_later_inputs_change_no_earlier_frame(form, encoder):
    net = network(form, encoder)
    if net.pooling.name != "frames":
        pytest.skip("one answer a sequence")
    given = batch(form, 12)
    changed = given.clone()
    half = 7 * net.front.hop
    changed[:, half:] = batch(form, 12, seed=1)[:, half:]
    moved = (answer(net, given) - answer(net, changed))[:, :7].abs().max()
    assert net.causal
    assert moved < 1e-5


@every_form
def test_a_window_reads_later_frames_and_says_so(form):
    net = network(form)
    assert net.causal == streams(net) == (not form.startswith(("window", "samples-full")))
    if not net.causal:
        with pytest.raises(NotCausal, match="cannot stream frame by frame: its"):
            net.advance(batch(form, 3), {})
        with pytest.raises(NotCausal, match="cannot stream"):
            net.front.initial_state(1)


@every_encoder
@every_form
@pytest.mark.parametrize("chunk", [1, 2, 5, 11])
def test_chunks_equal_the_whole(form, encoder, chunk):
    net = network(form, encoder)
    if not streams(net):
        pytest.skip("looks ahead")
    hop = net.front.hop
    given = batch(form, 9)
    cut = given.unflatten(1, (-1, hop)) if hop > 1 else given
    state, parts = net.initial_state(3), []
    with torch.no_grad():
        for start in range(0, cut.shape[1], chunk):
            before = {name: value.clone() for name, value in state.items()}
            streamed, after = net.advance(cut[:, start : start + chunk], state)
            assert all(torch.equal(before[name], state[name]) for name in state), "state must be left as it was"
            assert {n: (v.shape, v.dtype) for n, v in after.items()} == {
                n: (v.shape, v.dtype) for n, v in state.items()
            }
            state = after
            parts.append(streamed)
            if net.pooling.name != "frames":
                whole = answer(net, given[:, : (start + chunk) * hop])
                torch.testing.assert_close(streamed, whole, rtol=0, atol=1e-5)
    if net.pooling.name == "frames":
        torch.testing.assert_close(torch.cat(parts, dim=1), answer(net, given), rtol=0, atol=1e-5)


@every_form
def test_one_step_is_a_chunk_of_one(form):
    net = network(form)
    if not streams(net):
        pytest.skip("looks ahead")
    given = batch(form, 2)
    frame = given[:, :HOP] if form.startswith("samples") else given[:, 0]
    with torch.no_grad():
        stepped, _ = net.step(frame, net.initial_state(3))
        chunk, _ = net.advance(frame.unsqueeze(1), net.initial_state(3))
    torch.testing.assert_close(stepped, chunk[:, 0] if net.pooling.name == "frames" else chunk)


@every_form
def test_gradients_reach_every_weight(form):
    net = network(form).train()
    out = net(batch(form, 9), torch.full((3,), batch(form, 9).shape[1]))
    out.square().sum().backward()
    dead = [name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not dead


def test_identifiers_beyond_a_table_are_refused():
    with pytest.raises(IndexError):
        answer(network("tokens-next"), torch.tensor([[SIZES[0]]]))


def test_tied_weights_are_counted_and_saved_once():
    net = network("tokens-next")
    assert len([name for name in net.state_dict() if name.endswith("tables.0.weight")]) == 1
    assert sum(weight.shape == (SIZES[0], 12) for weight in net.parameters()) == 1
