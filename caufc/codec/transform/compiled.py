"""Coefficients by the compiled kernel: what it is given, and how its runs reach the entropy coder (spec, 9.1)."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import kernels
from ..buckets import BUCKETS, push_rests
from ..entropy import RansEncoder, words_of
from .contexts import CONTEXT_OF, CONTEXTS, EXTENT_CONTEXT, SUMS
from .grids import Geometry

__all__ = ["CONTEXT_OF_SUM", "MOST_SYMBOLS", "decoded", "grouped", "tables_by_head", "tables_by_sum"]

MOST_SYMBOLS = 1 << 30
"""Symbols of a chunk up to which places fit into the kernel's 32 bits."""

RUNS = 256
"""Most tables in a pass."""

SUM_BITS = 6

Bytes = NDArray[np.uint8]


def _context_of_sum() -> Bytes:
    contexts = np.zeros((2, CONTEXT_OF.shape[1] // SUMS, 1 << SUM_BITS), np.uint8)
    contexts[:, :, :SUMS] = CONTEXT_OF.reshape(2, -1, SUMS)
    return contexts


CONTEXT_OF_SUM = _context_of_sum()
"""Contexts by distance, number of neighbours and sum of magnitudes ``[2, 5, 64]``."""


@functools.lru_cache(maxsize=64)
def tables_by_sum(table_of: bytes) -> Bytes:
    """Tables by distance, number of neighbours, class and sum of magnitudes ``[2, 5, K, 64]``, from those of contexts.

    Args:
        table_of: uint8 ``[K, 40]`` as bytes.
    """
    by_context = np.frombuffer(table_of, np.uint8).reshape(-1, CONTEXTS)
    return np.ascontiguousarray(by_context[:, CONTEXT_OF_SUM].transpose(1, 2, 0, 3))


@functools.lru_cache(maxsize=64)
def tables_by_head(table_of: bytes) -> Bytes:
    """The same for extents ``[K, 16]``, by class and their head's magnitude."""
    by_context = np.frombuffer(table_of, np.uint8).reshape(-1, CONTEXTS)
    return np.ascontiguousarray(by_context[:, EXTENT_CONTEXT])


def decoded(
    payload: bytes | memoryview, geometry: Geometry, classes: Bytes, table_of: bytes, tables: object, extents: bool
) -> tuple[NDArray[np.int32], bool]:
    """Symbols ``[N, C]`` of a payload, and whether its words are used up.

    Raises:
        MalformedError: if the payload is no words.
    """
    words = words_of(payload)
    symbols = np.empty((geometry.tokens, classes.shape[1]), np.int32)
    used_up = kernels.coefficients.decode(
        words,
        geometry.placement,
        classes,
        tables_by_sum(table_of),
        tables_by_head(table_of),
        tables,
        symbols,
        classes.shape[1],
        len(table_of) // CONTEXTS,
        extents,
    )
    return symbols, used_up


def grouped(
    symbols: NDArray[np.int32], geometry: Geometry, classes: Bytes, table_of: bytes, models: Any, extents: bool
) -> RansEncoder:
    """An encoder that holds all runs of symbols ``[N, C]``, C-contiguous, and their extra bits."""
    placement = geometry.placement
    heads = len(placement.heads) if extents else 0
    most = (len(placement.passes) + 1) * RUNS
    run_tables, run_stops = np.empty(most, np.uint8), np.empty(most, np.int64)
    coded = np.empty((len(symbols) + heads) * symbols.shape[1], np.uint8)
    buckets, large = np.empty(symbols.shape, np.uint8), np.empty(BUCKETS, np.int64)
    count = kernels.coefficients.group(
        symbols,
        placement,
        classes,
        tables_by_sum(table_of),
        tables_by_head(table_of),
        run_tables,
        run_stops,
        coded,
        buckets,
        large,
        symbols.shape[1],
        len(table_of) // CONTEXTS,
        extents,
    )
    encoder = RansEncoder()
    used = int(run_stops[count - 1]) if count else 0
    encoder.push_runs(coded[:used], run_tables[:count], run_stops[:count], models)
    if large.any():
        rests = np.empty(int(large.sum()), np.int32)
        kernels.coefficients.rests(symbols, buckets, large, rests)
        push_rests(encoder, rests, large)
    return encoder
