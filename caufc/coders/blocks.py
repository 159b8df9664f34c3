"""Blocks of tokens that are coded together: what goes in, and what comes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import SideArray, TokenScales
from ..octaves import OCTAVE_PARTS
from .told_errors import ToldErrors

__all__ = ["BlockInput", "CodedBlock", "Mask", "either"]

SPARE, MOST_LACKING = 0.05, 60.0
OCTAVE_DB = 20 * math.log10(2)

Mask = NDArray[np.bool_] | None
"""Where values ``[n, C]`` are stored exactly; None for nowhere."""


@dataclass(frozen=True)
class BlockInput:
    """Features of a block ``[n, C]``, what is aligned of them, scales of tokens, and where values are exact."""

    clean: NDArray[Any]
    matrix: NDArray[Any]
    scales: TokenScales | None
    exact: Mask

    def finer(self, lacking: NDArray[np.float64]) -> BlockInput:
        """The same with smaller scales of tokens that lack so many dB ``[n]``."""
        octaves = np.where(lacking > 0, (lacking + SPARE) / OCTAVE_DB, 0.0)
        added = TokenScales.of(2.0 ** -(np.ceil(OCTAVE_PARTS * octaves) / OCTAVE_PARTS))
        return replace(self, matrix=added.divide(self.matrix), scales=added.times(self.scales))


@dataclass(frozen=True)
class CodedBlock:
    """A block of ``tokens`` as it is coded, its errors ``[n, C]`` if they were measured, and what is stored exactly.

    Where coefficients tell the errors, ``told`` has them.
    """

    symbols: Any
    side: SideArray | None
    scales: TokenScales | None
    tokens: int
    error: NDArray[Any] | None
    exact: Mask
    told: ToldErrors | None = None

    def with_exact(self, tokens: NDArray[np.bool_]) -> CodedBlock:
        """The same with all values of some tokens stored exactly."""
        if self.error is None:
            raise ValueError("errors that were not measured")
        exact = np.broadcast_to(tokens[:, None], self.error.shape)
        return replace(self, error=np.where(exact, 0, self.error), exact=either(self.exact, exact))

    def lacking(self, features: NDArray[Any], wanted: float, apart: Mask = None) -> NDArray[np.float64]:
        """dB that tokens of features ``[n, C]`` lack ``[n]``, over what is not stored exactly; 0 where none does.

        The same over what is not apart besides, so that outliers hide no errors of the rest.
        """
        if self.error is None:
            raise ValueError("errors that were not measured")
        found = _lacking(features, self.error, wanted, self.exact)
        if apart is None or not apart.any():
            return found
        return np.maximum(found, _lacking(features, self.error, wanted, either(self.exact, apart)))


def _lacking(features: NDArray[Any], error: NDArray[Any], wanted: float, left_out: Mask) -> NDArray[np.float64]:
    """dB that tokens of features ``[n, C]`` lack ``[n]``, over what is not left out."""
    counted = None if left_out is None else ~left_out
    both = (values.astype(np.float64) for values in (features, error))
    energy, noise = (np.square(v if counted is None else np.where(counted, v, 0)).sum(axis=1) for v in both)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = 10 * np.log10(energy / noise)
    return np.where((noise > 0) & ~(found >= wanted), wanted - np.maximum(found, wanted - MOST_LACKING), 0.0)


def either(one: Mask, other: Mask) -> Mask:
    """Where either mask is set; None for nowhere."""
    both = one if other is None else other if one is None else one | other
    return both if both is not None and both.any() else None
