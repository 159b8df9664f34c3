"""Nodes of the integer method: a tree that says how a sequence of unsigned integers is made of others (spec, 11.1).

A node is a kind and what that kind needs, ending in the nodes of the sequences it is made of. So transforms and coders
combine freely, and a decoder is one small function per kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ....bitstream import Cursor
from ....errors import MalformedError, UnsupportedError

__all__ = ["MAX_DEPTH", "WIDTHS", "Child", "Integers", "Kind", "NodeDecoder", "NodeReader", "unsigned"]

Integers = NDArray[Any]
"""A sequence ``[n]`` of little-endian unsigned integers."""

MAX_DEPTH = 32
MOST = 1 << 32
"""Elements of a node are fewer [CAUF-0521]."""

MOST_TIMES = 32
MOST_BESIDES = 1 << 20
"""Elements of all nodes together: so many times those of the first one, and so many more [CAUF-0521]."""

WIDTHS = (1, 2, 4, 8)


class Kind(IntEnum):
    """The first byte of a node [CAUF-0520]."""

    RAW = 0
    CONSTANT = 1
    DEFLATED = 2
    NARROW = 3
    DELTA = 4
    RUNS = 5
    BITS = 6
    PALETTE = 7
    SYMBOLS = 8
    BUCKETS = 9
    SPLIT = 10
    MATCHES = 11
    BYTES = 12


Child = Callable[[int, int], Integers]
"""Decodes the next node behind the cursor, from its count and width."""


class NodeDecoder(Protocol):
    """Decodes what stands behind the kind of a node: ``count`` integers of ``width`` bytes."""

    def __call__(self, cursor: Cursor, count: int, width: int, child: Child) -> Integers: ...


def unsigned(width: int) -> np.dtype[Any]:
    """The dtype of integers of so many bytes."""
    return np.dtype(f"<u{width}")


class NodeReader:
    """Decodes a tree of nodes.

    Args:
        decoders: by kind.
        cursor: at the first node.
        count: elements of the first node.
    """

    def __init__(self, decoders: Mapping[int, NodeDecoder], cursor: Cursor, count: int) -> None:
        self.decoders, self.cursor = decoders, cursor
        self.left = MOST_TIMES * count + MOST_BESIDES

    def read(self, count: int, width: int, depth: int = 1) -> Integers:
        """The node at the cursor: ``count`` integers, at least one, of ``width`` bytes.

        Raises:
            MalformedError: if it breaks the specification.
        """
        self.left -= count
        if depth > MAX_DEPTH or not 0 < count < MOST or self.left < 0:
            raise MalformedError(f"a node of {count} integers at depth {depth}", requirement=521)
        kind = self.cursor.byte()
        if kind not in self.decoders:
            raise UnsupportedError.unknown(f"a node of kind {kind}")
        return self.decoders[kind](self.cursor, count, width, lambda n, w: self.read(n, w, depth + 1))
