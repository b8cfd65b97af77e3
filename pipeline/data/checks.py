"""Everything that can be wrong with sequences, found in one pass and said at once.

A fault is grouped: one message a kind (and split), with the number of items and the first three places. What only a
reader of the report must know is a finding.
"""

from collections import Counter
from itertools import combinations

import numpy as np

from .labels import Labels
from .raw import EXAMPLES, SPLITS, Array, Found, Integers, Raw, counted, first, listed, quoted
from .splits import Splits

_LARGEST = float(np.finfo(np.float32).max)
_LOST_SHARE = 1e-3  # of a channel's standard deviation that rounding to float32 may move it


def check_items(raw: Raw, found: Found) -> None:
    """Number type, shape, channels and length of every item, and one entry a list for each."""
    if not len(raw):
        found.fault("empty", raw.name, "must hold at least one sequence", "none")
        return
    for what, given in (("labels", raw.labels), ("groups", raw.groups), ("split", raw.split)):
        if given is not None and len(given) != len(raw):
            rule = f"must have one entry for each of the {counted(len(raw), 'item')}"
            found.fault("count", f"{raw.name}  {what}", rule, f"{len(given):,}")
    _check_types(raw, found)
    flat = [i for i, item in enumerate(raw.items) if item.ndim != 2]
    if flat:
        examples = [f"{raw.item(i)} has shape {raw.items[i].shape}" for i in flat]
        hint = "one channel is shape (T, 1)"
        got = counted(len(flat), "item") + " of another shape"
        found.fault("shape", f"{raw.name}  frames", "must have shape (T, F)", got, first(examples), hint)
    _check_channels(raw, found)
    empty = [i for i, item in enumerate(raw.items) if item.ndim == 2 and item.shape[0] == 0]
    if empty:
        got = counted(len(empty), "item") + " without any"
        places = [raw.item(i) for i in empty]
        found.fault("zero-length", f"{raw.name}  frames", "must hold at least one frame", got, first(places))


def _check_types(raw: Raw, found: Found) -> None:
    bad = [i for i, item in enumerate(raw.items) if item.dtype.kind not in "fiub"]
    if bad:
        examples = [f"{raw.item(i)} is {raw.items[i].dtype}" for i in bad]
        hint = "complex numbers: give real and imaginary part as two channels"
        kinds = {raw.items[i].dtype.kind for i in bad}
        rule, got = "must be real numbers", counted(len(bad), "item") + " of another type"
        where = f"{raw.name}  frames"
        found.fault("dtype", where, rule, got, first(examples), hint if kinds == {"c"} else "")


def _check_channels(raw: Raw, found: Found) -> None:
    counts = Counter(item.shape[1] for item in raw.items if item.ndim == 2)
    if not counts:
        return
    usual = counts.most_common(1)[0][0]
    others = [i for i, item in enumerate(raw.items) if item.ndim == 2 and item.shape[1] != usual]
    if others:
        examples = [f"{raw.item(i)} has {raw.items[i].shape[1]}" for i in others]
        rule = f"must have the same channels in all items ({usual} in most)"
        got = counted(len(others), "item") + " with another number"
        found.fault("channels", f"{raw.name}  frames", rule, got, first(examples))
    if usual == 0:
        found.fault("channels", f"{raw.name}  frames", "must have at least one channel", "0")
    if raw.features is not None and len(raw.features) != usual:
        rule = f"must name each of the {counted(usual, 'channel')}"
        found.fault("count", f"{raw.name}  features", rule, f"{len(raw.features):,}")


