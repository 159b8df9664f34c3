"""Lines of tokens along which a grid's blocks are transformed, one dimension after the other."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .token_order import block_sizes

__all__ = ["GridLines"]

Lines = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class GridLines:
    """The lines of a chunk's tokens.

    Args:
        rows: of every line its first token, its length, the distance of two of its tokens, and how many lines stand
            side by side ``[L, 4]``.
        across: how many of these go along the rows of grids, or over tokens that stay as they are: each token is in
            one of them. The others go down the columns, after these.
    """

    rows: Lines
    across: int

    @classmethod
    def of(cls, grids: Iterable[tuple[tuple[int, ...], NDArray[np.intp]]], special: int) -> GridLines:
        """Those of samples, by grid, and the first token of each sample that has it."""
        given = list(grids)
        parts = [[_moved(_of_sample(grid, special)[down], firsts) for grid, firsts in given] for down in (0, 1)]
        across, down = (np.concatenate([np.empty((0, 4), np.int64), *part]) for part in parts)
        return cls(np.concatenate([across, down]), len(across))

    @functools.cached_property
    def lengths(self) -> tuple[int, ...]:
        """The different lengths of lines."""
        return tuple(np.unique(self.rows[:, 1]).tolist())

    @functools.cached_property
    def alike(self) -> tuple[list[Lines], list[Lines]]:
        """Tokens of those across, and of those down, that differ in their first tokens alone ``[length, n, width]``."""
        return list(_alike(self.rows[: self.across])), list(_alike(self.rows[self.across :]))


def _alike(rows: Lines) -> Iterator[Lines]:
    kinds, numbers = np.unique(rows[:, 1:], axis=0, return_inverse=True)
    for number, (length, step, width) in enumerate(kinds.tolist()):
        starts = rows[numbers.ravel() == number, 0]
        yield (step * np.arange(length))[:, None, None] + starts[:, None] + np.arange(width)


@functools.lru_cache(maxsize=256)
def _of_sample(grid: tuple[int, ...], special: int) -> tuple[Lines, Lines]:
    """Lines across and down the blocks of one sample, special tokens first."""
    rows, columns = math.prod(grid[:-1]), grid[-1] if grid else 1
    height = grid[-2] if len(grid) > 1 else 1
    across = [(0, 1, 1, special)] if special else []
    for row, (right, width) in itertools.product(range(rows), _spans(columns)):
        across.append((special + row * columns + right, width, 1, 1))
    planes = range(0, rows, height) if height > 1 else ()
    down = [
        (special + (plane + first) * columns, length, columns, columns)
        for plane, (first, length) in itertools.product(planes, _spans(height))
        if length > 1 and columns
    ]
    return _lines(across), _lines(down)


def _lines(rows: list[tuple[int, int, int, int]]) -> Lines:
    return np.array(rows, np.int64).reshape(-1, 4)


def _spans(length: int) -> list[tuple[int, int]]:
    """Where the blocks of an axis start, and how long they are."""
    sizes = block_sizes(length) if length else ()
    return list(zip(itertools.accumulate(sizes, initial=0), sizes, strict=False))


def _moved(lines: Lines, firsts: NDArray[np.intp]) -> Lines:
    """The lines of every sample that starts with one of these tokens."""
    moved = np.tile(lines, (len(firsts), 1))
    moved[:, 0] += np.repeat(firsts, len(lines))
    return moved
