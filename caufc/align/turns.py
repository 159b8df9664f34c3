"""Turns: rotary positions undone, so that channels mean the same in every token (spec, section 7.1).

Keys of attention layers are turned by angles that grow with a token's position (RoPE: Su et al., RoFormer, 2021).
Turned back, they have the same mean and the same directions everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MalformedError

__all__ = ["CIRCLE", "Turns", "positions_of"]

CIRCLE = 1 << 32
"""Parts of a full turn, in which angles per token are counted."""

Matrix = NDArray[Any]
Positions = NDArray[np.int64]


def positions_of(sizes: Sequence[int]) -> Positions:
    """The position of every token within its sample ``[N]``, from the samples' numbers of tokens."""
    return np.concatenate([np.empty(0, np.int64), *(np.arange(size) for size in sizes)])


class Turns:
    """Rotations of pairs of channels, by angles in proportion to the position.

    Args:
        codes: the distance between the channels of a pair, then for every channel the angle per token, in parts of a
            circle, by which it and its partner behind it are turned; 0 for none ``[1 + C]``.
        channels: C.

    Raises:
        MalformedError: for another number of codes, and for pairs that are none or overlap [CAUF-0564].
    """

    def __init__(self, codes: NDArray[np.int32], channels: int) -> None:
        if codes.shape != (channels + 1,):
            raise MalformedError(f"{len(codes)} turns for {channels} channels", requirement=564)
        distance = int(codes[0])
        self.codes = codes
        self.first = np.flatnonzero(codes[1:])
        self.second = self.first + distance
        whole = distance >= 1 and self.first.size and int(self.second[-1]) < channels
        if not whole or codes[1:][self.second].any():
            raise MalformedError("turns of channels that are no pairs", requirement=564)
        self._angles, self._which = np.unique(codes[1:][self.first].astype(np.int64), return_inverse=True)

    def undone(self, matrix: Matrix, positions: Positions) -> Matrix:
        """Tokens ``[N, C]``, turned back."""
        return self._turned(matrix, positions, -1)

    def applied(self, matrix: Matrix, positions: Positions) -> Matrix:
        """The inverse: tokens ``[N, C]``, turned by their positions ``[N]``."""
        return self._turned(matrix, positions, 1)

    def partners(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which values ``[N, C]`` depend on those of a mask."""
        found = mask.copy()
        found[:, self.first] |= mask[:, self.second]
        found[:, self.second] |= mask[:, self.first]
        return found

    def _turned(self, matrix: Matrix, positions: Positions, sign: int) -> Matrix:
        """Every pair (x, y) becomes (x cos - y sin, y cos + x sin)."""
        unique, which = np.unique(positions, return_inverse=True)
        angles = sign * (2 * np.pi / CIRCLE) * (np.outer(unique, self._angles) % CIRCLE)
        cosines, sines = (
            np.take(table.astype(matrix.dtype), self._which, axis=1) for table in (np.cos(angles), np.sin(angles))
        )
        out = np.array(matrix, order="C")
        x, y = out[:, self.first], out[:, self.second]
        cosine, sine = cosines[which], sines[which]
        out[:, self.first] = x * cosine - y * sine
        out[:, self.second] = y * cosine + x * sine
        return out
