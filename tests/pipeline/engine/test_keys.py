import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from seqpress.pipeline.engine import keys
from seqpress.pipeline.engine.keys import canonical, differences, digest_of, plain, preimage_of
from seqpress.pipeline.engine.task import Task
from seqpress.pipeline.errors import EnvironmentFault

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
OPTIONS = st.dictionaries(st.text(min_size=1, max_size=5), TREES, min_size=1, max_size=3)
TASK = Task("t", "m:f", 1, {"a": {"b": [1, 2]}}, {"teacher": "x"}, ("numpy",), {"file": "ab"}, False, {"threads": 1})
DIGESTS = {"teacher": "0" * 64}


def leaves(tree, path=()):
    if isinstance(tree, dict) and tree:
        for name in tree:
            yield from leaves(tree[name], (*path, name))
    elif isinstance(tree, list) and tree:
        for index, part in enumerate(tree):
            yield from leaves(part, (*path, index))
    else:
        yield path, tree


def with_leaf(tree, path, value):
    if not path:
        return value
    copy = tree.copy()
    copy[path[0]] = with_leaf(tree[path[0]], path[1:], value)
    return copy


@settings(max_examples=60, deadline=None)
@given(OPTIONS, st.data())
def test_every_changed_leaf_changes_the_key_and_is_named(options, data):
    path, old = data.draw(st.sampled_from(list(leaves(options))))
    new = data.draw(LEAVES.filter(lambda value: canonical(value) != canonical(old)))
    one, two = (preimage_of(replace(TASK, options=o), DIGESTS) for o in (options, with_leaf(options, path, new)))
    assert digest_of(one) != digest_of(two)
    assert len(differences(one, two)) == 1


@settings(max_examples=60, deadline=None)
@given(OPTIONS)
def test_the_key_does_not_depend_on_order_or_on_who_wrote_it(options):
    backwards = dict(reversed(options.items()))
    one, two = (preimage_of(replace(TASK, options=o), DIGESTS) for o in (options, backwards))
    assert digest_of(one) == digest_of(two)
    assert differences(one, two) == []


@pytest.mark.parametrize(
    "change",
    [
        {"entry": "m:g"},
        {"revision": 2},
        {"options": {"a": {"b": [1, 2.0]}}},
        {"options": {"a": {"b": [1, True]}}},
        {"inputs": {"other": "x"}},
        {"libraries": ("numpy", "pydantic")},
        {"content": {"file": "ac"}},
        {"domain": {"threads": 2}},
    ],
)
def test_everything_that_can_change_an_answer_is_in_the_key(change):
    changed = replace(TASK, **change)
    digests = dict.fromkeys(changed.inputs, "0" * 64)
    assert digest_of(preimage_of(changed, digests)) != digest_of(preimage_of(TASK, DIGESTS))


@pytest.mark.parametrize(
    "change", [{"name": "u"}, {"title": "T"}, {"priority": 5}, {"weight": 2.0}, {"exclusive": True}]
)
def test_what_is_for_people_or_the_schedule_is_not_in_the_key(change):
    assert digest_of(preimage_of(replace(TASK, **change), DIGESTS)) == digest_of(preimage_of(TASK, DIGESTS))


def test_another_input_digest_and_library_version_change_the_key(monkeypatch):
    before = preimage_of(TASK, DIGESTS)
    assert differences(before, preimage_of(TASK, {"teacher": "1" * 64})) == ["input 'teacher' changed"]
    now = keys.library_version("numpy")
    monkeypatch.setattr(keys, "library_version", lambda name: "99.0")
    assert differences(before, preimage_of(TASK, DIGESTS)) == [f"numpy {now} → 99.0"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({"options": {"losses": [{"temperature": 3}]}}, {"options": {"losses": [{"temperature": 4}]}},
         ["options.losses[0].temperature 3 → 4"]),
        ({"options": {"losses": [1]}}, {"options": {"losses": [1, "x"]}}, ["options.losses[1] added (x)"]),
        ({"options": {"a": 1}}, {"options": {}}, ["options.a removed"]),
        ({"options": {"a": 1}}, {"options": {"a": {"b": 1}}}, ['options.a 1 → {"b": 1}']),
        ({"content": {"x.npz": "a" * 64}}, {"content": {"x.npz": "b" * 64}}, ["content.x.npz changed"]),
        ({"inputs": {"a": "1"}}, {"inputs": {"b": "1"}}, ["input 'a' removed", "input 'b' added"]),
        ({"libraries": {"torch": "2.13.0"}}, {"libraries": {"torch": "2.14.0"}}, ["torch 2.13.0 → 2.14.0"]),
        ({"revision": 1}, {"revision": 2}, ["stage revision 1 → 2"]),
        ({"options": {"s": ""}}, {"options": {"s": "y" * 60}}, ['options.s "" → ' + "y" * 39 + "…"]),
    ],
)  # fmt: skip
def test_differences_in_words(old, new, words):
    assert differences(old, new) == words


def test_scalars_of_numpy_and_tuples_become_plain():
    assert plain({"a": (np.float32(0.5), np.int64(3), np.bool_(True))}) == {"a": [0.5, 3, True]}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"a": [1, math.nan]}, r"facts.a\[1\] must be finite; got nan"),
        ({"a": {1: 2}}, "facts.a must have strings as keys; got 1"),
        ({"a": Fraction(1, 2)}, "facts.a must be JSON .* got .*Fraction"),
        ({"a": np.zeros(2)}, "facts.a must be JSON .* got .*ndarray"),
    ],
)
def test_what_cannot_be_digested_is_named_with_its_path(value, says):
    with pytest.raises(ValueError, match=says):
        plain(value, "facts")


def test_a_library_that_is_not_there_is_an_environment_fault():
    with pytest.raises(EnvironmentFault, match="library 'no-such-thing' must be installed"):
        preimage_of(replace(TASK, libraries=("no-such-thing",)), DIGESTS)
