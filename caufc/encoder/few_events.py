"""FewEvents: what a thin sample says of channels that few of its parts have indices in that are not 0."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..codec.transform.grids import Geometry

__all__ = ["FewEvents", "parts_of"]

FEW, SPARSE = 64, 4
"""Parts of a sample that have a channel, on average, with which it says how large the file's indices are there; and
one of how many indices is not 0 at most where channels look unlike by chance."""

PARTS = 8
"""Parts of a sample, where it has not as many samples of its own: neighbours are like each other."""

PRIOR_RATIO, MOST_PRIORS = 4, 5
"""By how many times priors differ that are tried, and how many are."""

NEARLY = 1.005
"""Times the fewest bits that are as few: fewer unlike levels are the safer ones."""

LEVEL_COST = 1.4
"""Times their entropy that levels take as a section, about."""

SIZES = 256
"""Levels that there may be."""

Levels = NDArray[np.int8]


def parts_of(geometry: Geometry) -> NDArray[np.intp]:
    """First tokens of the parts of a sample: of its samples, and of pieces of them where these are few.

    Frequencies of one sample are not cut: few of them have nearly all that there is.
    """
    sizes = np.array([size for size in geometry.sizes if size] or [0], np.intp)
    pieces = 1 if geometry.spectral else -(-PARTS // len(sizes))
    within = np.outer(sizes, np.arange(pieces)) // pieces
    return np.unique(within + (np.cumsum(sizes) - sizes)[:, None])


@dataclass(frozen=True)
class FewEvents:
    """Where a sample ``[N, K]`` has indices that are not 0, few of them: chance alone makes its channels look unlike.

    Args:
        by_channel: how many there are by channel ``[K]``.
        elsewhere: the share of them that other parts of the sample have than the one where one is, by channel ``[K]``,
            as if these were as many parts.
        tokens: N.
    """

    by_channel: NDArray[np.intp]
    elsewhere: NDArray[np.float64]
    tokens: int

    @classmethod
    def of(cls, indices: NDArray[np.int32], parts: NDArray[np.intp]) -> FewEvents | None:
        """Those of indices ``[N, K]``; None where there are none, or so many that chance does little.

        Args:
            indices: of the sample.
            parts: first tokens of its parts, which tell each other.
        """
        tokens, channels = indices.shape
        if len(parts) == 1 or not 0 < SPARSE * int(np.count_nonzero(indices)) < indices.size:
            return None
        if len(parts) == tokens:
            by_channel = squares = filled = np.count_nonzero(indices, axis=0)
        else:
            by_part = np.add.reduceat(indices != 0, parts, axis=0, dtype=np.int64)
            by_channel, squares = by_part.sum(axis=0), np.square(by_part).sum(axis=0)
            filled = np.count_nonzero(by_part, axis=0)
        if int(filled.sum()) >= FEW * channels:
            return None
        here = squares / np.maximum(np.square(by_channel), 1)
        return cls(by_channel, (1 - here) / (1 - 1 / len(parts)), tokens)

    def prior(self, least: float, levels: Callable[[float], tuple[Levels, Levels]], scale: float) -> float:
        """The largest magnitude that channels may be taken to have of their own accord, where levels pay most.

        Args:
            least: the first that is tried; each further one is larger.
            levels: (prior) -> levels of channels ``[K]``, and those by others, as :class:`ClassLevels` has them.
            scale: how many times more values the file has than the sample.
        """
        found, fewest = least, math.inf
        for prior in (least * PRIOR_RATIO**number for number in range(MOST_PRIORS)):
            bits = self._bits(*levels(prior), scale)
            fewest = min(fewest, bits)
            if bits > NEARLY * fewest:
                break
            found = prior
        return found

    def _bits(self, levels: Levels, others: Levels, scale: float) -> float:
        """What places of the sample take where their channels have these levels, with a share of what levels take."""
        lowest = int(min(levels.min(), others.min()))
        of_channels = np.bincount(levels.astype(np.int64) - lowest, minlength=SIZES)
        events = np.bincount(others.astype(np.int64) - lowest, self.by_channel, SIZES)
        some = events > 0
        shares = events[some] / (self.tokens * of_channels[some] + events[some])
        side = LEVEL_COST * _entropy_bits(of_channels) / scale
        return side - float(events[some] @ np.log2(shares))


def _entropy_bits(counts: NDArray[np.intp]) -> float:
    """What so many of each kind take."""
    some = counts[counts > 0]
    return -float(some @ np.log2(some / some.sum()))
