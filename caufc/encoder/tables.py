"""How many tables pay for themselves, and which contexts share one: an encoder's choice."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec.buckets import (
    BUCKETS,
    extra_bits,
)
from ..codec.tables import (
    Levels,
    code_lengths,
    frequencies_of,
    levels_of,
)
from ..codec.transform.contexts import (
    CONTEXTS,
    EXTENT,
    EXTRA_BITS,
)

__all__ = ["choose_tables", "table_bits"]

MAX_TABLES = 48
SEEDS = 96
TABLE_BITS = 8 * 14
"""What one more table costs, about."""

UNSEEN = 0.3
"""Count of a symbol that a sample did not hold."""

LOG_MAGNITUDE = np.log2(1 + np.array([extra_bits(bucket)[0] for bucket in range(BUCKETS)]))

Counts = NDArray[np.int64]
Map = NDArray[np.uint8]


def choose_tables(counts: Counts, scale: float, most: int = MAX_TABLES) -> tuple[Map, Levels]:
    """The table of every context ``[K, contexts]``, and tables as levels ``[T, 64]``, as many as pay.

    Args:
        counts: buckets per class and context ``[K, contexts, 64]``, from a sample of the file.
        scale: how many times more symbols the file has than the sample.
        most: so many tables at most for symbols, and as many for extents.
    """
    flat = counts.reshape(-1, BUCKETS)
    table_of = np.zeros(len(flat), np.uint8)
    if not flat.any():
        return table_of.reshape(counts.shape[:2]), levels_of(np.zeros((1, BUCKETS)))
    for_extents = np.arange(len(flat)) % counts.shape[1] >= EXTENT if counts.shape[1] == CONTEXTS else flat[:, 0] < 0
    levels: list[Levels] = []
    for kind in (~for_extents, for_extents):
        groups = _grouped(flat, np.flatnonzero(kind & flat.any(axis=1)), scale, most)
        for group in groups:
            table_of[group] = len(levels)
            levels.append(levels_of(_widened(flat[group].sum(axis=0), scale)[None])[0])
    return table_of.reshape(counts.shape[:2]), np.stack(levels)


def _widened(row: Counts, scale: float) -> NDArray[np.float64]:
    """Counts with a share for symbols that a sample of the file did not hold, but the file may."""
    counts = row.astype(np.float64)
    if scale > 1:
        reach = min(BUCKETS, int(np.flatnonzero(row).max(initial=0)) + 3)
        counts[:reach] = np.maximum(counts[:reach], UNSEEN)
    return counts


def table_bits(counts: Counts, table_of: NDArray[Any], levels: Levels) -> float:
    """Bits that symbols of such counts ``[K, 64]`` take with these tables, extra bits included."""
    by_table = np.zeros(levels.shape, np.int64)
    np.add.at(by_table, table_of, counts)
    return float((by_table * (code_lengths(frequencies_of(levels)) + EXTRA_BITS)).sum())


def _grouped(counts: Counts, members: NDArray[Any], scale: float, most: int) -> list[NDArray[Any]]:
    """Contexts that share tables."""
    if not len(members):
        return []
    order = members[np.argsort(_activity(counts[members]), kind="stable")]
    groups = [part for part in np.array_split(order, min(SEEDS, len(order))) if part.size]
    return _merge(groups, counts, scale, most)


def _activity(counts: Counts) -> NDArray[np.float64]:
    """Mean logarithmic magnitude of every row."""
    result: NDArray[np.float64] = counts @ LOG_MAGNITUDE / np.maximum(counts.sum(axis=1), 1)
    return result


def _entropy_bits(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Bits to code rows of counts ``[..., A]`` with a table of their own shares."""
    total = counts.sum(axis=-1)
    inner = (counts * np.log2(np.maximum(counts, 1))).sum(axis=-1)
    result: NDArray[np.float64] = total * np.log2(np.maximum(total, 1)) - inner
    return result


def _merge(groups: list[NDArray[Any]], counts: Counts, scale: float, most: int) -> list[NDArray[Any]]:
    """Merge neighbouring groups while a merge costs less than the table and the map that it saves."""
    stacked = np.stack([counts[group].sum(axis=0) for group in groups])
    sums = list(stacked)
    costs = _entropy_bits(stacked).tolist()
    joined = _entropy_bits(stacked[:-1] + stacked[1:]).tolist()
    losses = [both - first - second for both, first, second in zip(joined, costs, costs[1:], strict=False)]
    members = sum(map(len, groups))
    while len(groups) > 1:
        best = losses.index(min(losses))
        map_bits = members * math.log2(len(groups) / (len(groups) - 1))
        if len(groups) <= most and losses[best] * scale > TABLE_BITS + map_bits:
            break
        groups[best : best + 2] = [np.concatenate(groups[best : best + 2])]
        sums[best : best + 2] = [sums[best] + sums[best + 1]]
        costs[best : best + 2] = [costs[best] + costs[best + 1] + losses.pop(best)]
        for pair in range(max(0, best - 1), min(best + 1, len(losses))):
            both = float(_entropy_bits(sums[pair] + sums[pair + 1]))
            losses[pair] = both - costs[pair] - costs[pair + 1]
    return groups
