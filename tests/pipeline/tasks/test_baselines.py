"""Cheap models: on real data the figures that others measured, on toys what they promise."""

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from seqpress.pipeline.data.dataset import Dataset, Sequences
from seqpress.pipeline.data.targets import FrameTargets, HorizonTargets
from seqpress.pipeline.tasks.baselines import baselines
from seqpress.pipeline.tasks.baselines.ngrams import NGrams
from seqpress.pipeline.tasks.baselines.summaries import summaries
from seqpress.pipeline.tasks.baselines.tagging import most_frequent
from seqpress.pipeline.tasks.registry import task
from toy_tasks import TOYS, toy_dataset

every_task = pytest.mark.parametrize("kind", TOYS)
NOTHING = np.zeros(0, np.float32)


def found(options, dataset):
    return {one.name: one.measured.metrics for one in baselines(task(options, dataset), dataset)}


@every_task
def test_its_parts_are_those_of_the_task(kind):
    data = toy_dataset(kind)
    made = task(TOYS[kind], data)
    done = baselines(made, data)
    assert done
    for one in done:
        assert len(one.parts) == len(data.test)
        exact = one.measured.metrics[made.metric.name]
        tolerance = 0.01 if made.name == "anomaly" else 1e-6  # scores are binned, and there are few
        assert float(made.value(one.parts.sum(axis=0))) == pytest.approx(exact, abs=tolerance)
        assert (one.predicted is not None) == (kind.startswith("classification"))


@every_task
def test_it_is_fitted_on_training_alone(kind):
    """Only a threshold is of the validation split."""
    data = toy_dataset(kind)
    made = task(TOYS[kind], data)
    other = replace(data, validation=data.validation.select([0, 1, 2, 3, 4]))
    for one, again in zip(baselines(made, data), baselines(made, other), strict=True):
        np.testing.assert_array_equal(one.parts, again.parts)


def test_an_ngram_is_what_witten_and_bell_write():
    """p(w | h) = (c(hw) + T(h) p(w | shorter h)) / (c(h) + T(h)), counted here with dictionaries."""
    rng = np.random.default_rng(0)
    text, order, size = rng.integers(0, 3, 60), 3, 4
    counts = Counter(tuple(text[at : at + n]) for n in range(1, order + 1) for at in range(len(text) - n + 1))

    def probability(history, token):
        if len(history) == order:
            return probability(history[1:], token)
        shorter = probability(history[1:], token) if history else 1 / size
        followers = [counts[(*history, other)] for other in range(size)]
        kinds = sum(count > 0 for count in followers)
        total = sum(followers) + kinds
        return (counts[(*history, token)] + kinds * shorter) / total if total else shorter

    model, held = NGrams(text, np.array([60]), order, size), rng.integers(0, size, 30)
    expected = [probability(tuple(held[max(0, at - order + 1) : at]), token) for at, token in enumerate(held)]
    np.testing.assert_allclose(model.probabilities(held, np.array([30])), expected, rtol=1e-12)


def test_no_context_reaches_over_the_border_of_two_pieces():
    model = NGrams(np.tile([0, 1, 2], 9), np.array([27]), 5, 3)
    parts = [model.probabilities(np.array(piece), np.array([3])) for piece in ([0, 1, 2], [1, 2, 0])]
    together = model.probabilities(np.array([0, 1, 2, 1, 2, 0]), np.array([3, 3]))
    np.testing.assert_array_equal(together, np.concatenate(parts))


@pytest.mark.parametrize("history", list(itertools.product(range(3), repeat=2)))
def test_probabilities_of_all_tokens_sum_to_one(history):
    model = NGrams(np.array([0, 1, 2, 2, 1, 0, 0, 1]), np.array([8]), 3, 3)
    last = [model.probabilities(np.array([*history, token]), np.array([3]))[-1] for token in range(3)]
    assert sum(last) == pytest.approx(1)


def test_shares_of_tokens_are_of_each_item():
    tokens = np.array([0, 1, 1, 2, 2, 2])
    split = Sequences(tokens, np.array([0, 3]), np.array([3, 3]), FrameTargets(tokens))
    data = Dataset(split, split, split, (), ("c",), NOTHING, NOTHING, vocabulary=("<unk>", "a", "b"))
    np.testing.assert_allclose(summaries(data, split).toarray(), [[1 / 3, 2 / 3, 0], [0, 0, 1]])


