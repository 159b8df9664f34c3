"""Buckets: unsigned integers as a bucket of a 64-symbol alphabet and extra bits (spec, section 9).

0 to 15 are buckets of their own; above, an octave has two buckets, and the bits below the leading two are extra. Prior
art: the hybrid integers of JPEG XL (ISO/IEC 18181-1), Elias gamma codes before them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import kernels
from .entropy import Heap, RansDecoder, RansEncoder, Run, uniform_model

__all__ = [
    "BUCKETS",
    "DIRECT",
    "LIMIT",
    "Rests",
    "add_extra_bits",
    "bucket_of",
    "buckets_of",
    "extra_bits",
    "push_extra_bits",
    "unzigzag",
    "zigzag",
]

DIRECT = 16
BUCKETS = 64
LIMIT = 1 << 28
"""Symbols lie below: the last bucket ends there."""
PIECE_BITS = 16

BLOCK = 1 << 16
"""Symbols at a time, so that they stay in the processor's caches."""


def zigzag(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Signed to unsigned: 0, -1, 1, -2, 2 ... to 0, 1, 2, 3, 4 ..."""
    if kernels.quantizer is not None and values.flags.c_contiguous and values.dtype == np.int32:
        symbols = np.empty_like(values)
        kernels.quantizer.zigzag(values, symbols)
        return symbols
    out = values >> 31
    np.bitwise_xor(out, values << 1, out=out)
    return out


def unzigzag(symbols: NDArray[np.int32]) -> NDArray[np.int32]:
    """The inverse of :func:`zigzag`."""
    out = symbols >> 1
    np.bitwise_xor(out, -(symbols & 1), out=out)
    return out


def bucket_of(symbols: NDArray[np.int32]) -> NDArray[np.uint8]:
    """The bucket of every symbol, same shape."""
    flat = symbols.ravel()
    buckets = np.empty(len(flat), np.uint8)
    for start in range(0, len(flat), BLOCK):
        there = slice(start, start + BLOCK)
        buckets[there] = np.minimum(flat[there], 255)
    large = np.flatnonzero(buckets >= DIRECT)
    if large.size:
        values = flat[large]
        octave = np.frexp(values.astype(np.float64))[1] - 1
        buckets[large] = 2 * octave + (values >> (octave - 1) & 1) + (DIRECT - 8)
    return buckets.reshape(symbols.shape)


def buckets_of(indices: NDArray[np.int32]) -> NDArray[np.uint8]:
    """The bucket of every index's symbol ``[N, K]``, same shape."""
    if kernels.counts is None:
        return bucket_of(np.ascontiguousarray(zigzag(indices)))
    buckets = np.empty(indices.shape, np.uint8)
    kernels.counts.buckets(np.ascontiguousarray(indices), buckets, *indices.shape)
    return buckets


def extra_bits(bucket: int) -> tuple[int, int]:
    """First symbol of a bucket, and its number of extra bits."""
    if bucket < DIRECT:
        return bucket, 0
    octave = (bucket - DIRECT) // 2 + 4
    return (2 + (bucket & 1)) << (octave - 1), octave - 1


def _pieces(bits: int) -> Iterator[tuple[int, int]]:
    """(shift, bits) of the parts in which extra bits are coded, the highest first."""
    while bits > 0:
        piece = min(bits, PIECE_BITS)
        bits -= piece
        yield bits, piece


def _large_groups(buckets: NDArray[np.uint8]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Buckets with extra bits that occur, ascending, and where."""
    large = np.flatnonzero(buckets >= DIRECT)
    kinds = buckets[large]
    for bucket in np.unique(kinds):
        yield int(bucket), large[kinds == bucket]


@dataclass(frozen=True)
class Rests:
    """Extra bits of symbols, bucket by bucket.

    Args:
        rests: how far symbols lie behind their buckets' first, int32 ``[n]``.
        counts: how many have each bucket, int64 ``[64]``.
    """

    rests: NDArray[np.int32]
    counts: NDArray[np.int64]

    @property
    def most(self) -> int:
        """Words that they take, at most."""
        return 2 * len(self.rests)

    def onto(self, heap: Heap) -> None:
        """Push all with the kernel."""
        heap.place = kernels.rans.encode_rests(heap.words, *heap.place, self.rests, self.counts)

    def onto_coder(self, coder: Any) -> None:
        """Push all with constriction."""
        for run in reversed([*self._runs()]):
            run.onto_coder(coder)

    def _runs(self) -> Iterator[Run]:
        start = 0
        for bucket in np.flatnonzero(self.counts).tolist():
            rests = self.rests[start : start + int(self.counts[bucket])]
            start += len(rests)
            for shift, piece in _pieces(extra_bits(bucket)[1]):
                yield Run(rests >> shift & ((1 << piece) - 1), uniform_model(piece))


def push_extra_bits(encoder: RansEncoder, symbols: NDArray[np.int32], buckets: NDArray[np.uint8]) -> None:
    """Append the extra bits of flat symbols, bucket by bucket."""
    counts = np.zeros(BUCKETS, np.int64)
    rests = [np.empty(0, np.int32)]
    for bucket, where in _large_groups(buckets):
        rests.append(symbols[where] - np.int32(extra_bits(bucket)[0]))
        counts[bucket] = len(where)
    encoder.push_batch(Rests(np.concatenate(rests), counts))


def add_extra_bits(decoder: RansDecoder, buckets: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Flat symbols from their buckets and the extra bits that follow."""
    symbols = buckets.astype(np.int32)
    for bucket, where in _large_groups(buckets):
        first, bits = extra_bits(bucket)
        rest: NDArray[Any] = np.zeros(len(where), np.int32)
        part = np.empty(len(where), np.int32)
        for _, piece in _pieces(bits):
            decoder.pull_into(part, uniform_model(piece))
            rest = rest << piece | part
        symbols[where] = first + rest
    return symbols
