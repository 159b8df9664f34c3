"""Coefficients to indices: rounding, dead zones by what indices cost, and where reconstruction points lie.

An encoder's freedom: any indices decode. Thresholds by cost are rate-distortion optimised quantisation (RDOQ).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec import kernels
from ..codec.kernels.pieces import in_one_piece
from ..codec.transform.codec import alike
from ..codec.transform.quantize import MAX_INDEX, SHIFT_PARTS
from .trellis_search import dependent_quantize

__all__ = [
    "DEAD_ZONE_ROUNDING",
    "NEAREST_ROUNDING",
    "IndexQuantizer",
    "best_shift",
    "dead_zones",
    "quantize",
    "quantize_tokens",
]

DEAD_ZONE_ROUNDING = 0.45
"""Where magnitudes are rounded down to the next index: a little beyond the middle between two; chosen by hand."""

NEAREST_ROUNDING = 0.5

Values = NDArray[Any]


@dataclass(frozen=True)
class IndexQuantizer:
    """The quantiser that an encoder chose for a tensor.

    Args:
        dependent: whether indices are searched for by a trellis.
        bounded: whether all are rounded to the nearest.
        costs: of every band and coded channel ``[2, 16, K]``, in squared steps: what a magnitude of 1 costs more than
            0, and what every further one costs; None for nothing.
    """

    dependent: bool = False
    bounded: bool = False
    costs: Values | None = None

    def __call__(self, coefficients: Values, steps: NDArray[np.float64], bands: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Coefficients ``[N, K]`` of tokens in these bands ``[N]`` to indices, same shape."""
        inverse: Values | float = 1 / steps[0] if alike(steps, bands) else (1 / steps)[bands][:, None]
        if self.dependent:
            return dependent_quantize(coefficients, inverse, bands, self.costs)
        zones = None if self.costs is None else dead_zones(self.costs)
        rounding = NEAREST_ROUNDING if self.bounded else DEAD_ZONE_ROUNDING
        return quantize_tokens(coefficients, inverse, rounding, bands, zones)


def quantize_tokens(
    values: Values, inverse_steps: Values | float, rounding: float, bands: NDArray[np.uint8], zones: Values | None
) -> NDArray[np.int32]:
    """:func:`quantize` of tokens ``[N, K]`` in these bands ``[N]``, with thresholds of every band ``[16, K]``."""
    if kernels.quantizer is not None and values.dtype == np.float32:
        return _compiled(in_one_piece(values), inverse_steps, rounding, bands, zones)
    return quantize(values, inverse_steps, rounding, None if zones is None else zones[bands])


def _compiled(
    values: Values,
    inverse_steps: Values | float,
    rounding: float,
    bands: NDArray[np.uint8] | None,
    zones: Values | None,
) -> NDArray[np.int32]:
    """The same by the kernel, of a C-contiguous, aligned matrix."""
    indices = np.empty(values.shape, np.int32)
    with np.errstate(over="ignore"):
        inverse = np.ascontiguousarray(inverse_steps, np.float32).ravel()
    kernels.quantizer.quantize(
        values,
        inverse,
        None if bands is None else np.ascontiguousarray(bands),
        None if zones is None else np.ascontiguousarray(zones),
        rounding,
        indices,
        *values.shape,
    )
    return indices


def _one_step_a_row(values: Values, inverse_steps: Values | float) -> bool:
    """Whether the kernel takes them without thresholds: a matrix, with one step for all or one per row."""
    matrix = values.ndim == 2 and values.dtype == np.float32 and values.flags.carray
    return matrix and (np.ndim(inverse_steps) == 0 or np.shape(inverse_steps) == (len(values), 1))


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
    if kernels.quantizer is not None and thresholds is None and _one_step_a_row(values, inverse_steps):
        return _compiled(values, inverse_steps, rounding, None, None)
    kind = values.dtype.type
    with np.errstate(over="ignore", invalid="ignore"):
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
        costs: ``[2, ...]`` as :class:`IndexQuantizer` has them: 1 pays from ``2 u - 1 > costs[0]`` on.
    """
    zones: Values = (0.5 + costs[0] / 2).astype(np.float32)
    return zones


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
    codes = np.abs(points, dtype=scaled.dtype)
    coded = np.count_nonzero(codes)
    if not coded:
        return 0
    values = np.abs(scaled)
    with np.errstate(over="ignore", invalid="ignore"):
        missing = values - codes
        beyond = float(np.sum(missing * (codes != 0)))
        distance = beyond / coded
        if gain_share:
            for_energy = float(np.vdot(values, missing)) / (beyond + float(np.sum(codes)))
            distance += gain_share * (for_energy - distance)
    if not np.isfinite(distance):
        return 0
    return int(np.clip(np.rint(SHIFT_PARTS * distance), -SHIFT_PARTS // 2, SHIFT_PARTS // 2))
