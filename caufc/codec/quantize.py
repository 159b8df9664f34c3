"""The dead-zone uniform quantiser (spec, section 9)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bucket import LIMIT

__all__ = ["SHIFT_PARTS", "best_shift", "dequantize", "quantize"]

SHIFT_PARTS = 64
MAX_INDEX = LIMIT // 2 - 8
"""The largest index that float32 holds exactly and whose symbol lies below the limit."""


def quantize(aligned: NDArray[Any], step: float, rounding: float) -> NDArray[np.int32]:
    """Aligned values to indices: ``sign(a) * floor(|a| / step + rounding)``, same shape and memory order.

    Args:
        aligned: finite values.
        step: distance of two reconstruction points.
        rounding: 0.5 rounds to the nearest; less widens the dead zone around zero.

    Indices are clipped to 27 bits; what that changes, exact storage must mend.
    """
    with np.errstate(over="ignore"):
        scaled = aligned * aligned.dtype.type(1 / step)
    magnitude: NDArray[Any] = np.abs(scaled)
    magnitude += aligned.dtype.type(rounding)
    np.fmin(magnitude, aligned.dtype.type(MAX_INDEX), out=magnitude)
    np.floor(magnitude, out=magnitude)
    np.copysign(magnitude, scaled, out=magnitude)
    indices: NDArray[np.int32] = magnitude.astype(np.int32)
    return indices


def dequantize(indices: NDArray[np.int32], step: float, shift: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Indices to aligned values: ``(q + sign(q) * shift / 64) * step`` in ``dtype`` [CAUF-0220].

    Args:
        indices: any shape.
        step: distance of two reconstruction points.
        shift: how far reconstruction points of non-zero indices lie beyond the middle, in 64ths of a step.
        dtype: float32 or float64.
    """
    values = indices.astype(dtype)
    if shift:
        values += np.sign(values) * dtype.type(shift / SHIFT_PARTS)
    with np.errstate(over="ignore"):
        values *= dtype.type(step)
    return values


def best_shift(aligned: NDArray[Any], indices: NDArray[np.int32], step: float) -> int:
    """The shift that puts reconstruction points at the centroids of the values that they stand for."""
    coded = indices != 0
    if not coded.any():
        return 0
    with np.errstate(over="ignore"):
        distance = float(np.mean(np.abs(aligned[coded]) / step - np.abs(indices[coded])))
    return int(np.clip(np.rint(SHIFT_PARTS * distance), -SHIFT_PARTS // 2, SHIFT_PARTS // 2))
