"""Between stored dtypes and the float type that the codec works in: float64 for fp64, float32 for all others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..types import DTYPES, AnyArray

__all__ = ["cast_floats", "to_floats", "working_dtype"]

BF16_MAX = np.float32(3.3895313892515355e38)


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
    if dtype == "bf16":
        bits: NDArray[np.uint32] = np.clip(values, -BF16_MAX, BF16_MAX).view(np.uint32)
        rounded: NDArray[np.uint32] = (bits + np.uint32(0x7FFF) + (bits >> 16 & 1)) >> 16
        return rounded.astype(DTYPES["bf16"])
    if dtype == "fp16":
        largest = np.float32(np.finfo(np.float16).max)
        return np.clip(values, -largest, largest).astype(DTYPES["fp16"])
    largest = np.finfo(values.dtype).max
    return np.clip(values, -largest, largest).astype(DTYPES[dtype], copy=False)
