"""Errors of features told from those of their directions in a basis, without the way back through it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import ChannelAligner, GlobalAligner, ValueAligner
from ..codec.transform.codec import TransformCodec
from .distortion import RowSums
from .row_sums import row_squares, transferred_rows

__all__ = ["ErrorTransfer"]

PRECISION = 0.0015
"""Share of squared errors, 0.0065 dB, by which a file's may differ by chance from those that decoded tokens show."""

LEAST_SHARE, MOST_SHARE = 1 / 16, 0.2
"""Shares of tokens that are decoded to show how errors differ from those told: at least, and so that it is worth it."""

MOST_SPREAD, MOST_APART = 0.1, 0.04
"""Standard deviation over tokens of that difference, and the whole of it, as shares: with more, tokens differ much."""

MOST_IN_BLOCK = 0.5
"""The same of a block of few tokens."""

GOLDEN, MIDDLE = np.uint32(round(2**32 * (math.sqrt(5) - 1) / 2)), np.uint32(2**31)
"""Multiples of it spread evenly modulo 2^32, whatever the period of what they are spread over; where they begin."""

MANTISSA_BITS = {"fp16": 10, "bf16": 7}
CAST = 3 / (8 * math.log(2)) / 12
"""Mean squared rounding error over a squared value, in squared units in the last place of 1, mantissas as in tables of
natural numbers (Benford 1938)."""

ARITHMETIC = 1 << 12
"""Squared errors must be so many times what products in the features' floats round, squared, to be told of them."""

MOST_CAST = 0.05
"""Share of rounding in squared errors; with more, features are rounded to what they were, and not somewhere."""

Values = NDArray[Any]


@dataclass(frozen=True, eq=False)
class ErrorTransfer:
    """What an error of a coefficient does to features: rows of bases hardly overlap, so that squares add up.

    Args:
        roots: errors of features' tokens for an error of 1 in a direction ``[K]``.
        offsets: what such an error and the features of no coefficients have in common, in these units ``[K]``.
        cast: squared errors that the cast to the features' dtype adds, over squared features.
        oblique: whether vectors of a basis may overlap.
        share: of tokens that are decoded to show by how much errors differ, as those of coarse bases do; 0 for none.
    """

    roots: NDArray[np.float32]
    offsets: NDArray[np.float32]
    cast: float
    oblique: bool
    share: float = 0.0

    @classmethod
    def of(cls, codec: TransformCodec, aligner: ValueAligner, channels: int, dtype: str) -> ErrorTransfer | None:
        """That of a codec, an alignment and the features' dtype; None where alignment differs by token."""
        if not isinstance(aligner, GlobalAligner | ChannelAligner):
            return None
        scales = np.broadcast_to(np.asarray(aligner.scales(None), np.float64), (channels,))
        offsets = np.broadcast_to(np.asarray(aligner.offset, np.float64), (channels,))
        oblique = codec.basis is not None
        if codec.basis is None:
            squares, products = np.square(scales), scales * offsets
        else:
            squares, products = codec.basis.measured(scales, offsets)
        roots = np.sqrt(np.maximum(squares, np.finfo(np.float32).tiny))
        cast = CAST * 4.0 ** -MANTISSA_BITS[dtype] if dtype in MANTISSA_BITS else 0.0
        return cls(roots.astype(np.float32), (products / roots).astype(np.float32), cast, oblique)

    def checked(
        self, told: Values, decoded: Values, energy: float, tokens: float, precision: float
    ) -> ErrorTransfer | None:
        """The same with the share of tokens to decode; None where coefficients do not tell enough.

        Args:
            told: squared errors of a sample's tokens ``[n]``.
            decoded: what they are ``[n]``.
            energy: sum of squares of its features.
            tokens: of the file.
            precision: of the floats that are computed with, relative.
        """
        rounding = self.cast * energy
        if not told.sum() > rounding or rounding > MOST_CAST * (told.sum() - rounding):
            return None
        if told.sum() < ARITHMETIC * precision**2 * energy:
            return None
        spread, apart = float(np.std(decoded[told > 0] / told[told > 0])), abs(decoded.sum() / told.sum() - 1)
        share = max(LEAST_SHARE, (spread / PRECISION) ** 2 / max(1.0, tokens)) if self.oblique else 0.0
        if spread > MOST_SPREAD or apart > MOST_APART or share > MOST_SHARE:
            return None
        return replace(self, share=share)

    def shown(self, errors: Values, told: Values) -> float | None:
        """By how many times a block's squared errors are larger than those told; None where these tell too little.

        Args:
            errors: of the tokens that were decoded ``[m, C]``.
            told: squared errors of the same ``[m]``.
        """
        decoded, plain = float(row_squares(errors).sum()), float(told.sum())
        if plain == decoded == 0:
            return 1.0
        ratio = decoded / plain if plain > 0 else math.inf
        return ratio if abs(ratio - 1) <= MOST_IN_BLOCK else None

    def showing(self, count: int) -> NDArray[np.bool_]:
        """Which of a block's tokens are decoded to show how errors differ ``[n]``."""
        if not self.share:
            return np.zeros(count, np.bool_)
        places: NDArray[np.bool_] = np.arange(count, dtype=np.uint32) * GOLDEN + MIDDLE < self.share * 2**32
        return places

    def sums(
        self,
        features: Values,
        directions: Values,
        points: Values,
        factors: Values | None,
    ) -> RowSums:
        """Sums over tokens ``[n, C]``.

        Args:
            features: of the tokens.
            directions: values of the tokens in the basis ``[n, K]``.
            points: what the decoder has for them ``[n, K]``.
            factors: features' units per unit of what is aligned ``[n, 1]``; None for 1.
        """
        squares, products = transferred_rows(directions, points, self.roots, self.offsets)
        if factors is not None:
            square = np.square(factors[:, 0].astype(np.float64))
            squares, products = squares * square, products * square
        energies = row_squares(features)
        return RowSums(energies, squares + self.cast * energies, products)
