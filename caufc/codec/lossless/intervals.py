"""Intervals of a byte that share a context: chosen from histograms by merging neighbours (spec, section 11)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MalformedError

__all__ = ["FEWEST", "MAX_INTERVALS", "choose_intervals", "interval_of", "parse_intervals"]

Bytes = NDArray[np.uint8]
Counts = NDArray[np.int64]

MAX_INTERVALS = 16
TABLE_BYTES = 33

FINEST = 64
"""Merging starts from intervals that hold this part of all elements."""

LEAST = 16
"""Elements of such an interval, below which contexts do not pay."""

FEWEST = FINEST * LEAST
"""Elements that have intervals at all."""


def interval_of(starts: Bytes) -> Bytes:
    """Interval of every byte value ``[256]``: how many of ``starts`` are not above it."""
    return np.searchsorted(starts, np.arange(256), side="right").astype(np.uint8)


def choose_intervals(counts: Counts) -> Bytes:
    """First bytes of all intervals but the first, so that codes and tables are short.

    Args:
        counts: ``[256, S, 256]``, how often each symbol comes behind each byte value, in each of S side contexts.
    """
    bounds = _first_bounds(counts.sum(axis=(1, 2)))
    if len(bounds) < 2:
        return np.empty(0, np.uint8)
    parts = list(np.add.reduceat(counts, bounds, axis=0).astype(np.float64))
    alone = list(_bits(np.stack(parts)))
    joined = list(_bits(np.stack(parts[:-1]) + np.stack(parts[1:])))
    while joined:
        growth = np.array(joined) - alone[:-1] - alone[1:]
        best = int(np.argmin(growth))
        if growth[best] > 0 and len(parts) <= MAX_INTERVALS:
            break
        parts[best : best + 2] = [parts[best] + parts[best + 1]]
        alone[best : best + 2] = [joined.pop(best)]
        del bounds[best + 1]
        for left in (best - 1, best):
            if 0 <= left < len(joined):
                joined[left] = float(_bits((parts[left] + parts[left + 1])[None])[0])
    return np.array(bounds[1:], np.uint8)


def _first_bounds(counts: Counts) -> list[int]:
    """Where the intervals begin that merging starts from: frequent bytes are alone, rare ones together."""
    share = counts.sum() / FINEST
    if share < LEAST:
        return []
    bounds, held = [0], 0
    for value in np.flatnonzero(counts):
        if held and held + counts[value] > share:
            bounds.append(int(value))
            held = 0
        held += counts[value]
    return bounds


def _bits(counts: NDArray[np.float64]) -> NDArray[Any]:
    """Bits that codes and tables of histograms ``[K, S, 256]`` take ``[K]``; a raw context costs 8 a symbol."""
    totals = counts.sum(axis=2)
    coded = _x_log_x(totals) - _x_log_x(counts).sum(axis=2) + 8 * (TABLE_BYTES + (counts > 0).sum(axis=2))
    return np.asarray(np.minimum(coded, 8 * totals + 8).sum(axis=1))


def _x_log_x(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values * np.log2(np.maximum(values, 1)))


def parse_intervals(data: memoryview) -> tuple[Bytes, memoryview]:
    """Read a count and bytes in ascending order; also the bytes behind them.

    Raises:
        MalformedError: if they break the specification [CAUF-0314].
    """
    count = data[0] if len(data) else MAX_INTERVALS
    starts = np.frombuffer(data[1 : 1 + count], np.uint8)
    if count >= MAX_INTERVALS or len(starts) != count or (np.diff(starts.astype(np.int16), prepend=0) <= 0).any():
        raise MalformedError(f"{count} starts of intervals", requirement=314)
    return starts, data[1 + count :]
