"""Thin samples: few of a sample's values, in whole samples or runs of their tokens, for choices that must be quick."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec.transform.grids import Geometry
from ..codec.transform.token_order import block_sizes
from ..coders.row_sums import row_squares

__all__ = [
    "MOST_SPREAD",
    "cut_rows",
    "differ_in_size",
    "halves",
    "lines_differ_in_size",
    "rows_beside",
    "spread_places",
    "spread_rows",
    "spread_tokens",
    "thinned_rows",
]

MOST_SPREAD = 8
"""Samples that are looked at, at most, where they differ in size."""

UNLIKE = 4.0
"""Times by which the root mean squares of samples may differ for one to tell of all."""

SHARE_OF_LINES = 10
"""One in so many of the largest lines, and of the smallest, says nothing: sinks are among them."""

MOST_TIMES = 4
"""How many times too large a block of frequencies may be, which is told by whole ones."""

Rows = NDArray[np.intp]
Values = NDArray[Any]
Half = tuple[Values, Geometry]


def spread_places(count: int, wanted: int, before: int = 0) -> Rows:
    """So many places of ``count``, evenly spread, whatever comes again and again among them; all if they are no more.

    One of each of so many equal parts; others of these after so many ``before``.
    """
    if count <= wanted:
        return np.arange(count)
    # raw numbers are the same in every version of numpy
    within = np.random.PCG64(before).random_raw(wanted) / 2.0**64
    return np.minimum((np.arange(wanted) + within) * (count / wanted), count - 1).astype(np.intp)


def spread_tokens(tokens: Values, values: int) -> Values:
    """Some tokens of ``[N, C]`` that hold about so many values, evenly spread; all if they hold no more."""
    wanted = max(1, values // max(1, tokens.shape[1]))
    return tokens if wanted >= len(tokens) else tokens[spread_places(len(tokens), wanted)]


def thinned_rows(geometry: Geometry, channels: int, values: int, *, apart: bool = False) -> tuple[Rows, Geometry]:
    """Rows of a matrix of tokens ``[N, C]`` that hold about so many values, and their geometry.

    Evenly spread samples; of a single sample that is larger, evenly spread blocks of its grid, or with ``apart`` evenly
    spread lines of it. At least one token.
    """
    stride = _stride(geometry, channels, values)
    picked = spread_places(len(geometry.grids), math.ceil(len(geometry.grids) / stride))
    return cut_rows(geometry, channels, values // max(1, len(picked)), picked, apart=apart)


def spread_rows(geometry: Geometry, channels: int, values: int, *, apart: bool = False) -> tuple[Rows, Geometry]:
    """The same of several samples, however few tokens of each that leaves: at least a line of its grid."""
    picked = spread_places(len(geometry.grids), MOST_SPREAD)
    return cut_rows(geometry, channels, values // max(1, len(picked)), picked, apart=apart)


def cut_rows(
    geometry: Geometry, channels: int, values: float, picked: Rows, *, apart: bool = False
) -> tuple[Rows, Geometry]:
    """Rows of some samples, each cut to about so many values, and their geometry.

    Args:
        geometry: of all samples.
        channels: C.
        values: of a sample that are kept.
        picked: samples.
        apart: whether lines along the first axis of its grid are evenly spread, and not blocks.
    """
    if geometry.alike and len(picked):
        inside, grid = _cut(geometry.grids[0], geometry.special, channels, values, apart=apart)
        first = picked * geometry.sizes[0]
        return (first[:, None] + inside).ravel(), replace(geometry, grids=(grid,) * len(picked))
    ends = np.cumsum([0, *geometry.sizes])
    rows, grids = [np.empty(0, np.intp)], []
    for number in picked.tolist():
        inside, grid = _cut(geometry.grids[number], geometry.special, channels, values, apart=apart)
        rows.append(ends[number] + inside)
        grids.append(grid)
    return np.concatenate(rows), replace(geometry, grids=tuple(grids))


def differ_in_size(values: Values, geometry: Geometry) -> bool:
    """Whether some samples of tokens ``[N, C]`` are so much larger than others that one does not tell of all."""
    sizes = np.array(geometry.sizes)
    if len(sizes) < 2 or not sizes.all():
        return False
    starts = np.cumsum([0, *sizes[:-1]])
    with np.errstate(over="ignore"):
        return _are_unlike(np.add.reduceat(row_squares(values), starts) / sizes)


def lines_differ_in_size(values: Values, geometry: Geometry) -> bool:
    """The same of most lines along the first of several axes that grids have: of layers in a dump of hidden states."""
    grid = geometry.grids[0] if geometry.grids else ()
    if len(grid) < 2 or not math.prod(grid) or any(other != grid for other in geometry.grids):
        return False
    squares = row_squares(values).reshape(len(geometry.grids), -1)[:, geometry.special :]
    energies = np.sort(squares.reshape(len(squares), grid[0], -1).mean(axis=(0, 2)))
    few = len(energies) // SHARE_OF_LINES
    return _are_unlike(energies[few : len(energies) - few])


def _are_unlike(energies: NDArray[Any]) -> bool:
    present = energies[energies > 0]
    return present.size > 1 and bool(present.max() > UNLIKE**2 * present.min())


def rows_beside(geometry: Geometry, channels: int, values: int) -> tuple[Rows, Geometry] | None:
    """As many rows again, where :func:`thinned_rows` picks those of one sample: of another one, or before them.

    None if there are none, or several samples are picked.
    """
    samples = len(geometry.grids)
    if samples > 1:
        alone = _stride(geometry, channels, values) >= samples
        other = (int(spread_places(samples, 1)[0]) + samples // 2) % samples
        return _rows_of(geometry, other, channels, values) if alone else None
    if not samples or not geometry.grids[0]:
        return None
    (grid,) = geometry.grids
    lines = _lines_beside(grid, geometry.special, channels, values)
    if not len(lines):
        return None
    line = math.prod(grid) // grid[0]
    rows = geometry.special + (lines[:, None] * line + np.arange(line)).ravel()
    return np.concatenate([np.arange(geometry.special), rows]), replace(geometry, grids=((len(lines), *grid[1:]),))


def _lines_beside(grid: tuple[int, ...], special: int, channels: int, values: int) -> Rows:
    """Lines of a sample that :func:`_cut` leaves out: blocks, or those before a run."""
    kept = _cut(grid, special, channels, values)[1][0]
    if kept == grid[0]:
        return np.empty(0, np.intp)
    blocks = _blocks(grid, channels, values)
    if not len(blocks):
        return np.arange(min(kept, (grid[0] - kept) // 2))
    others = np.setdiff1d(np.arange(len(block_sizes(grid[0]))), blocks)
    count = min(len(blocks), len(others))
    return _lines_of_blocks(grid[0], others[np.arange(count) * len(others) // max(1, count)])


def _rows_of(geometry: Geometry, number: int, channels: int, values: int) -> tuple[Rows, Geometry]:
    """Rows of one of several samples, and their geometry."""
    first = int(np.sum(geometry.sizes[:number]))
    inside, grid = _cut(geometry.grids[number], geometry.special, channels, values)
    return first + inside, replace(geometry, grids=(grid,))


def halves(values: Values, geometry: Geometry) -> tuple[Half, Half]:
    """The rows ``[N, C]`` of the first samples and of the others, with their geometries; all twice for one sample."""
    count = len(geometry.grids) // 2
    if not count:
        return (values, geometry), (values, geometry)
    row = int(np.sum(geometry.sizes[:count]))
    first, second = (replace(geometry, grids=grids) for grids in (geometry.grids[:count], geometry.grids[count:]))
    return (values[:row], first), (values[row:], second)


def _stride(geometry: Geometry, channels: int, values: int) -> int:
    """Every how-many-th sample is picked: whole ones, or as many as there is room for a block of each."""
    samples = len(geometry.grids)
    stride = max(1, min(samples, sum(geometry.sizes) * channels // max(1, values)))
    grid = geometry.grids[0] if samples else ()
    block = _block_values(grid, channels)
    if not grid or block > MOST_TIMES * values:
        return stride
    kept = _cut(grid, geometry.special, channels, values // max(1, len(range(0, samples, stride))))[1]
    return stride if kept == grid else math.ceil(samples / min(samples, max(1, values // block)))


def _block_values(grid: tuple[int, ...], channels: int) -> int:
    """Values of the longest block of frequencies, or of the whole grid."""
    return channels * (max(block_sizes(grid[0])) * math.prod(grid[1:]) if grid else 1)


def _cut(
    grid: tuple[int, ...], special: int, channels: int, values: float, *, apart: bool = False
) -> tuple[Rows, tuple[int, ...]]:
    """Rows of a sample, and its grid, cut along the first axis of the grid where the sample is twice too large."""
    tokens = math.prod(grid)
    if not grid or not tokens or tokens * channels <= 2 * values:
        return np.arange(special + tokens), grid
    line = tokens // grid[0]
    lines = _lines(grid, channels, values)
    if apart:
        lines = spread_places(grid[0], len(lines))
        lines[:1] = 0
    rows = special + (lines[:, None] * line + np.arange(line)).ravel()
    return np.concatenate([np.arange(special), rows]), (len(lines), *grid[1:])


def _lines(grid: tuple[int, ...], channels: int, values: float) -> Rows:
    """Lines with so many values: whole blocks that are evenly spread, where one fits, else a run from the middle.

    A sequence may be padded, or silent for long.
    """
    blocks = _blocks(grid, channels, values)
    if len(blocks):
        return _lines_of_blocks(grid[0], blocks)
    kept = _fitting(grid, channels, values)
    return np.arange(kept) + (grid[0] - kept) // 2


def _fitting(grid: tuple[int, ...], channels: int, values: float) -> int:
    """How many lines hold so many values."""
    return min(grid[0], max(1, math.ceil(values / (math.prod(grid[1:]) * max(1, channels)))))


def _blocks(grid: tuple[int, ...], channels: int, values: float) -> Rows:
    """Evenly spread blocks along the first axis of a grid that hold so many values; none where one is far larger."""
    sizes = block_sizes(grid[0])
    count = _fitting(grid, channels, values) // max(sizes)
    if not count and _block_values(grid, channels) <= MOST_TIMES * values:
        count = 1
    return ((2 * np.arange(count) + 1) * len(sizes)) // (2 * max(1, count))


def _lines_of_blocks(length: int, blocks: Rows) -> Rows:
    """The lines of some blocks, each cut to the length of the shortest."""
    sizes = block_sizes(length)
    starts = np.cumsum([0, *sizes])[blocks]
    return np.asarray((starts[:, None] + np.arange(min(sizes))).ravel())
