"""The dead-zone uniform quantiser, and what indices of either quantiser stand for (spec, section 9)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bucket import LIMIT

__all__ = ["MAX_INDEX", "SHIFT_PARTS", "best_shift", "dead_zones", "dequantize", "quantize"]

SHIFT_PARTS = 64
MAX_INDEX = LIMIT // 2 - 8
"""The largest index that float32 holds exactly and whose symbol lies below the limit."""

Values = NDArray[Any]


def quantize(
    values: Values, inverse_steps: Values | float, rounding: float, thresholds: Values | None = None
) -> NDArray[np.int32]:
    """Values to indices: ``sign(a) * floor(|a| / step + rounding)``, same shape and memory order.

    Args:
        values: finite.
        inverse_steps: 1 over the distance of two reconstruction points, broadcastable.
        rounding: 0.5 rounds to the nearest; less widens the dead zone around zero.
        thresholds: in steps; smaller magnitudes become 0, whatever the rounding says; broadcastable.

    Indices are clipped to 27 bits; what that changes, exact storage must mend.
    """
    kind = values.dtype.type
    with np.errstate(over="ignore"):
        scaled = values * np.asarray(inverse_steps, values.dtype)
    magnitude: Values = np.abs(scaled)
    small = None if thresholds is None else magnitude < thresholds
    magnitude += kind(rounding)
    np.fmin(magnitude, kind(MAX_INDEX), out=magnitude)
    np.floor(magnitude, out=magnitude)
    if small is not None:
        magnitude[small] = 0
    np.copysign(magnitude, scaled, out=magnitude)
    indices: NDArray[np.int32] = magnitude.astype(np.int32)
    return indices


def dead_zones(costs: Values) -> Values:
    """Smallest magnitudes, in steps, that are worth their cost, same shape but for the first axis.

    Args:
        costs: ``[2, ...]`` as :class:`TransformCodec` has them: 1 pays from ``2 u - 1 > costs[0]`` on.
    """
    zones: Values = (0.5 + costs[0] / 2).astype(np.float32)
    return zones


def dequantize(
    indices: NDArray[np.int32],
    steps: Values | float,
    shift: int,
    dtype: np.dtype[Any],
    halves: NDArray[np.uint8] | None = None,
) -> NDArray[Any]:
    """Indices to values: ``(q + sign(q) * (shift - 32 * half) / 64) * step`` in ``dtype`` [CAUF-0220].

    Args:
        indices: any shape.
        steps: distance of two reconstruction points, broadcastable.
        shift: how far reconstruction points of non-zero indices lie beyond the middle, in 64ths of a step.
        dtype: float32 or float64.
        halves: of dependent indices, same shape.
    """
    values = indices.astype(dtype)
    if halves is not None:
        values += np.sign(values) * (dtype.type(shift / SHIFT_PARTS) - dtype.type(0.5) * halves)
    elif shift:
        values += np.sign(values) * dtype.type(shift / SHIFT_PARTS)
    with np.errstate(over="ignore"):
        values *= np.asarray(steps, dtype)
    return values


def best_shift(scaled: Values, points: Values, gain_share: float = 0.0) -> int:
    """The shift with the smallest error, or one that keeps more of the values' size.

    Points at the centroids of the values that they stand for have the smallest error, but shrink features as a whole:
    small values become 0 and nothing makes up for them. Farther out, the products of values and what they become add
    up to the values' energy; then errors do not follow the values, as a network that reads them would notice.

    Args:
        scaled: values in steps, same shape as ``points``.
        points: what they were quantised to, in steps: indices, but for those of half 1.
        gain_share: 0 for centroids, 1 for points that keep all of the energy; between, in proportion.
    """
    coded = np.flatnonzero(points)
    if not len(coded):
        return 0
    values, codes = np.abs(scaled.ravel()[coded]), np.abs(points.ravel()[coded])
    with np.errstate(over="ignore", invalid="ignore"):
        distance = float(np.mean(values - codes))
        if gain_share:
            distance += gain_share * (_energy_distance(scaled.ravel(), values, codes) - distance)
    if not np.isfinite(distance):
        return 0
    return int(np.clip(np.rint(SHIFT_PARTS * distance), -SHIFT_PARTS // 2, SHIFT_PARTS // 2))


def _energy_distance(scaled: Values, values: Values, codes: Values) -> float:
    """How far beyond the codes points must lie for the products of values and points to have the values' energy."""
    energy = float(np.einsum("i,i", scaled, scaled, dtype=np.float64))
    kept = float(np.einsum("i,i", values, codes, dtype=np.float64))
    return (energy - kept) / float(np.sum(values, dtype=np.float64))
