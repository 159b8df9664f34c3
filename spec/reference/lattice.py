"""The grids of the lossless codec in the reference decoder: section 11 of cauf-1.0.md, one token at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Lattice(NamedTuple):
    """Rows, columns and inner size of the grid of so many elements."""

    elements: int
    rows: int
    columns: int
    inner: int

    def at(self, tokens: list[tuple[int, int]]) -> Array:
        """Numbers of the elements at these rows and columns, in the order [token, A, I]."""
        index = np.arange(self.elements).reshape(-1, self.rows, self.columns, self.inner)
        return np.concatenate([index[:, y, x].ravel() for y, x in tokens])

    def all(self) -> Array:
        """All elements in their order."""
        return self.at([(y, x) for y in range(self.rows) for x in range(self.columns)])

    def passes(self) -> Iterator[tuple[Array, Array | None, Array | None]]:
        """Elements of each pass, and their neighbours before and behind: [CAUF-0318]."""
        yield self.at([(0, 0)]), None, None
        s = 1
        while s < max(self.rows, self.columns):
            s *= 2
        while s > 1:
            h = s // 2
            yield from self._pass(range(0, self.rows, s), range(h, self.columns, s), 0, h)
            yield from self._pass(range(h, self.rows, s), range(0, self.columns, h), h, 0)
            s = h

    def _pass(self, rows: range, columns: range, down: int, right: int) -> Iterator[tuple[Array, Array, Array]]:
        tokens = [(y, x) for y in rows for x in columns]
        if not tokens:
            return
        before = [(y - down, x - right) for y, x in tokens]
        behind = [(y + down, x + right) for y, x in tokens]
        inside = [y < self.rows and x < self.columns for y, x in behind]
        behind = [there if ok else here for there, here, ok in zip(behind, before, inside, strict=True)]
        yield self.at(tokens), self.at(before), self.at(behind)
