"""The step at which transforms are compared, before it is known which step a target needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec.transform.token_order import BANDS
from .goal import quality_step
from .options import Target
from .sample_plan import estimate
from .thinning import spread_tokens

__all__ = ["provisional_step"]

PROVISIONAL_VALUES = 1 << 15
"""Values of a sample from which rates are estimated, about."""

MIN_LOG_GAIN, MAX_LOG_GAIN = -40.0, 30.0
"""log2 of gains among which a target is looked for."""

HALVINGS = 10
"""Of this range; transforms compare alike at steps a few percent apart."""


def provisional_step(aligned: NDArray[Any], step: float, energy: float, target: Target) -> float:
    """The step at which transforms are compared: about the one that the target will need.

    Args:
        aligned: sample ``[M, C]``.
        step: at medium quality.
        energy: mean square of the features, in aligned units.
        target: the rate control.
    """
    if target.kind == "quality":
        return step * quality_step(target.value)
    if target.kind == "snr":
        return max(math.sqrt(12 * energy * 10 ** (-target.value / 10)), 2.0**-90)
    few = np.ascontiguousarray(spread_tokens(aligned, PROVISIONAL_VALUES))
    bands, ones = np.zeros(len(few), np.uint8), np.ones(BANDS)
    wanted = target.value * few.size

    def bits(log_gain: float) -> float:
        return estimate(few, bands, ones * step * 2.0**log_gain, 1.0)

    return step * 2.0 ** _solve(bits, wanted) if few.size else step


def _solve(measure: Callable[[float], float], wanted: float) -> float:
    """The log2 gain at which a falling function of it crosses ``wanted``, by bisection."""
    low, high = MIN_LOG_GAIN, MAX_LOG_GAIN
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if measure(middle) > wanted:
            low = middle
        else:
            high = middle
    return high
