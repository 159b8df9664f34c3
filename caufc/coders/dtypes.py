"""Between stored dtypes and the float type that the codec works in: float64 for fp64, float32 for all others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..types import DTYPES, AnyArray

__all__ = ["cast_floats", "to_floats", "working_dtype"]

LARGEST = {
    "fp32": float(np.finfo(np.float32).max),
    "fp16": float(np.finfo(np.float16).max),
    "bf16": 3.3895313892515355e38,
    "fp64": float(np.finfo(np.float64).max),
}
"""The largest finite value of a dtype."""


def working_dtype(dtype: str) -> np.dtype[Any]:
    """The float type in which a dtype's values are aligned and reconstructed."""
    return np.dtype("f8") if dtype == "fp64" else np.dtype("f4")


def to_floats(stored: AnyArray, dtype: str) -> NDArray[Any]:
    """Stored values to working floats, exact."""
    if dtype == "bf16":
        return (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(working_dtype(dtype), copy=False)


def cast_floats(values: NDArray[Any], dtype: str) -> AnyArray:
    """Finite working floats to stored values, to nearest even; beyond the largest finite value, to that [CAUF-0360]."""
    values = _within(values, LARGEST[dtype])
    if dtype == "bf16":
        bits = values.view(np.uint32)
        tie_to_even = (bits >> np.uint32(16)) & np.uint32(1)
        return ((bits + np.uint32(0x7FFF) + tie_to_even) >> np.uint32(16)).astype(DTYPES["bf16"])
    return values.astype(DTYPES[dtype], copy=False)


def _within(values: NDArray[Any], largest: float) -> NDArray[Any]:
    """Values clipped to the finite range of a dtype; a copy only where one lies beyond."""
    if not values.size or (values.max() <= largest and values.min() >= -largest):
        return values
    clipped = values.copy()
    np.clip(values, -largest, largest, out=clipped)
    return clipped
