"""Everything that can be wrong with sequences, found in one pass and said at once.

A fault is grouped: one message a kind (and split), with the number of items and the first three places. What only a
reader of the report must know is a finding.
"""

from collections.abc import Collection, Mapping
from itertools import combinations

import numpy as np

from .labels import Labels
from .raw import EXAMPLES, SPLITS, Array, Found, Integers, Raw, counted, first, listed, quoted
from .sink import DIGEST_BYTES, LARGEST, Bad, Scan
from .splits import Splits

_NOTHING = 1e-14  # a deviation below this share of the mean is rounding
_LOST_SHARE = 1e-3  # of a channel's standard deviation that rounding to float32 may move it


def check_items(raw: Raw, scan: Scan, found: Found, emptied: Collection[int] = ()) -> None:
    """Number type, shape, channels and length of every item, and one entry a list for each.

    ``emptied`` are items that may be without frames, because theirs were dropped.
    """
    if not len(raw):
        found.fault("empty", raw.name, "must hold at least one sequence", "none")
        return
    for what, given in (("labels", raw.labels), ("groups", raw.groups), ("split", raw.split)):
        if given is not None and len(given) != len(raw):
            rule = f"must have one entry for each of the {counted(len(raw), 'item')}"
            found.fault("count", f"{raw.name}  {what}", rule, f"{len(given):,}")
    _check_types(raw, scan, found)
    if scan.flat:
        examples = [f"{raw.item(i)} has shape {shape}" for i, shape in scan.flat]
        hint = "one channel is shape (T, 1)"
        got = counted(len(examples), "item") + " of another shape"
        found.fault("shape", f"{raw.name}  frames", "must have shape (T, F)", got, first(examples), hint)
    _check_channels(raw, scan, found)
    flat = {*(i for i, _ in scan.flat), *emptied}
    empty = [i for i in np.flatnonzero(np.frombuffer(scan.lengths, np.int64) == 0).tolist() if i not in flat]
    if empty:
        got = counted(len(empty), "item") + " without any"
        places = [raw.item(i) for i in empty]
        found.fault("zero-length", f"{raw.name}  frames", "must hold at least one frame", got, first(places))


def _check_types(raw: Raw, scan: Scan, found: Found) -> None:
    if scan.odd_types:
        examples = [f"{raw.item(i)} is {name}" for i, name, _ in scan.odd_types]
        hint = "complex numbers: give real and imaginary part as two channels"
        kinds = {kind for _, _, kind in scan.odd_types}
        rule, got = "must be real numbers", counted(len(examples), "item") + " of another type"
        where = f"{raw.name}  frames"
        found.fault("dtype", where, rule, got, first(examples), hint if kinds == {"c"} else "")


def _check_channels(raw: Raw, scan: Scan, found: Found) -> None:
    if not scan.channels:
        return
    usual = scan.channels.most_common(1)[0][0]
    others = scan.channels.total() - scan.channels[usual]
    if others:
        some = sorted((i, count) for count, items in scan.first_of.items() if count != usual for i in items)
        examples = [f"{raw.item(i)} has {count}" for i, count in some]
        rule = f"must have the same channels in all items ({usual} in most)"
        got = counted(others, "item") + " with another number"
        found.fault("channels", f"{raw.name}  frames", rule, got, first(examples, others))
    if usual == 0:
        found.fault("channels", f"{raw.name}  frames", "must have at least one channel", "0")
    if raw.features is not None and len(raw.features) != usual:
        rule = f"must name each of the {counted(usual, 'channel')}"
        found.fault("count", f"{raw.name}  features", rule, f"{len(raw.features):,}")


