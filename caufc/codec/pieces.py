"""Arrays in one piece, as kernels take them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["in_one_piece"]


def in_one_piece(values: NDArray[Any]) -> NDArray[Any]:
    """The array, or a copy, in C's order and aligned."""
    flags = values.flags
    return values if flags.c_contiguous and flags.aligned else np.require(values, requirements=("C", "A"))
