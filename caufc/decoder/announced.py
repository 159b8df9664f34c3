"""How many samples a file announces, so that arrays for all of them can be made before they are decoded."""

from __future__ import annotations

from ..bitstream import BlockParser, Cursor, Index, parse_end
from ..coders.prelude import Prelude
from ..errors import CaufError
from ..limits import Limits
from .random_access import ReadAt, stored_index

__all__ = ["announced_index", "announced_samples"]

LONGEST_END = 15
"""Bytes of the end of a file without an index, at most: tag, length, number of samples, checksum."""


def announced_index(read_at: ReadAt, size: int, prelude: Prelude, limits: Limits) -> Index | None:
    """The index of a file, which may be wrong; None where it has none.

    Args:
        read_at: reads bytes of the file.
        size: of the file, in bytes.
        prelude: of the file.
        limits: checked before the index is read.
    """
    if not prelude.header.indexed:
        return None
    keyed = prelude.header.content == "keyed"
    try:
        return stored_index(read_at, size, prelude.length, prelude.seed, limits, keyed=keyed)
    except CaufError:  # whoever reads the file to its end will say so
        return None


def announced_samples(read_at: ReadAt, size: int, prelude: Prelude, limits: Limits) -> int | None:
    """Samples of a file of several chunks, as its index or its end says, which may be wrong; None for one chunk.

    Args:
        read_at: reads bytes of the file.
        size: of the file, in bytes.
        prelude: of the file.
        limits: checked before the index is read.
    """
    if prelude.header.indexed:
        index = announced_index(read_at, size, prelude, limits)
        return index.samples if index is not None and len(index.chunks) > 1 else None
    try:
        cursor = Cursor(prelude.first.body)
        cursor.varint()
        first = cursor.varint()
    except CaufError:  # whoever reads the file to its end will say so
        return None
    samples = _told_at_the_end(read_at(max(0, size - LONGEST_END), LONGEST_END), size, prelude, limits)
    return samples if samples is not None and samples > first else None


def _told_at_the_end(tail: bytes, size: int, prelude: Prelude, limits: Limits) -> int | None:
    """The number of samples in the last bytes of a file without an index; None if they are no end."""
    for start in range(len(tail)):
        parser = BlockParser(prelude.seed, size - len(tail) + start, limits)
        parser.feed(tail[start:])
        try:
            block = parser.cut() if tail[start] == ord("E") else None
            if block is not None and not parser.pending:
                return parse_end(block.body, False, block.offset).samples
        except CaufError:
            continue
    return None
