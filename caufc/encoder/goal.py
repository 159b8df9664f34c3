"""Goals: how much of a tensor a rate control wants kept, told in features, whatever transforms and quantiser do it.

A quality stands for a step, and a step for a noise level: what rounding aligned values to it would cost, or less where
values are smaller than the noise. So quality means the same for few channels and for many, and never falls as it rises.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .options import Target

__all__ = ["MEDIUM", "MEDIUM_SNR", "WIDE_TOKEN_SNR", "Goal", "goal_of", "quality_of_step", "quality_step"]

QUALITY_OCTAVE = 8.0
MEDIUM = 50.0
"""Steps double every 8 qualities below medium, and halve above."""

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

OCTAVE_DB = 20 * math.log10(2)

Values = NDArray[Any]


@dataclass(frozen=True)
class Goal:
    """What is to be kept.

    Args:
        noise: the largest mean squared error of a value, in features' units.
        token_snr: dB that 99 % of tokens must reach; never below 0, which tokens have of which nothing is kept.
    """

    noise: float
    token_snr: float = -math.inf


def octaves_from_medium(quality: float) -> float:
    """By how many octaves steps are coarser than at medium quality."""
    return (MEDIUM - quality) / QUALITY_OCTAVE


def quality_step(quality: float) -> float:
    """The step of a quality, in steps at medium."""
    return float(2.0 ** octaves_from_medium(quality))


def quality_of_step(step: float) -> float:
    """The quality for which a step stands, in steps at medium."""
    return MEDIUM - QUALITY_OCTAVE * math.log2(step)


def goal_of(target: Target, setting: float, features: Values, units: Values, step: float, *, by_token: bool) -> Goal:
    """The goal of a tensor.

    Args:
        target: the rate control.
        setting: the quality, where the target is one or looks for one.
        features: that count ``[n, C]``; those that do not are 0.
        units: features' units per aligned unit, broadcastable.
        step: at medium quality, in aligned units.
        by_token: whether each token counts, and not only all together.
    """
    squares = np.square(features.astype(np.float64))
    if target.kind == "snr":
        spare = TOKEN_SPARE if target.by_token else SNR_SPARE
        return Goal(float(squares.mean()) * 10 ** (-(target.value + spare) / 10))
    noise = np.square(step * quality_step(setting) * units.astype(np.float64)) / 12
    medium = WIDE_TOKEN_SNR if features.shape[1] >= WIDE_CHANNELS else NARROW_TOKEN_SNR
    floor = max(0.0, medium - OCTAVE_DB * octaves_from_medium(setting)) if by_token else -math.inf
    return Goal(float(np.minimum(squares, noise).mean()), floor)
