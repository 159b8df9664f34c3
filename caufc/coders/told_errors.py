"""Errors of a block's tokens, some told by coefficients, the others decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .distortion import Distortion, RowSums

__all__ = ["ToldErrors", "told_apart"]

Mask = NDArray[np.bool_] | None


@dataclass(frozen=True)
class ToldErrors:
    """Errors of a block's tokens that coefficients tell, and of those that were decoded.

    Args:
        sums: of the tokens that are not among ``rows``.
        apart: which of these are outliers; None for none.
        rows: tokens that were decoded.
        error: of these ``[m, C]``.
        mask: which of their values are outliers ``[m, C]``.
        exact: which are stored exactly ``[m, C]``.
    """

    sums: RowSums
    apart: Mask
    rows: NDArray[np.bool_]
    error: NDArray[Any]
    mask: Mask
    exact: Mask

    def add_to(self, distortion: Distortion, features: NDArray[Any]) -> None:
        """Add the block with these features ``[n, C]``."""
        distortion.add_sums(self.sums, self.apart)
        if len(self.error):
            distortion.add(features[self.rows], self.error, self.mask, self.exact)


def told_apart(tokens: int, apart: Mask, exact: Mask) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which tokens ``[n]`` must be decoded for their errors, and which others are outliers.

    Args:
        tokens: n.
        apart: which values are outliers ``[n, C]``; None for none.
        exact: which are stored exactly ``[n, C]``; None for none.
    """
    decoded, outlying = np.zeros(tokens, np.bool_), np.zeros(tokens, np.bool_)
    if apart is not None:
        outlying = np.asarray(apart.all(axis=1))
        decoded = apart.any(axis=1) & ~outlying
    if exact is not None:
        decoded |= exact.any(axis=1)
    return decoded, outlying & ~decoded
