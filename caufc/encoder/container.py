"""A container as it is written: header and sections, chunks as they come, index and end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..bitstream import End, Header, Index, Key, Section, block_bytes, end_bytes, index_bytes, section_bytes, seed_of

__all__ = ["Container", "Sink"]


class Sink(Protocol):
    """Where a container goes, in order."""

    def write(self, data: bytes, /) -> object: ...


class Container:
    """Frames what is written, and keeps what the index needs.

    Args:
        sink: takes the bytes.
        header: of the file.
        sections: of the file.

    Attributes:
        bytes: written so far.
        chunks: how many were written.
    """

    def __init__(self, sink: Sink, header: Header, sections: Sequence[Section]) -> None:
        self.sink, self.indexed, self.bytes = sink, header.indexed, 0
        head = header.to_bytes()
        self.seed = seed_of(head)
        self._put(head)
        for section in sections:
            self._put(block_bytes("S", section_bytes(section), self.seed))
        self._first = self.bytes
        self._lengths: list[tuple[int, int]] = []

    @property
    def chunks(self) -> int:
        return len(self._lengths)

    @property
    def samples(self) -> int:
        """How many were written."""
        return sum(count for _, count in self._lengths)

    def chunk(self, body: bytes, count: int) -> None:
        """Write a chunk of so many samples."""
        length = self._put(block_bytes("C", body, self.seed))
        self._lengths.append((length, count))

    def close(self, keys: Sequence[Key] | None = None) -> None:
        """Write index and end.

        Args:
            keys: of keyed samples, in order.
        """
        samples = self.samples
        if not self.indexed:
            self._put(block_bytes("E", end_bytes(End(samples, None)), self.seed))
            return
        index = Index(self._first, tuple(self._lengths), keys=None if keys is None else tuple(keys))
        block = block_bytes("I", index_bytes(index), self.seed)
        end = block_bytes("E", end_bytes(End(samples, 0)), self.seed)
        self._put(block)
        self._put(block_bytes("E", end_bytes(End(samples, len(block) + len(end))), self.seed))

    def _put(self, data: bytes) -> int:
        self.sink.write(data)
        self.bytes += len(data)
        return len(data)
