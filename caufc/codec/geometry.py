"""Where tokens lie on their grids, and in which passes they are coded (spec, section 9.1).

Passes refine a lattice: first every eighth token of a grid along both axes, then the middles of its squares, then
those of its edges, and so on with 4, 2 and 1 tokens of distance. So all tokens of a pass have neighbours in earlier
passes, and a pass is a few array operations.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Geometry", "Pass"]

STRIDES = (4, 2, 1)

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Pass:
    """Tokens that are coded together.

    Args:
        tokens: their numbers ``[n]``, ascending.
        neighbours: token numbers ``[4, n]``, or the number of tokens where there is none.
        counts: how many neighbours each has ``[n]``.
        near: whether they lie at distance 1.
    """

    tokens: Indices
    neighbours: Indices
    counts: Indices
    near: bool


@dataclass(frozen=True)
class Geometry:
    """The grids of a chunk's samples.

    Args:
        grids: token grid of every sample; the last axis is a row, the others together count rows.
        special: tokens before the grid in every sample.
    """

    grids: tuple[tuple[int, ...], ...]
    special: int

    @property
    def sizes(self) -> list[int]:
        """Tokens of every sample."""
        return [self.special + math.prod(grid) for grid in self.grids]

    @functools.cached_property
    def tokens(self) -> int:
        """Number of tokens N."""
        return sum(self.sizes)

    @functools.cached_property
    def passes(self) -> tuple[Pass, ...]:
        """The passes, in order; those without tokens are left out."""
        parts: dict[int, list[tuple[Indices, Indices]]] = {}
        starts = np.cumsum([0, *self.sizes])[:-1]
        by_grid: dict[tuple[int, ...], list[int]] = {}
        for number, grid in enumerate(self.grids):
            by_grid.setdefault(grid, []).append(number)
        for grid, samples in by_grid.items():
            offsets = starts[samples]
            for number, (tokens, neighbours) in enumerate(_grid_passes(grid, self.special)):
                moved = np.where(neighbours[:, None, :] < 0, self.tokens, neighbours[:, None, :] + offsets[:, None])
                rows = (tokens + offsets[:, None]).ravel()
                parts.setdefault(number, []).append((rows, moved.reshape(4, -1)))
        return tuple(p for number in sorted(parts) if len((p := self._joined(number, parts[number])).tokens))

    def _joined(self, number: int, parts: list[tuple[Indices, Indices]]) -> Pass:
        tokens = np.concatenate([part[0] for part in parts])
        neighbours = np.concatenate([part[1] for part in parts], axis=1)
        order = np.argsort(tokens)
        tokens, neighbours = tokens[order], neighbours[:, order]
        return Pass(tokens, neighbours, (neighbours < self.tokens).sum(axis=0), number > 2 * len(STRIDES) - 2)


@functools.lru_cache(maxsize=4096)
def _grid_passes(grid: tuple[int, ...], special: int) -> list[tuple[Indices, Indices]]:
    """Passes of one sample: token numbers, and their neighbours' or -1; tokens count from the sample's start."""
    columns = grid[-1] if grid else 1
    rows = math.prod(grid[:-1])
    y, x = (axis.ravel() for axis in np.mgrid[0:rows, 0:columns])
    coarse = 2 * STRIDES[0]
    first = np.flatnonzero((y % coarse == 0) & (x % coarse == 0))
    lattice = np.concatenate([np.arange(special), special + first])
    passes = [(lattice, np.full((4, len(lattice)), -1))]
    for stride in STRIDES:
        odd_y, odd_x = y % (2 * stride) == stride, x % (2 * stride) == stride
        even_y, even_x = y % (2 * stride) == 0, x % (2 * stride) == 0
        corners = [(-stride, -stride), (-stride, stride), (stride, -stride), (stride, stride)]
        edges = [(-stride, 0), (stride, 0), (0, -stride), (0, stride)]
        for members, steps in ((odd_y & odd_x, corners), ((odd_y & even_x) | (even_y & odd_x), edges)):
            where = np.flatnonzero(members)
            passes.append((special + where, _around(y[where], x[where], steps, rows, columns, special)))
    return passes


def _around(y: Indices, x: Indices, steps: list[tuple[int, int]], rows: int, columns: int, special: int) -> Indices:
    """Token numbers ``[4, n]`` of neighbours at the given steps, -1 outside the grid."""
    found = []
    for down, right in steps:
        inside = (y + down >= 0) & (y + down < rows) & (x + right >= 0) & (x + right < columns)
        found.append(np.where(inside, special + (y + down) * columns + x + right, -1))
    return np.stack(found)
