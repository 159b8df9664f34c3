"""What transforms cost: weighted distortion and rate of candidates, on a thin sample."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bitstream import section_bytes
from ..codec.transform.basis import ChannelTransform, QuantizedRows
from ..codec.transform.dct import forward_grid
from ..codec.transform.grids import Geometry
from ..codec.transform.parameters import BAND_STEPS, BASIS, BASIS_SCALES, GROUP_RANKS
from ..codec.transform.token_order import FREQUENCY_BANDS
from ..coders.sections import section_of
from ..types import Arrays
from .importance import Importance
from .leaking_basis import LeakingBasis, Leaks
from .principals import BIT_WEIGHT, Principal
from .sample_plan import estimate, quantization_error

__all__ = ["Scored", "TransformJudge", "Transforms", "plain_steps", "section_bits", "thin_noise"]

Values = NDArray[Any]
Codes = NDArray[np.int8]

MOST_CORRECTION = 8.0
MATCHES = 2
"""How often steps are corrected so that all choices are compared at one error."""

LEAST_MARGIN, FIRST_MARGIN, MOST_MARGIN = -3, 2, 6
"""Bits of a basis vector's codes beyond the octaves that its deviation is above the finest step: what is tried."""

SMALL_SHARE, USUAL_MARGINS = 0.05, (2, 5)
"""Share of a file's bits below which the codes of a basis have one of the usual margins, or are as fine as can be: all
others save next to nothing."""

SAME_COST = 1.0005
"""Costs that differ by less are the same; the finer basis then serves."""

MOST_DEFLATED, BLOCK_BYTES, BLOCK_TABLE_BYTES, SMALLEST_SHARE = 1 << 12, 1 << 14, 80, 1e-9
"""Bytes that are deflated to see what they take, that deflate takes for alike, and of their table; shares at least."""

STARVED = 0.6
"""Where errors are such a share of the energy, hardly anything is kept: choices are then compared at one step."""


@dataclass(frozen=True)
class Transforms:
    """A choice of transforms.

    Args:
        spectral: whether grids are transformed.
        basis: of channels; None for none.
        steps: step codes of every band ``[16]``.
    """

    spectral: bool
    basis: QuantizedRows | None
    steps: Codes

    def other_grid(self, importance: Importance) -> Transforms:
        """The same with grids transformed if they are not, and not if they are."""
        spectral = not self.spectral
        return replace(self, spectral=spectral, steps=importance.steps if spectral else plain_steps(importance.steps))

    def sections(self) -> Arrays:
        """As sections."""
        found: dict[str, Values] = {}
        if self.steps.any():
            found[BAND_STEPS] = self.steps
        if self.basis is not None:
            found |= {BASIS: self.basis.codes.ravel(), BASIS_SCALES: self.basis.scales}
            found |= {} if self.basis.ranks is None else {GROUP_RANKS: self.basis.ranks}
        return found


def plain_steps(weights: Codes) -> Codes:
    """Step codes without a grid transform: one for the grid, and those of special tokens."""
    steps = weights.copy()
    steps[:FREQUENCY_BANDS] = 0
    return steps


def thin_noise(tokens: Values, step: float) -> float:
    """The squared error a value of rounding tokens ``[n, C]`` to a step, or of leaving out what is smaller."""
    return float(np.mean(np.minimum(np.square(tokens, dtype=np.float64), step**2 / 12)))


@dataclass(frozen=True)
class Scored:
    """A choice and what it costs.

    Args:
        cost: weighted distortion and rate.
        bits: of the file, about.
        distortion: weighted squared error, in squared steps a value.
        steps: of every band, at which that is so ``[16]``.
        held: bits of its basis.
        choice: transforms.
    """

    cost: float
    bits: float
    distortion: float
    steps: NDArray[np.float64]
    held: float
    choice: Transforms

    @property
    def plain(self) -> bool:
        """Whether nothing is transformed."""
        return not self.choice.spectral and self.choice.basis is None


def section_bits(codes: NDArray[Any]) -> float:
    """Bits of codes as a section; of many, about: by their shares in blocks, each of which has a table."""
    flat = codes.ravel().view(np.uint8)
    if len(flat) <= MOST_DEFLATED:
        return 8.0 * len(section_bytes(section_of(0, BASIS, codes.ravel())))
    counts = [np.bincount(flat[at : at + BLOCK_BYTES], minlength=256) for at in range(0, len(flat), BLOCK_BYTES)]
    shares = np.array(counts) / np.maximum(np.sum(counts, axis=1), 1)[:, None]
    entropies = -np.sum(shares * np.log2(np.maximum(shares, SMALLEST_SHARE)), axis=1)
    return float(np.sum(entropies * np.sum(counts, axis=1) + 8 * BLOCK_TABLE_BYTES))


