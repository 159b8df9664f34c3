"""Where elements of a lossless payload lie on grids of tokens, and in which passes they are coded (spec, section 11).

Each pass halves the distance between the coded tokens of a grid, columns first, then rows. So all elements of a pass
have one or two neighbours of their own channel in earlier passes, and a pass is a few array operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MalformedError

__all__ = ["Lattice", "LatticePass"]

Bytes = NDArray[np.uint8]
Line = tuple[int, int, int]

FLAT, GRID = range(2)
SIZE_BYTES = 4


@dataclass(frozen=True)
class LatticePass:
    """Elements that are coded together: tokens ``first, first + step, ...`` of rows and columns.

    Args:
        rows, columns: which tokens.
        axis: along which their neighbours lie; None for the first pass, which has none.
        distance: of the neighbours.
    """

    rows: slice
    columns: slice
    axis: int | None = None
    distance: int = 0

    def of(self, plane: Bytes) -> Bytes:
        """The pass's elements, a view."""
        return plane[self.rows, self.columns]

    def lines(self, shape: tuple[int, ...]) -> tuple[Line, Line]:
        """First, step and number of its rows and columns in a plane ``[rows, columns, ...]``."""
        rows, columns = range(shape[0])[self.rows], range(shape[1])[self.columns]
        return (rows.start, rows.step, len(rows)), (columns.start, columns.step, len(columns))

    def neighbours(self, plane: Bytes) -> tuple[Bytes, Bytes]:
        """Neighbours before and behind; at the end of the grid the one before stands in for the one behind."""
        near = slice(0, None, 2 * self.distance)
        far = slice(2 * self.distance, None, 2 * self.distance)
        turned = plane[self.rows] if self.axis else plane[:, self.columns].swapaxes(0, 1)
        count = len(range(self.distance, turned.shape[1], 2 * self.distance))
        before, behind = turned[:, near][:, :count], turned[:, far]
        last = before[:, behind.shape[1] :]
        behind = np.concatenate([behind, last], axis=1) if last.shape[1] else behind
        return (before, behind) if self.axis else (before.swapaxes(0, 1), behind.swapaxes(0, 1))


@dataclass(frozen=True)
class Lattice:
    """Flat elements as ``[A, rows, columns, inner]``; A follows from their number.

    Args:
        rows, columns: of the grid of tokens.
        inner: elements between neighbours in a row.
    """

    rows: int = 1
    columns: int = 1
    inner: int = 1

    @property
    def flat(self) -> bool:
        """Whether no element has neighbours."""
        return self.rows == self.columns == 1

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """Elements in the order of the file to ``[rows, columns, A * inner]``."""
        table = values.reshape(-1, self.rows, self.columns, self.inner).transpose(1, 2, 0, 3)
        return np.ascontiguousarray(table).reshape(self.rows, self.columns, -1)

    def gather(self, table: NDArray[Any]) -> NDArray[Any]:
        """The inverse of :meth:`spread`."""
        apart = table.reshape(self.rows, self.columns, -1, self.inner)
        return np.ascontiguousarray(apart.transpose(2, 0, 1, 3)).reshape(-1)

    def passes(self) -> Iterator[LatticePass]:
        """The passes, in order [CAUF-0318]."""
        yield LatticePass(slice(0, 1), slice(0, 1))
        step = 1 << (max(self.rows, self.columns) - 1).bit_length()
        while step > 1:
            half = step // 2
            if half < self.columns:
                yield LatticePass(slice(0, None, step), slice(half, None, step), 1, half)
            if half < self.rows:
                yield LatticePass(slice(half, None, step), slice(0, None, half), 0, half)
            step = half

    def to_bytes(self) -> bytes:
        if self.flat:
            return bytes([FLAT])
        return bytes([GRID]) + b"".join(n.to_bytes(SIZE_BYTES, "little") for n in (self.rows, self.columns, self.inner))

    @classmethod
    def parse(cls, data: memoryview, count: int) -> tuple[Lattice, memoryview]:
        """Read the lattice of ``count`` elements; also the bytes behind it.

        Raises:
            MalformedError: if it breaks the specification.
        """
        kind = data[0] if len(data) else -1
        if kind == FLAT:
            return cls(), data[1:]
        end = 1 + 3 * SIZE_BYTES
        if kind != GRID or len(data) < end:
            raise MalformedError(f"lattice {kind}", requirement=316)
        rows, columns, inner = (int(size) for size in np.frombuffer(data[1:end], "<u4"))
        product = rows * columns * inner
        if rows * columns < 2 or not 0 < product <= count or count % product:
            raise MalformedError(f"a lattice of {rows} x {columns} x {inner} for {count} elements", requirement=317)
        return cls(rows, columns, inner), data[end:]
