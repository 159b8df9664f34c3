"""Which transforms a tensor gets: the cheapest in weighted distortion and rate, on a thin sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bitstream import section_bytes
from ..codec.transform.basis import ChannelTransform, QuantizedRows, principal_basis, quantize_rows
from ..codec.transform.dct import forward_grid
from ..codec.transform.grids import Geometry
from ..codec.transform.parameters import BAND_STEPS, BASIS, BASIS_SCALES, GROUP_RANKS
from ..codec.transform.token_order import FREQUENCY_BANDS
from ..coders.sections import section_of
from ..types import Arrays
from .importance import Importance, flat_steps
from .sample_plan import estimate, quantization_error
from .thinning import halves, thinned_rows

__all__ = ["JUDGED_TOKENS", "LARGEST_PROFILED", "Transforms", "choose_transforms", "expected"]

Values = NDArray[Any]
Codes = NDArray[np.int8]

BIT_WEIGHT = 2 * math.log(2) / 12
"""Squared steps that a bit is worth at high rate."""

THIN_VALUES = 1 << 16
BASIS_TOKENS = 5
"""Tokens per channel that a basis must be made from, or it would follow noise; chosen by hand."""

JOINT_TOKENS = 8
"""The same for a basis across groups, which must not only seem to find what they have in common."""

JUDGED_TOKENS = 1.5
"""The same where bases are judged on other tokens than they are made from."""

SMALLEST_BASIS, LARGEST_BASIS, LARGEST_PROFILED = 4, 2048, 4096
"""Channels of a basis; a profile's may be larger, for no file holds it."""

MOST_CORRECTION = 8.0
MATCHES = 2
"""How often steps are corrected so that all choices are compared at one error."""

NEVER_CODED = 0.2
"""Basis vectors whose deviation is below this share of the finest step only code zeros."""

FINEST_BITS, COARSEST_BITS = 8, 2
LEAST_MARGIN, FIRST_MARGIN, MOST_MARGIN = -3, 2, 6
"""Bits of a basis vector's codes beyond the octaves that its deviation is above the finest step: what is tried."""

SMALL_SHARE, USUAL_MARGINS = 0.05, (2, 5)
"""Share of a file's bits below which the codes of a basis have one of the usual margins, or are as fine as can be: all
others save next to nothing."""

MOST_MISSED = 0.75
"""Share of the error at the wanted rate that a basis may leave to no coefficients: with more, steps far finer than that
make up for it, and with all of it none can."""

SAME_COST = 1.0005
"""Costs that differ by less are the same; the finer basis then serves."""

MOST_DEFLATED, BLOCK_BYTES, BLOCK_TABLE_BYTES, SMALLEST_SHARE = 1 << 16, 1 << 14, 80, 1e-9
"""Bytes that are deflated to see what they take, that deflate takes for alike, and of their table; shares at least."""

FEW_VALUES = 512
"""Values below which a comparison says nothing."""

MOST_BITS = 1.6
"""What errors weigh decides only among choices that need at most so many times the fewest bits at one plain error."""

STARVED = 0.6
"""Where errors are such a share of the energy, hardly anything is kept: choices are then compared at one step."""

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

    def other_grid(self, importance: Importance) -> Transforms:
        """The same with grids transformed if they are not, and not if they are."""
        spectral = not self.spectral
        return replace(self, spectral=spectral, steps=importance.steps if spectral else _plain_steps(importance.steps))

    def sections(self) -> Arrays:
        """As sections."""
        found: dict[str, Values] = {}
        if self.steps is not None and self.steps.any():
            found[BAND_STEPS] = self.steps
        if self.basis is not None:
            found |= {BASIS: self.basis.codes.ravel(), BASIS_SCALES: self.basis.scales}
            found |= {} if self.basis.ranks is None else {GROUP_RANKS: self.basis.ranks}
        return found


