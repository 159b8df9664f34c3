"""Which transforms a tensor gets: the cheapest in weighted distortion and rate, on a thin sample."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec import (
    BAND_STEPS,
    BASIS,
    BASIS_SCALES,
    FREQUENCY_BANDS,
    Arrays,
    ChannelTransform,
    Geometry,
    Importance,
    QuantizedRows,
    estimate,
    flat_steps,
    forward_grid,
    principal_basis,
    quantization_error,
    quantize_rows,
)

__all__ = ["Transforms", "choose_transforms"]

Values = NDArray[Any]
Codes = NDArray[np.int8]

BIT_WEIGHT = 2 * math.log(2) / 12
"""Squared steps that a bit is worth at high rate."""

THIN_VALUES = 1 << 16
BASIS_TOKENS = 5
"""Tokens a channel that a basis must be made from."""

MAX_BASIS_CHANNELS = 2048
FINER_OCTAVES = (0, 1, 2)
"""How much finer steps may be where there is no grid transform, whose means get finer steps of their own."""

NEVER_CODED = 0.2
"""Basis vectors whose deviation is below this share of the finest step only code zeros."""

FEW_VALUES = 512
"""Values below which a comparison says nothing."""

PLAIN_MARGIN = 1.02
"""A transform must save more than this."""


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
        found: dict[int, Values] = {}
        if self.steps is not None and self.steps.any():
            found[BAND_STEPS] = self.steps
        if self.basis is not None:
            found |= {BASIS: self.basis.codes.ravel(), BASIS_SCALES: self.basis.scales}
        return found


def choose_transforms(
    aligned: Values, geometry: Geometry, step: float, total: float, importance: Importance
) -> Transforms:
    """Choose transforms for a sample ``[M, C]``.

    Args:
        aligned: sample.
        geometry: of the sample, not spectral.
        step: at the wanted rate.
        total: number of values in the file.
        importance: of errors by band of frequencies and direction.
    """
    plain = Transforms(False, None, _plain_steps(importance.steps, 0))
    if aligned.size < FEW_VALUES:
        return plain
    thin, thin_geometry = _thinned(aligned, geometry)
    bases: list[tuple[QuantizedRows | None, Values]] = [(None, thin)]
    basis = _basis(aligned, step, importance)
    if basis is not None:
        bases.append((basis, ChannelTransform(basis).forward(thin)))
    judge = _Judge(thin_geometry, importance.steps, basis, step, total, thin.size)
    scored = list(judge.candidates(bases))
    best_plain = min(cost for cost, choice in scored if not choice.spectral and choice.basis is None)
    cost, best = min(scored, key=lambda pair: pair[0])
    if cost * PLAIN_MARGIN < best_plain:
        return best
    return min((pair for pair in scored if not pair[1].spectral and pair[1].basis is None), key=lambda pair: pair[0])[1]


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


def _basis(aligned: Values, step: float, importance: Importance) -> QuantizedRows | None:
    """The Karhunen-Loeve basis, longer where errors weigh less, without vectors that would only code zeros."""
    tokens, channels = aligned.shape
    if channels < 4 or channels > MAX_BASIS_CHANNELS or tokens < BASIS_TOKENS * channels:
        return None
    wide = np.ascontiguousarray(aligned)
    rows, variances = principal_basis(np.asarray(wide.T @ wide / tokens, np.float64))
    scales = importance.scales(variances)
    finest = step * 2.0 ** (int(importance.steps.min()) / 8) * scales
    kept = int(np.count_nonzero(variances > (NEVER_CODED * finest) ** 2))
    return quantize_rows((rows * scales[:, None])[: max(1, kept)])


class _Judge:
    """Costs of candidates in weighted distortion and rate.

    Args:
        geometry: of the thin sample, not spectral.
        weights: step codes in which distortion is measured, band by band of frequencies ``[16]``.
        basis: in whose coefficients it is measured; None for channels.
        step: at the wanted rate.
        total: values of the file.
        size: values of the thin sample; a basis may make fewer of them.
    """

    def __init__(
        self, geometry: Geometry, weights: Codes, basis: QuantizedRows | None, step: float, total: float, size: int
    ) -> None:
        self.geometry, self.weights, self.step, self.total, self.size = geometry, weights, step, total, size
        self.directions = None if basis is None else ChannelTransform(basis)
        self.spectral = replace(geometry, spectral=True)
        self.unit = self._steps(weights)

    def _steps(self, codes: Codes) -> NDArray[np.float64]:
        steps: NDArray[np.float64] = self.step * np.exp2(codes / 8)
        return steps

    def candidates(self, bases: list[tuple[QuantizedRows | None, Values]]) -> Iterator[tuple[float, Transforms]]:
        """(cost, choice) of all that may be."""
        has_grid = any(math.prod(grid) > 1 for grid in self.geometry.grids)
        for basis, values in bases:
            frequencies = forward_grid(values, self.spectral) if has_grid else values
            if has_grid:
                choice = Transforms(True, basis, self.weights)
                yield self._cost(choice, frequencies, self.spectral), choice
            uneven = has_grid and bool(self.weights[:FREQUENCY_BANDS].any())
            for finer in FINER_OCTAVES if uneven else (0,):
                choice = Transforms(False, basis, _plain_steps(self.weights, finer))
                yield self._cost(choice, values, self.geometry), choice

    def _cost(self, choice: Transforms, values: Values, geometry: Geometry) -> float:
        """Weighted squared error in squared steps a value, and bits at their worth."""
        steps = self._steps(choice.steps if choice.steps is not None else flat_steps())
        error = quantization_error(values, geometry.bands, steps)
        if not geometry.spectral:
            error = forward_grid(error, self.spectral)
        if choice.basis is None and self.directions is not None:
            error = self.directions.forward(error)
        unit = self.unit[self.spectral.bands][:, None]
        distortion = float(np.sum(np.square(error / unit))) / self.size
        scale = self.total / self.size
        bits = estimate(values, geometry.bands, steps, scale)
        if choice.basis is not None:
            bits += 8.0 * choice.basis.codes.size
        return distortion + BIT_WEIGHT * bits / self.total
