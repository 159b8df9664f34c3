"""Transforms and the step at gain 1: at medium quality what keeps predictions, from statistics alone."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import ValueAligner
from ..codec.transform.dct import forward_grid
from ..codec.transform.grids import Geometry
from ..codec.transform.parameters import Parameters
from ..coders.config import TensorConfig
from ..coders.registry import TRANSFORM
from .importance import blind_importance, flat_importance, read_bands
from .options import Target
from .rate import provisional_step
from .survey import TensorSurvey
from .transforms import choose_transforms

__all__ = ["choose_step"]

BOUND_MARGIN = 1 - 2.0**-16
"""Steps of an error bound are this much under twice the bound: the cast to the output dtype takes its part."""

MEDIUM_STEP, NARROW_CHANNELS = 0.17, 112
"""Step at medium quality, in deviations of aligned values, of narrow taps and pooled vectors; wider ones get more.

Set so that medium keeps 99 % of predictions on the taps of ``tools/results/paper.md`` (``caufc evaluate paper``).
"""

READ_STEP = {"mean": 0.21, "first": 0.2}
"""The same where only the mean, or the first token, is read, in deviations of its coefficients; by the same rule."""

SMALLEST_DEVIATION = 2.0**-80
ENOUGH_ROWS = 16
NORMAL_MEDIAN = 0.6745
"""Median magnitude of a normal distribution of deviation 1."""


def choose_step(
    base: TensorConfig, aligner: ValueAligner, survey: TensorSurvey, target: Target, reads: str, *, embedded: bool
) -> TensorConfig:
    """Add transforms and the step to a configuration; a basis that a file embeds may be coarse.

    Qualities and rates weigh every tensor by its own deviation, an SNR gives all tensors one step in features' units;
    an error bound allows no transform.
    """
    aligned, side = aligner.forward(survey.sample)
    if target.kind == "max_error":
        step = 2 * target.value * BOUND_MARGIN
        return _with_step(base, Parameters(float(np.float32(step))))
    if target.kind == "snr":
        step = 1 / float(np.clip(np.mean(aligner.scales(side)), 2.0**-80, 2.0**80)) if aligned.size else 1.0
    elif reads == "tokens":
        step = _medium_step(survey, np.asarray(aligner.scales(side)))
    else:
        step = _medium_step_of_read(aligned, survey.geometry, reads)
    step = float(np.float32(step))
    energy = survey.energy / max(1, survey.total * survey.channels) / float(np.mean(aligner.scales(side))) ** 2
    transforms = choose_transforms(
        aligned,
        survey.geometry,
        provisional_step(aligned, step, energy, target),
        survey.total * survey.channels,
        flat_importance() if target.kind == "snr" else blind_importance(replace(survey.geometry, spectral=True), reads),
        embedded=embedded,
    )
    config = replace(base, arrays={**base.arrays, **transforms.sections()})
    return _with_step(config, Parameters(step, spectral=transforms.spectral))


def _with_step(base: TensorConfig, parameters: Parameters) -> TensorConfig:
    return replace(base, codec=TRANSFORM, parameters=parameters.to_fields())


def _medium_step(survey: TensorSurvey, scales: NDArray[Any]) -> float:
    """Where all tokens are read: layers sum over channels, so where they are many, noise may grow with their root.

    Args:
        survey: of the tensor.
        scales: features' units per aligned unit, by channel, or one for all.
    """
    by_channel = scales if scales.ndim < 2 else np.mean(scales)
    deviation = _median(survey.statistics.deviation / by_channel)
    pooled = not any(math.prod(grid) > 1 for grid in survey.geometry.grids)
    return MEDIUM_STEP * (1 if pooled else math.sqrt(max(1, survey.channels / NARROW_CHANNELS))) * deviation


def _medium_step_of_read(aligned: NDArray[Any], geometry: Geometry, reads: str) -> float:
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
