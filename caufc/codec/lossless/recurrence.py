"""Whether floats recur (an encoder's freedom): of codebooks, dequantised integers, vectors that are stored twice.

Planes do not see that; nodes of integers do, and take several times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["recurs"]

WORD = 8
"""Bytes that recur by chance in no features, though single floats of 16 bits do."""

PICKED = 64
"""One of so many words is looked at: those that end in zeros, so that the same word is picked wherever it stands."""

STRETCH, FEWEST, MOST = 1 << 12, 64, 1 << 13
"""Elements of a stretch, and words, at least and at most, that say something."""

FEW_WORDS, FEW_LEVELS = 0.6, 0.1
"""Shares of words and of elements of a stretch that are different, below which they recur."""


def recurs(bits: NDArray[Any]) -> bool:
    """Whether elements, as unsigned integers ``[M]``, have few levels or come again word by word; but for zeros."""
    whole = bits.nbytes // WORD * WORD
    words = bits.view(np.uint8)[:whole].view(np.uint64)
    picked = words[words & np.uint64(PICKED - 1) == 0]
    if _share(picked[picked != 0][:MOST]) < FEW_WORDS:
        return True
    middle = max(0, (len(bits) - STRETCH) // 2)
    stretch = bits[middle : middle + STRETCH]
    return bits.itemsize > 2 and _share(stretch[stretch != 0]) < FEW_LEVELS


def _share(elements: NDArray[Any]) -> float:
    """The share of different ones; 1 where there are too few to tell."""
    if len(elements) < FEWEST:
        return 1.0
    ordered = np.sort(elements)
    return (1 + np.count_nonzero(ordered[1:] != ordered[:-1])) / len(elements)
