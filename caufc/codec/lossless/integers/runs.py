"""Nodes of few different integers: runs of equal ones, and a palette (spec, section 11.1)."""

from __future__ import annotations

import numpy as np

from ....bitstream import Cursor, varint
from ....errors import MalformedError
from .nodes import Child, Integers, Kind, unsigned

__all__ = ["LEAST_MEAN", "decode_palette", "decode_runs", "index_width", "palette", "runs", "runs_of"]

LENGTH_WIDTH = 4
LEAST_MEAN = 2
"""Elements of a run, in the mean."""

MOST_COLOURS = 1 << 16


def runs_of(values: Integers) -> tuple[Integers, Integers]:
    """How long each run is, less one, and its integer."""
    starts = np.flatnonzero(values[1:] != values[:-1]) + 1
    lengths = np.diff(starts, prepend=0, append=len(values)) - 1
    return lengths.astype(unsigned(LENGTH_WIDTH)), values[np.concatenate([[0], starts])]


def runs(count: int, lengths: bytes, values: bytes) -> bytes:
    """Nodes of ``count`` lengths and integers."""
    return bytes([Kind.RUNS]) + varint(count) + lengths + values


def decode_runs(cursor: Cursor, count: int, width: int, child: Child) -> Integers:
    """Each integer as often as its run is long [CAUF-0527]."""
    number = cursor.varint()
    if not 0 < number <= count // LEAST_MEAN:
        raise MalformedError(f"{number} runs of {count} integers", requirement=527)
    lengths = child(number, LENGTH_WIDTH).astype(np.int64) + 1
    if int(lengths.sum()) != count:
        raise MalformedError(f"runs of {int(lengths.sum())} integers for {count}", requirement=527)
    return np.repeat(child(number, width), lengths)


def index_width(colours: int) -> int:
    """Bytes of an index into a palette."""
    return 1 if colours <= 256 else 2


def palette(colours: int, values: bytes, indexes: bytes) -> bytes:
    """Nodes of the different integers, and of each element's place among them."""
    return bytes([Kind.PALETTE]) + varint(colours) + values + indexes


def decode_palette(cursor: Cursor, count: int, width: int, child: Child) -> Integers:
    """Integers that indexes name [CAUF-0528]."""
    colours = cursor.varint()
    if not 0 < colours <= min(count, MOST_COLOURS):
        raise MalformedError(f"a palette of {colours} for {count} integers", requirement=528)
    values = child(colours, width)
    indexes = child(count, index_width(colours))
    if int(indexes.max()) >= colours:
        raise MalformedError(f"index {int(indexes.max())} of {colours}", requirement=528)
    return np.asarray(values[indexes])