def test_a_token_that_training_lacks_has_the_tag_of_rare_ones():
    tokens, tags = np.array([1, 1, 2, 3, 4]), np.array([0, 0, 0, 1, 1])
    split = Sequences(tokens, np.array([0]), np.array([5]), FrameTargets(tags))
    data = Dataset(split, split, split, ("x", "y"), ("w",), NOTHING, NOTHING, vocabulary=("<unk>", *"abcde"))
    assert most_frequent(task({"kind": "tagging"}, data), data).argmax(axis=1).tolist() == [1, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(("horizon", "last", "day", "linear"), [(24, 1.222, 0.424, 0.310), (96, 1.294, 0.512, 0.383)])
def test_electricity(shared_data, horizon, last, day, linear):
    """12, 4 and 4 months of ETTh1, windows of 96 hours; the last value's error is published too (1.295 at 96)."""
    path = shared_data("etth1/ETTh1.csv")
    values = np.loadtxt(path, delimiter=",", skiprows=1, usecols=range(1, 8)).astype(np.float32)

    def split(first, stop):
        starts = np.arange(first, stop - 96 - horizon + 1)
        return Sequences(values, starts, np.full(len(starts), 96), HorizonTargets(values, np.arange(7), horizon, 24))

    parts, train = (split(0, 8640), split(8544, 11520), split(11424, 14400)), values[:8640]
    data = Dataset(*parts, (), tuple("abcdefg"), train.mean(axis=0), train.std(axis=0))
    options = {"kind": "forecasting", "horizon": horizon}
    np.testing.assert_allclose(task(options, data).std, train.std(axis=0, dtype=np.float64), rtol=1e-5)
    errors = [metrics["mse"] for metrics in found(options, data).values()]
    assert errors == pytest.approx([last, day, linear], abs=6e-4)


def test_shakespeare(shared_data):
    """90 and 10 % of the text: 1.669 nats a character."""
    text = np.frombuffer(shared_data("tinyshakespeare/input.txt").read_bytes(), np.uint8)
    symbols, tokens = np.unique(text, return_inverse=True)
    cut, targets = int(0.9 * len(tokens)), FrameTargets(tokens.astype(np.int64), shift=1)

    def split(first, stop):
        return Sequences(targets.array, np.array([first]), np.array([stop - first - 1]), targets)

    held = split(cut, len(tokens))
    data = Dataset(split(0, cut), held, held, (), ("c",), NOTHING, NOTHING, vocabulary=tuple(map(chr, symbols)))
    (metrics,) = found({"kind": "next-step"}, data).values()
    assert metrics["nll"] == pytest.approx(1.669, abs=6e-4)


@pytest.mark.parametrize(("name", "nll"), [("jsb_chorales", 10.49), ("nottingham", 5.16)])
def test_music(shared_data, name, nll):
    """Each key by itself, on or off after on or off; how the counts are smoothed moves the second decimal."""
    with np.load(shared_data(f"polymusic/{name}.npz"), allow_pickle=False) as file:
        rolls = [file[f"roll_{part}"].astype(np.float32) for part in ("train", "valid", "test")]
        offsets = [file[f"offsets_{part}"].astype(np.int64) for part in ("train", "valid", "test")]
    splits = [
        Sequences(roll, cuts[:-1], np.diff(cuts) - 1, FrameTargets(roll, shift=1))
        for roll, cuts in zip(rolls, offsets, strict=True)
    ]
    data = Dataset(*splits, (), tuple(map(str, range(88))), np.zeros(88, np.float32), np.ones(88, np.float32))
    (metrics,) = found({"kind": "next-step"}, data).values()
    assert metrics["nll"] == pytest.approx(nll, abs=0.01)


def test_words(shared_data):
    """The most frequent tag of each word form: 0.862 of the test words of the English Web Treebank."""
    words, tags, splits = {"<unk>": 0}, {}, []
    for part in ("train", "dev", "test"):
        sentences = shared_data(f"ud_ewt/{part}.tsv").read_text(encoding="utf-8").strip("\n").split("\n\n")
        rows = [line.split("\t")[:2] for sentence in sentences for line in sentence.split("\n")]
        known = part == "train"
        tokens = np.array([words.setdefault(word, len(words)) if known else words.get(word, 0) for word, _ in rows])
        numbers = np.array([tags.setdefault(tag, len(tags)) for _, tag in rows])
        lengths = np.array([sentence.count("\n") + 1 for sentence in sentences])
        splits.append(Sequences(tokens, np.cumsum(lengths) - lengths, lengths, FrameTargets(numbers)))
    data = Dataset(*splits, tuple(tags), ("word",), NOTHING, NOTHING, vocabulary=tuple(words))
    (metrics,) = found({"kind": "tagging"}, data).values()
    assert metrics["frame_accuracy"] == pytest.approx(0.862, abs=0.002)
