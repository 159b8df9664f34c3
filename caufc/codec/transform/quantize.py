"""What indices of the uniform and of the dependent quantiser stand for (spec, section 9)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import kernels
from ..buckets import LIMIT, unzigzag
from .trellis import halves_of

__all__ = ["MAX_INDEX", "SHIFT_PARTS", "dequantize", "points_of"]

SHIFT_PARTS = 64
MAX_INDEX = LIMIT // 2 - 8
"""The largest index that float32 holds exactly and whose symbol lies below the limit."""

Values = NDArray[Any]


def points_of(
    symbols: NDArray[np.int32], steps: Values | float, shift: int, dtype: np.dtype[Any], dependent: bool
) -> NDArray[Any]:
    """What symbols ``[N, K]`` stand for, same shape, in ``dtype``.

    Args:
        symbols: zigzag.
        steps: float32, one for all or per token ``[N, 1]``.
        shift: in 64ths of a step, as for :func:`dequantize`.
        dtype: float32 or float64.
        dependent: whether indices are dependent.
    """
    if kernels.quantizer is None or dtype != np.float32 or symbols.ndim != 2:
        halves = halves_of(symbols) if dependent else None
        return dequantize(unzigzag(symbols), steps, shift, dtype, halves)
    values = np.empty(symbols.shape, np.float32)
    kernels.quantizer.dequantize(
        np.ascontiguousarray(symbols),
        np.ascontiguousarray(steps, np.float32).ravel(),
        shift / SHIFT_PARTS,
        dependent,
        values,
        *symbols.shape,
    )
    return values


def dequantize(
    indices: NDArray[np.int32],
    steps: Values | float,
    shift: int,
    dtype: np.dtype[Any],
    halves: NDArray[np.uint8] | None = None,
) -> NDArray[Any]:
    """Indices to values: ``(q + sign(q) * (shift - 32 * half) / 64) * step`` in ``dtype`` [CAUF-0220].

    Args:
        indices: any shape.
        steps: distance of two reconstruction points, broadcastable.
        shift: how far reconstruction points of non-zero indices lie beyond the middle, in 64ths of a step.
        dtype: float32 or float64.
        halves: of dependent indices, same shape.
    """
    values = indices.astype(dtype)
    if halves is not None:
        values += np.sign(values) * (dtype.type(shift / SHIFT_PARTS) - dtype.type(0.5) * halves)
    elif shift:
        values += np.sign(values) * dtype.type(shift / SHIFT_PARTS)
    with np.errstate(over="ignore"):
        values *= np.asarray(steps, dtype)
    return values
