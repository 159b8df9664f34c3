"""Values of tensors, whichever library they are of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["numpy_of"]

WIDENED = ("torch.bfloat16", "torch.float8")
"""Beginnings of the dtypes of torch that numpy does not have."""


def numpy_of(tensor: Any) -> NDArray[Any]:
    """A tensor of numpy or torch, or nested lists, as numpy has it; bfloat16 and float8 of torch as float32.

    Raises:
        ValueError, TypeError: of numpy, for what is no tensor.
    """
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        tensor = (tensor.float() if str(tensor.dtype).startswith(WIDENED) else tensor).numpy()
    return np.asarray(tensor)
