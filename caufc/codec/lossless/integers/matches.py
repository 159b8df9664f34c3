"""Nodes of matches: runs of elements that were there before, at any distance (spec, section 11.1).

Prior art: LZ77 (Ziv and Lempel 1977), over elements instead of bytes, and with its four streams coded apart, as zstd's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....bitstream import Cursor, varint
from ....errors import MalformedError
from .nodes import Child, Integers, Kind, unsigned

__all__ = ["LEAST_LENGTH", "Matches", "decode_matches", "matches"]

LEAST_LENGTH = 2
WIDTH = 4
BLOCK = 1 << 16

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Matches:
    """Stretches ``[starts, stops)`` that are those so many elements before, in order and apart from each other.

    Args:
        starts, stops, distances: ``[m]``.
    """

    starts: Positions
    stops: Positions
    distances: Positions

    def __len__(self) -> int:
        return len(self.starts)

    def chosen(self, which: Any) -> Matches:
        """Some of them."""
        return Matches(self.starts[which], self.stops[which], self.distances[which])

    def elements(self) -> Positions:
        """Positions of all elements in them."""
        return stretches(self.starts, self.stops)

    def literal(self, count: int) -> NDArray[np.bool_]:
        """Which of ``count`` elements are in none."""
        out = np.ones(count, np.bool_)
        out[self.elements()] = False
        return out

    def streams(self) -> tuple[Integers, Integers, Integers]:
        """Literals before each match, its length less 2, and its distance, 0 if that is the one before's."""
        gaps = self.starts - np.concatenate([[0], self.stops[:-1]])
        again = np.diff(self.distances, prepend=0) == 0
        distances = np.where(again, 0, self.distances)
        dtype = unsigned(WIDTH)
        return gaps.astype(dtype), (self.stops - self.starts - LEAST_LENGTH).astype(dtype), distances.astype(dtype)


def stretches(starts: Positions, stops: Positions) -> Positions:
    """All positions within stretches, one after the other."""
    lengths = stops - starts
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(total)


def matches(count: int, gaps: bytes, lengths: bytes, distances: bytes, literals: bytes) -> bytes:
    """Nodes of the streams; that of literals is empty where there are none."""
    return bytes([Kind.MATCHES]) + varint(count) + gaps + lengths + distances + literals


def decode_matches(cursor: Cursor, count: int, width: int, child: Child) -> Integers:
    """Literals, and copies of what stands before [CAUF-0533]."""
    number = cursor.varint()
    if not 0 < number <= count // LEAST_LENGTH:
        raise MalformedError(f"{number} matches in {count} integers", requirement=533)
    gaps, lengths, distances = (child(number, WIDTH).astype(np.int64) for _ in range(3))
    lengths += LEAST_LENGTH
    stops = np.cumsum(gaps + lengths)
    literals = count - int(lengths.sum())
    if int(stops[-1]) > count:
        raise MalformedError(f"matches end at {int(stops[-1])} of {count} integers", requirement=533)
    latest = np.maximum.accumulate(np.where(distances > 0, np.arange(number), 0))
    found = Matches(stops - lengths, stops, distances[latest])
    if not found.distances[0] or (found.distances > found.starts).any():
        raise MalformedError("a match from before the first integer", requirement=534)
    rest = child(literals, width) if literals else np.empty(0, unsigned(width))
    out = np.empty(count, unsigned(width))
    out[found.literal(count)] = rest
    copied = bytearray(out.view(np.uint8).data)
    _copy(copied, found, width)
    return np.frombuffer(copied, unsigned(width))


def _copy(out: bytearray, found: Matches, width: int) -> None:
    """Fill the matches, first to last, in elements of so many bytes."""
    for block in range(0, len(found), BLOCK):
        part = found.chosen(np.s_[block : block + BLOCK])
        starts, stops, backs = ((x * width).tolist() for x in (part.starts, part.stops, part.distances))
        for start, stop, back in zip(starts, stops, backs, strict=True):
            if back < stop - start:
                seen = bytes(out[start - back : start])
                out[start:stop] = (seen * (1 + (stop - start) // back))[: stop - start]
            else:
                out[start:stop] = out[start - back : stop - back]
