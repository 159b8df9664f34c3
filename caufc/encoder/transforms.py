"""Which transforms a tensor gets: the cheapest in weighted distortion and rate, on a thin sample."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bitstream import section_bytes
from ..codec.transform.basis import ChannelTransform, QuantizedRows, principal_basis, quantize_rows
from ..codec.transform.dct import forward_grid
from ..codec.transform.grids import Geometry
from ..codec.transform.parameters import BAND_STEPS, BASIS, BASIS_SCALES
from ..codec.transform.token_order import FREQUENCY_BANDS
from ..coders.sections import section_of
from ..types import Arrays
from .importance import Importance, flat_steps
from .sample_plan import estimate, quantization_error

__all__ = ["Transforms", "choose_transforms"]

Values = NDArray[Any]
Codes = NDArray[np.int8]

BIT_WEIGHT = 2 * math.log(2) / 12
"""Squared steps that a bit is worth at high rate."""

THIN_VALUES = 1 << 16
BASIS_TOKENS = 5
"""Tokens per channel that a basis must be made from, or it would follow noise; chosen by hand."""

MAX_BASIS_CHANNELS = 2048
FINER_OCTAVES = (0, 1, 2)
"""How much finer steps may be where there is no grid transform, whose means get finer steps of their own."""

NEVER_CODED = 0.2
"""Basis vectors whose deviation is below this share of the finest step only code zeros."""

FINEST_BITS, COARSEST_BITS = 8, 2
MARGINS = range(6, -4, -1)
"""Bits of a basis vector's codes beyond the octaves that its deviation is above the finest step."""

FEW_VALUES = 512
"""Values below which a comparison says nothing."""

PLAIN_MARGIN = 1.02
"""A transform must save more than this share of cost: samples are small. What transforms buy: *grid transform* and
*basis* in ``tools/results/tools.md`` (``tools/measure/tools.py``)."""


@dataclass(frozen=True)
class Transforms:
    """A choice of transforms.

    Args:
        spectral: whether grids are transformed.
        basis: of channels; None for none.
        steps: step codes of every band ``[16]``.
    """

    spectral: bool = False
    basis: QuantizedRows | None = None
    steps: Codes | None = None

    def sections(self) -> Arrays:
        """As sections."""
        found: dict[str, Values] = {}
        if self.steps is not None and self.steps.any():
            found[BAND_STEPS] = self.steps
        if self.basis is not None:
            found |= {BASIS: self.basis.codes.ravel(), BASIS_SCALES: self.basis.scales}
        return found


def choose_transforms(
    aligned: Values, geometry: Geometry, step: float, total: float, importance: Importance, *, embedded: bool = True
) -> Transforms:
    """Choose transforms for a sample ``[M, C]``.

    Args:
        aligned: sample.
        geometry: of the sample, not spectral.
        step: at the wanted rate.
        total: number of values in the file.
        importance: of errors by band of frequencies and direction.
        embedded: whether a basis takes bytes of the file, so that vectors that code little may be coarse.
    """
    plain = Transforms(False, None, _plain_steps(importance.steps, 0))
    if aligned.size < FEW_VALUES:
        return plain
    thin, thin_geometry = _thinned(aligned, geometry)
    principal = _principal(aligned, step, importance)
    finest = None if principal is None else quantize_rows(principal.rows)
    judge = _Judge(thin, thin_geometry, importance.steps, finest, step, total)
    scored = list(judge.candidates())
    best_plain = min((pair for pair in scored if not pair[1].spectral and pair[1].basis is None), key=itemgetter(0))
    best = min(scored, key=itemgetter(0))
    if embedded and principal is not None and best[1].basis is not None:
        best = judge.coarser(principal, *best)
    return best[1] if best[0] * PLAIN_MARGIN < best_plain[0] else best_plain[1]


def _plain_steps(weights: Codes, finer: int) -> Codes:
    """Step codes without a grid transform: one for the grid, and those of special tokens."""
    steps = weights.copy()
    steps[:FREQUENCY_BANDS] = -8 * finer
    return steps


