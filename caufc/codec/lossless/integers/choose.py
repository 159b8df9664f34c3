"""Choosing the tree of nodes for integers (an encoder's freedom): what makes them cheap is estimated on a sample, then
done to all, and again to what comes out of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import affine, matches, plain, repeats, runs, split, symbols
from .affine import Delta
from .estimate import Estimate, bucket_bits, estimated, histogram_bits, sampled, table_bits
from .nodes import Integers, unsigned
from ...tables import levels_of

__all__ = ["shortest"]

GAIN = 0.97
"""A transform must bring an estimate under this part."""

MOST_LEVELS = 6
"""Transforms one behind the other."""

SMALL = 4096
"""Bytes up to which deflate is tried, whose codes need no tables of 8 bits a symbol."""

TINY = 16
DEFLATE_LEVEL = 6

LITTLE = 0.05
"""Bits per element below which repeats are not looked for."""

GRAM_BITS = 36
"""Information in a gram that is not found twice by chance."""

MATCH_BITS = 22
"""About what a match costs."""

LEAST_SHARE = 0.02
"""Of elements that must repeat."""

QUICK = 1 << 20
"""Integers of one or two bytes up to which the thorough search for repeats is fast enough."""


def shortest(values: Integers, strides: Sequence[int] = (), level: int = 0) -> bytes:
    """A node of ``values``.

    Args:
        values: ``[n]``, unsigned, at least one.
        strides: elements between neighbours along the axes of the tensor, where it has more than one.
        level: transforms around this node.
    """
    if (values == values[0]).all():
        return plain.constant(values[:1])
    if len(values) <= TINY or level >= MOST_LEVELS:
        return coded(values)
    low, high = affine.range_of(values)
    narrow, base, step = affine.narrowed(values, low, high)
    if base or step > 1 or narrow.itemsize < values.itemsize:
        inside = _transformed(narrow, strides, level)
        return affine.narrow(base, step, narrow.itemsize, inside)
    return _transformed(values, strides, level)


def _transformed(values: Integers, strides: Sequence[int], level: int) -> bytes:
    """As differences where that pays, else as they are."""
    alone = estimated(values[sampled(len(values), 0)])
    best, choice = alone.best * GAIN - 0.01, None
    for stride in dict.fromkeys((1, *strides)):
        if stride < len(values) // 2:
            mode, after = _difference(values, stride)
            if after.best < best:
                best, choice = after.best, (mode, stride)
    if choice is None:
        return _repeated(values, strides, level, alone)
    mode, stride = choice
    start = int(values[0])
    inside = shortest(affine.differences(values, stride, mode, start), strides, level + 1)
    return affine.delta(mode, stride, start, inside)


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


def _repeated(values: Integers, strides: Sequence[int], level: int, alone: Estimate) -> bytes:
    """As runs or matches where that pays, else one by one."""
    count = len(values)
    if alone.runs < alone.entropy * GAIN:
        lengths, heads = runs.runs_of(values)
        return runs.runs(len(heads), shortest(lengths, (2,), level + 1), shortest(heads, (2,), level + 1))
    if int(values.max()) < 2 and values.itemsize == 1:
        rows = [stride // 8 for stride in strides if stride % 8 == 0]
        return plain.bits(shortest(plain.packed(values), rows, level + 1))
    found = _matches(values, alone)
    if found is not None:
        gaps, lengths, distances = (coded(stream) for stream in found.streams())
        literals = values[found.literal(count)]
        rest = shortest(literals, (), MOST_LEVELS - 1) if len(literals) else b""
        return matches.matches(len(found), gaps, lengths, distances, rest)
    return _grouped(values, strides, alone)


def _matches(values: Integers, alone: Estimate) -> matches.Matches | None:
    """Matches, if they save bits."""
    bits = alone.entropy
    if bits < LITTLE or len(values) >= 1 << 31:
        return None
    gram = max(3, min(8, math.ceil(MATCH_BITS / bits)))
    parts = max(1, math.ceil(GRAM_BITS / bits / gram))
    share = repeats.repeated_share(values, gram, parts)
    if share < LEAST_SHARE:
        return None
    found = repeats.find_matches(values, _search(values, gram))
    saved = bits * (len(values) - int(found.literal(len(values)).sum())) - MATCH_BITS * len(found)
    return found if len(found) and saved > (1 - GAIN) * bits * len(values) else None


def _search(values: Integers, gram: int) -> repeats.Search:
    return repeats.Search(gram, 2 * gram)


def _grouped(values: Integers, strides: Sequence[int], alone: Estimate) -> bytes:
    return coded(values)


def coded(values: Integers) -> bytes:
    """One by one: raw, deflated, or by a table, of symbols or of buckets."""
    if (values == values[0]).all():
        return plain.constant(values[:1])
    narrow, base, step = affine.narrowed(values, *affine.range_of(values))
    head = base or step > 1 or narrow.itemsize < values.itemsize
    inside = _coded(narrow)
    if not head:
        return inside
    ways = [affine.narrow(base, step, narrow.itemsize, inside)]
    if values.nbytes <= len(ways[0]):
        ways.append(plain.raw(values))
    return min(ways, key=len)


def _coded(values: Integers) -> bytes:
    ways = [plain.raw(values)]
    top = int(values.max())
    bits = [8.0 * values.nbytes]
    counts = None
    if top < max(symbols.FEW_SYMBOLS, min(symbols.MOST_SYMBOLS, len(values))):
        counts = np.bincount(values, minlength=2)
        bits.append(histogram_bits(counts) + table_bits(counts))
    if top >= 32 and top < 1 << symbols.MOST_EXTRA:
        bits.append(bucket_bits(values, 1) + 8 * 40)
    best = min(bits)
    if values.nbytes <= SMALL:
        ways.append(plain.deflated(values, 9))
    if len(bits) > 1 and best == bits[1] and counts is not None:
        ways.append(_symbols(values, counts))
    elif best < bits[0]:
        ways.append(_bucketed(values))
    return min(ways, key=len)


def _symbols(values: Integers, counts: NDArray[np.int64]) -> bytes:
    levels = levels_of(counts[None])[0]
    table = plain.raw(levels) if len(levels) < 64 else coded(levels)
    return symbols.symbols(values, levels, table)


def _bucketed(values: Integers) -> bytes:
    mantissa = min(range(symbols.MOST_MANTISSA + 1), key=lambda m: bucket_bits(values, m) + 40 * m)
    found, extra = symbols.bucketed(values, mantissa)
    return symbols.buckets(mantissa, symbols.extra_bits(values, extra), coded(found))