def check_values(raw: Raw, scan: Scan, splits: Splits | None, found: Found) -> None:
    """NaN, infinities and values beyond float32, by split, with item, row and column."""
    if not scan.non_finite and not scan.beyond:
        return
    for name, indices in (splits or {"": np.arange(len(raw))}).items():
        where = f"{raw.name}  frames" + (f" of the {name} split" if name else "")
        of_all = f" of {counted(len(indices), 'item')}"
        members = set(indices.tolist())
        bad = {item: places for item, places in scan.non_finite.items() if item in members}
        if bad:
            nans, total = sum(one.nans for one in bad.values()), sum(one.count for one in bad.values())
            kinds = " and ".join(f"{count:,} {kind}" for kind, count in (("NaN", nans), ("Inf", total - nans)) if count)
            hint = "repair or remove these items: no quality number is computed from an item with holes"
            if nans == total:
                hint += "; or say what a missing value means: data.missing"
            got = f"{kinds}, in {len(bad):,}{of_all}"
            found.fault("non-finite", where, "must be finite", got, _places(raw, bad), hint)
        beyond = {item: places for item, places in scan.beyond.items() if item in members}
        if beyond:
            rule = f"must fit float32, up to {LARGEST:.2e} in magnitude"
            got = f"larger values in {len(beyond):,}{of_all}"
            found.fault("overflow", where, rule, got, _places(raw, beyond), "rescale the channel")


def _places(raw: Raw, bad: Mapping[int, Bad]) -> list[str]:
    """One place an item before a second of any, and how many more there are."""
    some = sorted(bad.items())[:EXAMPLES]
    ranked = sorted((rank, item, *place) for item, one in some for rank, place in enumerate(one.places))
    lines = [
        f"{raw.item(item)}, row {row}, {raw.column(column)}: {value}"
        for _, item, row, column, value in ranked[:EXAMPLES]
    ]
    more = sum(one.count for one in bad.values()) - len(lines)
    return [*lines, *([f"… and {more:,} more"] if more else [])]


def check_splits(raw: Raw, labels: Labels | None, splits: Splits, found: Found) -> None:
    """Empty splits, classes missing from training, and groups on two sides."""
    for name in SPLITS:
        if not len(splits[name]):
            found.fault("empty", f"{raw.name}  {name} split", "must hold at least one item", "none")
    if labels is not None:
        _check_classes(raw, labels, splits, found)
    _check_groups(raw, splits, found)


def _check_classes(raw: Raw, labels: Labels, splits: Splits, found: Found) -> None:
    trained = set(labels.codes[splits["train"]].tolist())
    if len(trained) == 1:
        rule = "must hold at least 2 classes"
        got = f"{labels.names[trained.pop()]!r} only"
        found.fault("one-class", f"{raw.name}  train split", rule, got)
        return
    for name in SPLITS[1:] if trained else ():
        absent = [int(i) for i in splits[name] if int(labels.codes[i]) not in trained]
        if absent:
            classes = quoted(sorted({labels.names[labels.codes[i]] for i in absent}))
            rule = "must hold only labels that training has"
            got = f"{classes} in {counted(len(absent), 'item')}"
            where = f"{raw.name}  {name} split"
            places = [f"{raw.item(i)}: {labels.names[labels.codes[i]]!r}" for i in absent]
            found.fault("label-absent", where, rule, got, first(places), "train on it or leave it out")


def _check_groups(raw: Raw, splits: Splits, found: Found) -> None:
    if raw.groups is None:
        return
    members = {name: {raw.groups[i] for i in indices} for name, indices in splits.items()}
    for one, other in combinations(SPLITS, 2):
        shared = sorted(members[one] & members[other])
        if shared:
            items = sum(raw.groups[i] in members[one] for i in splits[other])
            rule = "must keep every group on one side"
            got = f"{quoted(shared)} in both ({counted(items, 'item')} of {other})"
            hint = f"cut it by group: data.{other}: {{by: group}}; or give no groups, if sharing them is meant"
            found.fault("group-leak", f"{raw.name}  {one} and {other} split", rule, got, hint=hint)


