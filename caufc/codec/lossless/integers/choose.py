"""Choosing the tree of nodes for integers (an encoder's freedom): what makes them cheap is estimated on a sample, then
done to all, and again to what comes out of it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from . import affine, grouping, matches, plain, repeats, runs, split, symbols
from .affine import Delta
from .coded import SMALL, coded, narrowed
from .estimate import Estimate, estimated, histogram_bits, sampled
from .nodes import Integers, unsigned

__all__ = ["Place", "shortest"]

GAIN = 0.97
"""A transform must bring an estimate under this part."""

MOST_LEVELS = 6
"""Transforms one behind the other."""

BARELY = 0.9
"""Share of their bytes that differences must save, or else repeats are looked for in what they are of, too."""

ROWS = 0.5
"""Share of integers that are those of the row before, from which on rows may be."""

TINY = 16
DEFLATE_LEVEL = 6
PIECE = 1 << 15

BYTEWISE = 0.75
"""What deflate must save where integers are taken for bytes."""

LITTLE = 0.05
"""Bits per element below which repeats are not looked for."""

GRAM_BITS = 48
"""Information in a gram that is not found twice by chance."""

LONGER = 4
"""How many times such a gram the long search looks for."""

MATCH_BITS = 22
"""About what a match costs."""

LEAST_SHARE = 0.008
"""Of all bits, that must be saved at a first look."""

RARE = 0.4
"""Share of a sample that may be different where a palette is tried."""

MOST_GROWTH = 1.7

SHORT = 64
"""Integers that become so many times shorter may repeat as a whole, which deflate finds quickly."""

MOST_APART = 8
"""Sequences along an axis that are coded apart."""

MANY = 1024
"""Integers from which on a palette is tried."""

MOST_PLACES = 4096
"""Places whose groups are looked for."""

TRIAL = 1 << 16
"""Integers of a first search, where repeats seem to be few."""

QUICK = 1 << 19
"""Integers of one or two bytes up to which the thorough search for repeats is fast enough."""

OFTEN = 0.2
"""Share of repeats from which on bytes are searched thoroughly nevertheless."""


@dataclass(frozen=True)
class Place:
    """Where a sequence stands.

    Args:
        strides: elements between neighbours along the axes of the tensor, where it has more than one.
        width: bytes of an element of the tensor, which say how long its coding may take.
        level: transforms around it.
    """

    strides: Sequence[int] = ()
    width: int = 4
    level: int = 0

    def inside(self, strides: Sequence[int] | None = None) -> Place:
        """A level deeper."""
        return replace(self, strides=self.strides if strides is None else strides, level=self.level + 1)


def shortest(values: Integers, place: Place) -> bytes:
    """A node of ``values`` ``[n]``, unsigned, at least one."""
    if (values == values[0]).all():
        return plain.constant(values[:1])
    if len(values) <= TINY or place.level >= MOST_LEVELS:
        return coded(values)
    way = _narrowed(values, place)
    return way if place.level or values.nbytes > SMALL else min(way, coded(values), key=len)


def _narrowed(values: Integers, place: Place) -> bytes:
    """In as few bytes as hold them."""
    narrow, base, step = narrowed(values)
    inside = _transformed(narrow, place)
    if base or step > 1 or narrow.itemsize < values.itemsize:
        return affine.narrow(base, step, narrow.itemsize, inside)
    return inside


def _transformed(values: Integers, place: Place) -> bytes:
    """As differences where that pays, else as they are; byte by byte where deflate finds much more."""
    alone = estimated(values[sampled(len(values), 0)])
    best, choice = alone.best * GAIN - 0.01, None
    for stride in dict.fromkeys((1, *place.strides)):
        if stride < len(values) // 2:
            mode, after = _difference(values, stride)
            if after.best < best:
                best, choice = after.best, (mode, stride)
    apart = None if place.level else _apart(values, place, min(alone.best, best))
    if apart is not None:
        return apart
    if choice is None:
        way = _repeated(values, place, alone)
    else:
        mode, stride = choice
        start = affine.start_of(values, stride, mode)
        inside = shortest(affine.differences(values, stride, mode, start), place.inside())
        way = affine.delta(mode, stride, start, inside)
    ways = [way]
    long = choice is not None and SHORT * len(way) > values.nbytes
    if choice is not None and long and (len(way) > BARELY * values.nbytes or _rows_repeat(values, choice[1])):
        ways.append(_repeated(values, place, alone))
    if not place.level and SHORT * len(way) < values.nbytes:
        ways.append(plain.deflated(values, DEFLATE_LEVEL))
    if values.itemsize > 1 and not place.level and _better_as_bytes(values, place):
        inside = shortest(values.view(np.uint8), replace(place, strides=(), level=MOST_LEVELS - 1))
        ways.append(plain.as_bytes(inside))
    return min(ways, key=len)


def _rows_repeat(values: Integers, stride: int) -> bool:
    """Whether mostly whole rows of so many integers are those before."""
    at = sampled(len(values), stride)
    return stride > 1 and float(np.mean(values[at] == values[at - stride])) > ROWS


def _apart(values: Integers, place: Place, together: float) -> bytes | None:
    """As the few sequences that stand along an axis, such as coordinates, where that pays.

    Args:
        values: ``[n]``.
        place: where they stand.
        together: bits per element otherwise, about.
    """
    ends = [1, *sorted(place.strides), len(values)]
    for inner, block in itertools.pairwise(ends):
        period = block // inner
        if block % inner or not 1 < period <= MOST_APART or len(values) < MANY * period:
            continue
        groups = np.arange(period, dtype=np.uint8)
        parts = split.group_parts(values, inner, groups)
        bits = sum(len(part) * _least(part) for part in parts) / len(values)
        if bits < GAIN * together - 0.01:
            outer = [stride if stride < block else stride // period for stride in place.strides if stride != inner]
            inside = place.inside([stride for stride in dict.fromkeys(outer) if stride > 1])
            return split.split(inner, period, coded(groups), [shortest(part, inside) for part in parts])
    return None


def _least(values: Integers) -> float:
    """Bits per element, as they are or as differences, about."""
    return min(estimated(values[sampled(len(values), 0)]).best, _difference(values, 1)[1].best)


def _better_as_bytes(values: Integers, place: Place) -> bool:
    """Whether a piece from the middle is much shorter by deflate, or shorter by a table of bytes."""
    if values.nbytes <= SMALL:
        return False
    piece = _piece(values)
    size = len(shortest(piece, place.inside()))
    by_table = histogram_bits(np.bincount(piece.view(np.uint8))) / 8
    return len(plain.deflated(piece, DEFLATE_LEVEL)) < BYTEWISE * size or by_table < GAIN * size


def _piece(values: Integers) -> Integers:
    """Some of the middle, more bytes than those up to which deflate is tried anyway."""
    size = min(values.nbytes, PIECE, max(values.nbytes // 4, 2 * SMALL))
    count = size // values.itemsize
    first = (len(values) - count) // 2
    return values[first : first + count]


def _difference(values: Integers, stride: int) -> tuple[Delta, Estimate]:
    """How differences are best taken, and what they cost."""
    at = sampled(len(values), stride)
    now, before = values[at], values[at - stride]
    if max(int(now.max()), int(before.max())) < 2:
        return Delta.XOR, estimated(now ^ before)
    change = now - before
    falls = change > change.dtype.type((1 << 8 * change.itemsize - 1) - 1)
    if not falls.any():
        return Delta.PLUS, estimated(change)
    sign = np.where(falls, change.dtype.type((1 << 8 * change.itemsize) - 1), change.dtype.type(0))
    return Delta.ZIGZAG, estimated((change << 1) ^ sign)


def _repeated(values: Integers, place: Place, alone: Estimate) -> bytes:
    """As runs or matches where that pays, else one by one."""
    if alone.runs < alone.entropy * GAIN:
        lengths, heads = runs.runs_of(values)
        inside = place.inside((2,))
        if len(heads) * runs.LEAST_MEAN <= len(values):
            return runs.runs(len(heads), shortest(lengths, inside), shortest(heads, inside))
    if int(values.max()) < 2 and values.itemsize == 1:
        rows = [stride // 8 for stride in place.strides if stride % 8 == 0]
        return plain.bits(shortest(plain.packed(values), place.inside(rows)))
    found = _matches(values, place.width, alone)
    if found is None:
        return _grouped(values, place, alone)
    way = _matched(values, found)
    piece = _piece(values)
    if values.itemsize == 1 and 8 * len(plain.deflated(piece, DEFLATE_LEVEL)) < GAIN * alone.entropy * len(piece):
        return min(way, plain.deflated(values, DEFLATE_LEVEL), key=len)
    return way


def _matched(values: Integers, found: matches.Matches) -> bytes:
    gaps, lengths, distances = (coded(stream) for stream in found.streams())
    literals = values[found.literal(len(values))]
    rest = coded(literals) if len(literals) else b""
    return matches.matches(len(found), gaps, lengths, distances, rest)


def _matches(values: Integers, width: int, alone: Estimate) -> matches.Matches | None:
    """Matches, if they save bits."""
    bits = alone.entropy
    if bits < LITTLE or len(values) >= 1 << 31:
        return None
    lengths = _code_lengths(values, bits)
    gram = max(3, min(8, math.ceil(MATCH_BITS / bits)))
    search = repeats.Search(gram, math.ceil(GRAM_BITS / bits), longer=2 * gram)
    share = repeats.repeated_share(values, search, lengths, MATCH_BITS)
    if share < LEAST_SHARE:
        return None
    if len(values) > QUICK and width == 2:
        search = replace(search, gram=4, longer=0)
    if len(values) > QUICK and width == 1 and share < OFTEN:
        search = replace(search, dense=False)
    search = replace(search, span=LONGER * search.span)
    if share < OFTEN / 2 and len(values) > 4 * TRIAL:
        middle = len(values) // 2
        if _saving(values[middle : middle + TRIAL], search, lengths)[1] < LEAST_SHARE:
            return None
    found, saving = _saving(values, search, lengths)
    return found if saving > 1 - GAIN else None


def _saving(values: Integers, search: repeats.Search, lengths: NDArray[np.float32]) -> tuple[matches.Matches, float]:
    """Matches, and about the share of all bits that they save."""
    found = repeats.find_matches(values, search)
    bits = lengths[np.minimum(values, len(lengths) - 1)]
    saved = float(bits[found.elements()].sum()) - MATCH_BITS * len(found)
    return found, saved / max(1.0, float(bits.sum()))


def _code_lengths(values: Integers, bits: float) -> NDArray[np.float32]:
    """Ideal bits of each value up to the largest; where there are too many, the same for all."""
    if values.itemsize > 2 and int(values.max()) >= symbols.MOST_SYMBOLS:
        return np.full(1, bits, np.float32)
    counts = np.bincount(values)
    return np.log2(len(values) / np.maximum(counts, 1)).astype(np.float32)


def _few(values: Integers) -> bool:
    """Whether twice as many elements are not nearly twice as many different ones."""
    sample = values[sampled(len(values), 0)]
    return len(np.unique(sample)) < MOST_GROWTH * len(np.unique(sample[::2]))


def _grouped(values: Integers, place: Place, alone: Estimate) -> bytes:
    """By a palette or in groups where that pays, else one by one."""
    count = len(values)
    if values.itemsize > 2 and alone.distinct < RARE and count >= MANY and _few(values):
        colours, indexes = np.unique(values, return_inverse=True)
        if len(colours) <= min(runs.MOST_COLOURS, count // 8):
            indexes = indexes.astype(unsigned(runs.index_width(len(colours))))
            inside = place.inside()
            return runs.palette(len(colours), shortest(colours, inside), shortest(indexes, inside))
    ends = [1, *sorted(place.strides), count]
    for inner, block in itertools.pairwise(ends):
        if block % inner == 0 and 1 < block // inner <= MOST_PLACES and count >= 64 * block // inner:
            groups = grouping.choose_groups(values, inner, block // inner)
            if groups is not None:
                parts = [coded(part) for part in split.group_parts(values, inner, groups)]
                return split.split(inner, len(groups), coded(groups), parts)
    return coded(values)
