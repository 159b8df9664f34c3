"""The index and the end: where chunks are, and that the file is whole."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

from ..errors import MalformedError
from ..limits import Limits
from .keys import Key, keys_bytes, parse_keys
from .varint import Cursor, varint

__all__ = ["DISTANCE_BYTES", "TAIL_BYTES", "End", "Index", "end_bytes", "index_bytes", "parse_end", "parse_index"]

DISTANCE_BYTES = 8
"""The distance from the index block to the end of the file (u64)."""

TAIL_BYTES = DISTANCE_BYTES + 4
"""The last bytes of an indexed file: the distance, and a checksum."""


@dataclass(frozen=True)
class Index:
    """Where chunks are.

    Args:
        first: offset of the first chunk block in the file, in bytes.
        chunks: (block length in bytes, samples) of each chunk.
        starts: offset of each chunk block; None if they follow each other without gaps, as in every stored index.
        keys: of keyed samples, in order; None for others.
    """

    first: int
    chunks: tuple[tuple[int, int], ...]
    starts: tuple[int, ...] | None = None
    keys: tuple[Key, ...] | None = None

    def find(self, sample: int) -> tuple[int, int, int]:
        """Offset and length of the chunk block that holds a sample, and the chunk's first sample."""
        number = bisect_right(self._ends, sample)
        if number == len(self.chunks):
            raise IndexError(sample)
        length, count = self.chunks[number]
        return self.offset(number), length, self._ends[number] - count

    def offset(self, number: int) -> int:
        """Offset of a chunk block."""
        return self._offsets[number] if self.starts is None else self.starts[number]

    @property
    def samples(self) -> int:
        return self._ends[-1] if self.chunks else 0

    @property
    def offsets(self) -> list[int]:
        """Offset of each chunk block."""
        return self._offsets[:-1] if self.starts is None else list(self.starts)

    @property
    def end(self) -> int:
        """Offset behind the last chunk."""
        return self._offsets[-1]

    @cached_property
    def _ends(self) -> list[int]:
        """Number of samples up to the end of each chunk."""
        return list(accumulate(count for _, count in self.chunks))

    @cached_property
    def _offsets(self) -> list[int]:
        """Offset of each chunk, and the one behind the last."""
        return list(accumulate((length for length, _ in self.chunks), initial=self.first))


@dataclass(frozen=True)
class End:
    """The end: how many samples the file holds, and how far before the file's end the index block starts."""

    samples: int
    index_distance: int | None


def index_bytes(index: Index) -> bytes:
    """The body of an index block [CAUF-0140]."""
    pairs = b"".join(varint(length) + varint(count) for length, count in index.chunks)
    keys = b"" if index.keys is None else keys_bytes(index.keys)
    return varint(index.first) + varint(len(index.chunks)) + pairs + keys


def parse_index(body: memoryview, offset: int, limits: Limits, *, keyed: bool = False) -> Index:
    """Read the body of an index block; that of a keyed file holds the keys too.

    Raises:
        LimitError: if it lists more samples than a file may hold values.
        MalformedError: if it breaks the specification.
    """
    cursor = Cursor(body, offset)
    first, count = cursor.varint(), cursor.varint()
    if 2 * count > cursor.left:
        raise MalformedError(f"{count} chunks in {cursor.left} bytes", requirement=141, offset=offset)
    index = Index(first, tuple((cursor.varint(), cursor.varint()) for _ in range(count)))
    if not keyed:
        cursor.end()
    limits.check("file_elements", index.samples)
    return replace(index, keys=parse_keys(cursor, index.samples, limits)) if keyed else index


def end_bytes(end: End) -> bytes:
    """The body of an end block [CAUF-0145]."""
    distance = b"" if end.index_distance is None else end.index_distance.to_bytes(DISTANCE_BYTES, "little")
    return varint(end.samples) + distance


def parse_end(body: memoryview, indexed: bool, offset: int) -> End:
    """Read the body of an end block.

    Raises:
        MalformedError: if it breaks the specification.
    """
    cursor = Cursor(body, offset)
    samples = cursor.varint()
    distance = int.from_bytes(cursor.take(DISTANCE_BYTES), "little") if indexed else None
    cursor.end()
    return End(samples, distance)
