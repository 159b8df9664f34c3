"""What a sample of a tensor decides at one gain: quantiser, reconstruction points, classes, contexts and tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..bitstream import section_bytes
from ..codec import kernels
from ..codec.buckets import BUCKETS, buckets_of, zigzag
from ..codec.transform.contexts import CLASSES, EXTENT, extents_of, magnitude_of
from ..codec.transform.grids import Geometry
from ..codec.transform.parameters import Parameters
from ..codec.transform.quantize import dequantize, points_of
from ..codec.transform.token_order import BANDS
from ..codec.transform.trellis import STEP_RATIO
from ..coders.sections import section_of
from ..types import Arrays
from .few_events import parts_of
from .levels import ClassLevels, index_costs, levels_for
from .quantize import (
    DEAD_ZONE_ROUNDING,
    NEAREST_ROUNDING,
    IndexQuantizer,
    best_shift,
    dead_zones,
    quantize,
    quantize_tokens,
)
from .tables import choose_tables, counts_by_context, file_tables, table_bits
from .trellis_search import dependent_quantize

__all__ = [
    "DEPENDENT_BITS",
    "DEPENDENT_BITS_OF_ERROR",
    "FEW_CHANNELS",
    "GAIN_SHARE",
    "QuantizedSample",
    "QuantizerKind",
    "SamplePlan",
    "bounded_values",
    "estimate",
    "plan_either",
    "plan_sample",
    "quantization_error",
    "quantize_sample",
    "section_cost",
]

GAIN_SHARE = 0.5
"""How far reconstruction points lie from centroids towards those that keep the features' energy; half-way, by trials.

What centroids alone would take: *reconstruction points* in ``tools/results/tools.md`` (``tools/measure/tools.py``).
"""

QuantizerKind = Literal["bounded", "plain", "dependent"]

DEPENDENT_BITS, DEPENDENT_BITS_OF_ERROR = 1.5, 0.75
"""Bits per coefficient from which dependent quantisation pays: where networks read features, and where errors count.

Set by trials at equal divergence of scores; what it buys: *dependence* in ``tools/results/tools.md``
(``tools/measure/tools.py``).
"""

FEW_CHANNELS = 8
"""With fewer, the first ones of a token, whose half is always 0, are too many for dependent quantisation."""

EXTENT_SHARE = 0.9
"""Extents pay where they rule out more than a tenth of the symbols: mostly in speed, as *what extents do for speed* in
``tools/results/tools.md`` shows (``tools/measure/tools.py``)."""

MOSTLY_SAMPLE = 2.0
"""Files of at most so many times a sample's values are mostly that sample, whose indices made their own classes."""

SECTION_FRAME = 6
"""Bytes of a section's frame: tag, length, checksum."""

Bytes = NDArray[np.uint8]
Values = NDArray[Any]
Counts = NDArray[np.int64]
Indices = NDArray[np.int32]


@dataclass(frozen=True)
class SamplePlan:
    """What a sample of a tensor decides at one gain.

    Args:
        parameters: the codec's scalars.
        levels: of the classes.
        tables: sections of own tables; none for the universal ones.
        quantizer: for the coder.
        bits: that the sample takes.
    """

    parameters: Parameters
    levels: ClassLevels
    tables: Arrays
    quantizer: IndexQuantizer
    bits: float

    @property
    def sections(self) -> Arrays:
        """Levels that say something, and tables."""
        return {**{kind: array for kind, array in self.levels.sections().items() if array.any()}, **self.tables}

    @property
    def whole_sections(self) -> Arrays:
        """All levels, and tables: what takes the place of a profile's."""
        return {**self.levels.sections(), **self.tables}


def plan_sample(
    coefficients: Values,
    geometry: Geometry,
    steps: Values,
    parameters: Parameters,
    scale: float,
    *,
    kind: QuantizerKind = "plain",
    gain_share: float = GAIN_SHARE,
    universal: bool = True,
) -> SamplePlan:
    """Choose quantiser, costs, reconstruction points, classes, contexts and tables from a sample.

    Args:
        coefficients: sample ``[N, K]``.
        geometry: of the sample.
        steps: of every band, gain included ``[16]``.
        parameters: step and transforms; the other fields are chosen here.
        scale: how many times more values the file has than the sample.
        kind: of the quantiser.
        gain_share: of reconstruction points: 0 for the smallest error, 1 for no loss of energy.
        universal: whether tables may be the universal ones.
    """
    found = quantize_sample(coefficients, geometry, steps, kind, gain_share)
    parameters = replace(parameters, shift=found.shift)
    return _modelled(found.indices, found.quantizer, parameters, geometry, scale, universal=universal)


