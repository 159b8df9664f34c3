"""Whether floats recur, or follow those before (an encoder's freedom).

Of codebooks, dequantised integers, vectors that are stored twice they recur; of counters, times and paths they follow.
Planes do not see that; nodes of integers do, and take several times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SHOWN", "follows", "recurs", "stretch_of"]

WORD = 8
"""Bytes that recur by chance in no features, though single floats of 16 bits do."""

PICKED = 64
"""One of so many words is looked at: those that end in zeros, so that the same word is picked wherever it stands."""

STRETCH, FEWEST, MOST = 1 << 12, 64, 1 << 13
"""Elements of a stretch, and words, at least and at most, that say something."""

SHOWN = 1 << 14
"""Elements of a stretch that show which way is shorter."""

NEAR = 0.52
"""Share of an element's bits that differences have at most, on average, where elements follow those before."""

FEW_WORDS, FEW_LEVELS = 0.6, 0.1
"""Shares of words and of elements of a stretch that are different, below which they recur."""


def recurs(bits: NDArray[Any]) -> bool:
    """Whether elements, as unsigned integers ``[M]``, have few levels or come again word by word; but for zeros."""
    whole = bits.nbytes // WORD * WORD
    words = bits.view(np.uint8)[:whole].view(np.uint64)
    picked = words[words & np.uint64(PICKED - 1) == 0]
    if _share(picked[picked != 0][:MOST]) < FEW_WORDS:
        return True
    if bits.itemsize <= 2:
        return False
    present = stretch_of(bits, STRETCH)
    present = present[present != 0]
    if len(present) < FEWEST:
        present = bits[bits != 0][:MOST]
    return _share(present) < FEW_LEVELS


def follows(bits: NDArray[Any]) -> bool:
    """Whether floats, as unsigned integers ``[M]``, mostly differ little from those before that are not 0."""
    stretch = stretch_of(bits, STRETCH)
    sign = stretch.dtype.type(1 << (8 * bits.itemsize - 1))
    ordered = np.where(stretch & sign, ~stretch, stretch | sign).astype(np.float64)
    both = (stretch[1:] & ~sign != 0) & (stretch[:-1] & ~sign != 0)
    steps = np.abs(np.diff(ordered))[both]
    if len(steps) < FEWEST or not steps.any():
        return False
    return float(np.mean(np.log2(1 + steps))) < NEAR * 8 * bits.itemsize


def stretch_of(bits: NDArray[Any], most: int) -> NDArray[Any]:
    """At most so many elements from the middle."""
    middle = max(0, (len(bits) - most) // 2)
    return bits[middle : middle + most]


def _share(elements: NDArray[Any]) -> float:
    """The share of different ones; 1 where there are too few to tell."""
    if len(elements) < FEWEST:
        return 1.0
    ordered = np.sort(elements)
    return (1 + np.count_nonzero(ordered[1:] != ordered[:-1])) / len(elements)
