"""The survey: what values are like, and a sample of them for choices."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import ChannelStatistics
from ..codec.transform.grids import Geometry
from .counting import Counting, JointCounting
from .separator import OutlierSeparator

__all__ = ["TensorSurvey", "is_sparse"]

SPARSE_SHARE = 0.2
"""Share of exact zeros from which features count as sparse: zero must then stay a reconstruction point."""


@dataclass
class TensorSurvey:
    """What the first pass learned of one tensor.

    Args:
        channels: C.
        statistics: per channel, of what is not apart.
        sample: tokens ``[M, C]`` of whole samples, evenly taken; all of them if they are few. What is apart is not in
            it: scaled tokens are divided by their scales, something stands in the place of exact values.
        features: the sample as it came in ``[M, C]``.
        geometry: of the sample.
        separator: finds what is apart; None where nothing may be.
        counting: which features tell how much is kept of the tensor.
        apart: which values of the sample say nothing of the rest ``[M, C]``: exact ones, and outliers; None for none.
        exact_bytes: what values take in the whole file that are stored exactly, about.
        groups: of channels.
        total: number of tokens in the file.
        planned: values of the sample that classes and tables are made from, about.
        absent: where the sample has something in the place of exact values, and of what is not finite ``[M, C]``.
        masked: whether there are masks, or values that are not finite, which may be many.
    """

    channels: int
    statistics: ChannelStatistics
    sample: NDArray[Any]
    features: NDArray[Any]
    geometry: Geometry
    counting: Counting | JointCounting
    separator: OutlierSeparator | None = None
    apart: NDArray[np.bool_] | None = None
    exact_bytes: float = 0.0
    groups: int = 1
    total: int = 0
    planned: int = sys.maxsize
    absent: NDArray[np.bool_] | None = None
    masked: bool = False

    @property
    def constant(self) -> bool:
        """Whether all values are the same."""
        return bool(self.statistics.low.min(initial=np.inf) == self.statistics.high.max(initial=-np.inf))

    @cached_property
    def sparse(self) -> bool:
        """Whether zero must stay a reconstruction point."""
        return is_sparse(self.sample)

    @property
    def energy(self) -> float:
        """Sum of the squares of all values."""
        return self.statistics.energy

    @property
    def levelled(self) -> bool:
        """Whether all tokens are divided by scales of their own."""
        return self.separator is not None and self.separator.levelled

    def raised(self, least: float) -> TensorSurvey:
        """The survey with tokens below a root mean square raised to it, if there are any."""
        if self.separator is None:
            return self
        separator = self.separator.raising(least)
        scales = separator.raised_scales(self.sample, self.absent)
        if scales is None:
            return self
        sample = scales.divide(self.sample)
        if self.absent is not None:
            sample = np.where(self.absent, self.sample, sample)
        return replace(self, sample=sample, separator=separator)

    def standing_at(self, offset: NDArray[Any] | float) -> TensorSurvey:
        """The survey with an alignment's offset ``[C]`` in the place of masks, which then take next to no bits."""
        if self.separator is None or self.absent is None or not self.masked:
            return self
        separator = self.separator.standing_at(offset)
        sample = np.where(self.absent, separator.stand_in.astype(self.sample.dtype), self.sample)
        return replace(self, sample=sample, separator=separator)

    @property
    def padded(self) -> float:
        """The share of tokens that are padding."""
        return 0.0 if self.separator is None else self.separator.typical.padded

    @property
    def scale(self) -> float:
        """How many times more tokens the file has than the sample."""
        return self.total / max(1, len(self.sample))


def is_sparse(matrix: NDArray[Any]) -> bool:
    """Whether zero must stay a reconstruction point; channels of nothing else are not counted, unless all are."""
    held = int(np.count_nonzero(matrix))
    if held >= (1 - SPARSE_SHARE) * matrix.size:
        return False
    present = np.count_nonzero(matrix.any(axis=0)) if len(matrix) > 1 else matrix.shape[1]
    return not held or held < (1 - SPARSE_SHARE) * len(matrix) * int(present)
