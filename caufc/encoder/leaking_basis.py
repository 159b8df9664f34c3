"""What coarse codes of a basis do to a sample's coefficients, without their inverse: vectors leak into each other."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec.transform.basis import QuantizedRows
from .principals import MOST_MISSED, Principal

__all__ = ["LeakingBasis", "Leaks"]

Values = NDArray[Any]

SEED = 0

TINIEST = float(np.finfo(np.float32).tiny)

LEAST_KEPT = 0.01
"""Codes that miss more than all but this share of vectors leak no more than that: their inverse is chance."""

SHORTEST = 0.05
"""Of a vector's length, what codes of it have at least."""


@dataclass(frozen=True)
class Leaks:
    """What codes of a basis make of a sample.

    Args:
        values: coefficients ``[n, K]``.
        squares: of the lengths of vectors, in those of the vectors before their codes ``[K]``: errors grow with them.
        missed: squared errors that no coefficients make up for, in steps of all directions.
        reaches: whether these are few enough.
    """

    values: Values
    squares: Values
    missed: float
    reaches: bool


class LeakingBasis:
    """A sample's coefficients in a basis whose codes are nearly exact, and in coarser ones, about.

    What codes miss of a vector is a part of its length, and besides lies in all directions alike, so that its
    coefficients leak into those of all others as noise: ``x = y B = c (A B + E)``. What leaks leaks again, so that of
    every direction's energy L there comes L / (1 - r), r being what codes miss of all vectors, in squares of their
    lengths, against the number of channels.

    Args:
        principal: the basis before its codes.
        finest: its finest codes.
        tokens: the sample ``[n, C]``.
        values: its coefficients in these ``[n, K]``.
        noise: the squared error a value at the wanted rate.
    """

    def __init__(
        self, principal: Principal, finest: QuantizedRows, tokens: Values, values: Values, noise: float
    ) -> None:
        self.values, self._finest, self._rows = values, finest, principal.rows
        ends = np.cumsum([0, *principal.kept.tolist()])
        self._groups = [slice(first, last) for first, last in itertools.pairwise(ends)]
        self._squares = np.maximum(np.square(self._rows).sum(axis=1), TINIEST)
        self._outside = [
            np.maximum(np.square(vectors[kept:]).sum(axis=1), TINIEST)
            for vectors, kept in zip(principal.vectors, principal.kept, strict=True)
        ]
        self._noise = np.random.default_rng(SEED).standard_normal(values.shape, np.float32)
        inside = float((np.square(values, dtype=np.float64) @ self._squares).sum())
        missed = max(0.0, float(np.square(tokens, dtype=np.float64).sum()) - inside)
        self._spare = MOST_MISSED * noise * tokens.size - missed

    def leaking(self, basis: QuantizedRows) -> Leaks:
        """What coarser codes make of the sample."""
        if basis is self._finest:
            return Leaks(self.values, np.ones(len(self._rows)), 0.0, reaches=True)
        channels = self._rows.shape[1]
        missed = basis.values() - self._rows
        along = np.einsum("ij,ij->i", missed, self._rows) / self._squares
        lengths = np.maximum(SHORTEST, 1 + along)
        across = np.maximum(np.square(missed).sum(axis=1) / self._squares - np.square(along), 0) / channels
        values: Values = self.values / lengths.astype(self.values.dtype)
        leaked, unreached, weighed = np.empty_like(values), 0.0, 0.0
        for group, outside in zip(self._groups, self._outside, strict=True):
            squares = self._squares[group]
            again = float((across[group] / np.square(lengths[group])).sum())
            energy = np.square(values[:, group]) @ (across[group] * squares).astype(values.dtype)
            energy /= max(LEAST_KEPT, 1 - again)
            units = (lengths[group] * np.sqrt(squares)).astype(values.dtype)
            leaked[:, group] = np.sqrt(energy)[:, None] / units
            unreached += float(energy.sum()) * len(outside)
            weighed += float(energy.sum()) * float((1 / outside).sum())
        values += leaked * self._noise
        reaches = all(not len(outside) for outside in self._outside) or unreached <= self._spare
        return Leaks(values, np.square(lengths) + across * channels, weighed, reaches=reaches)
