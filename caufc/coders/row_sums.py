"""Sums over the channels of tokens, and which tokens have values outside of a range."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec import kernels
from ..codec.kernels.pieces import in_one_piece

__all__ = ["measured_rows", "row_products", "row_squares", "transferred_rows"]

SPAN = 1 << 12
"""Values of a token that are summed in float32 at most."""

SMALL = 1e-30
"""Sums of squares below may have lost something."""

LANES = 8
"""Sums of float32 go on side by side in float64, and are added up by halves: so do the kernel's."""

Values = NDArray[Any]
Rows = NDArray[np.float64]


def row_squares(values: Values) -> Rows:
    """Sums of squares of the rows of ``[n, C]``; of float32 without under- or overflow."""
    if values.dtype == np.float32:
        if kernels.rows is None:
            return _lane_squares(values)
        squares = np.empty(len(values))
        kernels.rows.square(in_one_piece(values), squares, *values.shape)
        return squares
    total = row_products(values, values)
    small = total < SMALL
    if small.any() and values.dtype != np.longdouble:
        tiny = values[small].astype(np.float64)
        total[small] = row_products(tiny, tiny)
    return total


def measured_rows(values: Values, low: Values, high: Values) -> tuple[NDArray[np.bool_], Rows]:
    """Which rows ``[n, C]`` have a value outside of its channel's range, and sums of squares; ranges are ``[C]``."""
    if values.dtype != np.float32 or kernels.rows is None:
        beyond = np.any(values < low, axis=1) | np.any(values > high, axis=1)
        return beyond, row_squares(values)
    beyond, squares = np.empty(len(values), np.bool_), np.empty(len(values))
    kernels.rows.measure(in_one_piece(values), low, high, beyond.view(np.uint8), squares, *values.shape)
    return beyond, squares


def transferred_rows(coefficients: Values, points: Values, roots: Values, offsets: Values) -> tuple[Rows, Rows]:
    """Of the errors of coefficients ``[n, K]``, times roots ``[K]``: sums of squares, and of products with the values.

    Args:
        coefficients: of the rows.
        points: what the decoder has for them.
        roots: units of a coefficient ``[K]``.
        offsets: added to the values that errors are multiplied with ``[K]``.
    """
    if coefficients.dtype == points.dtype == np.float32 and kernels.rows is not None:
        squares, products = np.empty(len(points)), np.empty(len(points))
        kernels.rows.transfer(
            in_one_piece(coefficients),
            in_one_piece(points),
            roots,
            offsets,
            squares,
            products,
            *coefficients.shape,
        )
        return squares, products
    error = (points - coefficients) * roots
    return row_squares(error), row_products(error, coefficients * roots + offsets)


def row_products(one: Values, other: Values) -> Rows:
    """Sums over the rows of the products of two arrays ``[n, C]``."""
    total = np.zeros(len(one), np.result_type(one, other, np.float64))
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, one.shape[1], SPAN):
            columns = slice(start, start + SPAN)
            total += np.einsum("ij,ij->i", one[:, columns], other[:, columns])
    return total


def _lane_squares(values: Values) -> Rows:
    count, width = values.shape
    runs = -(-width // LANES)
    padded = np.zeros((count, runs * LANES))
    padded[:, :width] = values
    lanes = np.add.reduce(np.square(padded, out=padded).reshape(count, runs, LANES), axis=1)
    halves = lanes[:, :4] + lanes[:, 4:]
    pairs = halves[:, :2] + halves[:, 2:]
    return np.asarray(pairs[:, 0] + pairs[:, 1])
