"""What a small sample of features costs under a layout: bits at equal error, with the transforms that suit it."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import LayoutAligner
from ..codec.buckets import BUCKETS, buckets_of
from ..codec.tables import code_lengths, frequencies_of
from ..codec.transform.basis import principal_basis
from ..codec.transform.contexts import (
    CLASSES,
    CONTEXT_OF,
    CONTEXTS,
    EXTRA_BITS,
    SUMS,
    SURROUNDINGS,
    magnitude_of,
)
from ..codec.transform.dct import forward_grid
from ..codec.transform.grids import Geometry
from ..codec.transform.token_order import TokenOrder
from ..codec.transform.universal_tables import universal_tables
from ..layouts import Layout
from .alignment import CHANNEL_TOKENS
from .layout_sample import Box, LayoutSample
from .levels import levels_for
from .principals import BASIS_TOKENS, BIT_WEIGHT, LARGEST_BASIS
from .quantize import DEAD_ZONE_ROUNDING, quantize
from .survey import is_sparse

__all__ = ["Extent", "layout_cost"]

STATISTICS_BITS, CLASS_BITS = 16.0, 2.0
"""Bits of a channel's statistics, where it has any, and of its class in a file, about."""

BASIS_BITS = 4.0
"""Bits of a number of a basis in a file, about."""

FITTED_BITS = 1 / (4 * math.log(2))
"""Bits per value that a basis of ``C`` channels seems to save on the ``N`` tokens that it is made from, times N / C."""

LEVEL_BITS = 1 / math.log(2)
"""Bits of a channel that its class seems to save on the tokens that it is made from."""

SMALLEST_BASIS, LARGEST_BLOCK = 4, 128
CONTINUED = 0.7
"""Share of what twice the channels save that twice as many again save."""

Values = NDArray[Any]


@dataclass(frozen=True)
class Extent:
    """How much there is of a tensor beyond the sample.

    Args:
        numel: values of the file's tensor.
        surveyed: values that transforms are chosen from.
    """

    numel: int
    surveyed: int


