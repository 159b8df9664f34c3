"""The transform along the token grid: an orthonormal DCT of every block (spec, section 9.4).

Prior art: the discrete cosine transform (Ahmed, Natarajan and Rao 1974).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .grids import Geometry
from .token_order import block_sizes

__all__ = ["dct_matrix", "forward_grid", "inverse_grid"]

Matrix = NDArray[Any]
ONE_PRODUCT = 64
"""Blocks of at most so many tokens are transformed by one product, larger ones by rows and columns."""


@functools.lru_cache(maxsize=256)
def dct_matrix(length: int) -> Matrix:
    """The orthonormal DCT-II ``[length, length]``, frequencies by rows [CAUF-0226]."""
    frequency, place = np.arange(length)[:, None], np.arange(length)[None]
    turned = (2 * place + 1) * frequency % (4 * length)
    matrix: Matrix = np.sqrt(2 / length) * np.cos(np.pi * turned / (2 * length))
    matrix[0] = np.sqrt(1 / length)
    return matrix


@functools.lru_cache(maxsize=64)
def _joint_matrix(rows: int, columns: int, inverse: bool, dtype: str) -> Matrix:
    matrix = np.kron(dct_matrix(rows), dct_matrix(columns))
    return np.ascontiguousarray(matrix.T if inverse else matrix, dtype)


@functools.lru_cache(maxsize=256)
def _matrix(length: int, inverse: bool, dtype: str) -> Matrix:
    matrix = dct_matrix(length)
    return np.ascontiguousarray(matrix.T if inverse else matrix, dtype)


def forward_grid(values: Matrix, geometry: Geometry) -> Matrix:
    """Values ``[N, C]`` of tokens to coefficients ``[N, C]``: a frequency stands where its block has the position."""
    return _transformed(values, geometry, inverse=False)


def inverse_grid(coefficients: Matrix, geometry: Geometry) -> Matrix:
    """The inverse of :func:`forward_grid`."""
    return _transformed(coefficients, geometry, inverse=True)


def _transformed(values: Matrix, geometry: Geometry, *, inverse: bool) -> Matrix:
    out = np.empty(values.shape, values.dtype)
    special, channels = geometry.special, values.shape[1]
    for grid, firsts in geometry.by_grid:
        count, size = len(firsts), special + math.prod(grid)
        if count == 1 or geometry.alike:
            there = slice(int(firsts[0]), int(firsts[0]) + count * size)
            _samples(
                values[there].reshape(count, size, channels),
                out[there].reshape(count, size, channels),
                special,
                grid,
                inverse,
            )
            continue
        rows = firsts[:, None] + np.arange(size)
        batch = values[rows]
        done = np.empty_like(batch)
        _samples(batch, done, special, grid, inverse)
        out[rows] = done
    return out


def _samples(batch: Matrix, out: Matrix, special: int, grid: tuple[int, ...], inverse: bool) -> None:
    """Transform samples ``[B, T, C]`` of one grid into ``out``; special tokens stay as they are."""
    out[:, :special] = batch[:, :special]
    _blocks(batch[:, special:], out[:, special:], grid, inverse)


def _blocks(batch: Matrix, out: Matrix, grid: tuple[int, ...], inverse: bool) -> None:
    """Transform all blocks of ``[B, tokens, C]`` into ``out``."""
    rows, columns = grid[-2] if len(grid) > 1 else 1, grid[-1] if grid else 1
    if not batch.size:
        return
    planes = math.prod(grid[:-2])
    heights, widths = block_sizes(rows), block_sizes(columns)
    if planes == rows == 1:
        _line(batch, out, widths, inverse)
        return
    if len(heights) == len(widths) == planes == 1:
        out[:] = _block(batch, rows, columns, inverse)
        return
    shape = (len(batch) * planes, rows, columns, batch.shape[2])
    whole, result = batch.reshape(shape), np.empty(shape, batch.dtype)
    downs, rights = np.cumsum([0, *heights]), np.cumsum([0, *widths])
    for (down, height), (right, width) in itertools.product(
        zip(downs, heights, strict=False), zip(rights, widths, strict=False)
    ):
        there = (slice(None), slice(down, down + height), slice(right, right + width))
        part = whole[there]
        result[there] = _block(part.reshape(len(part), height * width, -1), height, width, inverse).reshape(part.shape)
    out[:] = result.reshape(batch.shape)


def _line(batch: Matrix, out: Matrix, widths: Sequence[int], inverse: bool) -> None:
    """Transform the blocks of samples ``[B, tokens, C]`` of one row into ``out``."""
    start = 0
    for width in widths:
        there = slice(start, start + width)
        np.matmul(_joint_matrix(1, width, inverse, batch.dtype.str), batch[:, there], out=out[:, there])
        start += width


def _block(part: Matrix, height: int, width: int, inverse: bool) -> Matrix:
    """One block ``[B, height * width, C]`` of every sample."""
    name = part.dtype.str
    if height * width <= ONE_PRODUCT:
        joint: Matrix = np.matmul(_joint_matrix(height, width, inverse, name), part)
        return joint
    count, _, channels = part.shape
    across = np.matmul(_matrix(width, inverse, name), part.reshape(count * height, width, channels))
    down: Matrix = np.matmul(_matrix(height, inverse, name), across.reshape(count, height, width * channels))
    return down.reshape(part.shape)
