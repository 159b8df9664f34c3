"""The separator: what of a chunk's tokens is coded apart from the rest, as scales of tokens and exact values."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import TokenScales
from ..coders.base import Apart
from ..coders.blocks import either
from ..coders.row_sums import measured_rows, row_squares
from .counting import root_mean_squares
from .outliers import TINIEST, VALUE_RATIO, Typical

__all__ = ["TOKEN_CHANNELS", "OutlierSeparator", "Separation"]

TOKEN_CHANNELS = 8
"""Narrower tokens have no scale: their values are stored exactly, all of them where half of them are apart."""

SPARED = 2**0.25
"""Outlying tokens stay so much larger than typical ones, and so are kept better: they may have most of the energy."""

ORDINARY = 2.0
"""Tokens of a language model up to so much above or below the typical one stay as they are, and others get there: what
reads them hardly reacts more to the same error in a smaller token; by trials at equal divergence of predictions."""

COUNTED_ERROR = 0.05
"""Share of all squared errors that those of outlying tokens which count may have, where an SNR is promised."""

STRAY_SHARE = 0.5
"""Share of an outlying token or channel that is stored exactly for being small, at most."""

MOST_STRAYS = 1 / 256
"""Share of all values that may be stored exactly for that, about 0.2 bits per value, whatever else there is."""

LARGEST_LEVEL = 1024.0
"""Tokens that are not outliers get scales of at most so much above or below 1."""

Values = NDArray[Any]
Sizes = NDArray[np.float64]
Level = Callable[[Sizes], Sizes]


@dataclass(frozen=True)
class Separation:
    """How outliers are coded apart.

    Args:
        levelled: whether tokens far from the typical size get scales, as the normalisation does that reads
            those of language models.
        by_token: whether all tokens are made equally large.
        by_channel: whether channels have scales of their own, so that large ones are no outliers; else one range holds
            all values, and outlying tokens get scales that make them no larger than others.
        evenly: whether the errors of all tokens that count are promised to be small together, so that large ones must
            not have much larger errors.
    """

    levelled: bool = False
    by_token: bool = False
    by_channel: bool = True
    evenly: bool = False


class OutlierSeparator:
    """Finds what of a tensor's chunks is coded apart.

    Args:
        typical: of the tensor.
        separation: how it is coded apart.
    """

    def __init__(self, typical: Typical, separation: Separation = Separation()) -> None:
        by_channel = separation.by_channel
        self.typical = typical
        self.levelled = (separation.levelled or separation.by_token) and typical.token > 0
        self.spared = 1.0 if separation.by_token else ORDINARY
        self.outlying_size = SPARED if by_channel else 1.0
        self.units = typical.units if by_channel else np.full_like(typical.units, typical.common)
        self.limit = typical.ratio * self.units
        self.limit[typical.immoderate] = 0.0
        self.scaled = len(self.units) >= TOKEN_CHANNELS
        self.ordinary = typical.ordinary
        centre = typical.centre if by_channel else _ordinary_centre(typical)
        stand_in = centre if typical.mean is None or not by_channel else typical.mean
        self.centre, self.stand_in = (np.where(typical.immoderate, 0.0, values) for values in (centre, stand_in))
        self.least = 0.0
        self.most_counted = (
            math.sqrt(COUNTED_ERROR / typical.large) if separation.evenly and typical.large else math.inf
        )

    def raising(self, least: float) -> OutlierSeparator:
        """The same, with scales too for tokens whose root mean square is below ``least``, which make it that."""
        other = copy.copy(self)
        other.least = least
        return other

    def standing_at(self, values: Values | float) -> OutlierSeparator:
        """The same, with other values in the place of exact ones ``[C]``, or one for all."""
        other = copy.copy(self)
        other.stand_in = np.broadcast_to(np.asarray(values, np.float64), self.stand_in.shape)
        return other

    def finer(self, times: float) -> OutlierSeparator:
        """The same, with outlying tokens that stay so many times larger, and so are kept better."""
        other = copy.copy(self)
        other.outlying_size *= times
        return other

    def __call__(self, matrix: Values, lost: NDArray[np.bool_] | None = None) -> Apart:
        """Scales of tokens and exact values of finite features ``[n, C]``, some of which stand for lost ones."""
        if not matrix.size or not self.units.any():
            return Apart(centre=self.stand_in)
        beyond, squares = measured_rows(matrix, *self._range(matrix.dtype))
        if self.typical.padded:
            beyond = beyond | (squares == 0)
        rows = np.flatnonzero(beyond) if self.ordinary.all() else np.arange(len(matrix))
        apart = self._apart(matrix, rows) if rows.size else Apart(centre=self.stand_in)
        if not (self.levelled or self.least):
            return apart
        present = replace(apart, values=either(apart.values, lost))
        scales = self._scaled(matrix, squares, present, self._level if self.levelled else self._raise)
        return replace(apart, scales=scales, levelled=True)

    def _range(self, dtype: np.dtype[Any]) -> tuple[Values, Values]:
        """Between which values of each channel nothing is apart ``[C]``, in the features' dtype, which is faster."""
        with np.errstate(over="ignore"):
            return (self.centre - self.limit).astype(dtype), (self.centre + self.limit).astype(dtype)

    def _apart(self, matrix: Values, rows: NDArray[np.intp]) -> Apart:
        """What is coded apart of tokens ``[n, C]``, which is nothing of others than some."""
        found = self._apart_of(matrix[rows], len(matrix))
        scales, values = None, None
        if found.scales is not None:
            codes = np.zeros(len(matrix), np.int16)
            codes[rows] = found.scales.codes
            scales = TokenScales(codes)
        if found.values is not None:
            values = np.zeros(matrix.shape, np.bool_)
            values[rows] = found.values
        return Apart(scales, values, self.stand_in)

    def _apart_of(self, matrix: Values, of_all: int) -> Apart:
        """What is coded apart of some tokens ``[n, C]``, of so many."""
        masked = self._masked(matrix)
        rest = matrix if masked is None else np.where(masked, matrix.dtype.type(0), matrix)
        values = self._beyond(rest)
        scales = self._scales(rest, values) if self.scaled else None
        if scales is not None:
            scaled = np.flatnonzero(scales.codes)
            values[scaled] = self._beyond(scales.divide(rest)[scaled])
        if not self.scaled:
            values |= (2 * np.count_nonzero(values, axis=1) >= values.shape[1])[:, None] & (rest != 0)
        strays = self._strays(rest, scales, of_all)
        if strays is not None:
            values |= strays
        if masked is not None:
            values |= masked
        return Apart(scales, values if values.any() else None, self.stand_in)

    def _masked(self, matrix: Values) -> NDArray[np.bool_] | None:
        """Values that stand for nothing: masks, and tokens of zeros in padded batches; None for none."""
        masked = np.isin(matrix, self.typical.masks) if self.typical.masks else None
        if not self.typical.padded:
            return masked
        padding = np.broadcast_to(~matrix.any(axis=1, keepdims=True), matrix.shape)
        return padding.copy() if masked is None else masked | padding

    def _strays(self, matrix: Values, scales: TokenScales | None, of_all: int) -> NDArray[np.bool_] | None:
        """Values of outlying tokens and channels that are as small as the rest, and so must be kept as well.

        Where many are, in what is hardly larger than the rest, that would cost too much; so it would where outlying
        tokens or channels are many, and theirs are but the smallest of values of all sizes.

        Args:
            matrix: tokens that are looked at ``[n, C]``.
            scales: theirs.
            of_all: how many there are with the others.
        """
        channels = ~self.ordinary
        tokens = np.zeros(len(matrix), np.bool_) if scales is None else scales.factors[:, 0] > VALUE_RATIO
        if not channels.any() and not tokens.any():
            return None
        sizes = np.abs(matrix)
        small: NDArray[np.bool_] = (sizes <= self.typical.largest) & (matrix != 0)
        few_here, few_there = small.mean(axis=0) <= STRAY_SHARE, small.mean(axis=1) <= STRAY_SHARE
        strays: NDArray[np.bool_] = small & ((channels & few_here) | (tokens & few_there)[:, None])
        if np.count_nonzero(strays) <= MOST_STRAYS * of_all * matrix.shape[1]:
            return strays
        larger = ~small & (sizes <= 2 * self.typical.largest)
        of_channels, of_tokens = (small.sum(axis=axis) > 2 * larger.sum(axis=axis) for axis in (0, 1))
        strays &= (channels & of_channels) | (tokens & of_tokens)[:, None]
        return strays

    def _scaled(self, matrix: Values, squares: Sizes, apart: Apart, level: Level) -> TokenScales | None:
        """Scales of tokens, those of outliers and what levels them, by their root mean square over what is not apart.

        Args:
            matrix: features ``[n, C]``.
            squares: their sums ``[n]``.
            apart: what is coded apart of them.
            level: scales from root mean squares ``[n]``.
        """
        factors = np.ones(len(matrix)) if apart.scales is None else apart.scales.factors[:, 0].astype(np.float64)
        sizes = np.sqrt(squares / max(1, matrix.shape[1]))
        rows = np.arange(len(matrix))
        if self.ordinary.all():
            rows = np.flatnonzero(~np.isfinite(sizes) | (False if apart.values is None else apart.values.any(axis=1)))
        if rows.size:
            present = np.ones((1, matrix.shape[1]), np.bool_) if apart.values is None else ~apart.values[rows]
            present = np.broadcast_to(present, (len(rows), matrix.shape[1]))[:, self.ordinary]
            counted = np.where(present, matrix[rows][:, self.ordinary], matrix.dtype.type(0))
            shares = np.maximum(1, np.count_nonzero(present, axis=1)) / max(1, present.shape[1])
            sizes[rows] = root_mean_squares(counted) / np.sqrt(shares)
        sizes /= factors
        levels = np.where(sizes > 0, level(sizes), 1.0)
        return apart.scales if (levels == 1).all() else TokenScales.of(factors * levels)

    def raised_scales(self, matrix: Values, apart: NDArray[np.bool_] | None) -> TokenScales | None:
        """Scales of tokens ``[n, C]`` that are below the least root mean square, over what is not apart of them."""
        return self._scaled(matrix, row_squares(matrix), Apart(values=apart), self._raise) if self.least else None

    def _level(self, sizes: Sizes) -> Sizes:
        """Levels of tokens far from the typical size, or of all."""
        ratios = sizes / self.typical.token
        return np.clip(ratios / np.clip(ratios, 1 / self.spared, self.spared), 1 / LARGEST_LEVEL, LARGEST_LEVEL)

    def _raise(self, sizes: Sizes) -> Sizes:
        """Levels of tokens below the least."""
        return np.clip(sizes / self.least, 1 / LARGEST_LEVEL, 1.0)

    def _beyond(self, matrix: Values) -> NDArray[np.bool_]:
        centre, limit = self._of_dtype(matrix.dtype)
        with np.errstate(over="ignore"):
            beyond: NDArray[np.bool_] = np.abs(matrix - centre) > limit
        return beyond

    def _of_dtype(self, dtype: np.dtype[Any]) -> tuple[Values, Values]:
        """Centres and limits of channels in the features' dtype, which is many times faster."""
        with np.errstate(over="ignore"):
            return self.centre.astype(dtype), self.limit.astype(dtype)

    def _scales(self, matrix: Values, beyond: NDArray[np.bool_]) -> TokenScales | None:
        """Scales of tokens that are far larger than the rest in most of their channels."""
        rows = np.flatnonzero(beyond.any(axis=1))
        rows = rows[self.typical.are_large(matrix[rows])]
        if not rows.size:
            return None
        outlying = matrix[rows].astype(np.float64)
        levels = self.typical.token_levels(outlying) / (self.typical.level or 1.0)
        sizes = np.sqrt(np.square(outlying).mean(axis=1)) / (self.typical.token or TINIEST)
        factors = np.ones(len(matrix))
        most = np.where(levels <= VALUE_RATIO, max(1.0, self.most_counted), math.inf)
        factors[rows] = np.minimum(np.minimum(levels, sizes) / self.outlying_size, most)
        return TokenScales.of(factors)


def _ordinary_centre(typical: Typical) -> Sizes:
    """Centres of channels ``[C]``, that of outlying ones as those of the others are."""
    ordinary = typical.ordinary
    return np.where(ordinary, typical.centre, np.median(typical.centre[ordinary]) if ordinary.any() else 0.0)
