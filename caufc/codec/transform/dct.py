"""The transform along the token grid: an orthonormal DCT of every block (spec, section 9.4).

A DCT goes along the rows of blocks, then down their columns. Its even frequencies are those of sums of what stands at
equal distances from both ends of a line, its odd ones those of differences; numpy and the compiled kernel add their
products in the same order, so that both give the same floats. Prior art: the discrete cosine transform (Ahmed,
Natarajan and Rao 1974), its even and odd half (Chen, Smith and Fralick 1977).
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import kernels
from ..kernels.pieces import in_one_piece
from .grids import Geometry
from .token_order import LARGEST_BLOCK

__all__ = ["dct_matrix", "forward_grid", "inverse_grid", "joined_halves"]

Matrix = NDArray[Any]

PRODUCTS = 1 << 15
"""Products that numpy has at a time, so that they stay in the processor's caches."""


@functools.lru_cache(maxsize=256)
def dct_matrix(length: int) -> Matrix:
    """The orthonormal DCT-II ``[length, length]``, frequencies by rows [CAUF-0226]."""
    frequency, place = np.arange(length)[:, None], np.arange(length)[None]
    turned = (2 * place + 1) * frequency % (4 * length)
    matrix: Matrix = np.sqrt(2 / length) * np.cos(np.pi * turned / (2 * length))
    matrix[0] = np.sqrt(1 / length)
    return matrix


def forward_grid(values: Matrix, geometry: Geometry) -> Matrix:
    """Values ``[N, C]`` of tokens to coefficients ``[N, C]``: a frequency stands where its block has the position."""
    return _transformed(values, geometry, inverse=False)


def inverse_grid(coefficients: Matrix, geometry: Geometry) -> Matrix:
    """The inverse of :func:`forward_grid`."""
    return _transformed(coefficients, geometry, inverse=True)


def _transformed(values: Matrix, geometry: Geometry, *, inverse: bool) -> Matrix:
    lines, out = geometry.lines, np.empty(values.shape, values.dtype)
    if not values.size:
        return out
    if kernels.dct is not None and values.dtype == np.float32:
        matrices, places = joined_halves(lines.lengths, inverse)
        kernels.dct.transform(
            in_one_piece(values), out, lines.rows, lines.across, matrices, places, inverse, *values.shape
        )
        return out
    source = values
    for stage in lines.alike:
        for tokens in stage:
            part = source[tokens]
            out[tokens] = _line(part.reshape(len(part), -1), inverse).reshape(part.shape)
        source = out
    return out


def _line(part: Matrix, inverse: bool) -> Matrix:
    """Lines side by side ``[length, n]`` of tokens to frequencies, or back."""
    length = len(part)
    if length == 1:
        return part
    half, found = length // 2, np.empty_like(part)
    even, odd = _halves(length, inverse, part.dtype.str)
    middle = length - half
    if not inverse:
        sums, ends = part[:middle].copy(), part[middle:][::-1]
        sums[:half] += ends
        found[0::2], found[1::2] = _product(even, sums), _product(odd, part[:half] - ends)
        return found
    found[:middle], apart = _product(even, part[0::2]), _product(odd, part[1::2])
    found[middle:] = (found[:half] - apart[:half])[::-1]
    found[:middle] += apart
    return found


def _product(matrix: Matrix, values: Matrix) -> Matrix:
    """Rows of a matrix times values ``[k, n]``, each row adding its products from the first to the last."""
    found, span = np.empty((len(matrix), values.shape[1]), values.dtype), PRODUCTS // len(matrix)
    for first in range(0, values.shape[1], span):
        there = slice(first, first + span)
        total = np.multiply.outer(matrix[:, 0], values[0, there])
        for factors, row in zip(matrix.T[1:], values[1:, there], strict=True):
            total += np.multiply.outer(factors, row)
        found[:, there] = total
    return found


@functools.lru_cache(maxsize=256)
def _halves(length: int, inverse: bool, dtype: str) -> tuple[Matrix, Matrix]:
    """What even frequencies have of sums, and odd ones of differences; for the way back, what the first half of a line
    and its middle have of even and of odd frequencies."""
    matrix, middle = dct_matrix(length), length - length // 2
    even, odd = matrix[0::2, :middle], matrix[1::2, : middle if inverse else length // 2]
    if inverse:
        even, odd = even.T, odd.T
    return np.ascontiguousarray(even, dtype), np.ascontiguousarray(odd, dtype)


@functools.lru_cache(maxsize=64)
def joined_halves(lengths: tuple[int, ...], inverse: bool) -> tuple[Matrix, NDArray[np.int64]]:
    """Those of some lengths in float32, one behind the other, and where those of each length start ``[65]``."""
    parts, places = [np.empty(0, np.float32)], np.full(LARGEST_BLOCK + 1, -1)
    for length in lengths:
        places[length] = sum(part.size for part in parts)
        parts += [part.ravel() for part in _halves(length, inverse, "<f4")]
    return np.concatenate(parts), places
