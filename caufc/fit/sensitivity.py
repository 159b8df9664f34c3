"""Sensitivity: which directions of a token, and which frequencies, the network behind a tap reacts to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec.transform.dct import forward_grid
from ..codec.transform.grids import Geometry
from ..codec.transform.token_order import BANDS
from .network_tail import NetworkTail
from .remainder import RemainderMaker

__all__ = ["Metric", "Sensitivity", "measure_sensitivity", "second_moments"]

Matrix = NDArray[np.float64]

PLAIN_SHARE = 0.05
"""Weight of bands for the basis that the network does not react to; chosen by hand."""


@dataclass(frozen=True)
class Metric:
    """Coordinates in which equal errors do equal harm, by descending variance.

    Args:
        analysis: ``[C, C]``; coordinates are the products of a token with its rows.
        synthesis: ``[C, C]``; a token is the sum of its coordinates times its rows.
        variances: of the coordinates ``[C]``.
        harm: the sensitivity of every band in them ``[16]``, summed over its tokens.
    """

    analysis: Matrix
    synthesis: Matrix
    variances: NDArray[np.float64]
    harm: NDArray[np.float64]


@dataclass(frozen=True)
class Sensitivity:
    """The second moments of gradients, per band of frequencies.

    Args:
        moments: ``[16, C, C]``, sums over the tokens of a band.
        tokens: how many ``[16]``.
    """

    moments: NDArray[np.float32]
    tokens: NDArray[np.int64]

    def __add__(self, other: Sensitivity) -> Sensitivity:
        return Sensitivity(self.moments + other.moments, self.tokens + other.tokens)

    def covariances(self) -> Matrix:
        """The mean second moments of every band ``[16, C, C]``."""
        means: Matrix = self.moments / np.maximum(self.tokens, 1)[:, None, None].astype(np.float64)
        return means

    def metric(self, covariances: Matrix, floor: float) -> Metric:
        """The basis that decorrelates features after the sensitivity's root has scaled them.

        With the mean second moment ``G`` of gradients, ``e G e`` is the harm of an error ``e``; the Karhunen-Loeve
        basis of ``G^(1/2) x`` codes it with the fewest bits under equal steps.

        Args:
            covariances: of the coefficients of every band ``[16, C, C]``.
            floor: what a direction without sensitivity counts, against the mean of all.
        """
        total = self.moments.sum(axis=0, dtype=np.float64)
        mean = total / max(float(np.trace(total)), 1e-300) * len(total)
        values, vectors = np.linalg.eigh(mean)
        roots = np.sqrt(np.maximum(values, 0) + floor)
        root, inverse = (vectors * roots) @ vectors.T, (vectors / roots) @ vectors.T
        covariance = self._typical(covariances)
        variances, turned = np.linalg.eigh(root @ covariance @ root)
        turned = turned[:, ::-1]
        synthesis = turned.T @ inverse
        return Metric(turned.T @ root, synthesis, np.maximum(variances[::-1], 0), self._harm(synthesis))

    def _typical(self, covariances: Matrix) -> Matrix:
        """The covariance of what needs bits: bands count as the network reacts, and a little by their tokens."""
        harm = np.einsum("bcc->b", self.moments).astype(np.float64)
        shares = harm / max(float(harm.sum()), 1e-300) + PLAIN_SHARE * self.tokens / max(1, int(self.tokens.sum()))
        typical: Matrix = np.einsum("b,bcd->cd", shares, covariances)
        return typical

    def _harm(self, synthesis: Matrix) -> NDArray[np.float64]:
        harm = np.zeros(len(self.moments))
        for band in np.flatnonzero(np.einsum("bcc->b", self.moments)):
            harm[band] = np.sum((synthesis @ self.moments[band]) * synthesis)
        return np.maximum(harm, 0)


def measure_sensitivity(
    tail: NetworkTail,
    samples: Sequence[NDArray[Any]],
    remainders: RemainderMaker,
    advance: Callable[[int], None] = lambda samples: None,
) -> Sensitivity:
    """The sensitivity of a network to samples, from gradients of its output.

    Args:
        tail: the network behind the tap.
        samples: one array per sample.
        remainders: tell what is coded of samples, which moments are those of.
        advance: called with the number of samples that are through.
    """
    channels = remainders.form.size(samples[0].shape)[1]
    total = Sensitivity(np.zeros((BANDS, channels, channels), np.float32), np.zeros(BANDS, np.int64))
    for numbers, found in tail.gradients(samples):
        rest = remainders([samples[number] for number in numbers])
        geometry = Geometry(rest.tokens.grids, rest.tokens.special, spectral=True)
        for gradients in found:
            tokens = remainders.form.to_tokens(np.ascontiguousarray(gradients, np.float32))
            total = total + second_moments(rest.gradients(tokens.matrix), geometry)
        advance(len(numbers))
    return total


def second_moments(matrix: NDArray[Any], geometry: Geometry) -> Sensitivity:
    """Sums of the products of coefficients of tokens ``[N, C]``, per band."""
    channels = matrix.shape[1]
    moments, counts = np.zeros((BANDS, channels, channels), np.float32), np.zeros(BANDS, np.int64)
    rows = forward_grid(np.ascontiguousarray(matrix), geometry)
    for band in np.unique(geometry.bands):
        part = rows[geometry.bands == band]
        moments[band], counts[band] = part.T @ part, len(part)
    return Sensitivity(moments, counts)