def plan_either(
    coefficients: Values,
    geometry: Geometry,
    steps: Values,
    parameters: Parameters,
    scale: float,
    *,
    gain_share: float = GAIN_SHARE,
    dependent_from: float = DEPENDENT_BITS,
) -> SamplePlan:
    """The plan of the plain quantiser, or from a rate on of the dependent one with about the same error.

    Args:
        coefficients: sample ``[N, K]``.
        geometry: of the sample.
        steps: of every band, of the plain quantiser ``[16]``.
        parameters: step and transforms, of the plain quantiser.
        scale: how many times more values the file has than the sample.
        gain_share: of reconstruction points.
        dependent_from: bits per coefficient.
    """
    plain = plan_sample(coefficients, geometry, steps, parameters, scale, gain_share=gain_share)
    if coefficients.shape[1] < FEW_CHANNELS or plain.bits < dependent_from * coefficients.size:
        return plain
    parameters, steps = parameters.with_quantizer(dependent=True), steps * STEP_RATIO
    return plan_sample(coefficients, geometry, steps, parameters, scale, kind="dependent", gain_share=gain_share)


@dataclass(frozen=True)
class QuantizedSample:
    """A sample's indices ``[N, K]``, the quantiser that made them, and the shift of its reconstruction points."""

    indices: Indices
    quantizer: IndexQuantizer
    shift: int


def quantize_sample(
    coefficients: Values, geometry: Geometry, steps: Values, kind: QuantizerKind, gain_share: float = GAIN_SHARE
) -> QuantizedSample:
    """Quantise a sample as :func:`plan_sample` does.

    Args:
        coefficients: sample ``[N, K]``.
        geometry: of the sample.
        steps: of every band, of that kind of quantiser ``[16]``.
        kind: ``bounded`` rounds to the nearest and reconstructs in the middle, so that no error exceeds half a step;
            ``plain`` has dead zones by what indices cost; ``dependent`` searches a trellis.
        gain_share: of reconstruction points.
    """
    bands, inverse = geometry.bands, (1 / steps)[geometry.bands][:, None]
    if kind == "bounded":
        return QuantizedSample(quantize(coefficients, inverse, NEAREST_ROUNDING), IndexQuantizer(bounded=True), 0)
    alike = inverse * STEP_RATIO if kind == "dependent" else inverse
    rough = quantize(coefficients, alike, DEAD_ZONE_ROUNDING)
    costs = index_costs(rough, levels_for(rough, bands, parts_of(geometry)), bands)
    if kind == "plain":
        indices = quantize_tokens(coefficients, inverse, DEAD_ZONE_ROUNDING, bands, dead_zones(costs))
        points: Values = indices
    else:
        costs = costs / STEP_RATIO**2
        indices = dependent_quantize(coefficients, inverse, bands, costs)
        points = dependent_points(indices)
    shift = best_shift(coefficients * inverse.astype(coefficients.dtype), points, gain_share)
    return QuantizedSample(indices, IndexQuantizer(dependent=kind == "dependent", costs=costs), shift)


def _modelled(
    indices: Indices,
    quantizer: IndexQuantizer,
    parameters: Parameters,
    geometry: Geometry,
    scale: float,
    *,
    universal: bool,
) -> SamplePlan:
    """Classes, extents, contexts and tables for indices ``[N, K]``."""
    levels = levels_for(indices, geometry.bands, parts_of(geometry), scale)
    buckets = buckets_of(indices)
    magnitudes = magnitude_of(buckets)
    reach, extents = _reach(buckets, magnitudes, geometry) if len(geometry.heads) else (None, False)
    counts = _counts(buckets, magnitudes, reach if extents else None, levels, geometry, scale)
    sections, level, bits = file_tables(counts, levels, scale, universal=universal)
    chosen = replace(parameters, extents=extents, level=level, dependent=quantizer.dependent)
    return SamplePlan(chosen, levels, sections, quantizer, bits)


