"""Blocks: the frame around everything that follows the header, and the checksum that ties each to its file."""

from __future__ import annotations

import string
from dataclasses import dataclass

from ..errors import DamagedError, MalformedError, UnsupportedError
from ..limits import Limits
from .varint import MAX_BYTES, Cursor, varint

try:  # many times faster, where it has a wheel
    from isal.isal_zlib import crc32
except ImportError:
    from zlib import crc32

__all__ = ["CHECKSUM_BYTES", "KNOWN_TAGS", "Block", "BlockParser", "block_bytes", "checksum"]

CHECKSUM_BYTES = 4
KNOWN_TAGS, LETTERS = b"SCIE", frozenset(string.ascii_letters.encode())
SIZE_LIMITS = {ord("S"): "section_bytes", ord("C"): "chunk_bytes", ord("I"): "index_bytes", ord("E"): "section_bytes"}


@dataclass(frozen=True)
class Block:
    """A checked block: its tag, its body, where it starts in the file, and its length with frame, in bytes."""

    tag: str
    body: memoryview
    offset: int
    length: int


def checksum(data: bytes | memoryview, seed: int = 0) -> int:
    """CRC-32 (ISO-HDLC) of ``data``, continued from ``seed``."""
    return crc32(data, seed)


def block_bytes(tag: str, body: bytes, seed: int) -> bytes:
    """Frame a body [CAUF-0020]; ``seed`` is the header's checksum."""
    framed = tag.encode("ascii") + varint(len(body)) + body
    return framed + checksum(framed, seed).to_bytes(CHECKSUM_BYTES, "little")


class BlockParser:
    """Cuts a stream of bytes into checked blocks, without reading anything itself.

    Feed bytes as they come; :meth:`next` gives a block once all of it is there. Ancillary blocks of unknown kinds
    (lower-case tags) are checked and skipped.

    Args:
        seed: the header's checksum.
        offset: where the first byte that is fed stands in the file.
        limits: lengths are checked against them before bytes are gathered.
    """

    def __init__(self, seed: int, offset: int, limits: Limits) -> None:
        self.seed, self.offset, self.limits = seed, offset, limits
        self.buffer = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        self.buffer += data

    @property
    def pending(self) -> int:
        """Bytes that are fed and not yet part of a block."""
        return len(self.buffer)

    def wanted(self) -> int:
        """How many more bytes the next block needs, at least; 0 when it is complete."""
        size = self._frame()
        return 1 if size is None else max(0, size[1] - len(self.buffer))

    def next(self) -> Block | None:
        """The next block of a known kind, or None if more bytes are needed.

        Raises:
            DamagedError: if a checksum differs.
            LimitError: if a block is too long.
            MalformedError: if a frame breaks the specification.
            UnsupportedError: for a critical block of an unknown kind.
        """
        while True:
            block = self.cut()
            if block is None or ord(block.tag) in KNOWN_TAGS:
                return block

    def _frame(self) -> tuple[int, int] | None:
        """Start of the body and length of the block, or None while the length is not there yet."""
        head = bytes(self.buffer[: 1 + MAX_BYTES])
        if len(head) < 1 + MAX_BYTES and all(byte > 127 for byte in head[1:]):
            return None
        if head[1] < 128:
            length, start = head[1], 2
        else:
            cursor = Cursor(head, self.offset)
            cursor.byte()
            length, start = cursor.varint(), cursor.position
        if head[0] not in LETTERS:
            raise MalformedError(f"tag {head[0]} is no letter", requirement=21, offset=self.offset)
        self.limits.check(SIZE_LIMITS.get(head[0], "section_bytes"), length)
        return start, start + length + CHECKSUM_BYTES

    def length(self) -> int | None:
        """Length of the next block as its frame tells, or None while that is not there yet; the same errors."""
        size = self._frame()
        return None if size is None else size[1]

    def cut(self) -> Block | None:
        """The next block of any kind, or None if more bytes are needed; the same errors as :meth:`next`."""
        frame = self._frame()
        if frame is None or len(self.buffer) < frame[1]:
            return None
        start, length = frame
        with memoryview(self.buffer) as fed:
            data = memoryview(bytes(fed[:length]))
        stored = int.from_bytes(data[-CHECKSUM_BYTES:], "little")
        if checksum(data[:-CHECKSUM_BYTES], self.seed) != stored:
            raise DamagedError(f"checksum of block '{chr(data[0])}' differs", offset=self.offset)
        if chr(data[0]).isupper() and data[0] not in KNOWN_TAGS:
            raise UnsupportedError.unknown(f"block '{chr(data[0])}' at byte {self.offset}")
        block = Block(chr(data[0]), data[start:-CHECKSUM_BYTES], self.offset, length)
        del self.buffer[:length]
        self.offset += length
        return block