def choose_transforms(
    aligned: Values,
    geometry: Geometry,
    step: float,
    total: float,
    importance: Importance,
    *,
    embedded: bool = True,
    matched: bool = True,
    spectral: bool = True,
    groups: Sequence[int] = (1,),
) -> Transforms:
    """Choose transforms for a sample ``[M, C]``.

    Args:
        aligned: sample.
        geometry: of the sample, not spectral.
        step: at the wanted rate.
        total: number of values in the file.
        importance: of errors by band of frequencies and direction.
        spectral: whether grids may be transformed.
        groups: into how many groups channels may be split that each get a basis of its own.
        matched: whether choices are compared at one plain error, and not at one step.
        embedded: whether a basis takes bytes of the file, so that vectors that code little may be coarse.
    """
    plain = Transforms(False, None, _plain_steps(importance.steps))
    if aligned.size < FEW_VALUES:
        return plain
    known, judged, judged_geometry = aligned, aligned, geometry
    if not embedded and len(groups) > 1:
        (known, _), (judged, judged_geometry) = halves(aligned, geometry)
    rows, thin_geometry = thinned_rows(judged_geometry, aligned.shape[1], THIN_VALUES * (1 if embedded else groups[0]))
    thin = judged[rows]
    principals = list(_principals(known, step, importance, groups, embedded=embedded))
    if embedded:
        noise = _noise(thin, step)
        principals = [(count, found if found.reaches(thin, noise) else found.whole()) for count, found in principals]
    bases = {count: found.finest() for count, found in principals}
    held = [_section_bits(found.quantized(FIRST_MARGIN).codes) if embedded else 0.0 for _, found in principals]
    judge = _Judge(
        thin, thin_geometry, importance.steps, [*bases.values()], step, total, matched=matched, embedded=embedded
    )
    scored = list(judge.candidates(held, spectral=spectral))
    allowed = math.inf if judge.starved else MOST_BITS * min(found.bits for found in scored)
    best_plain = min((found for found in scored if found.plain), key=_cost_of)
    best = min((found for found in scored if found.bits <= allowed), key=_handicapped(bases, embedded=embedded))
    chosen = (
        best.choice
        if best.cost * PLAIN_MARGIN < best_plain.cost or not best_plain.bits <= allowed
        else best_plain.choice
    )
    if chosen.basis is None:
        return chosen
    count, principal = next((count, found) for count, found in principals if bases[count] is chosen.basis)
    if embedded:
        return judge.coarser(principal, chosen)
    return chosen if known is aligned else replace(chosen, basis=_principal(aligned, step, importance, count).finest())


def expected(
    aligned: Values,
    geometry: Geometry,
    step: float,
    total: float,
    importance: Importance,
    choice: Transforms,
    *,
    embedded: bool = True,
    matched: bool = True,
) -> tuple[float, float]:
    """Bits that a file takes with some transforms at the error of a step, and the weighted error, about.

    Arguments are those of :func:`choose_transforms`.
    """
    rows, thin_geometry = thinned_rows(geometry, aligned.shape[1], THIN_VALUES)
    bases = [] if choice.basis is None else [choice.basis]
    judge = _Judge(
        aligned[rows], thin_geometry, importance.steps, bases, step, total, matched=matched, embedded=embedded
    )
    return judge.rated(choice)


def _plain_steps(weights: Codes) -> Codes:
    """Step codes without a grid transform: one for the grid, and those of special tokens."""
    steps = weights.copy()
    steps[:FREQUENCY_BANDS] = 0
    return steps


@dataclass(frozen=True)
class _Principal:
    """Karhunen-Loeve bases of groups, longer where errors weigh less, without vectors that would only code zeros.

    Args:
        vectors: of each group, all that there are ``[C / G, C / G]``.
        shares: octaves that their deviations are above the finest step ``[G, C / G]``.
        kept: how many of each group count ``[G]``.
    """

    vectors: Sequence[NDArray[np.float64]]
    shares: NDArray[np.float64]
    kept: NDArray[np.int64]

    @property
    def rows(self) -> NDArray[np.float64]:
        """Of all groups, in order ``[K, C / G]``."""
        return np.concatenate([group[:rank] for group, rank in zip(self.vectors, self.kept, strict=True)])

    @property
    def octaves(self) -> NDArray[np.float64]:
        """That their deviations are above the finest step ``[K]``."""
        return np.concatenate([share[:rank] for share, rank in zip(self.shares, self.kept, strict=True)])

    @property
    def ranks(self) -> NDArray[np.int32] | None:
        """Rows of each group ``[G]``; None for one group."""
        return self.kept.astype(np.int32) if len(self.kept) > 1 else None

    def whole(self) -> _Principal:
        """With all vectors: no codes of these miss anything."""
        return replace(self, kept=np.full_like(self.kept, self.shares.shape[1]))

    def reaches(self, tokens: Values, noise: float) -> bool:
        """Whether the finest codes do not miss too much of tokens ``[n, C]``, at such errors."""
        if int(self.kept.min()) == self.shares.shape[1]:
            return True
        return _reaches(ChannelTransform(self.finest(), rough=True), tokens, noise)

    def finest(self) -> QuantizedRows:
        """As fine as codes can be."""
        return quantize_rows(self.rows, ranks=self.ranks)

    def quantized(self, margin: int) -> QuantizedRows:
        """As coarse as the deviations allow: what a vector's codes miss of it costs others bits."""
        bits = np.ceil(self.octaves).astype(np.int64) + margin
        return quantize_rows(self.rows, np.clip(bits, COARSEST_BITS, FINEST_BITS), self.ranks)


