"""Goals: how much of a tensor a rate control wants kept, told in features, whatever transforms and quantiser do it.

A quality stands for a step, and a step for a noise level: what rounding aligned values to it would cost, or less where
values are smaller than the noise; and for what each token keeps. So quality means the same for few channels and for
many, and never falls as it rises.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..coders.row_sums import row_squares
from .options import Target

__all__ = [
    "GRID",
    "MEDIUM",
    "MEDIUM_SNR",
    "OCTAVE_DB",
    "WIDE_TOKEN_SNR",
    "Goal",
    "grid_quality",
    "narrow_goal",
    "quality_goal",
    "quality_of_step",
    "quality_step",
    "snr_goal",
]

QUALITY_OCTAVE = 8.0
MEDIUM = 50.0
"""Steps double every 8 qualities below medium, and halve above."""

GRID = 4.0
"""Qualities that differ by less mean the same to tensors of few values."""

MEDIUM_SNR = 25.0
"""dB that dense features have at medium quality, about."""

SNR_SPARE = 0.05
"""dB above a wanted SNR that a sample should have: the file has about as much."""

TOKEN_SPARE = 0.3
"""dB above what every token must have that all have together: few then need finer steps of their own."""

WIDE_CHANNELS = 64
NARROW_TOKEN_SNR, WIDE_TOKEN_SNR = 23.3, 20.3
"""dB that 99 % of tokens reach at medium quality, of few channels and of many; 6.02 less for every 8 qualities below.

Narrow tokens have more, so that they are not behind wide ones of the same statistics.
"""

BELOW_MEAN, MOST_RAISED = 3.0, 6.0
"""dB by which narrow tokens may be below what all have together, and by which that raises what they must have at most.

Wide tokens of the same statistics are alike: none is far below.
"""

LARGEST_TOKEN = 4.0
"""Times the median energy of a token that one counts for at most among all together."""

LEAST, LARGEST = 1e-30, 1e30
"""Numbers between are float32 as well as float64."""

OCTAVE_DB = 20 * math.log10(2)

Values = NDArray[Any]


@dataclass(frozen=True)
class Goal:
    """What is to be kept.

    Args:
        noise: the largest mean squared error of a value, in features' units.
        token_snr: dB that 99 % of tokens must reach; minus infinity rather than anything below what zeros have.
    """

    noise: float
    token_snr: float = -math.inf


def quality_step(quality: float) -> float:
    """The step of a quality, in steps at medium."""
    return float(2.0 ** ((MEDIUM - quality) / QUALITY_OCTAVE))


def grid_quality(quality: float) -> float:
    """The next quality from this one on that is whole grid distances from medium: for tensors of few values.

    Of these, steps that differ by little keep more or less as chance has it.
    """
    return MEDIUM + GRID * math.ceil((quality - MEDIUM) / GRID)


def quality_of_step(step: float) -> float:
    """The quality for which a step stands, in steps at medium."""
    return MEDIUM - QUALITY_OCTAVE * math.log2(step)


def snr_goal(target: Target, features: Values) -> Goal:
    """The goal of a tensor that is to have an SNR, as a whole or in every token.

    Args:
        target: the rate control.
        features: that count ``[n, C]``; those that do not are 0.
    """
    spare = TOKEN_SPARE if target.by_token else SNR_SPARE
    return Goal(float(np.square(features, dtype=np.float64).mean()) * 10 ** (-(target.value + spare) / 10))


def quality_goal(quality: float, features: Values, units: Values, step: float, *, by_token: bool) -> Goal:
    """The goal of a tensor at a quality.

    Args:
        quality: 0 to 100, and beyond where a rate is looked for.
        features: that count ``[n, C]``; those that do not are 0.
        units: features' units per aligned unit, broadcastable.
        step: at medium quality, in aligned units.
        by_token: whether each token counts, and not only all together.
    """
    octaves = math.log2(quality_step(quality))
    errors = 2.0**octaves * step * units.astype(np.float64) / math.sqrt(12)
    medium = WIDE_TOKEN_SNR if features.shape[1] >= WIDE_CHANNELS else NARROW_TOKEN_SNR
    floor = medium - OCTAVE_DB * octaves
    return Goal(_mean_square(features, errors), floor if by_token and floor > 0 else -math.inf)


def _mean_square(features: Values, most: Values) -> float:
    """The mean square of features ``[n, C]`` of which none counts for more than ``most``, broadcastable."""
    usual = features.dtype == np.float32 and np.min(most, initial=LARGEST) > LEAST and np.max(most, initial=0) < LARGEST
    near = np.minimum(np.abs(features), most.astype(np.float32 if usual else np.float64))
    return float(row_squares(near).sum()) / max(1, features.size)


def narrow_goal(goal: Goal, features: Values) -> Goal:
    """A quality's goal for tokens of few channels, which keep nearly what wide ones of the same statistics would.

    Args:
        goal: for wide tokens.
        features: that count ``[n, C]``; those that do not are 0.
    """
    if goal.token_snr == -math.inf or features.shape[1] >= WIDE_CHANNELS or not goal.noise > 0:
        return goal
    energies = np.square(features, dtype=np.float64).mean(axis=1)
    present = energies[energies > 0]
    if not present.size:
        return goal
    typical = float(np.minimum(present, LARGEST_TOKEN * np.median(present)).sum()) / len(energies)
    mean = 10 * math.log10(typical / goal.noise)
    return replace(goal, token_snr=min(max(goal.token_snr, mean - BELOW_MEAN), goal.token_snr + MOST_RAISED))