class TransformJudge:
    """Costs of candidates in weighted distortion and rate.

    Args:
        thin: sample; a basis may make fewer values of it.
        geometry: of the sample, not spectral.
        weights: step codes in which distortion is measured, band by band of frequencies ``[16]``.
        bases: that there are; distortion is measured in coefficients of the first, without any in channels.
        step: at the wanted rate.
        total: values of the file.
        matched: whether all are compared at one plain error.
        embedded: whether a basis takes bytes of the file.
        reached: the squared error a value that a basis must not miss; None for that at the wanted rate.
    """

    def __init__(
        self,
        thin: Values,
        geometry: Geometry,
        weights: Codes,
        bases: Sequence[QuantizedRows],
        step: float,
        total: float,
        *,
        matched: bool,
        embedded: bool,
        reached: float | None = None,
    ) -> None:
        self.embedded = embedded
        self.thin, self.geometry, self.weights, self.step, self.total = thin, geometry, weights, step, total
        self.bases = bases
        self._made: dict[int, tuple[QuantizedRows, ChannelTransform]] = {}
        self.directions = self._transform_of(bases[0]) if bases else None
        self.spectral = replace(geometry, spectral=True)
        self.frequencies = forward_grid(thin, self.spectral)
        self.unit = self._steps(weights)
        self.noise = thin_noise(thin, step)
        self.reached = self.noise if reached is None else reached
        self.starved = self.noise > STARVED * float(np.mean(np.square(thin, dtype=np.float64)))
        self.matches = MATCHES if matched and not self.starved else 0

    def _steps(self, codes: Codes) -> NDArray[np.float64]:
        steps: NDArray[np.float64] = self.step * np.exp2(codes / 8)
        return steps

    def _steps_of(self, choice: Transforms) -> NDArray[np.float64]:
        return self._steps(choice.steps)

    def candidates(self, principals: Sequence[Principal] | None, *, spectral: bool) -> Iterator[Scored]:
        """All that may be; bases whose ``principals`` are given count with the codes that they will have, about."""
        held = [None] * len(self.bases) if principals is None else [self.coarse_bits(found) for found in principals]
        for basis, bits in zip((None, *self.bases), (None, *held), strict=True):
            yield from self.candidates_of(basis, bits, spectral=spectral)

    def candidates_of(self, basis: QuantizedRows | None, held: float | None, *, spectral: bool) -> Iterator[Scored]:
        """Those with one basis, which takes so many bits; None for those of its codes as they are."""
        if spectral and any(math.prod(grid) > 1 for grid in self.geometry.grids):
            yield self._costed(Transforms(True, basis, self.weights), held=held)
        yield self._costed(Transforms(False, basis, plain_steps(self.weights)), held=held)

    @staticmethod
    def coarse_bits(principal: Principal) -> float:
        """Bits of a basis with codes that usually do."""
        return section_bits(principal.quantized(FIRST_MARGIN).codes)

    def scored(self, choice: Transforms) -> Scored:
        """What a choice costs."""
        return self._costed(choice)

    def rated(self, choice: Transforms) -> tuple[float, float]:
        """Bits of a choice, and its weighted squared error a value."""
        found = self._costed(choice)
        return found.bits, found.distortion * self.step**2

    def coarser(self, principal: Principal, choice: Transforms) -> Transforms:
        """A choice with the codes of its basis as coarse as pays at one step."""
        if choice.basis is None:
            return choice
        finest, values = choice.basis, self._transformed(choice)[3]
        leaking = LeakingBasis(principal, finest, self._tokens_of(choice), values, self.reached)
        tried: dict[int, tuple[float, QuantizedRows]] = {}

        def cost(margin: int) -> float:
            if margin not in tried:
                basis = principal.quantized(margin)
                leaks = leaking.leaking(basis)
                tried[margin] = self._leaking_cost(choice, basis, leaks) if leaks.reaches else math.inf, basis
            return tried[margin][0]

        whole = self._leaking_cost(choice, finest, leaking.leaking(finest))
        if self._held(finest) < SMALL_SHARE * (self._held(finest) + self._estimated(values, choice)):
            best = min(USUAL_MARGINS, key=cost)
        else:
            best = FIRST_MARGIN
            while best < MOST_MARGIN and cost(best + 1) <= SAME_COST * cost(best):
                best += 1
            if best == FIRST_MARGIN:
                while best > LEAST_MARGIN and cost(best - 1) < cost(best):
                    best -= 1
        if whole <= cost(best):
            return choice
        return self._fine_enough(choice, principal, best) if self.matches else replace(choice, basis=tried[best][1])

    def _fine_enough(self, choice: Transforms, principal: Principal, margin: int) -> Transforms:
        """A choice with codes of its basis of some margin, or finer ones that take fewer bits at the same error.

        What coarse codes leak is told about; of the coarsest it may be far more.
        """
        best = self._with_margin(choice, principal, margin)
        for finer in range(margin + 1, MOST_MARGIN + 1):
            tried = self._with_margin(choice, principal, finer)
            if tried.bits < best.bits:
                best = tried
            elif finer >= FIRST_MARGIN:
                break
        return best.choice

    def _with_margin(self, choice: Transforms, principal: Principal, margin: int) -> Scored:
        return self._costed(replace(choice, basis=principal.quantized(margin)))

    def _leaking_cost(self, choice: Transforms, basis: QuantizedRows, leaks: Leaks) -> float:
        """The cost of a choice with other codes of its basis, without the inverse that coefficients come from."""
        bands = self._geometry_of(choice).bands
        error = quantization_error(leaks.values, bands, self._steps_of(choice)) / self.unit[bands][:, None]
        distortion = float(np.sum(np.square(error) @ leaks.squares) + leaks.missed / self.step**2) / self.thin.size
        bits = self._held(basis) + self._estimated(leaks.values, choice)
        return distortion + BIT_WEIGHT * bits / self.total

    def _estimated(self, values: Values, choice: Transforms) -> float:
        """Bits that coefficients take, without sections."""
        bands = self._geometry_of(choice).bands
        return estimate(values, bands, self._steps_of(choice), self.total / self.thin.size)

    def _held(self, basis: QuantizedRows) -> float:
        return section_bits(basis.codes) if self.embedded else 0.0

    def _geometry_of(self, choice: Transforms) -> Geometry:
        return self.spectral if choice.spectral else self.geometry

    def _tokens_of(self, choice: Transforms) -> Values:
        return self.frequencies if choice.spectral else self.thin

    def _costed(self, choice: Transforms, held: float | None = None) -> Scored:
        """Weighted squared error in squared steps a value, and bits at their worth, at the plain error of all.

        ``held`` is what its basis takes in the file; None for that of the codes as they are.
        """
        steps = self._steps_of(choice)
        geometry, tokens, transform, values = self._transformed(choice)
        for _ in range(self.matches):
            error = self._error(values, tokens, geometry, steps, transform)
            found = float(np.mean(np.square(error)))
            if found > 0:
                steps = steps * min(MOST_CORRECTION, math.sqrt(self.noise / found))
        error = self._error(values, tokens, geometry, steps, transform)
        if not choice.spectral:
            error = forward_grid(error, self.spectral)
        if self.directions is not None:
            error = self.directions.forward(error)
        unit = self.unit[self.spectral.bands][:, None]
        distortion = float(np.sum(np.square(error / unit))) / self.thin.size
        if held is None:
            held = 0.0 if choice.basis is None else self._held(choice.basis)
        bits = held + estimate(values, geometry.bands, steps, self.total / self.thin.size)
        return Scored(distortion + BIT_WEIGHT * bits / self.total, bits, distortion, steps, held, choice)

    def bits_at(self, scored: Scored, distortion: float) -> float:
        """Bits of a choice with steps so fine that its weighted squared error is as small as that, about."""
        geometry, _, _, values = self._transformed(scored.choice)
        steps = (
            scored.steps * math.sqrt(min(1.0, distortion / scored.distortion))
            if scored.distortion > 0
            else scored.steps
        )
        return scored.held + estimate(values, geometry.bands, steps, self.total / self.thin.size)

    def _transformed(self, choice: Transforms) -> tuple[Geometry, Values, ChannelTransform | None, Values]:
        """Geometry, tokens ``[n, C]``, transform of channels and coefficients ``[n, K]`` of a choice."""
        geometry, tokens = self._geometry_of(choice), self._tokens_of(choice)
        transform = None if choice.basis is None else self._transform_of(choice.basis)
        return geometry, tokens, transform, tokens if transform is None else transform.forward(tokens)

    def _transform_of(self, basis: QuantizedRows) -> ChannelTransform:
        """What a basis does, about; made once, as inverses take their time."""
        made = self._made.get(id(basis))
        if made is None:
            often = basis is self.bases[0]
            made = self._made[id(basis)] = basis, ChannelTransform(basis, rough=True, often=often)
        return made[1]

    @staticmethod
    def _error(
        values: Values, tokens: Values, geometry: Geometry, steps: Values, transform: ChannelTransform | None
    ) -> Values:
        """Errors of tokens ``[n, C]``, whose coefficients are values ``[n, K]``."""
        error = quantization_error(values, geometry.bands, steps)
        if transform is None:
            return error
        found: Values = transform.inverse(values + error) - tokens
        return found