def _principals(
    aligned: Values, step: float, importance: Importance, groups: Sequence[int], *, embedded: bool
) -> Iterator[tuple[int, _Principal]]:
    """Bases by their number of groups, where there are enough tokens to know them."""
    for count in dict.fromkeys(groups):
        width = aligned.shape[1] // count
        if embedded:
            known = len(aligned) >= (BASIS_TOKENS if count == groups[0] else JOINT_TOKENS) * width
        else:
            known = len(aligned) >= (BASIS_TOKENS if len(groups) == 1 else JUDGED_TOKENS) * width
        if known and SMALLEST_BASIS <= width <= (LARGEST_BASIS if embedded else LARGEST_PROFILED):
            yield count, _principal(aligned, step, importance, count)


def _principal(aligned: Values, step: float, importance: Importance, groups: int) -> _Principal:
    """The bases of so many groups of channels."""
    tokens = len(aligned)
    parts = [np.ascontiguousarray(part) for part in np.split(aligned, groups, axis=1)]
    found = [principal_basis(np.asarray(part.T @ part / tokens, np.float64)) for part in parts]
    variances = np.stack([of_group for _, of_group in found])
    scales = importance.scales(variances)
    finest = step * 2.0 ** (int(importance.steps.min()) / 8) * scales
    kept = np.maximum(1, np.count_nonzero(variances > (NEVER_CODED * finest) ** 2, axis=1))
    shares = np.log2(np.maximum(np.sqrt(variances) / finest, NEVER_CODED))
    vectors = [of_group * of_row[:, None] for (of_group, _), of_row in zip(found, scales, strict=True)]
    return _Principal(vectors, shares, kept)


def _noise(tokens: Values, step: float) -> float:
    """The squared error a value of rounding tokens ``[n, C]`` to a step, or of leaving out what is smaller."""
    return float(np.mean(np.minimum(np.square(tokens, dtype=np.float64), step**2 / 12)))


def _reaches(transform: ChannelTransform, tokens: Values, noise: float) -> bool:
    """Whether the vectors of a basis, as its codes have them, reach enough of tokens ``[n, C]``."""
    if transform.coded >= tokens.shape[1]:
        return True
    missed = transform.inverse(transform.forward(tokens)) - tokens
    return float(np.mean(np.square(missed))) <= MOST_MISSED * noise


@dataclass(frozen=True)
class _Scored:
    """A choice, its cost in weighted distortion and rate, and its bits."""

    cost: float
    bits: float
    choice: Transforms

    @property
    def plain(self) -> bool:
        """Whether nothing is transformed."""
        return not self.choice.spectral and self.choice.basis is None


def _cost_of(scored: _Scored) -> float:
    return scored.cost


def _handicapped(bases: Mapping[int, QuantizedRows], *, embedded: bool) -> Callable[[_Scored], float]:
    """Costs, more of bases across groups where their bytes do not count: what they save must be more than chance."""
    first = next(iter(bases.values()), None)

    def cost(scored: _Scored) -> float:
        across = scored.choice.basis is not None and scored.choice.basis is not first
        return scored.cost * (PLAIN_MARGIN if across and not embedded else 1)

    return cost


