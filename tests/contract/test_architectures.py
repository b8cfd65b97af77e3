"""The promises of ``models.contract``, probed on every architecture in the registry."""

import pytest
import torch
from hypothesis import given, settings, strategies as st
from seqpress.models.contract import NotCausal
from seqpress.models.registry import architectures, build
from small_networks import FORMS, classifier, encoder, every_form, every_pooling


def test_every_architecture_has_a_form_here():
    assert set(FORMS) == set(architectures())


def test_unknown_architecture_names_the_known_ones():
    with pytest.raises(ValueError, match="gru, lstm, tcn, transformer"):
        build("rnn", inputs=3)


@every_form
@given(time=st.integers(1, 12), batch=st.integers(1, 3))
@settings(max_examples=8, deadline=None)
def test_shapes(name, options, time, batch):
    model = encoder(name, options)
    out = model(torch.randn(batch, time, 5), torch.randint(1, time + 1, (batch,)))
    assert out.shape == (batch, time, model.width)


@every_form
def test_padding_changes_nothing(name, options):
    model = encoder(name, options)
    frames, garbage = torch.randn(1, 9, 5), 1e3 * torch.randn(1, 6, 5)
    lengths = torch.tensor([9])
    with torch.no_grad():
        alone = model(frames, lengths)
        padded = model(torch.cat([frames, garbage], dim=1), lengths)[:, :9]
    torch.testing.assert_close(alone, padded, rtol=0, atol=1e-5)


@every_form
def test_batch_neighbours_change_nothing(name, options):
    model = encoder(name, options)
    mine, neighbour = torch.randn(1, 9, 5), 1e3 * torch.randn(1, 9, 5)
    with torch.no_grad():
        alone = model(mine, torch.tensor([9]))
        beside = model(torch.cat([neighbour, mine]), torch.tensor([4, 9]))[1:]
    torch.testing.assert_close(alone, beside, rtol=0, atol=1e-5)


@every_form
def test_causal_means_that_later_frames_change_nothing(name, options):
    model = encoder(name, options)
    frames = torch.randn(1, 12, 5)
    changed = frames.clone()
    changed[:, 7:] += 10
    lengths = torch.tensor([12])
    with torch.no_grad():
        moved = (model(frames, lengths) - model(changed, lengths))[:, :7].abs().max()
    if model.causal:
        assert moved < 1e-6
    else:
        assert moved > 1e-3, "says it is not causal, and is: the claim should be corrected"


@every_form
def test_receptive_field_is_exact(name, options):
    model = encoder(name, options)
    field = model.receptive_field
    if field is None:
        pytest.skip("unbounded by its own account")
    frames = torch.randn(1, field + 3, 5)
    just_in, just_out = frames.clone(), frames.clone()
    just_in[:, -field] += 100.0
    just_out[:, -field - 1] += 100.0
    lengths = torch.tensor([field + 3])
    with torch.no_grad():
        last = model(frames, lengths)[:, -1]
        assert (model(just_out, lengths)[:, -1] - last).abs().max() == 0
        assert (model(just_in, lengths)[:, -1] - last).abs().max() > 0


def streams(network):
    try:
        network.initial_state(1)
    except NotCausal:
        return False
    return True


@every_form
@every_pooling
@pytest.mark.parametrize("chunk", [1, 2, 7, 19], ids=lambda n: f"by {n}")
def test_chunked_equals_whole_after_every_chunk(name, options, pooling, chunk):
    network = classifier(name, options, pooling)
    if not streams(network):
        pytest.skip("looks ahead")
    frames = torch.randn(3, 19, 5)
    state = network.initial_state(3)
    with torch.no_grad():
        for start in range(0, 19, chunk):
            end = min(start + chunk, 19)
            before = {key: value.clone() for key, value in state.items()}
            streamed, following = network.advance(frames[:, start:end], state)
            assert all(torch.equal(before[key], state[key]) for key in state), "state must be left as it was"
            assert describe(following) == describe(state)
            state = following
            whole = network(frames[:, :end], torch.full((3,), end))
            torch.testing.assert_close(streamed, whole, rtol=0, atol=1e-5)


def describe(state):
    return {key: (value.shape, value.dtype) for key, value in state.items()}


@every_form
def test_features_of_any_cut_equal_those_of_the_whole(name, options):
    model = encoder(name, options)
    if not streams(model):
        pytest.skip("looks ahead")
    frames = torch.randn(2, 17, 5)
    with torch.no_grad():
        whole = model(frames, torch.tensor([17, 17]))
        parts, state = [], model.initial_state(2)
        for piece in frames.split([5, 1, 2, 8, 1], dim=1):
            features, state = model.advance(piece, state)
            parts.append(features)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=0, atol=1e-5)


@every_form
@every_pooling
def test_one_step_is_a_chunk_of_one(name, options, pooling):
    network = classifier(name, options, pooling)
    if not streams(network):
        pytest.skip("looks ahead")
    frame, state = torch.randn(2, 5), network.initial_state(2)
    with torch.no_grad():
        stepped, by_chunk = network.step(frame, state), network.advance(frame.unsqueeze(1), state)
        torch.testing.assert_close(stepped, by_chunk, rtol=0, atol=0)
        features, _ = network.encoder.step(frame, state)
    assert features.shape == (2, network.encoder.width)


@every_form
def test_what_looks_ahead_refuses_to_stream(name, options):
    model = encoder(name, options)
    if streams(model):
        assert model.causal
        return
    with pytest.raises(NotCausal, match="cannot stream"):
        model.advance(torch.randn(1, 2, 5), {})
    with pytest.raises(NotCausal, match="cannot stream"):
        model.step(torch.randn(1, 5), {})


@every_form
def test_whatever_stands_in_the_padding_stays_there(name, options):
    model = encoder(name, options)
    frames = torch.randn(2, 9, 5)
    spoiled = frames.clone()
    spoiled[0, 4:] = torch.nan
    lengths = torch.tensor([4, 9])
    with torch.no_grad():
        clean, beside = model(frames, lengths), model(spoiled, lengths)
    torch.testing.assert_close(beside[0, :4], clean[0, :4], rtol=0, atol=1e-6)
    torch.testing.assert_close(beside[1], clean[1], rtol=0, atol=1e-6)


@every_form
def test_gradients_reach_every_weight(name, options):
    network = classifier(name, options).train()
    network(torch.randn(3, 9, 5), torch.tensor([9, 5, 7])).square().sum().backward()
    missing = [key for key, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    # The key bias of attention has no effect on a softmax, by construction; nothing else may be dead.
    assert not missing
