"""What auto keeps, and why the others lose."""

from dataclasses import replace

from seqpress.pipeline.stages.choose import Candidate, decide

SMALL = Candidate("small", size_bytes=1000, smaller=4.0, faster=1.0, agreement=1.0)
FAST = Candidate("fast", size_bytes=2000, smaller=2.0, faster=3.0, agreement=1.0)


def kept(*candidates, agreement=0.99, leak=False, size_bytes=None):
    decided = decide(candidates, agreement, leak, size_bytes)
    return [c.recipe for c in decided if not c.lost], {c.recipe: c.lost for c in decided if c.lost}


def test_the_larger_product_of_smaller_and_faster_is_kept():
    names, lost = kept(SMALL, FAST)
    assert names == ["fast"]
    assert lost["small"] == "fast gains more: 2.00× smaller, 3.00× faster against 4.00× smaller, 1.00× faster"


def test_noise_of_a_few_per_cent_does_not_decide_between_equals():
    names, _ = kept(replace(SMALL, recipe="first", faster=0.985), replace(SMALL, recipe="second", faster=1.015))
    assert names == ["first"]


def test_limits_come_before_merit():
    assert kept(SMALL, replace(FAST, agreement=0.98))[0] == ["small"]
    assert kept(SMALL, replace(FAST, leaks=True), leak=True)[0] == ["small"]
    assert kept(SMALL, FAST, size_bytes=1500)[0] == ["small"]
    assert kept(SMALL, replace(FAST, smaller=0.9))[0] == ["small"]


def test_a_leak_is_allowed_where_no_budget_forbids_it():
    assert kept(SMALL, replace(FAST, leaks=True))[0] == ["fast"]


def test_a_recipe_that_could_not_be_made_keeps_its_reason():
    _, lost = kept(SMALL, Candidate("broken", lost="no weight is large enough"))
    assert lost == {"broken": "no weight is large enough"}


def test_none_is_kept_where_all_break_a_limit():
    names, lost = kept(replace(SMALL, agreement=0.5), replace(FAST, agreement=0.5))
    assert names == []
    assert "at least 99.0% is asked" in lost["fast"]


def test_what_was_not_timed_counts_as_fast_as_the_float_file():
    names, lost = kept(SMALL, replace(FAST, faster=None))
    assert names == ["small"]
    assert "speed not measured" in lost["fast"]
