"""Arrays in one piece, as kernels take them, and rows as columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import kernels

__all__ = ["in_one_piece", "transposed"]

ITEM_SIZES = 2, 4, 8
"""Bytes of items that the kernel moves."""


def in_one_piece(values: NDArray[Any]) -> NDArray[Any]:
    """The array, or a copy, in C's order and aligned."""
    flags = values.flags
    return values if flags.c_contiguous and flags.aligned else np.require(values, requirements=("C", "A"))


def transposed(matrices: NDArray[Any]) -> NDArray[Any]:
    """Matrices ``[B, N, C]`` as ``[B, C, N]``, in one piece."""
    count, rows, width = matrices.shape
    if kernels.rows is None or matrices.itemsize not in ITEM_SIZES:
        return np.ascontiguousarray(matrices.transpose(0, 2, 1))
    out = np.empty((count, width, rows), matrices.dtype)
    kernels.rows.transpose(in_one_piece(matrices), out, matrices.itemsize, count, rows, width)
    return out
