"""How far decoded values are from what came in."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .row_sums import row_products, row_squares
from .token_snr import TokenSnr

__all__ = ["REACHING", "Distortion", "RowSums"]

REACHING = 0.99
"""Share of tokens that reach the SNR of tokens which reports give."""

BLOCK = 1 << 18
SMALL = 1e-30
"""Sums of squares below may have lost something in float32."""

TINIEST = 1e-140
"""Magnitudes below have squares that float64 does not hold well; longdouble does, where it is wider."""

Sum = float | np.longdouble

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class RowSums:
    """Sums over the channels of tokens.

    Args:
        energies: of squares ``[n]``.
        squares: of squared errors ``[n]``.
        products: of values times errors ``[n]``, perhaps those of one token with another.
    """

    energies: Rows
    squares: Rows
    products: Rows

    def part(self, rows: NDArray[np.bool_]) -> RowSums:
        """Those of some tokens."""
        return RowSums(self.energies[rows], self.squares[rows], self.products[rows])

    def with_errors(self, times: float) -> RowSums:
        """The same with squared errors so many times as large."""
        return RowSums(self.energies, times * self.squares, self.products)


@dataclass
class Distortion:
    """Sums over values; values that are stored exactly count with an error of 0, those that are not finite not at all.

    Outliers that an encoder sets apart have sums of their own, so that they hide no errors of the rest.

    Args:
        energy: sum of squares of the input, outliers left out.
        error: sum of squared errors of the same values.
        energy_exact: the part of the energy that is of values stored exactly.
        product: sum of the products of these values and their errors.
        energy_apart, error_apart: the same sums over outliers.
        largest: largest absolute error of all values that were decoded.
        told: whether some were not, since their coefficients tell the sums.
        clipped: values that truncation changed.
        patched: values that are stored exactly.
        tokens: SNR of single tokens, each over what is not set apart of it; of wholly apart ones over all.
            Tokens of zeros have none.
    """

    energy: Sum = 0.0
    error: Sum = 0.0
    energy_exact: Sum = 0.0
    product: Sum = 0.0
    energy_apart: Sum = 0.0
    error_apart: Sum = 0.0
    largest: float = 0.0
    told: bool = False
    clipped: int = 0
    patched: int = 0
    tokens: TokenSnr = field(default_factory=TokenSnr, repr=False)

    def add(
        self,
        original: NDArray[Any],
        error: NDArray[Any],
        apart: NDArray[np.bool_] | None = None,
        exact: NDArray[np.bool_] | None = None,
    ) -> None:
        """Add tokens.

        Args:
            original: finite values ``[n, C]``.
            error: what was decoded minus what came in ``[n, C]``.
            apart: where values are outliers ``[n, C]``; None for nowhere.
            exact: where they are stored exactly ``[n, C]``; None for nowhere.
        """
        if exact is not None:
            self.energy_exact += _sum_of_squares(original[exact if apart is None else exact & ~apart])
        rows = max(1, BLOCK * len(original) // max(1, original.size))
        for start in range(0, len(original), rows):
            part = slice(start, start + rows)
            self._add(original[part], error[part], None if apart is None else apart[part])

    def add_exact(self, original: NDArray[Any]) -> None:
        """Add tokens of finite values ``[n, C]`` that come back as they are."""
        energies = row_squares(_summable(original, _largest(original)))
        self.tokens.add(energies, np.zeros(len(energies)))
        self.energy += _scalar(energies.sum())

    def _add(self, original: NDArray[Any], error: NDArray[Any], apart: NDArray[np.bool_] | None) -> None:
        largest = _largest(error)
        self.largest = max(self.largest, largest)
        values, errors = _summable(original, _largest(original)), _summable(error, largest)
        if apart is None or not apart.any():
            energies, squares = row_squares(values), row_squares(errors)
            self.tokens.add(energies, squares)
        else:
            self.energy_apart += _sum_of_squares(original[apart])
            self.error_apart += _sum_of_squares(error[apart])
            alone = apart.all(axis=1)
            whole = row_squares(values[alone]), row_squares(errors[alone])
            values, errors = (np.where(apart, part.dtype.type(0), part) for part in (values, errors))
            energies, squares = row_squares(values), row_squares(errors)
            self.tokens.add(energies[~alone], squares[~alone])
            self.tokens.add(*whole)
        self.energy += _scalar(energies.sum())
        self.error += _scalar(squares.sum())
        self.product += _scalar(row_products(values, errors).sum())

    def add_sums(self, sums: RowSums) -> None:
        """Add tokens of which nothing is stored exactly nor an outlier, by their sums."""
        self.told = True
        self.tokens.add(sums.energies, sums.squares)
        self.energy += float(sums.energies.sum())
        self.error += float(sums.squares.sum())
        self.product += float(sums.products.sum())

    def merge(self, other: Distortion) -> None:
        """Add the sums of another part of the same values' tensor or file."""
        self.energy += other.energy
        self.error += other.error
        self.energy_exact += other.energy_exact
        self.product += other.product
        self.energy_apart += other.energy_apart
        self.error_apart += other.error_apart
        self.largest = max(self.largest, other.largest)
        self.told |= other.told
        self.clipped += other.clipped
        self.patched += other.patched
        self.tokens.merge(other.tokens)

    @classmethod
    def merged(cls, parts: Iterable[Distortion]) -> Distortion:
        """The sums over several parts."""
        total = cls()
        for part in parts:
            total.merge(part)
        return total

    @property
    def largest_error(self) -> float | None:
        """The largest absolute error; None where not all values were decoded."""
        return None if self.told else self.largest

    @property
    def snr_db(self) -> float | None:
        """10 log10 of energy over error in dB, outliers left out; None if the error is 0."""
        return _decibels(self.energy, self.error)

    @property
    def lossy_snr_db(self) -> float | None:
        """The same of what is not stored exactly, which must not make up for the errors of the rest."""
        return _decibels(max(0.0, self.energy - self.energy_exact), self.error)

    @property
    def promised_db(self) -> float:
        """The SNR by which promises are judged: that of what is not stored exactly, infinite where nothing is lost."""
        return math.inf if self.lossy_snr_db is None else self.lossy_snr_db

    @property
    def snr_apart_db(self) -> float | None:
        """The same of the outliers alone."""
        return _decibels(self.energy_apart, self.error_apart)

    @property
    def whole_snr_db(self) -> float | None:
        """The same of all values, outliers among them."""
        return _decibels(self.energy + self.energy_apart, self.error + self.error_apart)

    @property
    def token_snr_db(self) -> float | None:
        """The SNR in dB that 99 % of the tokens reach; None if these have no error."""
        return self.tokens.reached_by(REACHING)

    @property
    def cosine(self) -> float:
        """Cosine similarity of what came in and what is decoded, outliers left out; 1 without error."""
        decoded = self.energy + 2 * self.product + self.error
        if self.error == 0:
            return 1.0
        if not (self.energy > 0 and decoded > 0):
            return 0.0
        cosine = (self.energy + self.product) / (np.sqrt(self.energy) * np.sqrt(decoded))
        return min(1.0, max(-1.0, float(cosine)))

    @property
    def nmse(self) -> float:
        """Error over energy, of all values."""
        energy, error = self.energy + self.energy_apart, self.error + self.error_apart
        return float(error / energy) if energy > 0 else (0.0 if error == 0 else math.inf)


def _decibels(energy: Sum, error: Sum) -> float | None:
    if error == 0:
        return None
    ratio = float(energy / error)
    return -math.inf if ratio == 0 else 10 * math.log10(ratio)


def _scalar(total: Any) -> Sum:
    """A sum as float, unless that would not hold it."""
    return total if total.dtype == np.longdouble and 0 < abs(total) < SMALL else float(total)


def _largest(values: NDArray[Any]) -> float:
    """The largest absolute value; 0 without values."""
    return max(float(values.max()), -float(values.min())) if values.size else 0.0


def _summable(values: NDArray[Any], largest: float) -> NDArray[Any]:
    """Values in a float type in which squares neither over- nor underflow much."""
    return values if 1e-12 < largest < 1e15 else _wide(values, largest)


def _wide(values: NDArray[Any], largest: float) -> NDArray[Any]:
    return values.astype(np.longdouble if 0 < largest < TINIEST else np.float64)


def _sum_of_squares(values: NDArray[Any]) -> Sum:
    with np.errstate(over="ignore"):
        return _scalar(np.square(_wide(values, _largest(values))).sum())
