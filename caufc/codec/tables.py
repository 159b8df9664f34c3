"""Integer frequency tables: levels of an eighth of an octave, expanded by integer arithmetic (spec, section 9.2).

No float decides a model, so that symbols are the same on every machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MalformedError
from ..octaves import EIGHTHS, OCTAVE_PARTS

__all__ = ["TOTAL_BITS", "check_levels", "code_lengths", "frequencies_of", "levels_of"]

TOTAL_BITS = 24
TOTAL = 1 << TOTAL_BITS
MAX_LEVEL = 1 + OCTAVE_PARTS * TOTAL_BITS

OCTAVE_BITS = 12
OCTAVE = np.rint(np.ldexp(EIGHTHS.astype(np.float64), OCTAVE_BITS)).astype(np.int64)
"""``2^(j/8)`` in units of 2^-12, rounded: 4096 to 7512 [CAUF-0231]."""

TableLevels = NDArray[np.uint8]
Frequencies = NDArray[np.int64]


def _weights(levels: NDArray[Any]) -> NDArray[np.int64]:
    """Weight of a level: 0 for level 0, else about ``2^((level - 1) / 8)``, in units of 2^-12."""
    steps = np.maximum(levels.astype(np.int64) - 1, 0)
    weights = np.zeros(levels.shape, np.int64)
    weights[...] = np.where(levels > 0, OCTAVE[steps % OCTAVE_PARTS] << (steps // OCTAVE_PARTS), 0)
    return weights


def check_levels(levels: TableLevels) -> None:
    """Check that levels ``[K, A]`` are tables.

    Raises:
        MalformedError: for a level over the highest, or a row without any [CAUF-0230].
    """
    if levels.size and int(levels.max()) > MAX_LEVEL:
        raise MalformedError(f"table level {int(levels.max())}", requirement=230)
    if not levels.any(axis=1).all():
        raise MalformedError("a table without levels", requirement=230)


def frequencies_of(levels: TableLevels) -> Frequencies:
    """Expand levels ``[K, A]`` to frequencies ``[K, A]``: every one at least 1, every row's sum 2^24 [CAUF-0232].

    Raises:
        MalformedError: for a level over the highest, or a row without any.
    """
    check_levels(levels)
    weights = _weights(levels)
    totals = weights.sum(axis=1, keepdims=True)
    spread = TOTAL - levels.shape[1]
    frequencies = np.ones(levels.shape, np.int64)
    frequencies += weights * spread // totals
    rows = np.arange(len(levels))
    frequencies[rows, weights.argmax(axis=1)] += TOTAL - frequencies.sum(axis=1)
    return frequencies


def levels_of(counts: NDArray[Any]) -> TableLevels:
    """The levels ``[K, A]`` nearest to the shares in ``counts`` ``[K, A]``; an empty row becomes a flat table."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    with np.errstate(divide="ignore"):
        levels = 1 + np.rint(OCTAVE_PARTS * (TOTAL_BITS + np.log2(shares)))
    levels = np.where(counts > 0, np.clip(levels, 1, MAX_LEVEL), 0)
    levels[totals[:, 0] == 0] = 1
    return levels.astype(np.uint8)


def code_lengths(frequencies: Frequencies) -> NDArray[np.float64]:
    """Ideal code lengths in bits, same shape."""
    return np.asarray(TOTAL_BITS - np.log2(frequencies), np.float64)
