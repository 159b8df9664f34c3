"""ClassLevels: how large indices are by channel and band, and what follows from it: classes, and what indices cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec import kernels
from ..codec.transform.contexts import CLASSES, classes_of
from ..codec.transform.parameters import BAND_LEVELS, CHANNEL_LEVELS
from ..codec.transform.token_order import BANDS
from ..types import Arrays
from .few_events import FewEvents

__all__ = ["ClassLevels", "index_costs", "levels_for"]

RATE_WEIGHT = 0.085
"""Squared steps that a bit is worth: about 2 ln 2 / 12, what uniform quantisation pays for a bit at high rate.

A little less, chosen by hand; what decisions by cost buy: *costs* in ``tools/results/tools.md``
(``tools/measure/tools.py``).
"""

MEAN_CLASS = 20
"""Class of a mean magnitude of 1."""

LEVEL_LIMIT = 60
PRIOR_EVENTS = 1.5
"""Magnitude that a channel or band is taken to have of its own accord: rare ones are seen too seldom in a sample."""

Bytes = NDArray[np.uint8]
Values = NDArray[Any]


@dataclass(frozen=True)
class ClassLevels:
    """What makes up a symbol's class: one part for all, one per channel ``[K]``, one per band ``[16]``.

    ``others`` are the channels' levels that parts of a sample say for another part which has indices that are not 0
    ``[K]``: the class that such indices of the file will have, rather than one that they made themselves. None where
    that is the same.
    """

    level: int
    channels: NDArray[np.int8]
    bands: NDArray[np.int8]
    others: NDArray[np.int8] | None = None

    def classes(self) -> Bytes:
        """Classes ``[16, K]``."""
        return classes_of(self.level, self.channels, self.bands)

    def classes_by_others(self) -> Bytes | None:
        """The same by ``others``; None where that is the same."""
        return None if self.others is None else classes_of(self.level, self.others, self.bands)

    def sections(self) -> Arrays:
        """As sections."""
        return {CHANNEL_LEVELS: self.channels, BAND_LEVELS: self.bands}


def levels_for(
    indices: NDArray[np.int32], bands: Bytes, parts: NDArray[np.intp] | None = None, scale: float = math.inf
) -> ClassLevels:
    """ClassLevels from quantised coefficients ``[N, K]``: half-octaves of mean magnitudes, by band times by channel.

    Args:
        indices: a sample of a file.
        bands: of its tokens.
        parts: first tokens of the sample's parts, which tell each other what to expect of the file; None for no such.
        scale: how many times more values the file has; infinity where bytes of levels are not to be counted.
    """
    counts = np.bincount(bands, minlength=BANDS) * max(1, indices.shape[1])
    by_band, by_channel = _sums(indices, bands)
    mean = max(float(by_channel.sum()), 0.5) / max(1, indices.size)
    band = (by_band + PRIOR_EVENTS) / (counts * mean + PRIOR_EVENTS)
    level, of_bands = int(_half_octaves(np.array(mean)) + MEAN_CLASS), _half_octaves(band)

    def of_channels(sums: NDArray[np.float64], prior: float) -> NDArray[np.int8]:
        found: NDArray[np.int8] = _half_octaves((sums + prior) / (len(indices) * mean + prior))
        return found

    few = None if parts is None else FewEvents.of(indices, parts)
    if few is None:
        return ClassLevels(level, of_channels(by_channel, PRIOR_EVENTS), of_bands)
    others = by_channel * few.elsewhere
    prior = few.prior(PRIOR_EVENTS, lambda tried: (of_channels(by_channel, tried), of_channels(others, tried)), scale)
    return ClassLevels(level, of_channels(by_channel, prior), of_bands, of_channels(others, prior))


def _sums(indices: NDArray[np.int32], bands: Bytes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of magnitudes, by band ``[16]`` and by channel ``[K]``."""
    if kernels.counts is not None:
        sums = np.zeros(BANDS, np.int64), np.zeros(indices.shape[1], np.int64)
        kernels.counts.sums(np.ascontiguousarray(indices), np.ascontiguousarray(bands), *sums, *indices.shape)
        return sums[0].astype(np.float64), sums[1].astype(np.float64)
    magnitudes, by_band = np.abs(indices), np.zeros(BANDS)
    np.add.at(by_band, bands, magnitudes.sum(axis=1, dtype=np.float64))
    return by_band, magnitudes.sum(axis=0, dtype=np.float64)


def _half_octaves(ratios: NDArray[np.float64]) -> Any:
    return np.clip(np.rint(2 * np.log2(ratios)), -LEVEL_LIMIT, LEVEL_LIMIT).astype(np.int8)


def index_costs(indices: NDArray[np.int32], levels: ClassLevels, bands: Bytes) -> Values:
    """What indices cost, in squared steps ``[2, 16, K]``: where zeros are likely, ones are dear.

    Bits by class, of a magnitude of 1 beyond those of 0 and of every further one, times what a bit is worth.
    """
    classes, by_others = levels.classes(), levels.classes_by_others()
    counts, sums = _sizes(indices, classes, bands)
    if by_others is not None:
        none = counts[:, 0]
        counts, sums = _sizes(indices, by_others, bands)
        counts[:, 0] = none
    zero, one, coded = counts[:, 0] + 0.5, (counts[:, 1] + 0.25) / 2, counts[:, 1] + counts[:, 2]
    first = np.clip(np.log2(zero / one), 0, 24)
    excess = (sums - counts[:, 2] + 0.25) / (coded + 1)
    costs: Values = RATE_WEIGHT * np.stack([first, np.log2(1 + 1 / excess)])
    return costs.take(classes, axis=1)


def _sizes(indices: NDArray[np.int32], classes: Bytes, bands: Bytes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """By class, how many indices are 0, of magnitude 1, and more ``[48, 3]``, and the sum of those ``[48]``."""
    counts = np.zeros((CLASSES, 3), np.int64)
    if kernels.counts is not None:
        found = np.zeros(CLASSES, np.int64)
        kernels.counts.sizes(
            np.ascontiguousarray(indices), np.ascontiguousarray(bands), classes, counts, found, *indices.shape
        )
        return counts, found.astype(np.float64)
    sums, magnitudes = np.zeros(CLASSES), np.abs(indices)
    for band in np.unique(bands):
        there = magnitudes[bands == band]
        keys = np.minimum(there, 2).astype(np.uint8)
        keys += 3 * classes[band]
        counts += np.bincount(keys.ravel(), minlength=3 * CLASSES).reshape(CLASSES, 3)
        large = there > 1
        sums += np.bincount(keys[large] // 3, there[large], minlength=CLASSES)
    return counts, sums
