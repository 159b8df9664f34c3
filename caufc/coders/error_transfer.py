"""Errors of features told from those of coefficients, without a second transform."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import ChannelAligner, GlobalAligner, ValueAligner
from ..codec.transform.codec import TransformCodec
from ..codec.transform.dct import inverse_grid
from ..codec.transform.grids import Geometry
from .distortion import RowSums
from .row_sums import row_products, row_squares, transferred_rows, weighed_rows

__all__ = ["ErrorTransfer"]

TOLERANCE = 0.004
"""Share by which a sample's squared errors as decoded may differ from those told, 0.017 dB: where they differ more, by
coarse bases, single tokens may differ much more."""

MANTISSA_BITS = {"fp16": 10, "bf16": 7}
CAST = 3 / (8 * math.log(2)) / 12
"""Mean squared rounding error over a squared value, in squared units in the last place of 1, mantissas as in tables of
natural numbers (Benford 1938)."""

MOST_CAST = 0.05
"""Share of rounding in squared errors; with more, features are rounded to what they were, and not somewhere."""

Values = NDArray[Any]


@dataclass(frozen=True, eq=False)
class ErrorTransfer:
    """What an error of a coefficient does to features: rows of bases hardly overlap, so that squares add up.

    Args:
        roots: errors of features' tokens for an error of 1 ``[K]``.
        offsets: what such an error and the features of no coefficients have in common, in these units ``[K]``.
        cast: squared errors that the cast to the features' dtype adds, over squared features.
        ratio: squared errors as decoded over those told, of a sample.
    """

    roots: NDArray[np.float32]
    offsets: NDArray[np.float32]
    cast: float
    ratio: float = 1.0

    @classmethod
    def of(cls, codec: TransformCodec, aligner: ValueAligner, channels: int, dtype: str) -> ErrorTransfer | None:
        """That of a codec, an alignment and the features' dtype; None where alignment differs by token."""
        if not isinstance(aligner, GlobalAligner | ChannelAligner):
            return None
        scales = np.broadcast_to(np.asarray(aligner.scales(None), np.float64), (channels,))
        offsets = np.broadcast_to(np.asarray(aligner.offset, np.float64), (channels,))
        if codec.basis is None:
            squares, products = np.square(scales), scales * offsets
        else:
            squares, products = codec.basis.measured(scales, offsets)
        roots = np.sqrt(np.maximum(squares, np.finfo(np.float32).tiny))
        cast = CAST * 4.0 ** -MANTISSA_BITS[dtype] if dtype in MANTISSA_BITS else 0.0
        return cls(roots.astype(np.float32), (products / roots).astype(np.float32), cast)

    def checked(self, errors: Values, energy: float, decoded: float) -> ErrorTransfer | None:
        """The same with the ratio that a sample shows; None where coefficients do not tell enough.

        Args:
            errors: of the sample's coefficients ``[n, K]``.
            energy: sum of squares of its features.
            decoded: sum of their squared errors.
        """
        plain, rounding = float(row_squares(errors * self.roots).sum()), self.cast * energy
        if not plain > 0 or rounding > MOST_CAST * plain:
            return None
        ratio = decoded / (plain + rounding)
        return replace(self, ratio=ratio) if abs(ratio - 1) <= TOLERANCE else None

    def sums(
        self,
        features: Values,
        coefficients: Values,
        points: Values,
        geometry: Geometry,
        factors: Values | None,
        *,
        by_token: bool,
    ) -> RowSums:
        """Sums over tokens ``[n, C]``.

        Args:
            features: of the tokens.
            coefficients: of the tokens ``[n, K]``.
            points: what the decoder has for them ``[n, K]``.
            geometry: of both.
            factors: features' units per unit of what is aligned ``[n, 1]``; None for 1.
            by_token: whether products are wanted of each token, and not only of all: with factors they must be.
        """
        if geometry.spectral:
            squares, products = self._of_grid(coefficients, points, geometry, by_token=by_token)
        else:
            squares, products = transferred_rows(coefficients, points, self.roots, self.offsets)
        if factors is not None:
            square = np.square(factors[:, 0].astype(np.float64))
            squares, products = squares * square, products * square
        energies = row_squares(features)
        return RowSums(energies, self.ratio * (squares + self.cast * energies), products)

    def _of_grid(
        self, coefficients: Values, points: Values, geometry: Geometry, *, by_token: bool
    ) -> tuple[Values, Values]:
        """Sums of squares and products of tokens whose coefficients are those of grids."""
        error, products = weighed_rows(coefficients, points, self.roots)
        error = inverse_grid(error, geometry)
        if by_token:
            products = row_products(inverse_grid(coefficients * self.roots, geometry), error)
        return row_squares(error), products + error @ self.offsets