def _counts(
    buckets: Bytes, magnitudes: Bytes, reach: Bytes | None, levels: ClassLevels, geometry: Geometry, scale: float
) -> Counts:
    """Counts of buckets and extents by class and context, as the file will have them."""
    counts = counts_by_context(buckets, magnitudes, reach, levels.classes(), geometry)
    by_others = levels.classes_by_others() if scale > MOSTLY_SAMPLE else None
    if by_others is not None:
        symbols = counts_by_context(buckets, magnitudes, reach, by_others, geometry)
        counts[:, :EXTENT, 1:] = symbols[:, :EXTENT, 1:]
    return counts


def dependent_points(indices: NDArray[np.int32]) -> Values:
    """What dependent indices stand for, in steps."""
    return points_of(zigzag(indices), 1.0, 0, np.dtype(np.float32), dependent=True)


def _reach(buckets: Bytes, magnitudes: Bytes, geometry: Geometry) -> tuple[Bytes, bool]:
    """Extents ``[blocks, K]``, and whether they pay."""
    passes, channels = geometry.placement.passes, buckets.shape[1]
    total = channels * int((passes[1:, 1] - passes[1:, 0]).sum())
    if kernels.counts is None:
        reach = extents_of(magnitudes, geometry)
        live = sum(int(np.count_nonzero(reach[part.blocks] >= part.rank)) for part in geometry.passes[1:])
    else:
        reach = np.empty((len(geometry.heads), channels), np.uint8)
        any_class = np.zeros((BANDS, channels), np.uint8)
        live = kernels.counts.extents(buckets, geometry.placement, any_class, reach, channels)
    return reach, _extents_pay(live, total)


def _extents_pay(live: int, total: int) -> bool:
    return live < EXTENT_SHARE * total


def estimate(coefficients: Values, bands: Bytes, steps: Values, scale: float) -> float:
    """Bits that a file takes at given steps, about: from a sample ``[N, K]``, by classes alone, without sections."""
    inverse = (1 / steps)[bands][:, None]
    indices = quantize(coefficients, inverse, DEAD_ZONE_ROUNDING)
    classes = levels_for(indices, bands).classes()
    counts = _by_class(buckets_of(indices), bands, classes)
    table_of, tables = choose_tables(counts, scale)
    return table_bits(counts.reshape(-1, BUCKETS), table_of.ravel(), tables) * scale


def _by_class(buckets: Bytes, bands: Bytes, classes: Bytes) -> Counts:
    """Counts of buckets by class ``[48, 1, 64]``."""
    counts = np.zeros((CLASSES, 1, BUCKETS), np.int64)
    if kernels.counts is not None:
        kernels.counts.by_class(buckets, np.ascontiguousarray(bands), classes, counts, *buckets.shape)
        return counts
    for band in np.unique(bands):
        keys = classes[band].astype(np.int64) * BUCKETS + buckets[bands == band]
        counts += np.bincount(keys.ravel(), minlength=counts.size).reshape(counts.shape)
    return counts


def quantization_error(coefficients: Values, bands: Bytes, steps: Values) -> Values:
    """What quantisation at given steps adds to a sample ``[N, K]``."""
    inverse = (1 / steps)[bands][:, None]
    indices = quantize(coefficients, inverse, DEAD_ZONE_ROUNDING)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = coefficients * inverse.astype(coefficients.dtype)
    shift = best_shift(scaled, indices)
    error: Values = points_of(zigzag(indices), steps[bands][:, None], shift, coefficients.dtype, dependent=False)
    error -= coefficients
    return error


def bounded_values(aligned: Values, step: float) -> Values:
    """What a sample decodes to when every value is rounded to the nearest reconstruction point."""
    return dequantize(quantize(aligned, 1 / step, NEAREST_ROUNDING), step, 0, aligned.dtype)


def section_cost(arrays: Arrays) -> int:
    """Bytes of integer arrays as sections of a file."""
    return sum(len(section_bytes(section_of(0, name, array))) + SECTION_FRAME for name, array in arrays.items())
