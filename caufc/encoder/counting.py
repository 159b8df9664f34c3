"""Which values tell how much is kept of a tensor: all but the outliers, which an SNR must not be made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..coders.row_sums import measured_rows, row_squares
from .outliers import VALUE_RATIO, mask_values, typical_magnitude

__all__ = ["Counting", "JointCounting", "root_mean_squares"]

LEAST, MOST = 1e-12, 1e15
"""Magnitudes whose squares float32 holds, and sums of them."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Counting:
    """The rest of a tensor: without values over 100 times the typical one, then without such tokens and channels.

    These are told by their root mean square over what remains, or by having lost most of their values. Values that
    stand for nothing, such as those of masked scores, count nowhere.

    Args:
        masks: values that stand for nothing.
        channels: which channels are outliers ``[C]``.
        emptied: which of these are so for having lost most of their values, and so are no part of tokens ``[C]``.
        token: the largest root mean square of a token that counts.
        value: the largest magnitude that counts.
    """

    masks: tuple[float, ...]
    channels: Mask
    emptied: Mask
    token: float
    value: float

    @classmethod
    def of(cls, sample: NDArray[Any]) -> Counting:
        """From tokens ``[M, C]``; medians are of what is not 0."""
        masks = mask_values(sample)
        sample = _without(sample, masks)
        value = _limit(np.abs(sample))
        rest = _within(sample, value)
        emptied = _emptied(sample.T, rest.T)
        rest = np.where(_emptied(sample, rest)[:, None] | emptied, rest.dtype.type(0), rest)
        channels = root_mean_squares(rest.T)
        return cls(masks, emptied | (channels > _limit(channels)), emptied, _limit(root_mean_squares(rest)), value)

    def __call__(self, features: NDArray[Any]) -> Mask | None:
        """Which features ``[n, C]`` count; None for all."""
        rows = np.arange(len(features)) if self.channels.any() else self._suspects(features)
        if not rows.size:
            return None
        counted = np.ones(features.shape, np.bool_)
        counted[rows] = self._counted(features[rows])
        return counted if not counted.all() else None

    def _suspects(self, features: NDArray[Any]) -> NDArray[np.intp]:
        """Tokens ``[n, C]`` some of whose values may not count."""
        with np.errstate(over="ignore"):
            most = np.full(features.shape[1], self.value).astype(features.dtype)
        beyond, squares = measured_rows(features, -most, most)
        return np.flatnonzero(beyond | ~(np.sqrt(squares / features.shape[1]) <= self.token))

    def _counted(self, features: NDArray[Any]) -> Mask:
        known = _without(features, self.masks)
        within = _within(known, self.value)
        rest = np.where(self.emptied, within.dtype.type(0), within) if self.emptied.any() else within
        tokens = _emptied(known, within) | (root_mean_squares(rest) > self.token)
        counted: Mask = ~(self.channels | tokens[:, None] | ((rest == 0) & (features != 0)))
        return counted


@dataclass(frozen=True)
class JointCounting:
    """The rest of every member of a stack by itself.

    Args:
        members: what counts of each, which have equally many channels.
    """

    members: Sequence[Counting]

    @classmethod
    def of(cls, sample: NDArray[Any], members: int) -> JointCounting:
        """From tokens ``[M, C]`` of the stack."""
        return cls([Counting.of(part) for part in np.split(sample, members, axis=1)])

    def __call__(self, features: NDArray[Any]) -> Mask | None:
        """Which features ``[n, C]`` count; None for all."""
        parts = np.split(features, len(self.members), axis=1)
        found = [counting(part) for counting, part in zip(self.members, parts, strict=True)]
        if all(part is None for part in found):
            return None
        width = features.shape[1] // len(found)
        everywhere = np.ones((len(features), width), np.bool_)
        return np.concatenate([everywhere if part is None else part for part in found], axis=1)


def _without(features: NDArray[Any], masks: tuple[float, ...]) -> NDArray[Any]:
    """The features with zeros for values that stand for nothing."""
    return np.where(np.isin(features, masks), features.dtype.type(0), features) if masks else features


def _within(features: NDArray[Any], most: float) -> NDArray[Any]:
    """The features with zeros for larger ones."""
    beyond = np.abs(features) > most
    return np.where(beyond, features.dtype.type(0), features) if beyond.any() else features


def _emptied(rows: NDArray[Any], rest: NDArray[Any]) -> Mask:
    """Which rows ``[n, C]`` have lost most of what is not 0 ``[n]``."""
    if rest is rows:
        return np.zeros(len(rows), np.bool_)
    found: Mask = 2 * np.count_nonzero(rest, axis=1) < np.count_nonzero(rows, axis=1)
    return found


def root_mean_squares(rows: NDArray[Any]) -> NDArray[np.float64]:
    """The root mean square of every row, in whatever magnitude."""
    if not rows.shape[1]:
        return np.zeros(len(rows))
    if rows.dtype == np.float32 or LEAST < max(float(rows.max(initial=0)), -float(rows.min(initial=0))) < MOST:
        return np.asarray(np.sqrt(row_squares(rows) / rows.shape[1]), np.float64)
    largest = np.abs(rows).max(axis=1).astype(np.float64)
    units = np.where(largest > 0, largest, 1.0)
    found: NDArray[np.float64] = units * np.sqrt(np.mean(np.square(rows / units[:, None]), axis=1))
    return found


def _limit(magnitudes: NDArray[Any]) -> float:
    """Beyond which magnitudes are far larger than the rest."""
    return VALUE_RATIO * typical_magnitude(magnitudes) or np.inf
