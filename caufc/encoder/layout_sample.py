"""A small sample of a tensor on which its possible layouts are compared: boxes out of a few samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..coders.dtypes import to_floats
from .outliers import VALUE_RATIO
from .source import Source, SourceTensor

__all__ = ["Box", "LayoutSample", "boxes_of", "sample_of", "samples_of", "smoothness"]

PARTS, MOST_SAMPLES = 5, 256
"""Boxes are taken from so many samples at least and at most; one in so many is coded, statistics are of the others."""

ALONE = 4
"""So many times more values are in the box of a single sample."""

WHOLE_SAMPLES = 12
"""In so many samples the first token must be unlike others."""

SPREAD_VALUES, SPREAD_FEW = 1 << 20, 1 << 13
"""Samples of more values are not read whole; and of so many values the deviation is measured."""

FEWEST_PLACES = 6
"""On shorter axes nothing is said of neighbours."""

LARGEST, SMALLEST = 32.0, 1e-300
"""Deviations beyond which values count as no larger, and divisors at least."""

FAR = 16.0
"""Values so many times the median distance from the median count as no farther."""

HEAVY = 2.0
"""Times by which the deviation is larger than that of near values, where tails are so heavy that they count."""

APART_SHARE = 0.25
"""Of values, so many are apart at most."""

MOST_SHARE = 0.5
"""Of a place along an axis, beyond which all of it is."""

Box = NDArray[Any]


@dataclass(frozen=True)
class LayoutSample:
    """What layouts are compared on: boxes out of samples, one each, of whole or cut axes.

    Args:
        fitted: boxes that statistics are made from, normalised.
        tested: boxes that are coded, of one shape; of other samples, if there are several.
    """

    fitted: list[Box]
    tested: list[Box]


def sample_of(source: Source, tensor: SourceTensor, values: int, whole: Sequence[int] = ()) -> LayoutSample:
    """A sample whose boxes are cut to about equal lengths of all axes.

    Args:
        source: the input.
        tensor: one of its tensors, of floats, with values.
        values: most of them that are coded.
        whole: axes that are not cut.
    """
    each = max(1, tensor.numel // source.samples)
    picked = _picked(source, tensor, max(PARTS, min(MOST_SAMPLES, PARTS * values // each)))
    common = tuple(map(min, zip(*(tensor.shape(sample) for sample in picked), strict=True)))
    lengths = _lengths(common, values * (ALONE if len(picked) == 1 else 1), whole)
    boxes = [_box(tensor, sample, lengths) for sample in picked]
    rest = _Rest.of(_spread(tensor, picked, boxes))
    boxes = [_normalised(box, rest) for box in boxes]
    if len(boxes) == 1:
        return LayoutSample(boxes, boxes)
    tested = boxes[len(boxes) // 2 % PARTS :: PARTS]
    fitted = [box for number, box in enumerate(boxes) if number % PARTS != len(boxes) // 2 % PARTS]
    return LayoutSample(fitted, [box for box in tested if box.shape == tested[0].shape])


def _picked(source: Source, tensor: SourceTensor, count: int) -> list[int]:
    """So many samples that hold something, evenly spread."""
    numbers = range(source.samples)
    present = numbers if tensor.stacked else [number for number in numbers if math.prod(tensor.shape(number))]
    count = min(count, len(present))
    return [present[number * len(present) // count] for number in range(count)]


def boxes_of(source: Source, tensor: SourceTensor, values: int, count: int) -> list[Box]:
    """Boxes out of so many samples, with so many values each at most, without outliers."""
    picked = _picked(source, tensor, count)
    boxes = (_box(tensor, sample, _lengths(tensor.shape(sample), values, ())) for sample in picked)
    return [_Rest.of(box).of_values(box) for box in boxes]


def samples_of(source: Source, tensor: SourceTensor, values: int, axis: int) -> list[Box]:
    """Some samples, whole along one axis and cut along others, with so many values each at most."""
    picked = _picked(source, tensor, WHOLE_SAMPLES)
    common = tuple(map(min, zip(*(tensor.shape(sample) for sample in picked), strict=True)))
    return [_box(tensor, sample, _lengths(common, values, (axis,))) for sample in picked]


def _box(tensor: SourceTensor, sample: int, lengths: Sequence[int | None]) -> Box:
    """A box out of a sample, off the middle: on the diagonal of its last two axes attention is not typical."""
    shape = tensor.shape(sample)
    places = (0.5, 0.5, 0.5, 0.5, 0.5, 0.75, 0.25)[-len(shape) :] if len(shape) > 1 else (0.5,)
    cuts = tuple(_cut(*axis) for axis in zip(shape, lengths, places, strict=True))
    if tensor.stacked:
        block = tensor.leaves[0].rows(sample, sample + 1)[0]
    elif shape:
        block, cuts = tensor.leaves[sample].rows(cuts[0].start, cuts[0].stop), (slice(None), *cuts[1:])
    else:
        block = tensor.leaves[sample].read()
    return _floats(block[cuts], tensor.dtype)


def _spread(tensor: SourceTensor, picked: Sequence[int], boxes: Sequence[Box]) -> Box:
    """Values from all over the samples; from the boxes where samples are large."""
    if max(math.prod(tensor.shape(sample)) for sample in picked) > SPREAD_VALUES:
        return np.concatenate([box.ravel() for box in boxes])
    parts = []
    for sample in picked:
        flat = np.ravel(tensor.block(sample, sample + 1)[0])
        parts.append(_floats(flat[:: 1 + len(flat) * len(picked) // SPREAD_FEW], tensor.dtype))
    return np.concatenate(parts)


def _floats(values: Box, dtype: str) -> Box:
    """Finite float64 values, others 0."""
    with np.errstate(invalid="ignore"):
        floats = to_floats(np.ascontiguousarray(values), dtype).astype(np.float64)
    return np.nan_to_num(floats, nan=0.0, posinf=0.0, neginf=0.0)


def _cut(size: int, length: int | None, place: float) -> slice:
    if length is None:
        return slice(0, size)
    start = int((size - length) * place)
    return slice(start, start + length)


def _lengths(sizes: Sequence[int], values: int, whole: Sequence[int]) -> list[int | None]:
    """Equal lengths of all axes, as far as there are so many; None for those that are not cut."""
    left = max(1, values // math.prod(max(1, sizes[axis]) for axis in whole))
    free = sorted((axis for axis in range(len(sizes)) if axis not in whole), key=sizes.__getitem__)
    lengths: list[int | None] = [None] * len(sizes)
    for place, axis in enumerate(free):
        length = min(sizes[axis], max(1, int(left ** (1 / (len(free) - place)))))
        lengths[axis], left = length, max(1, left // max(1, length))
    return lengths


@dataclass(frozen=True)
class _Rest:
    """What values are without those that are apart, as an encoder stores them exactly.

    Args:
        centre: the median.
        limit: from the centre; infinite where more than a few are beyond what would be.
        unit: the deviation from the centre, values far out counted as near; 1 if there is none.
    """

    centre: float
    limit: float
    unit: float

    @classmethod
    def of(cls, values: Box) -> _Rest:
        """Of a sample of values."""
        centre = float(np.median(values)) if values.size else 0.0
        distances = np.abs(values - centre)
        present = distances[distances > 0]
        if not present.size:
            return cls(centre, math.inf, 1.0)
        typical = float(np.median(present))
        limit = VALUE_RATIO * typical
        if np.count_nonzero(distances > limit) > APART_SHARE * distances.size:
            limit = math.inf
        near, whole = _size(np.minimum(distances, FAR * typical)), _size(distances[distances <= limit])
        unit = whole if whole > HEAVY * near else near
        return cls(centre, limit, unit if math.isfinite(unit) and unit > 0 else 1.0)

    def apart(self, values: Box) -> NDArray[np.bool_]:
        """Which values are, and all of places along an axis where most are, such as outlying channels."""
        found: NDArray[np.bool_] = np.abs(values - self.centre) > self.limit
        if found.ndim < 2 or not found.any():
            return found
        axes = range(found.ndim)
        shares = [found.mean(axis=tuple(axis for axis in axes if axis != own), keepdims=True) for own in axes]
        for share in shares:
            found |= share > MOST_SHARE
        return found

    def of_values(self, values: Box) -> Box:
        """Values, those that are apart in the centre."""
        return np.where(self.apart(values), self.centre, values)


def _size(distances: Box) -> float:
    """Their root mean square, in whatever magnitude."""
    largest = float(distances.max(initial=0.0))
    return math.sqrt(float(np.mean(np.square(distances / largest)))) * largest if largest > 0 else 0.0


def _normalised(box: Box, rest: _Rest) -> Box:
    """A box in units of the rest; one that is apart as a whole in its own."""
    if np.count_nonzero(rest.apart(box)) > APART_SHARE * box.size:
        rest = _Rest.of(box)
    return np.clip(rest.of_values(box) / rest.unit, -LARGEST, LARGEST).astype(np.float32)


def smoothness(box: Box) -> list[float]:
    """Of every axis: how much more alike neighbours are than any two places; about 0 along channels, 1 at most.

    Means of places are taken out, so that channels whose means differ do not count as unlike each other.
    """
    found, box = [], box / max(float(np.abs(box).max(initial=0)), SMALLEST)
    for axis, size in enumerate(box.shape):
        rows = np.moveaxis(box, axis, 0).reshape(size, -1)
        centred = rows - rows.mean(axis=1, keepdims=True) if rows.shape[1] > 1 else rows
        variance = float(centred.var(axis=0, dtype=np.float64).mean()) * size / max(1, size - 1)
        steps = float(np.mean(np.square(np.diff(centred, axis=0)), dtype=np.float64)) if size > 1 else 0.0
        found.append(1 - steps / (2 * variance) if variance > 0 and size >= FEWEST_PLACES else math.nan)
    return found