def check_values(raw: Raw, splits: Splits | None, found: Found) -> None:
    """NaN, infinities and values beyond float32, by split, with item, row and column."""
    for name, indices in (splits or {"": np.arange(len(raw))}).items():
        where = f"{raw.name}  frames" + (f" of the {name} split" if name else "")
        bad, beyond, nans = _Places(raw), _Places(raw), 0
        for index in indices:
            item = raw.items[index]
            if item.dtype.kind != "f" or item.ndim != 2:
                continue
            finite = np.isfinite(item)
            if not finite.all():
                bad.add(int(index), ~finite)
                nans += int(np.isnan(item).sum())
            if item.dtype.itemsize > 4:
                beyond.add(int(index), finite & (np.abs(item) > _LARGEST))
        of_all = f" of {counted(len(indices), 'item')}"
        if bad.items:
            counts = (("NaN", nans), ("Inf", bad.values - nans))
            kinds = " and ".join(f"{count:,} {kind}" for kind, count in counts if count)
            hint = "repair or remove these items: no quality number is computed from an item with holes"
            got = f"{kinds}, in {bad.items:,}{of_all}"
            found.fault("non-finite", where, "must be finite", got, bad.lines(), hint)
        if beyond.items:
            rule = f"must fit float32, up to {_LARGEST:.2e} in magnitude"
            got = f"larger values in {beyond.items:,}{of_all}"
            found.fault("overflow", where, rule, got, beyond.lines(), "rescale the channel")


class _Places:
    """Where values of one kind are: all counted, a few kept for show."""

    def __init__(self, raw: Raw) -> None:
        self.raw, self.values, self.items = raw, 0, 0
        self.kept: list[tuple[int, int, int, int]] = []  # rank in its item, item, row, column

    def add(self, index: int, mask: Array) -> None:
        """``mask`` (T, F) marks the values of one item."""
        count = int(mask.sum())
        if not count:
            return
        self.values += count
        if self.items < EXAMPLES:
            columns = mask.shape[1]
            flat = np.flatnonzero(mask)[:EXAMPLES].tolist()
            self.kept += [(rank, index, *divmod(position, columns)) for rank, position in enumerate(flat)]
        self.items += 1

    def lines(self) -> list[str]:
        """One place an item before a second of any, and how many more there are."""
        shown = sorted(self.kept)[:EXAMPLES]
        lines = [
            f"{self.raw.item(item)}, row {row}, {self.raw.column(column)}: {self.raw.items[item][row, column]}"
            for _, item, row, column in shown
        ]
        more = self.values - len(shown)
        return [*lines, *([f"… and {more:,} more"] if more else [])]


def check_splits(raw: Raw, labels: Labels, splits: Splits, found: Found) -> None:
    """Empty splits, classes missing from training, and groups on two sides."""
    for name in SPLITS:
        if not len(splits[name]):
            found.fault("empty", f"{raw.name}  {name} split", "must hold at least one item", "none")
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
    _check_groups(raw, splits, found)


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


def note_types(raw: Raw, found: Found) -> None:
    """Which number types became float32."""
    others = sorted({item.dtype.name for item in raw.items} - {"float32"})
    if others and raw.typed:
        found.finding("info", "data", f"Features were {listed(others)} and are used as float32.")


def note_lost_detail(raw: Raw, worst: Array, std: Array, found: Found) -> None:
    """Channels whose rounding to float32 is no longer small beside their variation.

    Args:
        worst: largest rounding error of each channel (channels,).
        std: standard deviation of each channel over training (channels,), of the numbers as given; 0 if constant.
    """
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


def note_duplicates(raw: Raw, labels: Labels, splits: Splits, digests: list[bytes], found: Found) -> None:
    """Items of validation or test that are, bit for bit, also in training (or in each other).

    Args:
        digests: of each item's float32 frames, in the source's order.
    """
    for one, other in combinations(SPLITS, 2):
        seen: dict[bytes, Integers] = {digests[i]: i for i in reversed(splits[one])}
        twins = [(int(i), int(seen[digests[i]])) for i in splits[other] if digests[i] in seen]
        if twins:
            differ = sum(bool(labels.codes[i] != labels.codes[twin]) for i, twin in twins)
            places = listed([f"{raw.item(i)} is {raw.item(twin)}" for i, twin in twins], EXAMPLES)
            text = (
                f"{counted(len(twins), 'item')} of {other} also in {one}, bit for bit, {differ:,} of them under "
                f"another label: {places}. Quality on {other} is flattered."
            )
            found.finding("warning", "data", text)