def note_unused(raw: Raw, labels: Labels, splits: Splits, found: Found) -> None:
    """A declared class that no item has is an output that nothing ever trains."""
    used = set(labels.codes[splits["train"]].tolist())
    unused = [name for code, name in enumerate(labels.names) if code not in used]
    if unused:
        found.finding("warning", "data", f"No item has the label {quoted(unused)}; its output is never trained.")


def note_types(raw: Raw, scan: Scan, found: Found) -> None:
    """Which number types became float32."""
    others = sorted(scan.types - {"float32"})
    if others and raw.typed:
        found.finding("info", "data", f"Features were {listed(others)} and are used as float32.")


def note_lost_detail(raw: Raw, scan: Scan, found: Found) -> None:
    """Channels whose rounding to float32 is no longer small beside their variation, both of the numbers as given."""
    if scan.worst is None or scan.rounded is None:
        return
    worst, std = scan.worst, scan.rounded.std()
    std = np.where(std > _NOTHING * np.abs(scan.rounded.mean), std, 0.0)
    share = np.divide(worst, std, out=np.zeros_like(worst), where=std > 0)
    columns = np.flatnonzero(share > _LOST_SHARE)
    if len(columns):
        worst_first = columns[np.argsort(-share[columns], kind="stable")]
        examples = [f"{raw.column(i)} by {worst[i]:.3g} at a deviation of {std[i]:.3g}" for i in worst_first]
        text = (
            f"Rounding to float32 blurs {len(columns)} of {counted(len(std), 'channel')}: "
            f"{listed(examples, EXAMPLES)}. Subtract an offset before, or rescale."
        )
        found.finding("warning", "data", text)


def note_constant(raw: Raw, constant: Array, found: Found) -> None:
    """Channels that say nothing, in one finding."""
    columns = [raw.column(int(index)) for index in np.flatnonzero(constant)]
    if columns:
        share = f"{len(columns)} of {counted(len(constant), 'channel')}"
        found.finding("warning", "data", f"Constant over all of training: {share} ({listed(columns)}).")


def note_duplicates(raw: Raw, labels: Labels | None, splits: Splits, scan: Scan, policy: str, found: Found) -> None:
    """Items of validation or test that are also in training (or in each other), bit for bit or to three digits.

    ``policy``: ``error`` makes them a fault, ``warn`` a finding.
    """
    for one, other in combinations(SPLITS, 2):
        exact = _twins(scan.digests, splits[one], splits[other])
        same = {item for item, _ in exact}
        near = [twin for twin in _twins(scan.near, splits[one], splits[other]) if twin[0] not in same]
        for twins, how in ((exact, "bit for bit"), (near, "to three digits")):
            if twins and policy == "error":
                got = f"{counted(len(twins), 'item')} in both"
                where = f"{raw.name}  {one} and {other} split"
                places = [f"{raw.item(i)} is {raw.item(twin)}" for i, twin in twins]
                hint = "remove them, or accept them: data.duplicates: warn"
                found.fault("duplicates", where, f"must not share an item, {how}", got, first(places), hint)
            elif twins:
                differ = sum(bool(labels.codes[i] != labels.codes[twin]) for i, twin in twins) if labels else 0
                shown = listed([f"{raw.item(i)} is {raw.item(twin)}" for i, twin in twins], EXAMPLES)
                text = (
                    f"{counted(len(twins), 'item')} of {other} also in {one}, {how}, {differ:,} of them under "
                    f"another label: {shown}. Quality on {other} is flattered."
                )
                found.finding("warning", "data", text)


def _twins(digests: bytearray, one: Integers, other: Integers) -> list[tuple[int, int]]:
    """Items of ``other`` with the first item of ``one`` that has the same digest."""
    keys = np.frombuffer(digests, f"V{DIGEST_BYTES}")
    if not np.isin(keys[other], keys[one]).any():
        return []
    seen = {keys[i].tobytes(): int(i) for i in reversed(one)}
    return [(int(i), seen[key]) for i in other if (key := keys[i].tobytes()) in seen]
