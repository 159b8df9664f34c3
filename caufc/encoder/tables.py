"""Which tables a file gets: how many pay for themselves, which contexts share one, or the universal ones."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec import kernels
from ..codec.buckets import BUCKETS, extra_bits
from ..codec.tables import TableLevels, code_lengths, frequencies_of, levels_of
from ..codec.transform.compiled import CONTEXT_OF_SUM
from ..codec.transform.contexts import (
    CLASSES,
    CONTEXT_OF,
    CONTEXTS,
    EXTENT,
    EXTENT_CONTEXT,
    EXTRA_BITS,
    ContextKeys,
    extents_of,
    magnitude_of,
)
from ..codec.transform.grids import Geometry
from ..codec.transform.parameters import CONTEXT_MAP, TABLES
from ..codec.transform.universal_tables import universal_tables
from ..types import Arrays
from .levels import ClassLevels

__all__ = ["choose_tables", "context_counts", "counts_by_context", "file_tables", "table_bits"]

MAX_TABLES = 48
"""Most tables of symbols, and as many of extents; chosen by hand. What universal tables cost instead:
``tools/results/tables.md`` (``tools/measure/tables.py``)."""

SEEDS = 96
"""Groups of contexts with which merging starts."""

TABLE_BITS = 8 * 14
"""What one more table costs, about."""

USUAL_COUNTS = 1 << 18
"""Counts below it have their logarithms in a table."""

UNSEEN = 0.3
"""Count of a symbol that a sample did not hold, chosen by hand."""

LOG_MAGNITUDE = np.log2(1 + np.array([extra_bits(bucket)[0] for bucket in range(BUCKETS)]))

SECTION_BITS = 8 * 20
"""Frames of the two sections that own tables need."""

CONTEXT_OF_KEY = (np.arange(CLASSES)[:, None] * CONTEXTS + CONTEXT_OF.ravel()).ravel().astype(np.int32)
"""``class * 40 + context`` of every key."""

Bytes = NDArray[np.uint8]
Counts = NDArray[np.int64]
Map = NDArray[np.uint8]


def choose_tables(counts: Counts, scale: float, most: int = MAX_TABLES, seeds: int = SEEDS) -> tuple[Map, TableLevels]:
    """The table of every context ``[K, contexts]``, and tables as levels ``[T, 64]``, as many as pay.

    Args:
        counts: buckets per class and context ``[K, contexts, 64]``, from a sample of the file.
        scale: how many times more symbols the file has than the sample.
        most: so many tables at most for symbols, and as many for extents.
        seeds: groups of contexts with which merging starts.
    """
    flat = counts.reshape(-1, BUCKETS)
    table_of = np.zeros(len(flat), np.uint8)
    if not flat.any():
        return table_of.reshape(counts.shape[:2]), levels_of(np.zeros((1, BUCKETS)))
    for_extents = np.arange(len(flat)) % counts.shape[1] >= EXTENT if counts.shape[1] == CONTEXTS else flat[:, 0] < 0
    levels: list[TableLevels] = []
    for kind in (~for_extents, for_extents):
        groups = _grouped(flat, np.flatnonzero(kind & flat.any(axis=1)), scale, most, seeds)
        if groups:
            for number, group in enumerate(groups, sum(map(len, levels))):
                table_of[group] = number
            levels.append(levels_of(_widened(np.stack([flat[group].sum(axis=0) for group in groups]), scale)))
    return table_of.reshape(counts.shape[:2]), np.concatenate(levels)


def _widened(rows: Counts, scale: float) -> NDArray[np.float64]:
    """Counts ``[T, 64]`` with a share for symbols that a sample of the file did not hold, but the file may."""
    counts = rows.astype(np.float64)
    if scale > 1:
        last = BUCKETS - 1 - np.argmax(rows[:, ::-1] > 0, axis=1)
        reach = np.where(rows.any(axis=1), last, 0) + 3
        counts = np.where(np.arange(BUCKETS) < reach[:, None], np.maximum(counts, UNSEEN), counts)
    return counts


def table_bits(counts: Counts, table_of: NDArray[Any], levels: TableLevels) -> float:
    """Bits that symbols of such counts ``[K, 64]`` take with these tables, extra bits included."""
    used = np.flatnonzero(counts.any(axis=1))
    if not len(used):
        return 0.0
    used = used[np.argsort(table_of[used], kind="stable")]
    tables, starts = np.unique(table_of[used], return_index=True)
    by_table = np.add.reduceat(counts[used], starts, axis=0)
    return float((by_table * (code_lengths(frequencies_of(levels[tables])) + EXTRA_BITS)).sum())


def _grouped(counts: Counts, members: NDArray[Any], scale: float, most: int, seeds: int) -> list[NDArray[Any]]:
    """Contexts that share tables."""
    if not len(members):
        return []
    order = members[np.argsort(_activity(counts[members]), kind="stable")]
    edges = _merged(_split(len(order), min(seeds, len(order))), counts[order], scale, most)
    return np.split(order, edges[1:-1])


def _activity(counts: Counts) -> NDArray[np.float64]:
    """Mean logarithmic magnitude of every row."""
    result: NDArray[np.float64] = counts @ LOG_MAGNITUDE / np.maximum(counts.sum(axis=1), 1)
    return result


def _split(count: int, parts: int) -> NDArray[np.intp]:
    """Where each of almost equal parts starts, and the end; the first are the larger ones."""
    usual, larger = divmod(count, parts)
    numbers = np.arange(parts + 1)
    return numbers * usual + np.minimum(numbers, larger)


@cache
def _own_bits() -> NDArray[np.float64]:
    """``n log2 n`` of every usual count."""
    counts = np.arange(USUAL_COUNTS, dtype=np.float64)
    return counts * np.log2(np.maximum(counts, 1))


def _entropy_bits(counts: Counts) -> NDArray[np.float64]:
    """Bits to code rows of counts ``[..., A]`` with a table of their own shares."""
    total = counts.sum(axis=-1)
    if total.max() < USUAL_COUNTS:
        of = _own_bits()
        usual: NDArray[np.float64] = of[total] - of[counts].sum(axis=-1)
        return usual
    inner = (counts * np.log2(np.maximum(counts, 1))).sum(axis=-1)
    result: NDArray[np.float64] = total * np.log2(np.maximum(total, 1)) - inner
    return result


def _merged(starts: NDArray[np.intp], counts: Counts, scale: float, most: int) -> list[int]:
    """Where groups of rows of counts ``[M, 64]`` start, and the end, once neighbours are merged.

    Two are, while that costs less than the table and the map that it saves.
    """
    edges: list[int] = starts.tolist()
    until = np.concatenate([np.zeros((1, BUCKETS), np.int64), np.cumsum(counts, axis=0)])
    costs = _entropy_bits(until[edges[1:]] - until[edges[:-1]]).tolist()
    joined = _entropy_bits(until[edges[2:]] - until[edges[:-2]]).tolist() if len(costs) > 1 else []
    losses = [both - first - second for both, first, second in zip(joined, costs, costs[1:], strict=False)]
    while losses:
        least = min(losses)
        map_bits = len(counts) * math.log2(len(costs) / (len(costs) - 1))
        if len(costs) <= most and least * scale > TABLE_BITS + map_bits:
            break
        best = losses.index(least)
        costs[best : best + 2] = [costs[best] + costs[best + 1] + losses.pop(best)]
        del edges[best + 1]
        pairs = range(max(0, best - 1), min(best + 1, len(losses)))
        moved = until[[edges[pair + 2] for pair in pairs]] - until[[edges[pair] for pair in pairs]]
        for pair, both in zip(pairs, _entropy_bits(moved).tolist() if pairs else (), strict=True):
            losses[pair] = both - costs[pair] - costs[pair + 1]
    return edges


def context_counts(buckets: Bytes, classes: Bytes, geometry: Geometry, extents: bool) -> Counts:
    """Counts of buckets and extents by context ``[48, 40, 64]`` of buckets ``[N, K]``."""
    magnitudes = magnitude_of(buckets)
    reach = extents_of(magnitudes, geometry) if extents and len(geometry.heads) else None
    return counts_by_context(buckets, magnitudes, reach, classes, geometry)


def counts_by_context(
    buckets: Bytes, magnitudes: Bytes, reach: Bytes | None, classes: Bytes, geometry: Geometry
) -> Counts:
    """The same, where magnitudes ``[N, K]`` and the extents of blocks, None for none, are known."""
    if kernels.counts is not None:
        counts = np.zeros((CLASSES, CONTEXTS, BUCKETS), np.int64)
        kernels.counts.by_context(
            buckets,
            geometry.placement,
            classes,
            CONTEXT_OF_SUM,
            EXTENT_CONTEXT,
            counts,
            buckets.shape[1],
            reach is not None,
        )
        return counts
    keys = ContextKeys(classes, geometry, reach is not None)
    found = []
    for part in keys.walk(magnitudes, reach):
        values = buckets[part.tokens]
        values = values.ravel() if part.live is None else values[part.live]
        found.append(CONTEXT_OF_KEY[part.keys] * np.int32(BUCKETS) + values)
    if reach is not None:
        found.append((keys.extent_contexts(magnitudes) * BUCKETS + reach).ravel())
    counts = np.bincount(np.concatenate([np.empty(0, np.int32), *found]), minlength=CLASSES * CONTEXTS * BUCKETS)
    return counts.reshape(CLASSES, CONTEXTS, BUCKETS)


def file_tables(
    counts: Counts, levels: ClassLevels, scale: float, *, universal: bool = True
) -> tuple[Arrays, int, float]:
    """The cheaper of own and, where they may be, universal tables: sections, level, bits of the sample."""
    table_of, tables = universal_tables()
    alike = table_bits(counts.reshape(-1, BUCKETS), table_of.ravel(), tables)
    if not counts.any():
        return {}, levels.level, alike
    used = np.flatnonzero(counts.any(axis=(1, 2)))
    low, high = int(used[0]), int(used[-1]) + 1
    own_of, own_tables = choose_tables(counts[low:high].reshape(-1, CONTEXTS, BUCKETS), scale)
    bits = table_bits(counts[low:high].reshape(-1, BUCKETS), own_of.ravel(), own_tables)
    spent = 8 * own_tables[own_tables > 0].size + SECTION_BITS + 2 * np.count_nonzero(counts.any(axis=2))
    if universal and (alike - bits) * scale <= spent:
        return {}, levels.level, alike
    return {TABLES: own_tables.ravel(), CONTEXT_MAP: own_of.ravel()}, levels.level - low, bits
