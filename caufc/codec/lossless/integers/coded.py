"""Integers one by one (an encoder's freedom): in fewer bytes, deflated, by a table, or by buckets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...tables import levels_of
from . import affine, plain, symbols
from .estimate import bucket_bits, histogram_bits, sampled, table_bits
from .nodes import Integers

__all__ = ["SMALL", "coded", "narrowed"]

SMALL = 4096
"""Bytes up to which deflate is tried, whose tables are shorter."""

GAIN = 0.97
"""What buckets, which are estimated on a sample, must save beside symbols."""

LEAST_BUCKETED = 32
BUCKET_TABLE = 40


def coded(values: Integers) -> bytes:
    """One by one: raw, deflated, or by a table, of symbols or of buckets."""
    if (values == values[0]).all():
        return plain.constant(values[:1])
    narrow, base, step = narrowed(values)
    head = base or step > 1 or narrow.itemsize < values.itemsize
    inside = _coded(narrow)
    if not head:
        return inside
    ways = [affine.narrow(base, step, narrow.itemsize, inside)]
    if values.nbytes <= len(ways[0]):
        ways.append(plain.raw(values))
    return min(ways, key=len)


def narrowed(values: Integers) -> tuple[Integers, int, int]:
    """Integers in as few bytes as hold them, with base and step; as they are, where a base alone makes them no cheaper.

    Most differences are small, and few are not: a base that spans these makes all large.
    """
    found, base, step = affine.narrowed(values, *affine.range_of(values))
    if not base or step > 1 or found.itemsize < values.itemsize:
        return found, base, step
    if max(int(values.max()), int(found.max())) >= 1 << symbols.MOST_EXTRA:
        return found, base, step
    at = sampled(len(values), 0)
    plainer = bucket_bits(values[at], 1) <= bucket_bits(found[at], 1)
    return (values, 0, 1) if plainer else (found, base, step)


def _coded(values: Integers) -> bytes:
    ways = [plain.raw(values)]
    if values.nbytes <= SMALL:
        ways.append(plain.deflated(values, 9))
    as_symbols = _histogram(values)
    bits = as_symbols.bits if as_symbols else math.inf
    sample = values[sampled(len(values), 0)]
    useful = LEAST_BUCKETED <= int(values.max()) < 1 << symbols.MOST_EXTRA
    spread = bucket_bits(sample, 1) * len(values) / len(sample) + 8 * BUCKET_TABLE if useful else math.inf
    if as_symbols and GAIN * bits <= min(spread, 8 * values.nbytes):
        ways.append(_symbols(values, as_symbols.counts))
    elif spread < 8 * values.nbytes:
        ways.append(_bucketed(values, sample))
    return min(ways, key=len)


@dataclass(frozen=True)
class Histogram:
    """How often each integer occurs.

    Args:
        counts: ``[A]``.
        bits: of all, with a table.
    """

    counts: NDArray[np.int64]
    bits: float


def _histogram(values: Integers) -> Histogram | None:
    """None where no table is large enough."""
    if int(values.max()) >= max(symbols.FEW_SYMBOLS, min(symbols.MOST_SYMBOLS, len(values))):
        return None
    counts = np.bincount(values, minlength=2)
    return Histogram(counts, histogram_bits(counts) + table_bits(counts))


def _symbols(values: Integers, counts: NDArray[np.int64]) -> bytes:
    levels = levels_of(counts[None])[0]
    table = plain.raw(levels) if len(levels) < 64 else coded(levels)
    return symbols.symbols(values, levels, table)


def _bucketed(values: Integers, sample: Integers) -> bytes:
    scale = len(values) / len(sample)
    mantissa = min(range(symbols.MOST_MANTISSA + 1), key=lambda m: scale * bucket_bits(sample, m) + 40 * m)
    found, extra = symbols.bucketed(values, mantissa)
    return symbols.buckets(mantissa, symbols.extra_bits(values, extra), coded(found))
