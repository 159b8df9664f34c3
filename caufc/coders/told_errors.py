"""Errors of a block's tokens, some told by coefficients, the others decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .distortion import Distortion, RowSums

__all__ = ["ToldErrors", "decoded_tokens"]

Mask = NDArray[np.bool_] | None


@dataclass(frozen=True)
class ToldErrors:
    """Errors of a block's tokens that coefficients tell, and of those that were decoded.

    Args:
        sums: of the tokens that are not among ``rows``.
        rows: tokens that were decoded.
        error: of these ``[m, C]``.
        mask: which of their values are outliers ``[m, C]``.
        exact: which are stored exactly ``[m, C]``.
    """

    sums: RowSums
    rows: NDArray[np.bool_]
    error: NDArray[Any]
    mask: Mask
    exact: Mask

    def add_to(self, distortion: Distortion, features: NDArray[Any]) -> None:
        """Add the block with these features ``[n, C]``."""
        distortion.add_sums(self.sums)
        if len(self.error):
            distortion.add(features[self.rows], self.error, self.mask, self.exact)


def decoded_tokens(tokens: int, apart: Mask, exact: Mask) -> NDArray[np.bool_]:
    """Which tokens ``[n]`` must be decoded for their errors.

    Outliers are among them: what coefficients tell is right of many tokens together, and these may be one alone.

    Args:
        tokens: n.
        apart: which values are outliers ``[n, C]``; None for none.
        exact: which are stored exactly ``[n, C]``; None for none.
    """
    decoded = np.zeros(tokens, np.bool_)
    for mask in (apart, exact):
        if mask is not None:
            decoded |= mask.any(axis=1)
    return decoded
