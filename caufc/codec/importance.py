"""Blind importance: steps by frequency and kind of token, from what networks mostly do with features.

Layers behind a tap mostly pool, average or read a special token, so errors there weigh more than errors of high
frequencies; far more where it is known that nothing else is read. Task-aware steps come from a profile instead.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .geometry import Geometry
from .order import BAND_STARTS, BANDS, FREQUENCY_BANDS
from .transform_codec import STEP_PARTS

__all__ = ["blind_steps", "flat_steps", "read_bands"]

EXPONENT = 0.5
LOWEST = 0.12
MEAN_WEIGHT = 8.0
FIRST_TOKEN_WEIGHT = 6.0
OTHER_TOKENS_WEIGHT = 2.0

UNREAD = 64.0
"""Steps of what is not read, in steps of what is."""

Codes = NDArray[np.int8]


def flat_steps() -> Codes:
    """Equal steps: equal errors, the best SNR."""
    return np.zeros(BANDS, np.int8)


def read_bands(reads: str) -> list[int]:
    """Bands that are read; none where it is all of them."""
    return {"mean": [0, FREQUENCY_BANDS, FREQUENCY_BANDS + 1], "first": [FREQUENCY_BANDS]}.get(reads, [])


def blind_steps(geometry: Geometry, reads: str = "tokens") -> Codes:
    """Step codes of every band ``[16]``, in eighths of octaves.

    Args:
        geometry: of the coefficients.
        reads: ``tokens``, ``mean`` or ``first``.
    """
    steps = _steps_of_all(geometry) if reads == "tokens" else _steps_of_some(read_bands(reads))
    codes: Codes = np.rint(STEP_PARTS * np.log2(steps)).astype(np.int8)
    return codes


def _steps_of_some(read: list[int]) -> NDArray[np.float64]:
    steps = np.full(BANDS, UNREAD)
    steps[read] = 1
    return steps


def _steps_of_all(geometry: Geometry) -> NDArray[np.float64]:
    steps = np.ones(BANDS)
    if geometry.spectral and any(math.prod(grid) > 1 for grid in geometry.grids):
        radii = _radii(geometry)
        steps[:FREQUENCY_BANDS] = (LOWEST + radii) ** EXPONENT
        steps[0] /= MEAN_WEIGHT
    steps[FREQUENCY_BANDS] = 1 / FIRST_TOKEN_WEIGHT
    steps[FREQUENCY_BANDS + 1] = 1 / OTHER_TOKENS_WEIGHT
    return steps


def _radii(geometry: Geometry) -> NDArray[np.float64]:
    """Normalised frequency in the middle of every band of a typical sample: 1 is an axis's highest."""
    grids = sorted(geometry.grids, key=math.prod)
    rows, columns = (1, 1, *grids[len(grids) // 2])[-2:]
    middles = np.array(BAND_STARTS, np.float64)
    middles[1:-1] += np.diff(middles[1:]) / 2 - 0.5
    if rows <= 1:
        return np.minimum(middles / max(1, columns), 1.5)
    return np.minimum(middles / 2 * math.hypot(1 / rows, 1 / max(1, columns)), 1.5)