def _section_bits(codes: NDArray[Any]) -> float:
    """Bits of codes as a section; of many, about: by their shares in blocks, each of which has a table."""
    flat = codes.ravel().view(np.uint8)
    if len(flat) <= MOST_DEFLATED:
        return 8.0 * len(section_bytes(section_of(0, BASIS, codes.ravel())))
    counts = [np.bincount(flat[at : at + BLOCK_BYTES], minlength=256) for at in range(0, len(flat), BLOCK_BYTES)]
    shares = np.array(counts) / np.maximum(np.sum(counts, axis=1), 1)[:, None]
    entropies = -np.sum(shares * np.log2(np.maximum(shares, SMALLEST_SHARE)), axis=1)
    return float(np.sum(entropies * np.sum(counts, axis=1) + 8 * BLOCK_TABLE_BYTES))


class _Judge:
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
    ) -> None:
        self.embedded = embedded
        self.thin, self.geometry, self.weights, self.step, self.total = thin, geometry, weights, step, total
        self.bases = bases
        self._made: dict[int, tuple[QuantizedRows, ChannelTransform]] = {}
        self.directions = self._transform_of(bases[0]) if bases else None
        self.spectral = replace(geometry, spectral=True)
        self.frequencies = forward_grid(thin, self.spectral)
        self.unit = self._steps(weights)
        self.noise = _noise(thin, step)
        self.starved = self.noise > STARVED * float(np.mean(np.square(thin, dtype=np.float64)))
        self.matches = MATCHES if matched and not self.starved else 0

    def _steps(self, codes: Codes) -> NDArray[np.float64]:
        steps: NDArray[np.float64] = self.step * np.exp2(codes / 8)
        return steps

    def candidates(self, held: Sequence[float], *, spectral: bool) -> Iterator[_Scored]:
        """All that may be; ``held`` are the bits that each basis takes in the file, about."""
        has_grid = spectral and any(math.prod(grid) > 1 for grid in self.geometry.grids)
        counted = [None] * len(held) if self.starved else held
        for basis, bits in zip((None, *self.bases), (None, *counted), strict=True):
            if has_grid:
                yield self._costed(Transforms(True, basis, self.weights), held=bits)
            yield self._costed(Transforms(False, basis, _plain_steps(self.weights)), held=bits)

    def rated(self, choice: Transforms) -> tuple[float, float]:
        """Bits of a choice, and its weighted squared error a value."""
        found = self._costed(choice)
        return found.bits, (found.cost - BIT_WEIGHT * found.bits / self.total) * self.step**2

    def coarser(self, principal: _Principal, choice: Transforms) -> Transforms:
        """A choice with the codes of its basis as coarse as pays at one step."""
        tried: dict[int, tuple[float, Transforms]] = {}

        def cost(margin: int) -> float:
            if margin not in tried:
                basis = principal.quantized(margin)
                made = replace(choice, basis=basis)
                found = self._costed(made, matches=0)
                reaches = _reaches(self._transform_of(basis), self.thin, self.noise)
                tried[margin] = found.cost if reaches else math.inf, made
            return tried[margin][0]

        whole = self._costed(choice, matches=0)
        if choice.basis is not None and _section_bits(choice.basis.codes) < SMALL_SHARE * whole.bits:
            best = min(USUAL_MARGINS, key=cost)
            return choice if whole.cost <= cost(best) else tried[best][1]
        best = FIRST_MARGIN
        while best < MOST_MARGIN and cost(best + 1) <= SAME_COST * cost(best):
            best += 1
        if best == FIRST_MARGIN:
            while best > LEAST_MARGIN and cost(best - 1) < cost(best):
                best -= 1
        return choice if whole.cost <= tried[best][0] else tried[best][1]

    def _costed(self, choice: Transforms, matches: int | None = None, held: float | None = None) -> _Scored:
        """Weighted squared error in squared steps a value, and bits at their worth, at the plain error of all.

        ``held`` is what its basis takes in the file; None for that of the codes as they are.
        """
        geometry = self.spectral if choice.spectral else self.geometry
        steps = self._steps(choice.steps if choice.steps is not None else flat_steps())
        tokens = self.frequencies if choice.spectral else self.thin
        transform = None if choice.basis is None else self._transform_of(choice.basis)
        values = tokens if transform is None else transform.forward(tokens)
        for _ in range(self.matches if matches is None else matches):
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
        bits = estimate(values, geometry.bands, steps, self.total / self.thin.size)
        if choice.basis is not None and self.embedded:
            bits += _section_bits(choice.basis.codes) if held is None else held
        return _Scored(distortion + BIT_WEIGHT * bits / self.total, bits, choice)

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
