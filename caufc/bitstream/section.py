"""Sections: typed integer arrays, one kind of statistics or tables of one tensor each."""

from __future__ import annotations

import functools
import sys
import zlib
from dataclasses import dataclass

from ..errors import MalformedError, UnsupportedError
from ..limits import Limits
from .varint import Cursor, varint

__all__ = ["ELEMENTS", "Section", "parse_section", "section_bytes"]

ELEMENTS = ("i1", "<i2", "<i4", "u1", "<u2")
"""Element codes 0 to 4, in numpy's notation; integers of more than a byte are little-endian."""

RAW, DEFLATE = 0, 1

STRATEGIES, MEMORY_LEVEL, MOST_TRIED = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY), 9, 1 << 15
"""Ways to deflate, how long its blocks may be, and bytes up to which all ways are tried."""

MOST_KEPT, KEPT = 1 << 17, 32
"""Bytes of data whose deflated bytes are kept, at most, and how many: rate control packs the same ones again."""

ANCILLARY = range(256, 512)
"""Types of sections that a decoder skips where it does not know them."""


@dataclass(frozen=True)
class Section:
    """An array as data.

    Args:
        type: number of the registry of section types.
        tensor: number of the tensor that it belongs to.
        element: one of :data:`ELEMENTS`.
        data: the elements' bytes.
    """

    type: int
    tensor: int
    element: str
    data: bytes


def section_bytes(section: Section) -> bytes:
    """The body of a section block [CAUF-0090], deflated where that is shorter."""
    deflated = _kept(section.data) if len(section.data) <= MOST_KEPT else _deflated(section.data)
    packing, data = (DEFLATE, deflated) if len(deflated) < len(section.data) else (RAW, section.data)
    head = varint(section.type) + varint(section.tensor) + bytes([ELEMENTS.index(section.element), packing])
    return head + data


@functools.lru_cache(maxsize=KEPT)
def _kept(data: bytes) -> bytes:
    return _deflated(data)


def _deflated(data: bytes) -> bytes:
    """The shorter stream of two: with repeats, and without, which chance alone makes in the codes of a basis.

    Of much data, the one that is shorter for its middle.
    """
    if len(data) <= MOST_TRIED:
        return min((_deflated_by(strategy, data) for strategy in STRATEGIES), key=len)
    start = (len(data) - MOST_TRIED) // 2
    part = data[start : start + MOST_TRIED]
    return _deflated_by(min(STRATEGIES, key=lambda strategy: len(_deflated_by(strategy, part))), data)


def _deflated_by(strategy: int, data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, MEMORY_LEVEL, strategy)
    return packer.compress(data) + packer.flush()


def parse_section(body: memoryview, offset: int, limits: Limits) -> Section | None:
    """Read the body of a section block; None for an ancillary one, of which none is known [CAUF-0094].

    Raises:
        LimitError: if it inflates beyond ``limits.section_bytes``.
        MalformedError: for bad deflate data, or parts of an element.
        UnsupportedError: for unknown element codes or packings.
    """
    cursor = Cursor(body, offset)
    kind = cursor.varint()
    if kind in ANCILLARY:
        return None
    tensor, element, packing = cursor.varint(), cursor.byte(), cursor.byte()
    data = bytes(cursor.take(cursor.left))
    if element >= len(ELEMENTS) or packing > DEFLATE:
        raise UnsupportedError.unknown(f"a section's element {element} or packing {packing}")
    if packing == DEFLATE:
        data = inflate(data, offset, limits)
    if len(data) % int(ELEMENTS[element][-1]):
        raise MalformedError("section ends within an element", requirement=93, offset=offset)
    return Section(kind, tensor, ELEMENTS[element], data)


def inflate(data: bytes, offset: int, limits: Limits, limit: str = "section_bytes") -> bytes:
    """Inflate a raw deflate stream that must end with its data [CAUF-0092]; ``limit`` bounds what comes out."""
    unpacker = zlib.decompressobj(-15)
    try:
        out = unpacker.decompress(data, min(getattr(limits, limit) + 1, sys.maxsize))
    except zlib.error as err:
        raise MalformedError(f"deflate: {err}", requirement=92, offset=offset) from err
    limits.check(limit, len(out))
    if not unpacker.eof or unpacker.unused_data:
        raise MalformedError("deflate data is cut or has bytes behind it", requirement=92, offset=offset)
    return out
