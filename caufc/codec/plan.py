"""The transform codec's decisions, made on a sample of the file: reconstruction points, classes, contexts, tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Arrays
from .bucket import BUCKETS, bucket_of, zigzag
from .clustering import choose_classes, choose_tables, table_bits, trivial_map
from .context import NEIGHBOURHOODS, context_counts
from .geometry import Geometry
from .quantize import best_shift, dequantize, quantize
from .transform_codec import CLASSES, CONTEXT_MAP, DEAD_ZONE_ROUNDING, NEAREST_ROUNDING, TABLES

__all__ = ["TransformPlan", "bounded_values", "estimate", "plan", "quantization_error", "sample_bits"]

SECTION_BITS = 8 * 40
"""What contexts must save at least: the frame and bytes of their map."""

Bytes = NDArray[np.uint8]
Classes = NDArray[np.uint8]


@dataclass(frozen=True)
class TransformPlan:
    """Decisions for one tensor: the reconstruction shift, and section arrays."""

    shift: int
    sections: Arrays


def plan(aligned: NDArray[Any], geometry: Geometry, step: float, scale: float, *, bounded: bool) -> TransformPlan:
    """Choose reconstruction points, classes, contexts and tables from a sample.

    Args:
        aligned: sample ``[N, C]``.
        geometry: of the sample.
        step: quantiser step, gain included.
        scale: how many times more values the file has than the sample.
        bounded: round to the nearest and reconstruct in the middle, so that no error exceeds half a step.
    """
    indices = quantize(aligned, step, NEAREST_ROUNDING if bounded else DEAD_ZONE_ROUNDING)
    shift = 0 if bounded else best_shift(aligned, indices, step)
    buckets = bucket_of(np.ascontiguousarray(zigzag(indices)))
    classes = choose_classes(_channel_counts(buckets), scale)
    return TransformPlan(shift, _sections(buckets, classes, geometry, scale))


def _sections(buckets: Bytes, classes: Classes, geometry: Geometry, scale: float) -> Arrays:
    """The cheaper of tables by class and tables by context."""
    counts = context_counts(buckets, classes, geometry)
    table_of, levels = choose_tables(counts, scale)
    kinds = len(counts) // NEIGHBOURHOODS
    plain_counts = counts.reshape(kinds, NEIGHBOURHOODS, BUCKETS).sum(axis=1)
    plain_of, plain = choose_tables(plain_counts, scale)
    spent = 8 * levels[levels > 0].size + SECTION_BITS - 8 * plain[plain > 0].size
    saved = (table_bits(plain_counts, plain_of, plain) - table_bits(counts, table_of, levels)) * scale
    sections: dict[int, NDArray[Any]] = {CLASSES: classes} if classes.any() else {}
    if saved > spent:
        return {**sections, TABLES: levels.ravel(), CONTEXT_MAP: table_of}
    by_table = plain_of[classes]
    return {CLASSES: by_table, TABLES: plain.ravel()} if by_table.any() else {TABLES: plain.ravel()}


def _channel_counts(buckets: Bytes) -> NDArray[np.int64]:
    """Counts of buckets per channel ``[C, 64]`` of buckets ``[N, C]``."""
    channels = buckets.shape[1]
    keys = buckets + np.arange(channels, dtype=np.int32) * BUCKETS
    return np.bincount(keys.ravel(), minlength=channels * BUCKETS).reshape(channels, BUCKETS)


def estimate(aligned: NDArray[Any], step: float, scale: float) -> float:
    """Bits that a file takes at a step, about: from a sample ``[N, C]``, by classes alone, sections not counted."""
    buckets = bucket_of(np.ascontiguousarray(zigzag(quantize(aligned, step, DEAD_ZONE_ROUNDING))))
    counts = _channel_counts(buckets)
    classes = choose_classes(counts, scale)
    by_class = np.zeros((int(classes.max(initial=0)) + 1, BUCKETS), np.int64)
    np.add.at(by_class, classes, counts)
    return table_bits(by_class, *choose_tables(by_class, scale)) * scale


def sample_bits(aligned: NDArray[Any], geometry: Geometry, step: float, arrays: Arrays) -> float:
    """Bits that a sample ``[N, C]`` takes with given sections."""
    buckets = bucket_of(np.ascontiguousarray(zigzag(quantize(aligned, step, DEAD_ZONE_ROUNDING))))
    levels = arrays[TABLES].reshape(-1, BUCKETS)
    classes = arrays.get(CLASSES, np.zeros(aligned.shape[1], np.uint8))
    table_of = arrays.get(CONTEXT_MAP, trivial_map(len(levels)))
    counts = context_counts(buckets, classes, geometry)
    return table_bits(counts, table_of[: len(counts)], levels)


def bounded_values(aligned: NDArray[Any], step: float) -> NDArray[Any]:
    """What a sample decodes to when every value is rounded to the nearest reconstruction point."""
    return dequantize(quantize(aligned, step, NEAREST_ROUNDING), step, 0, aligned.dtype)


def quantization_error(aligned: NDArray[Any], step: float, scales: NDArray[Any]) -> float:
    """Sum of squared errors of a sample ``[N, C]`` at a step, in the units that ``scales`` give."""
    indices = quantize(aligned, step, DEAD_ZONE_ROUNDING)
    shift = best_shift(aligned, indices, step)
    error = (dequantize(indices, step, shift, aligned.dtype) - aligned) * scales
    return float(np.sum(error.astype(np.float64) ** 2))
