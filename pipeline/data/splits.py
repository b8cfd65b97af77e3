"""Which item goes into which split: the source's own, or holdouts cut by class, by group or at random.

A cut depends on the items' order, their classes or groups, the fraction and the seed, and on nothing else. The test
split is cut first, validation from what is left of training.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .batches import TEST, VALIDATION, shuffled
from .labels import Labels
from .raw import SPLITS, Found, Integers, Raw, counted, first, listed, quoted

Splits = dict[str, Integers]  # name -> item indices, ascending


def assign(raw: Raw, labels: Labels | None, options: Mapping[str, Any], seed: int, found: Found) -> Splits | None:
    """Item indices of train, validation and test; None where no such split can be made.

    ``options["test"]`` cuts a test split and sets the source's own splits aside. Without it the source's own test
    split stands, and its own validation split, where there is one, stands before ``options["validation"]``.
    """
    everything = np.arange(len(raw), dtype=np.int64)
    if in_time(options):
        return dict.fromkeys(SPLITS, everything)  # each has a part of every item
    own = _own(raw, found)
    if own is None:
        return None
    if options.get("test") is not None or options.get("folds") is not None:
        if own:
            key = "test" if options.get("folds") is None else "folds"
            text = f"{raw.name} has a split of its own; data.{key} is set, so it was not used."
            found.finding("warning", "data", text)
        if options.get("folds") is not None:
            rest, test = _fold(everything, raw, labels, options["folds"], seed, found)
        else:
            rest, test = _cut(everything, raw, labels, options["test"], seed, "test", found)
        rest, validation = _cut(rest, raw, labels, options["validation"], seed, "validation", found)
    elif "test" not in own:
        rule = f"must be set, because {raw.name} has no test split of its own"
        by = _usual(options, labels)
        found.fault("no-test", "data.test", rule, hint=f"write under data:  test: {{fraction: 0.2, by: {by}}}")
        return None
    elif "validation" in own:
        found.finding("info", "data", f"The validation split is {raw.name}'s own; data.validation was not used.")
        rest, validation, test = own.get("train", everything[:0]), own["validation"], own["test"]
    else:
        rest, validation = _cut(
            own.get("train", everything[:0]), raw, labels, options["validation"], seed, "validation", found
        )
        test = own["test"]
    return None if found.faults else dict(zip(SPLITS, (rest, validation, test), strict=True))


def _own(raw: Raw, found: Found) -> Splits | None:
    """The source's own split; empty if it has none, None if it is not in form."""
    if raw.split is None:
        return {}
    unknown = [(index, name) for index, name in enumerate(raw.split) if name not in SPLITS]
    if unknown:
        near = difflib.get_close_matches(unknown[0][1], SPLITS, 1, 0.4)
        examples = [f"{raw.item(index)}: {name!r}"[:120] for index, name in unknown]
        got = counted(len(unknown), "item") + " outside"
        hint = f"did you mean: {near[0]}" if near else ""
        where = f"{raw.name}  split"
        found.fault("split-value", where, f"must be one of {listed(SPLITS)}", got, first(examples), hint)
        return None
    names = np.array(raw.split)
    return {name: np.flatnonzero(names == name) for name in SPLITS if (names == name).any()}


