"""Turns: rotary positions undone, so that channels mean the same in every token (spec, section 7.1).

Keys of attention layers are turned by angles that grow with a token's position (RoPE: Su et al., RoFormer, 2021).
Turned back, they have the same mean and the same directions everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec import kernels
from ..errors import MalformedError

__all__ = ["CIRCLE", "Turns", "positions_of"]

CIRCLE = 1 << 32
"""Parts of a full turn, in which angles per token are counted."""

KEPT_POSITIONS = 1 << 12
"""Cosines and sines are kept for positions below."""

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
        self._distance = distance
        self._kept: dict[tuple[int, str], tuple[Matrix, Matrix]] = {}
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
        cosines, sines, which = self._factors(positions, sign, matrix.dtype)
        out = np.array(matrix, order="C")
        if kernels.rows is not None and out.dtype == np.float32:
            kernels.rows.turn(out, cosines, sines, which, *self._runs, self._distance, *out.shape)
            return out
        x, y = out[:, self.first], out[:, self.second]
        cosine, sine = cosines[which], sines[which]
        out[:, self.first] = x * cosine - y * sine
        out[:, self.second] = y * cosine + x * sine
        return out

    def _factors(self, positions: Positions, sign: int, dtype: np.dtype[Any]) -> tuple[Matrix, Matrix, Positions]:
        """Cosines and sines by pair ``[U, pairs]``, and which of them are each token's ``[N]``."""
        count = int(positions.max(initial=-1)) + 1
        if count > KEPT_POSITIONS:
            unique, which = np.unique(positions, return_inverse=True)
            return *self._factors_at(unique, sign, dtype), which
        found = self._kept.get((sign, dtype.str))
        if found is None or len(found[0]) < count:
            found = self._factors_at(np.arange(1 << max(0, count - 1).bit_length()), sign, dtype)
            self._kept[sign, dtype.str] = found  # threads may do so side by side
        return *found, positions

    def _factors_at(self, positions: Positions, sign: int, dtype: np.dtype[Any]) -> tuple[Matrix, Matrix]:
        angles = sign * (2 * np.pi / CIRCLE) * (np.outer(positions, self._angles) % CIRCLE)
        cosines, sines = (
            np.take(table.astype(dtype), self._which, axis=1) for table in (np.cos(angles), np.sin(angles))
        )
        return cosines, sines

    @cached_property
    def _runs(self) -> tuple[Positions, Positions]:
        """Where runs of first channels side by side start, and how long they are."""
        bounds = np.flatnonzero(np.diff(self.first, prepend=-2, append=-2) != 1)
        return self.first[bounds[:-1]].astype(np.int64), np.diff(bounds).astype(np.int64)
