"""Contexts: which table codes a symbol, from its class and its neighbours' magnitudes (spec, section 9.1).

Prior art: contexts from the significance of neighbours in JPEG 2000 (EBCOT, Taubman 2000) and from their magnitudes in
HEVC and VVC; extents are the last significant coefficient of those codecs, per block and channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..buckets import BUCKETS, extra_bits
from .grids import ChunkPass, Geometry
from .token_order import BANDS

__all__ = [
    "CLASSES",
    "CONTEXTS",
    "CONTEXT_OF",
    "EXTENT",
    "EXTRA_BITS",
    "ContextKeys",
    "PassKeys",
    "classes_of",
    "extents_of",
    "magnitude_of",
]

CLASSES = 48
"""Classes are half-octaves of mean magnitude."""

CONTEXTS = 40
"""Of a class: 0 without neighbours, 1 to 13 near ones, 14 to 26 far ones, 27 to 39 extents."""

LARGEST = 15
THRESHOLDS = (1, 2, 3, 4, 5, 7, 9, 12, 16, 21, 29, 41)
BINS = len(THRESHOLDS) + 1
NEAR, FAR, EXTENT = 1, 1 + BINS, 1 + 2 * BINS
SUMS = 4 * LARGEST + 1
SURROUNDINGS = 5 * SUMS
"""(number of neighbours, sum of their magnitudes), as one number."""

CHANNELS_TOGETHER = 1 << 12
"""Channels whose classes are made at once: a file may have 2^24, whose sums would take a GB."""

EXTRA_BITS = np.array([extra_bits(bucket)[1] for bucket in range(BUCKETS)], dtype=np.float64)

Bytes = NDArray[np.uint8]
Keys = NDArray[np.uint16]


def _context_table() -> Bytes:
    """Context ``[2, 305]`` of every surrounding: far and near [CAUF-0215]."""
    table = np.zeros((2, 5, SUMS), np.uint8)
    for count in range(1, 5):
        bins = np.searchsorted(THRESHOLDS, 4 * np.arange(SUMS) // count, side="right")
        table[0, count] = FAR + bins
        table[1, count] = NEAR + bins
    return table.reshape(2, SURROUNDINGS)


CONTEXT_OF = _context_table()
EXTENT_CONTEXT = (EXTENT + np.searchsorted(THRESHOLDS, 4 * np.arange(LARGEST + 1), side="right")).astype(np.uint8)
"""Context of a block's extent by its head's magnitude [CAUF-0217]."""


def magnitude_of(buckets: Bytes) -> Bytes:
    """Magnitudes that contexts see, same shape: 0 to 15 [CAUF-0214]."""
    magnitudes = np.add(buckets, np.uint8(1), out=np.empty_like(buckets))
    np.right_shift(magnitudes, np.uint8(1), out=magnitudes)
    return np.minimum(magnitudes, np.uint8(LARGEST), out=magnitudes)


def classes_of(level: int, channels: NDArray[Any], bands: NDArray[Any]) -> Bytes:
    """Class ``[16, C]`` of every band and channel: three levels added, kept in range [CAUF-0216]."""
    classes = np.empty((BANDS, len(channels)), np.uint8)
    of_bands = bands[:BANDS].astype(np.int32)[:, None] + np.int32(level)
    for start in range(0, len(channels), CHANNELS_TOGETHER):
        part = slice(start, start + CHANNELS_TOGETHER)
        classes[:, part] = np.clip(channels[part].astype(np.int32) + of_bands, 0, CLASSES - 1)
    return classes


def extents_of(magnitudes: Bytes, geometry: Geometry) -> Bytes:
    """Extent ``[blocks, C]``: the highest rank with a symbol that is not 0, or 0."""
    extents = np.zeros((len(geometry.heads), magnitudes.shape[1]), np.uint8)
    for part in geometry.passes[1:]:
        live = np.maximum.reduceat(magnitudes[part.tokens], part.starts, axis=0) > 0
        blocks = part.blocks[part.starts]
        extents[blocks] = np.where(live, np.uint8(part.rank), extents[blocks])
    return extents


@dataclass(frozen=True)
class PassKeys:
    """Symbols of one pass that are coded.

    Args:
        tokens: of the pass ``[n]``.
        live: which symbols ``[n, C]`` are coded; None for all of them.
        keys: class and surrounding of each that is, in order ``[m]``.
    """

    tokens: NDArray[np.intp]
    live: NDArray[np.bool_] | None
    keys: Keys


class ContextKeys:
    """Makes keys, ``(2 * class + near) * 305 + surrounding``.

    Args:
        classes: of every band and channel ``[16, C]``.
        geometry: of the tokens.
        extents: whether blocks have extents; a symbol of the last rank that its block reaches then counts as far.
    """

    def __init__(self, classes: Bytes, geometry: Geometry, extents: bool) -> None:
        self.classes, self.geometry = classes, geometry
        self.has_extents = extents and len(geometry.heads) > 0
        self.bases = classes.astype(np.uint16) * np.uint16(2 * SURROUNDINGS)

    def extent_contexts(self, known: Bytes) -> NDArray[np.intp]:
        """Contexts ``[blocks, C]`` of extents, as ``class * 40 + context``."""
        heads = self.geometry.heads
        classes = self.classes[self.geometry.bands[heads]].astype(np.intp)
        contexts: NDArray[np.intp] = classes * CONTEXTS + EXTENT_CONTEXT[known[heads]]
        return contexts

    def part(self, number: int, known: Bytes, extents: Bytes | None) -> PassKeys:
        """Keys of a pass.

        Args:
            number: of the pass.
            known: magnitudes ``[N + 1, C]``; the last row is zero and stands for tokens outside.
            extents: of every block ``[blocks, C]``.
        """
        pass_ = self.geometry.passes[number]
        keys = self._keys(pass_, known)
        if extents is None or not pass_.rank:
            return PassKeys(pass_.tokens, None, keys.ravel())
        reach = extents[pass_.blocks]
        live = reach >= pass_.rank
        chosen = keys[live]
        if self.geometry.spectral:
            chosen -= np.where(reach[live] == pass_.rank, np.uint16(SURROUNDINGS), np.uint16(0))
        return PassKeys(pass_.tokens, live, chosen)

    def _keys(self, pass_: ChunkPass, known: Bytes) -> Keys:
        keys: Keys = self.bases[pass_.bands]
        if not pass_.counts.any():
            return keys
        total = known[pass_.neighbours[0]]
        for neighbour in pass_.neighbours[1:]:
            total += known[neighbour]
        shift = pass_.counts * SUMS + (SURROUNDINGS if pass_.near else 0)
        keys += total
        keys += shift.astype(np.uint16)[:, None]
        return keys

    def walk(self, magnitudes: Bytes, extents: Bytes | None) -> Iterator[PassKeys]:
        """All passes over magnitudes ``[N, C]`` that are known."""
        known = np.concatenate([magnitudes, np.zeros((1, magnitudes.shape[1]), np.uint8)])
        for number in range(len(self.geometry.passes)):
            yield self.part(number, known, extents)