def _cut(
    pool: Integers,
    raw: Raw,
    labels: Labels | None,
    holdout: Mapping[str, Any],
    seed: int,
    name: str,
    found: Found,
) -> tuple[Integers, Integers]:
    """Kept and held-out part of ``pool``, both ascending; a fault where one of them would be empty."""
    fraction, by = float(holdout["fraction"]), _way(holdout["by"], labels)
    order = shuffled(len(pool), seed, TEST if name == "test" else VALIDATION)
    if by == "group" and raw.groups is None:
        hint = "give the source groups, or cut by: class"
        found.fault("no-groups", f"data.{name}.by", "needs groups in the source", "'group'", hint=hint)
        return pool, pool[:0]
    if by == "class" and labels is None:
        hint = "cut by: group, time or random"
        found.fault("no-classes", f"data.{name}.by", "needs one class a sequence", "'class'", hint=hint)
        return pool, pool[:0]
    if by == "time" and raw.times is None:
        hint = "name the column: data.time; or cut long series into windows, which then follow each other"
        found.fault("no-times", f"data.{name}.by", "needs the time of every sequence", "'time'", hint=hint)
        return pool, pool[:0]
    if len(pool) < 2:
        rule = f"needs at least 2 training items to hold some out, {raw.name} has {len(pool)}"
        hint = "cut it into windows, which are split in time: data.transforms: [{kind: window, length: 96}]"
        found.fault("too-few", f"data.{name}", rule, hint=hint if by == "time" else "")
        return pool, pool[:0]
    if by == "class" and labels is not None:
        held = by_class(labels.codes[pool], fraction, order)
        _check_classes(labels.codes[pool], labels.names, name, found)
    elif by == "group" and raw.groups is not None:
        groups = [raw.groups[index] for index in pool]
        named = holdout.get("groups") or ()
        held = _named(groups, named, name, raw, found) if named else by_group(groups, fraction, order)
        if len(set(groups)) < 2:
            found.fault("too-few", f"data.{name}", "needs at least 2 groups to hold one out", f"{groups[0]!r} only")
    elif by == "time" and raw.times is not None:
        held = _latest(pool, raw, fraction, name, found)
    else:
        held = np.zeros(len(pool), np.bool_)
        held[order[: min(max(1, round(fraction * len(pool))), len(pool) - 1)]] = True
    return pool[~held], pool[held]


