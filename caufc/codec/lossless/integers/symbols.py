"""Nodes of the entropy coder: symbols of a table, and buckets with extra bits (spec, section 11.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....bitstream import Cursor, varint
from ....errors import MalformedError
from ... import kernels
from ...entropy import RansDecoder, RansEncoder, table_model
from ...kernels.pieces import in_one_piece
from ...tables import frequencies_of
from .nodes import Child, Integers, Kind, unsigned

__all__ = [
    "MOST_MANTISSA",
    "MOST_SYMBOLS",
    "bucketed",
    "buckets",
    "decode_buckets",
    "decode_symbols",
    "extra_bits",
    "symbols",
]

MOST_SYMBOLS = 1 << 16
FEW_SYMBOLS = 256
"""So many a table may have, however few elements it codes."""

MOST_MANTISSA = 2
MOST_EXTRA = 56
BLOCK = 1 << 16
"""Values whose extra bits are read together."""


def symbols(values: Integers, levels: NDArray[np.uint8], table: bytes) -> bytes:
    """rANS of values below the number of levels.

    Args:
        values: ``[n]``.
        levels: of the table, 2 to 65,536; one above 0 for every value that occurs.
        table: their node.
    """
    encoder = RansEncoder()
    encoder.push(values, table_model(frequencies_of(levels[None])[0]))
    words = encoder.finish()
    return bytes([Kind.SYMBOLS]) + varint(len(levels)) + table + varint(len(words)) + words


def decode_symbols(cursor: Cursor, count: int, width: int, child: Child) -> Integers:
    """Symbols of one table [CAUF-0529]."""
    alphabet = cursor.varint()
    most = min(MOST_SYMBOLS, 1 << 8 * width, max(FEW_SYMBOLS, count))
    if not 2 <= alphabet <= most:
        raise MalformedError(f"a table of {alphabet} symbols for {count} integers", requirement=529)
    model = table_model(frequencies_of(child(alphabet, 1)[None])[0])
    decoder = RansDecoder(cursor.take(cursor.varint()))
    out = np.empty(count, unsigned(width))
    decoder.pull_into(out, model)
    decoder.end()
    return out


def bucketed(values: Integers, mantissa: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Bucket of each value below 2^57, and how many extra bits it has [CAUF-0530]."""
    if kernels.integers is not None:
        buckets, sizes = np.empty(len(values), np.uint8), np.empty(len(values), np.uint8)
        kernels.integers.bucketed(in_one_piece(values), mantissa, buckets, sizes, values.itemsize)
        return buckets, sizes
    extra = np.maximum(_bit_lengths(values) - (mantissa + 1), 0)
    top = (values >> extra.astype(values.dtype)).astype(np.int16)
    least = top >= 1 << mantissa
    bucket = np.where(least, (extra << mantissa) + top, top)
    return bucket.astype(np.uint8), extra.astype(np.uint8)


def _bit_lengths(values: Integers) -> NDArray[np.int16]:
    """Bits of each value without leading zeros, 0 for 0."""
    if values.itemsize < 8:
        return np.frexp(values.astype(np.float64))[1].astype(np.int16)
    upper = np.frexp((values >> np.uint64(32)).astype(np.float64))[1]
    lower = np.frexp((values & np.uint64(0xFFFFFFFF)).astype(np.float64))[1]
    return np.where(upper > 0, upper + 32, lower).astype(np.int16)


def extra_bits(values: Integers, sizes: NDArray[np.uint8]) -> bytes:
    """The lowest bits of each value, so many as ``sizes`` says, least significant first."""
    if kernels.integers is not None:
        out = np.empty((int(sizes.sum(dtype=np.int64)) + 7) // 8, np.uint8)
        kernels.integers.pack(in_one_piece(values), np.ascontiguousarray(sizes), out, values.itemsize)
        return out.tobytes()
    wide, count = sizes.astype(np.uint64), sizes.astype(np.int64)
    ends = np.cumsum(count)
    total = int(ends[-1]) if len(ends) else 0
    where = count > 0
    starts, wide = (ends - count)[where], wide[where]
    fields = values[where].astype(np.uint64) & ((np.uint64(1) << wide) - np.uint64(1))
    words = np.zeros(total // 64 + 2, np.uint64)
    place, shift = starts >> 6, (starts & 63).astype(np.uint64)
    first = np.flatnonzero(np.diff(place, prepend=-1))
    if len(first):
        words[place[first]] |= np.bitwise_or.reduceat(fields << shift, first)
        spill = np.where(shift + wide > 64, fields >> np.uint64(1) >> (np.uint64(63) - shift), np.uint64(0))
        over = np.flatnonzero(spill)
        words[place[over] + 1] |= spill[over]
    return words.astype("<u8").tobytes()[: -(-total // 8)]


def buckets(mantissa: int, extra: bytes, of: bytes) -> bytes:
    """Extra bits, and the node of buckets."""
    return bytes([Kind.BUCKETS, mantissa]) + of + varint(len(extra)) + extra


def decode_buckets(cursor: Cursor, count: int, width: int, child: Child) -> Integers:
    """Buckets and their extra bits [CAUF-0530]."""
    mantissa = cursor.byte()
    if mantissa > MOST_MANTISSA:
        raise MalformedError(f"a mantissa of {mantissa} bits", requirement=530)
    found = child(count, 1)
    number = np.arange(256)
    sizes = np.maximum((number >> mantissa) - 1, 0)
    if int(sizes[int(found.max())]) > min(MOST_EXTRA, 8 * width - mantissa - 1):
        raise MalformedError(f"bucket {int(found.max())} of integers of {width} bytes", requirement=530)
    tops = np.where(sizes > 0, number - (sizes << mantissa), number)
    bases = tops.astype(np.uint64) << np.minimum(sizes, MOST_EXTRA).astype(np.uint64)
    out: Integers = bases.astype(unsigned(width))[found]
    _read_bits(cursor.take(cursor.varint()), sizes.astype(np.uint8)[found], out)
    return out


def _read_bits(data: memoryview, sizes: NDArray[np.uint8], out: Integers) -> None:
    """Put fields of so many bits, least significant first, into the lowest bits of ``out``."""
    total = int(sizes.sum(dtype=np.int64))
    if len(data) != -(-total // 8) or (total % 8 and data[-1] >> total % 8):
        raise MalformedError(f"{len(data)} bytes of {total} extra bits", requirement=531)
    if kernels.integers is not None:
        kernels.integers.unpack(np.frombuffer(data, np.uint8), sizes, out, out.itemsize)
        return
    padded = np.frombuffer(bytes(data) + bytes(8), np.uint8)
    words: NDArray[Any] = np.ndarray((len(data) + 1,), "<u8", buffer=padded, strides=(1,))
    first = 0
    for at in range(0, len(sizes), BLOCK):
        wide = sizes[at : at + BLOCK]
        ends = np.cumsum(wide, dtype=np.int64) + first
        starts = ends - wide
        fields = words[starts >> 3] >> (starts & 7).astype(np.uint64)
        fields &= (np.uint64(1) << wide.astype(np.uint64)) - np.uint64(1)
        out[at : at + BLOCK] |= fields.astype(out.dtype)
        first = int(ends[-1])
