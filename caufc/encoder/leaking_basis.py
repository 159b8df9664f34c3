"""What coarse codes of a basis do to a sample's coefficients, without their inverse: vectors leak into each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec.transform.basis import QuantizedRows
from .principals import Principal

__all__ = ["LeakingBasis"]

Values = NDArray[Any]

SEED = 0

LEAST_KEPT = 0.01
"""Codes that miss more than all but this share of vectors leak no more than that: their inverse is chance."""

SHORTEST = 0.05
"""Of a vector's length, what codes of it have at least."""


class LeakingBasis:
    """A sample's coefficients in a basis whose codes are nearly exact, and in coarser ones, about.

    What codes miss of a vector is a part of its length, and besides lies in all directions alike, so that its
    coefficients leak into those of all others as noise: ``x = y B = c (A B + E)``. What leaks leaks again, so that of
    every direction's energy L there comes L / (1 - r), r being what codes miss of all vectors, in squares of their
    lengths, against the number of channels.

    Args:
        principal: the basis before its codes.
        finest: its finest codes.
        values: coefficients of the sample in these ``[n, K]``.
    """

    def __init__(self, principal: Principal, finest: QuantizedRows, values: Values) -> None:
        self.values, self._finest, self._rows = values, finest, principal.rows
        self._channels = self._rows.shape[1]
        self._ends = np.cumsum([0, *principal.kept.tolist()])
        self._squares = np.maximum(np.square(self._rows).sum(axis=1), np.finfo(np.float32).tiny)
        self._unreached = np.array(
            [_inverse_squares(*group) for group in zip(principal.vectors, principal.kept, strict=True)]
        )
        self._noise = np.random.default_rng(SEED).standard_normal(values.shape, np.float32)

    def coefficients(self, basis: QuantizedRows) -> tuple[Values, Values, float]:
        """In coarser codes: coefficients ``[n, K]``, squares of vectors against their lengths ``[K]``, and misses.

        Errors of coefficients grow with vectors; misses are errors, in squares of steps of all coefficients, that none
        can make up for.
        """
        if basis is self._finest:
            return self.values, np.ones(len(self._rows)), 0.0
        missed = basis.values() - self._rows
        along = np.einsum("ij,ij->i", missed, self._rows) / self._squares
        kept = np.maximum(SHORTEST, 1 + along)
        across = np.maximum(np.square(missed).sum(axis=1) - np.square(along) * self._squares, 0) / self._channels
        found: Values = self.values / kept.astype(self.values.dtype)
        leaked, unreached = np.empty_like(found), 0.0
        for group, inverse_squares in zip(self._groups, self._unreached, strict=True):
            again = float((across[group] / (self._squares[group] * np.square(kept[group]))).sum())
            energy = np.square(found[:, group]) @ across[group].astype(found.dtype) / max(LEAST_KEPT, 1 - again)
            units = (kept[group] * np.sqrt(self._squares[group])).astype(found.dtype)
            leaked[:, group] = np.sqrt(energy)[:, None] / units
            unreached += float(energy.sum()) * inverse_squares
        found += leaked * self._noise
        return found, np.square(kept) + across * self._channels / self._squares, unreached

    @property
    def _groups(self) -> list[slice]:
        return [slice(first, last) for first, last in zip(self._ends[:-1], self._ends[1:], strict=True)]


def _inverse_squares(vectors: Values, kept: int) -> float:
    """One over the squares of the lengths of vectors that do not count, summed."""
    return float((1 / np.maximum(np.square(vectors[kept:]).sum(axis=1), np.finfo(np.float32).tiny)).sum())
