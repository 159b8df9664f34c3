"""Coefficients by the compiled kernel: what it is given, and how its runs reach the entropy coder (spec, 9.1)."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import kernels
from ..buckets import BUCKETS, Rests
from ..entropy import RansEncoder, words_of
from .contexts import CONTEXT_OF, CONTEXTS, EXTENT_CONTEXT, SUMS
from .grids import Geometry

__all__ = [
    "CONTEXT_OF_SUM",
    "MOST_SYMBOLS",
    "Decoded",
    "Given",
    "decoded",
    "decoded_both",
    "grouped",
    "tables_by_head",
    "tables_by_sum",
]

MOST_SYMBOLS = 1 << 30
"""Symbols of a chunk up to which places fit into the kernel's 32 bits."""

RUNS = 256
"""Most tables in a pass."""

SUM_BITS = 6

Bytes = NDArray[np.uint8]

Decoded = tuple[NDArray[np.int32], bool]
"""Symbols ``[N, C]``, and whether the words are used up."""


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


class Given(NamedTuple):
    """What the kernel decodes.

    Args:
        payload: of a chunk.
        geometry: of its tokens.
        classes: of every band and channel ``[16, C]``.
        table_of: uint8 ``[K, 40]`` as bytes.
        tables: as the kernel takes them.
        extents: whether blocks have extents.
    """

    payload: bytes | memoryview
    geometry: Geometry
    classes: Bytes
    table_of: bytes
    tables: object
    extents: bool

    def arguments(self, symbols: NDArray[np.int32]) -> tuple[Any, ...]:
        """Those of the kernel, which fills in the symbols ``[N, C]``.

        Raises:
            MalformedError: if the payload is no words.
        """
        return (
            words_of(self.payload),
            self.geometry.placement,
            self.classes,
            tables_by_sum(self.table_of),
            tables_by_head(self.table_of),
            self.tables,
            symbols,
            self.classes.shape[1],
            len(self.table_of) // CONTEXTS,
            self.extents,
        )

    def room(self) -> NDArray[np.int32]:
        """For the symbols."""
        return np.empty((self.geometry.tokens, self.classes.shape[1]), np.int32)


def decoded(given: Given) -> Decoded:
    """Symbols ``[N, C]`` of a payload, and whether its words are used up.

    Raises:
        MalformedError: if the payload is no words.
    """
    symbols = given.room()
    return symbols, kernels.coefficients.decode(*given.arguments(symbols))


def decoded_both(one: Given, other: Given) -> list[Decoded]:
    """The same of two payloads, which are decoded side by side.

    Raises:
        MalformedError: if a payload is no words.
    """
    rooms = one.room(), other.room()
    used_up = kernels.coefficients.decode_both(one.arguments(rooms[0]), other.arguments(rooms[1]))
    return [*zip(rooms, used_up, strict=True)]


def grouped(
    symbols: NDArray[np.int32], geometry: Geometry, classes: Bytes, table_of: bytes, models: Any, extents: bool
) -> RansEncoder:
    """An encoder that holds all runs of symbols ``[N, C]``, C-contiguous, and their extra bits."""
    placement = geometry.placement
    heads = len(placement.heads) if extents else 0
    most = (len(placement.passes) + 1) * RUNS
    run_tables, run_stops = np.empty(most, np.uint8), np.empty(most, np.int64)
    coded = np.empty((len(symbols) + heads) * symbols.shape[1], np.uint8)
    large, rests = np.empty(BUCKETS, np.int64), np.empty(symbols.shape, np.int32)
    count = kernels.coefficients.group(
        symbols,
        placement,
        classes,
        tables_by_sum(table_of),
        tables_by_head(table_of),
        run_tables,
        run_stops,
        coded,
        large,
        rests,
        symbols.shape[1],
        len(table_of) // CONTEXTS,
        extents,
    )
    encoder = RansEncoder()
    used = int(run_stops[count - 1]) if count else 0
    encoder.push_runs(coded[:used], run_tables[:count], run_stops[:count], models)
    encoder.push_batch(Rests(rests.ravel()[: int(large.sum())], large))
    return encoder