def layout_cost(sample: LayoutSample, layout: Layout, shape: Sequence[int], extent: Extent, step: float) -> float:
    """Bits per value, and errors at their worth in bits.

    Args:
        sample: of the tensor.
        layout: of one of its samples.
        shape: of one of its samples, whole.
        extent: of the whole tensor.
        step: of the quantiser, in normalised units.
    """
    aligner = LayoutAligner(layout)
    channels = aligner.size(shape)[1]
    source, tokens = (aligner.to_tokens(_stacked(boxes)) for boxes in (sample.fitted, sample.tested))
    geometry = Geometry(tokens.grids, layout.special)
    by_channel = extent.numel >= CHANNEL_TOKENS * channels and not is_sparse(source.matrix)
    offset = _offset(source.matrix, by_channel=by_channel)
    matrix = tokens.matrix - offset
    side = (CLASS_BITS + STATISTICS_BITS * by_channel) * channels / max(1, extent.numel)
    if not matrix.size:
        return side
    found = list(_ways(matrix, geometry))
    costs = [_coded(values, way, step) for values, way in found]
    best = min(range(len(costs)), key=costs.__getitem__)
    bits = costs[best]
    width = channels // max(1, aligner.groups(shape))
    if _has_basis(width, extent.surveyed // max(1, channels)):
        basis = _Basis.of(source.matrix - offset, aligner.groups(sample.tested[0].shape), width, step)
        values, way = found[best]
        turned = _coded(basis.forward(values), way, step)
        bits = min(bits, turned + basis.correction + BASIS_BITS * channels * width / extent.numel)
    return bits + side


def _stacked(boxes: list[Box]) -> Box | list[Box]:
    return np.stack(boxes) if len({box.shape for box in boxes}) == 1 else boxes


def _offset(matrix: Values, *, by_channel: bool) -> Values:
    """What is subtracted: nothing from sparse values, the mean of each channel or of all from others."""
    if not matrix.size or (not by_channel and is_sparse(matrix)):
        return np.zeros(1, np.float32)
    mean: Values = matrix.mean(axis=0) if by_channel else np.full(1, matrix.mean())
    return mean


def _ways(matrix: Values, geometry: Geometry) -> Iterator[tuple[Values, Geometry]]:
    """Without a transform of grids, and with it."""
    yield matrix, geometry
    if any(math.prod(grid) > 1 for grid in geometry.grids):
        spectral = replace(geometry, spectral=True)
        yield forward_grid(matrix, spectral), spectral


def _has_basis(width: int, tokens: int) -> bool:
    return SMALLEST_BASIS <= width <= LARGEST_BASIS and tokens >= BASIS_TOKENS * width


@dataclass(frozen=True)
class _Basis:
    """Bases of blocks of channels, within groups, as large as the sample suffices for.

    Args:
        blocks: their channels, and vectors as columns.
        correction: bits per value by which bases of whole groups would cost more, or less.
    """

    blocks: Sequence[tuple[slice, Values]]
    correction: float

    @classmethod
    def of(cls, matrix: Values, groups: int, width: int, step: float) -> _Basis:
        """Bases of a sample ``[N, C]`` with so many groups, of a tensor whose groups are so wide."""
        there = matrix.shape[1] // groups
        size = max(1, min(LARGEST_BLOCK, len(matrix) // BASIS_TOKENS, there))
        count = groups * math.ceil(there / size)
        edges = [number * matrix.shape[1] // count for number in range(count + 1)]
        blocks, gained = [], 0.0
        for start, stop in itertools.pairwise(edges):
            wide = np.ascontiguousarray(matrix[:, start:stop])
            covariance = np.asarray(wide.T @ wide / len(wide), np.float64)
            rows, variances = principal_basis(covariance)
            blocks.append((slice(start, stop), rows.T.astype(matrix.dtype)))
            if not start:
                gained = _halved(covariance, step) - _rate(variances, step) - FITTED_BITS * size / (2 * len(matrix))
        further = max(0.0, gained) * (math.log2(width / size) if size > 1 else 0.0) * CONTINUED
        return cls(blocks, FITTED_BITS * size / len(matrix) - further)

    def forward(self, values: Values) -> Values:
        """Tokens ``[N, C]`` to coefficients."""
        return np.concatenate([values[:, block] @ vectors for block, vectors in self.blocks], axis=1)


def _halved(covariance: NDArray[np.float64], step: float) -> float:
    """The same in two bases, of half the channels each."""
    middle = len(covariance) // 2
    parts = (covariance[:middle, :middle], covariance[middle:, middle:])
    return _rate(np.concatenate([np.linalg.eigvalsh(part) for part in parts if part.size]), step)


def _rate(variances: NDArray[Any], step: float) -> float:
    """Bits per normal value of these variances at a step's error."""
    return float(np.mean(np.log2(1 + 12 * np.maximum(variances, 0) / step**2))) / 2


def _coded(values: Values, geometry: Geometry, step: float) -> float:
    """Bits per coefficient with the universal tables, and the mean squared error in squared steps at its worth.

    Args:
        values: of samples that have one grid ``[N, K]``.
        geometry: of the samples.
        step: of the quantiser.
    """
    if not values.size:
        return 0.0
    scaled = np.ascontiguousarray(values) * np.float32(1 / step)
    indices = quantize(scaled, 1.0, DEAD_ZONE_ROUNDING)
    error = float(np.mean(np.square(scaled - indices)))
    buckets = buckets_of(indices)
    order = geometry.orders[0]
    levels = levels_for(indices, geometry.bands)
    contexts = _contexts(order, magnitude_of(buckets))
    of_bands = levels.level + levels.bands[order.bands].astype(np.int32)
    classes = np.clip(levels.channels + of_bands[:, None], 0, CLASSES - 1)[order.tokens]
    coded = buckets.reshape(-1, len(order.bands), buckets.shape[1])[:, order.tokens]
    bits = float(_lengths()[classes * CONTEXTS + contexts, coded].mean(dtype=np.float64))
    return bits + LEVEL_BITS / len(values) + error / BIT_WEIGHT


def _contexts(order: TokenOrder, magnitudes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Context of every symbol ``[S, T, K]``, tokens in the order in which they are coded [CAUF-0215]."""
    by_sample = magnitudes.reshape(-1, len(order.bands), magnitudes.shape[1])
    known = np.concatenate([by_sample, np.zeros_like(by_sample[:, :1])], axis=1)
    around = known[:, order.neighbours[0]]
    for neighbours in order.neighbours[1:]:
        around += known[:, neighbours]
    near = np.repeat(order.near, [len(part.tokens) for part in order.passes])
    base = (order.neighbours >= 0).sum(axis=0) * SUMS + near * SURROUNDINGS
    contexts: NDArray[np.uint8] = CONTEXT_OF.ravel()[around + base[:, None]]
    return contexts


@functools.cache
def _lengths() -> NDArray[np.float32]:
    """Bits of every bucket in every context, ``[48 * 40, 64]``, by the universal tables."""
    table_of, tables = universal_tables()
    lengths = code_lengths(frequencies_of(tables)) + EXTRA_BITS
    return lengths[table_of.ravel()].astype(np.float32).reshape(-1, BUCKETS)
