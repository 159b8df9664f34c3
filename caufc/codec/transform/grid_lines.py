"""Lines of tokens along which a grid's blocks are transformed, one dimension after the other."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kept import Kept
from .token_order import block_sizes

__all__ = ["GridLines"]

Lines = NDArray[np.int64]

_KEPT: Kept[tuple[tuple[int, ...], int], tuple[Lines, Lines]] = Kept(
    1 << 22, lambda lines: lines[0].nbytes + lines[1].nbytes
)


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
        given = [
            (_KEPT.get((grid, special), functools.partial(_of_sample, grid, special)), firsts) for grid, firsts in grids
        ]
        parts = [[_moved(lines[down], firsts) for lines, firsts in given] for down in (0, 1)]
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


def _of_sample(grid: tuple[int, ...], special: int) -> tuple[Lines, Lines]:
    """Lines across and down the blocks of one sample, special tokens first."""
    rows, columns = math.prod(grid[:-1]), grid[-1] if grid else 1
    height = grid[-2] if len(grid) > 1 else 1
    apart = _lines(0, 1, 1, special) if special else _lines([], 1, 1, 1)
    if not rows * columns:
        return apart, _lines([], 1, 1, 1)
    if columns == 1:
        across = _lines(special, 1, 1, rows)
    else:
        firsts, widths = _spans(columns)
        across = _lines(special + columns * np.arange(rows)[:, None] + firsts, widths, 1, 1)
    firsts, lengths = (part[_spans(height)[1] > 1] for part in _spans(height))
    down = _lines(special + columns * (np.arange(0, rows, height)[:, None] + firsts), lengths, columns, columns)
    return np.concatenate([apart, across]), down


def _lines(starts: Any, lengths: Any, step: int, width: int) -> Lines:
    """Lines with these first tokens, and lengths, which are broadcast ``[n, 4]``."""
    parts = np.broadcast_arrays(np.asarray(starts, np.int64), lengths, step, width)
    return np.stack([part.ravel() for part in parts], axis=1)


def _spans(length: int) -> tuple[Lines, Lines]:
    """Where the blocks of an axis start, and how long they are."""
    sizes = np.array(block_sizes(length), np.int64)
    return np.cumsum(sizes) - sizes, sizes


def _moved(lines: Lines, firsts: NDArray[np.intp]) -> Lines:
    """The lines of every sample that starts with one of these tokens."""
    moved = np.tile(lines, (len(firsts), 1))
    moved[:, 0] += np.repeat(firsts, len(lines))
    return moved
