"""The step at medium quality: what keeps predictions, from statistics alone."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec import Geometry, forward_grid, read_bands
from .survey import TensorSurvey

__all__ = ["medium_step", "medium_step_of_read"]

MEDIUM_STEP, NARROW_CHANNELS = 0.17, 112
"""Step at medium quality, in deviations of aligned values, of narrow taps and pooled vectors; wider ones get more."""

READ_STEP = {"mean": 0.21, "first": 0.2}
"""The same where only the mean, or the first token, is read, in deviations of its coefficients."""

SMALLEST_DEVIATION = 2.0**-80
ENOUGH_ROWS = 16
NORMAL_MEDIAN = 0.6745
"""Median magnitude of a normal distribution of deviation 1."""


def medium_step(survey: TensorSurvey, scales: NDArray[Any]) -> float:
    """Where all tokens are read: layers sum over channels, so where they are many, noise may grow with their root.

    Args:
        survey: of the tensor.
        scales: features' units per aligned unit, by channel, or one for all.
    """
    by_channel = scales if scales.ndim < 2 else np.mean(scales)
    deviation = _median(survey.statistics.deviation / by_channel)
    pooled = not any(math.prod(grid) > 1 for grid in survey.geometry.grids)
    return MEDIUM_STEP * (1 if pooled else math.sqrt(max(1, survey.channels / NARROW_CHANNELS))) * deviation


def medium_step_of_read(aligned: NDArray[Any], geometry: Geometry, reads: str) -> float:
    """Where only some bands are read.

    Args:
        aligned: sample ``[M, C]``.
        geometry: of the sample.
        reads: ``mean`` or ``first``.
    """
    spectral = replace(geometry, spectral=True)
    read = forward_grid(aligned, spectral)[np.isin(spectral.bands, read_bands(reads))]
    if len(read) >= ENOUGH_ROWS:
        return READ_STEP[reads] * _median(read.std(axis=0, dtype=np.float64))
    return READ_STEP[reads] * _median(np.abs(read).ravel() / NORMAL_MEDIAN)


def _median(deviations: NDArray[Any]) -> float:
    """The median of what is above 0; 1 if nothing is."""
    present = deviations[deviations > 0]
    deviation = float(np.median(present)) if present.size else 0.0
    return deviation if np.isfinite(deviation) and deviation > SMALLEST_DEVIATION else 1.0
