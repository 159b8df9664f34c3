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

    What codes miss of a vector is a part of its length, and besides lies in all directions alike: ``x = y B`` is
    ``c (A B + E)``. So coefficients leak into all others as noise, and what leaks leaks again: energy L comes to
    L / (1 - r), r being the squares of what is missed, per channel. What lies beyond the basis, of squares g, nothing
    makes up for: least squares shrink a coefficient to A / (A^2 + g) of what it would be.

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
        missed = basis.values() - self._rows
        along = np.einsum("ij,ij->i", missed, self._rows) / self._squares
        own = np.maximum(SHORTEST, 1 + along)
        across = np.maximum(np.square(missed).sum(axis=1) / self._squares - np.square(along), 0)
        values, beyond, weighed = np.empty_like(self.values), 0.0, 0.0
        for group, outside in zip(self._groups, self._outside, strict=True):
            lost = across[group] * len(outside) / self._rows.shape[1]
            values[:, group] = self._leaked(group, own[group], across[group] / self._rows.shape[1], lost)
            sizes = np.square(values[:, group], dtype=np.float64).sum(axis=0)
            within = sizes * np.square(lost / own[group])
            without = float((sizes * lost) @ self._squares[group])
            beyond += without + float(within @ self._squares[group])
            weighed += float(within.sum()) + (without * float((1 / outside).mean()) if len(outside) else 0.0)
        reaches = not any(map(len, self._outside)) or beyond <= self._spare
        return Leaks(values, np.square(own) + across, weighed, reaches=reaches)

    def _leaked(self, group: slice, own: Values, across: Values, lost: Values) -> Values:
        """Coefficients of a group ``[n, K]``.

        Args:
            group: which ones.
            own: parts of vectors' lengths that codes have ``[K]``.
            across: squares of what codes miss of them, in each direction ``[K]``.
            lost: in all directions beyond the basis ``[K]``.
        """
        values, squares = self.values[:, group], self._squares[group]
        shares = own / (np.square(own) + lost)
        leaks = across * np.square(shares)
        energy = np.square(values) @ (leaks * squares).astype(values.dtype) / max(LEAST_KEPT, 1 - float(leaks.sum()))
        noise = np.sqrt(energy)[:, None] / np.sqrt(squares).astype(values.dtype) * self._noise[:, group]
        found: Values = (values + noise) * shares.astype(values.dtype)
        return found
