"""Powers of two in eighths of an octave, from one normative table (spec, sections 7 and 9)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EIGHTHS", "OCTAVE_PARTS", "octaves"]

OCTAVE_PARTS = 8

EIGHTHS = np.array(
    [0x3F800000, 0x3F8B95C2, 0x3F9837F0, 0x3FA5FED7, 0x3FB504F3, 0x3FC5672A, 0x3FD744FD, 0x3FEAC0C7], np.uint32
).view(np.float32)
"""2^(j/8) as float32, normative [CAUF-0354]: libraries differ in the last bit of ``exp2``."""


def octaves(codes: NDArray[Any]) -> NDArray[np.float64]:
    """About ``2^(code / 8)``, exact in its 24 bits."""
    whole = codes.astype(np.int32)
    powers: NDArray[np.float64] = np.ldexp(EIGHTHS[whole & 7].astype(np.float64), whole >> 3)
    return powers