def _thinned(aligned: Values, geometry: Geometry) -> tuple[Values, Geometry]:
    """Every so-many-th sample; at least one."""
    stride = max(1, min(len(geometry.grids), aligned.size // THIN_VALUES))
    ends = np.cumsum([0, *geometry.sizes])
    picked = range(0, len(geometry.grids), stride)
    rows = [aligned[ends[number] : ends[number + 1]] for number in picked]
    return np.concatenate(rows), replace(geometry, grids=tuple(geometry.grids[number] for number in picked))


@dataclass(frozen=True)
class _Principal:
    """The Karhunen-Loeve basis, longer where errors weigh less, without vectors that would only code zeros.

    Args:
        rows: ``[K, C]``.
        octaves: that deviations are above the finest step ``[K]``.
    """

    rows: NDArray[np.float64]
    octaves: NDArray[np.float64]

    def quantized(self, margin: int) -> QuantizedRows:
        """As coarse as the deviations allow: what a vector's codes miss of it costs others bits."""
        bits = np.ceil(self.octaves).astype(np.int64) + margin
        return quantize_rows(self.rows, np.clip(bits, COARSEST_BITS, FINEST_BITS))


def _principal(aligned: Values, step: float, importance: Importance) -> _Principal | None:
    tokens, channels = aligned.shape
    if channels < 4 or channels > MAX_BASIS_CHANNELS or tokens < BASIS_TOKENS * channels:
        return None
    wide = np.ascontiguousarray(aligned)
    rows, variances = principal_basis(np.asarray(wide.T @ wide / tokens, np.float64))
    scales = importance.scales(variances)
    finest = step * 2.0 ** (int(importance.steps.min()) / 8) * scales
    kept = max(1, int(np.count_nonzero(variances > (NEVER_CODED * finest) ** 2)))
    shares = np.maximum(np.sqrt(variances) / finest, NEVER_CODED)
    return _Principal((rows * scales[:, None])[:kept], np.log2(shares[:kept]))


class _Judge:
    """Costs of candidates in weighted distortion and rate.

    Args:
        thin: sample; a basis may make fewer values of it.
        geometry: of the sample, not spectral.
        weights: step codes in which distortion is measured, band by band of frequencies ``[16]``.
        finest: basis in whose coefficients it is measured; None for channels.
        step: at the wanted rate.
        total: values of the file.
    """

    def __init__(
        self,
        thin: Values,
        geometry: Geometry,
        weights: Codes,
        finest: QuantizedRows | None,
        step: float,
        total: float,
    ) -> None:
        self.thin, self.geometry, self.weights, self.step, self.total = thin, geometry, weights, step, total
        self.finest = finest
        self.directions = None if finest is None else ChannelTransform(finest)
        self.spectral = replace(geometry, spectral=True)
        self.frequencies = forward_grid(thin, self.spectral)
        self.unit = self._steps(weights)

    def _steps(self, codes: Codes) -> NDArray[np.float64]:
        steps: NDArray[np.float64] = self.step * np.exp2(codes / 8)
        return steps

    def candidates(self) -> Iterator[tuple[float, Transforms]]:
        """(cost, choice) of all that may be."""
        has_grid = any(math.prod(grid) > 1 for grid in self.geometry.grids)
        for basis in (None,) if self.finest is None else (None, self.finest):
            if has_grid:
                yield self._costed(Transforms(True, basis, self.weights))
            uneven = has_grid and bool(self.weights[:FREQUENCY_BANDS].any())
            for finer in FINER_OCTAVES if uneven else (0,):
                yield self._costed(Transforms(False, basis, _plain_steps(self.weights, finer)))

    def coarser(self, principal: _Principal, cost: float, choice: Transforms) -> tuple[float, Transforms]:
        """A choice with coarser and coarser codes of its basis, while that pays."""
        for margin in MARGINS:
            cost_then, then = self._costed(replace(choice, basis=principal.quantized(margin)))
            if cost_then > cost:
                break
            cost, choice = cost_then, then
        return cost, choice

    def _costed(self, choice: Transforms) -> tuple[float, Transforms]:
        """Weighted squared error in squared steps a value, and bits at their worth."""
        geometry = self.spectral if choice.spectral else self.geometry
        steps = self._steps(choice.steps if choice.steps is not None else flat_steps())
        tokens = self.frequencies if choice.spectral else self.thin
        transform = None if choice.basis is None else ChannelTransform(choice.basis)
        values = tokens if transform is None else transform.forward(tokens)
        error = quantization_error(values, geometry.bands, steps)
        if transform is not None:
            error = transform.inverse(values + error) - tokens
        if not choice.spectral:
            error = forward_grid(error, self.spectral)
        if self.directions is not None:
            error = self.directions.forward(error)
        unit = self.unit[self.spectral.bands][:, None]
        distortion = float(np.sum(np.square(error / unit))) / self.thin.size
        bits = estimate(values, geometry.bands, steps, self.total / self.thin.size)
        if choice.basis is not None:
            bits += 8.0 * len(section_bytes(section_of(0, BASIS, choice.basis.codes.ravel())))
        return distortion + BIT_WEIGHT * bits / self.total, choice