def _named(
    groups: Sequence[str], named: Sequence[str], name: str, raw: Raw, found: Found
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Marks the items of these groups; a fault where one of them has none, or nothing would be left."""
    there = sorted(set(groups))
    absent = [one for one in named if one not in there]
    where = f"data.{name}.groups"
    if absent:
        hint = "did you mean: " + ", ".join(difflib.get_close_matches(absent[0], there, 3, 0.4) or there[:8])
        found.fault("no-groups", where, f"must be groups that {raw.name} has for it", quoted(absent), hint=hint)
    elif len(named) == len(there):
        found.fault("too-few", where, "must leave a group to train on", f"all {len(there)} of them")
    return np.isin(np.array(groups), np.array(named))


def _usual(options: Mapping[str, Any], labels: Labels | None) -> str:
    """How such data are mostly cut."""
    windows = any(step["kind"] == "window" for step in options.get("transforms") or ())
    return "class" if labels is not None else "time" if windows else "random"


def in_time(options: Mapping[str, Any]) -> bool:
    """Whether every item is cut in time, rather than items dealt out: its windows train, validate or test."""
    windows = any(step["kind"] == "window" for step in options.get("transforms") or ())
    return windows and (options.get("test") or {}).get("by") == "time"


def _way(by: str, labels: Labels | None) -> str:
    return ("random" if labels is None else "class") if by == "auto" else by


def _latest(pool: Integers, raw: Raw, fraction: float, name: str, found: Found) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Marks the share of items that begin last; a fault where an earlier one is not over by then."""
    times = np.zeros((len(raw), 2)) if raw.times is None else raw.times
    order = np.argsort(times[pool, 0], kind="stable")
    count = min(max(1, round(fraction * len(pool))), len(pool) - 1)
    held = np.zeros(len(pool), np.bool_)
    held[order[len(pool) - count :]] = True
    border = times[pool[held], 0].min()
    late = pool[~held][times[pool[~held], 1] > border]
    if len(late):
        places = [f"{raw.item(int(i))} ends at {times[i, 1]:g}" for i in late]
        got = f"{counted(len(late), 'item')} beyond {border:g}, where {name} begins"
        where = f"{raw.name}  {name} split"
        found.fault("time-leak", where, "must keep the future out of the past", got, first(places))
    return held


def _fold(
    pool: Integers, raw: Raw, labels: Labels | None, folds: Mapping[str, Any], seed: int, found: Found
) -> tuple[Integers, Integers]:
    """All items but one fold, and that fold; the folds of all indices cover every item once."""
    count, index, by = int(folds["count"]), int(folds["index"]), _way(folds["by"], labels)
    order = shuffled(len(pool), seed, TEST)
    if by == "group" and raw.groups is None:
        found.fault("no-groups", "data.folds.by", "needs groups in the source", "'group'", hint="or fold by: class")
        return pool, pool[:0]
    if by == "class" and labels is None:
        found.fault("no-classes", "data.folds.by", "needs one class a sequence", "'class'", hint="fold by: random")
        return pool, pool[:0]
    parts = len(set(raw.groups)) if by == "group" and raw.groups is not None else len(pool)
    if parts < count:
        what = counted(parts, "group" if by == "group" else "item")
        found.fault("too-few", "data.folds", f"needs at least {count} to make as many folds", what)
        return pool, pool[:0]
    if by == "group" and raw.groups is not None:
        fold = group_folds(raw.groups, count, order)
    else:
        codes = labels.codes if by == "class" and labels is not None else np.zeros(len(pool), np.int64)
        fold = np.empty(len(pool), np.int64)
        fold[order[np.argsort(codes[order], kind="stable")]] = np.arange(len(pool)) % count  # class after class
    return pool[fold != index], pool[fold == index]


def group_folds(groups: Sequence[str], count: int, order: Integers) -> Integers:
    """Fold of each item: the largest group first into the fold that has least, groups of one size in random order.

    >>> group_folds(["a", "a", "b", "c"], 2, np.array([0, 1, 2, 3])).tolist()
    [0, 0, 1, 1]
    """
    names, inverse, counts = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    sequence = list(dict.fromkeys(inverse[order].tolist()))
    filled, fold = np.zeros(count, np.int64), np.zeros(len(names), np.int64)
    for group in sorted(sequence, key=lambda number: -counts[number]):
        fold[group] = int(np.argmin(filled))
        filled[fold[group]] += counts[group]
    return np.asarray(fold[inverse], np.int64)


def by_class(codes: Integers, fraction: float, order: Integers) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Marks a share of every class: at least one item held out and one kept of each class of two or more.

    The total is ``round(fraction × items)`` where these limits allow, shared out by largest remainder.

    Args:
        codes: class of each item (items,).
        fraction: share to hold out, above 0 and below 1.
        order: a permutation of the items: the first of each class in it are held out.

    >>> by_class(np.array([0, 0, 0, 0, 1, 1]), 0.5, np.arange(6)).tolist()
    [True, True, False, False, True, False]
    """
    classes, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    quota = fraction * counts
    share = np.floor(quota).astype(np.int64)
    missing = round(fraction * len(codes)) - int(share.sum())
    share[np.argsort(share - quota, kind="stable")[: max(missing, 0)]] += 1
    share = np.clip(share, np.minimum(1, counts - 1), np.maximum(counts - 1, 0))
    held = np.zeros(len(codes), np.bool_)
    ordered = inverse[order]
    for number in range(len(classes)):
        held[order[ordered == number][: share[number]]] = True
    return held


def by_group(groups: Sequence[str], fraction: float, order: Integers) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Marks whole groups, in random order, until their items come nearest to the fraction; one group always stays.

    >>> by_group(["a", "a", "b", "c"], 0.5, np.array([0, 1, 2, 3])).tolist()
    [True, True, False, False]
    """
    names, inverse, counts = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    sequence = list(dict.fromkeys(inverse[order].tolist()))
    totals = np.cumsum(counts[sequence])[: max(len(names) - 1, 1)]
    last = int(np.argmin(np.abs(totals - fraction * len(groups))))
    return np.isin(inverse, sequence[: last + 1]) if len(names) > 1 else np.zeros(len(groups), np.bool_)


def _check_classes(codes: Integers, names: Sequence[str], split: str, found: Found) -> None:
    counts = np.bincount(codes, minlength=len(names))
    single = [name for name, count in zip(names, counts, strict=True) if count == 1]
    if single:
        rule = "needs at least 2 training items of each class: one to hold out, one to keep"
        hint = f"collect more of them, or cut data.{split} by: random"
        found.fault("too-few", f"data.{split}", rule, f"1 of {quoted(single)}", hint=hint)
