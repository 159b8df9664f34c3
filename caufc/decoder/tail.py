"""What the last bytes of a file tell, where its size is not known: in one request of a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..bitstream import CHECKSUM_BYTES, DISTANCE_BYTES, TAIL_BYTES, Cursor
from ..errors import MalformedError
from ..limits import Limits
from .random_access import HEAD, PART, TAIL

__all__ = ["Told", "head_length", "told_by_tail"]


def head_length(first: int) -> int:
    """How many bytes a reader reads of a file whose first chunk begins at an offset, before it reads a sample."""
    return HEAD + max(0, -(-(first + 1 - HEAD) // PART)) * PART


class Told(NamedTuple):
    """What the last bytes of a file tell of it; whoever reads the file checks all of it.

    Args:
        size: of the file, in bytes, if nothing stands between its chunks and its index.
        first: offset of its first chunk.
        tail: how many of its last bytes stand where ``size`` has them, whatever stands before its index.
    """

    size: int
    first: int
    tail: int


def told_by_tail(read_tail: Callable[[int], bytes], limits: Limits) -> Told | None:
    """What the last bytes of a file tell; None where they lead to no index.

    Args:
        read_tail: reads that many last bytes of the file, or more.
        limits: checked before a long index is read.
    """
    tail = read_tail(TAIL)
    distance = int.from_bytes(tail[-TAIL_BYTES:][:DISTANCE_BYTES], "little")
    if not TAIL_BYTES < distance <= limits.index_bytes:
        return None
    most = limits.header_bytes + 2 * limits.section_bytes
    tail = read_tail(distance)
    cursor = Cursor(memoryview(tail)[-distance:])
    try:
        if cursor.byte() != ord("I"):
            return None
        cursor.varint()
        first, chunks = cursor.varint(), cursor.varint()
        if 2 * chunks > cursor.left:
            return None
        lengths = [(cursor.varint(), cursor.varint())[0] for _ in range(chunks)]
    except MalformedError:
        return None
    known = len(tail) if lengths and _is_chunk(tail[: len(tail) - distance][-lengths[-1] :], lengths[-1]) else distance
    return Told(first + sum(lengths) + distance, first, known) if first <= most else None


def _is_chunk(data: bytes, length: int) -> bool:
    """Whether bytes have the frame of one whole chunk of that length."""
    cursor = Cursor(data)
    try:
        return len(data) == length and cursor.byte() == ord("C") and cursor.varint() + CHECKSUM_BYTES == cursor.left
    except MalformedError:
        return False
