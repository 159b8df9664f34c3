"""The candidates for a task-aware profile: ways to code a tap, made from features and what a network reacts to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import ChannelAligner, Tokens, ValueAligner, align_channels
from ..align.statistics import ChannelStatistics
from ..bitstream import AlignmentRecord
from ..codec.transform.basis import quantize_rows
from ..codec.transform.grids import Geometry
from ..codec.transform.parameters import ANALYSIS, ANALYSIS_SCALES, BAND_STEPS, BASIS, BASIS_SCALES, Parameters
from ..codec.transform.token_order import BANDS, FREQUENCY_BANDS
from ..coders.config import TensorConfig
from ..coders.lossy import statistics_arrays, value_aligner
from ..coders.registry import TRANSFORM
from ..coders.sections import TURNS
from ..descriptors import ALIGNMENT_KINDS
from ..encoder.survey import is_sparse
from ..types import Arrays
from .sensitivity import Metric, Sensitivity, second_moments

__all__ = [
    "ALIKE",
    "Candidate",
    "CandidateMaker",
    "Evidence",
    "blind_candidate",
    "metric_candidate",
    "scaled_candidate",
]

SMALLEST_WEIGHT = 2.0**-20
"""The weight of a band that does no harm, so that its step is a number."""

ALIKE = 1e6
"""A floor so far above 1 that all channels count alike."""

SCALED_FLOOR = 0.3
"""Weight of channels without sensitivity, against the mean of all; chosen by hand."""

DROPPED_SHARE = 1 / 32
"""Coordinates whose deviation is below this share of medium quality's step are never coded; chosen by hand, so low
that no quality would code them."""

ANALYSIS_BITS = 16
"""Bits of an analysis basis: it serves the encoder alone, and does not follow from a cut synthesis basis."""

PER_CHANNEL = AlignmentRecord(ALIGNMENT_KINDS.index("mean-deviation"), 1)

Values = NDArray[Any]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """The evidence that candidates are made from: features of a tap, and the network's sensitivity to them.

    Args:
        tokens: the features.
        sensitivity: of the network behind the tap.
    """

    tokens: Tokens
    sensitivity: Sensitivity

    @cached_property
    def statistics(self) -> ChannelStatistics:
        """The statistics of every channel."""
        found = ChannelStatistics(self.tokens.matrix.shape[1])
        found.add(self.tokens.matrix)
        return found

    @cached_property
    def centred(self) -> ChannelAligner:
        """The aligner that takes away the means of channels and scales all alike."""
        return align_channels("mean-deviation", self.statistics, self.tokens.matrix, 0.0)

    @cached_property
    def covariances(self) -> Matrix:
        """The covariances of the centred coefficients of every band ``[16, C, C]``."""
        return second_moments(self.align(self.centred), self.geometry).covariances()

    @property
    def geometry(self) -> Geometry:
        """The places of coefficients once grids are transformed."""
        return Geometry(self.tokens.grids, self.tokens.special, spectral=True)

    def align(self, aligner: ValueAligner) -> Values:
        """Aligned features ``[N, C]``."""
        return aligner.forward(np.ascontiguousarray(self.tokens.matrix))[0]


@dataclass(frozen=True)
class Candidate:
    """A candidate: one way to code a tap, but for its step.

    Args:
        alignment: value alignment; None for identity.
        arrays: sections of alignment and transforms.
        spectral: whether grids are transformed.
        unit: deviation of a typical coordinate: the search for a step begins near it.
    """

    alignment: AlignmentRecord | None
    arrays: Arrays
    spectral: bool
    unit: float

    def config(self, base: TensorConfig, step: float, shift: int = 0) -> TensorConfig:
        """The configuration of a tensor that is coded so, with a step and a reconstruction shift."""
        parameters = Parameters(float(np.float32(step)), shift, self.spectral).to_fields()
        turns = {name: array for name, array in base.arrays.items() if name == TURNS}
        arrays = {**turns, **self.arrays}
        return replace(base, codec=TRANSFORM, alignment=self.alignment, parameters=parameters, arrays=arrays)


CandidateMaker = Callable[[Evidence, float], Candidate]
"""Makes a candidate from evidence and the step at medium quality, 0 while that is unknown."""


def metric_candidate(floor: float, *, spectral: bool = True) -> CandidateMaker:
    """The candidate with channels in the basis that decorrelates what the network reacts to.

    Args:
        spectral: whether grids are transformed.
        floor: what a direction without sensitivity counts, against the mean of all.
    """

    def make(evidence: Evidence, step: float) -> Candidate:
        metric = evidence.sensitivity.metric(evidence.covariances, floor)
        whole = len(metric.variances)
        kept = max(1, int(np.count_nonzero(metric.variances > (DROPPED_SHARE * step) ** 2)))
        arrays = {**_alignment_arrays(evidence.centred), **_basis_arrays(metric, kept if 2 * kept < whole else whole)}
        arrays[BAND_STEPS] = _band_steps(metric.harm, evidence.sensitivity.tokens, spectral=spectral)
        return Candidate(PER_CHANNEL, arrays, spectral, _typical(np.sqrt(metric.variances)))

    return make


def scaled_candidate(spectral: bool, floor: float = SCALED_FLOOR) -> CandidateMaker:
    """The candidate with channels as they are; the network's reaction scales them, and bands or kinds of token.

    Args:
        spectral: whether grids are transformed.
        floor: what channels without sensitivity count, against the mean of all; far above 1, all count alike.
    """

    def make(evidence: Evidence, step: float) -> Candidate:  # noqa: ARG001
        moments = evidence.sensitivity.moments
        of_channel = np.einsum("bcc->bc", moments).astype(np.float64)
        total = of_channel.sum(axis=0)
        scale = 1 / np.sqrt(total / max(float(total.mean()), 1e-300) + floor)
        offset = np.zeros_like(scale) if is_sparse(evidence.tokens.matrix) else evidence.statistics.mean
        aligner = ChannelAligner.of(offset, scale)
        bands = _band_steps(of_channel @ np.square(scale), evidence.sensitivity.tokens, spectral=spectral)
        arrays = {**_alignment_arrays(aligner), BAND_STEPS: bands}
        return Candidate(PER_CHANNEL, arrays, spectral, _typical(evidence.statistics.deviation / scale))

    return make


def blind_candidate(config: TensorConfig) -> CandidateMaker:
    """The candidate that features alone lead to: that of a blind profile."""

    def make(evidence: Evidence, step: float) -> Candidate:  # noqa: ARG001
        deviations = np.std(evidence.align(value_aligner(config, evidence.tokens.matrix.shape[1])), axis=0)
        spectral = Parameters.from_fields(config.parameters).spectral
        return Candidate(config.alignment, dict(config.arrays), spectral, _typical(deviations))

    return make


def _alignment_arrays(aligner: ChannelAligner) -> dict[str, Values]:
    return dict(statistics_arrays(aligner))


def _basis_arrays(metric: Metric, kept: int) -> dict[str, Values]:
    """The sections of a metric's first coordinates; a whole basis can be inverted, a cut one needs its analysis."""
    synthesis = quantize_rows(metric.synthesis[:kept])
    arrays: dict[str, Values] = {BASIS: synthesis.codes.ravel(), BASIS_SCALES: synthesis.scales}
    if kept < len(metric.synthesis):
        analysis = quantize_rows(metric.analysis[:kept], ANALYSIS_BITS)
        arrays |= {ANALYSIS: analysis.codes.ravel(), ANALYSIS_SCALES: analysis.scales}
    return arrays


def _band_steps(harm: Matrix, tokens: NDArray[np.int64], *, spectral: bool) -> NDArray[np.int8]:
    """The step codes of bands ``[16]``: steps go with the root of the harm that an error does to a token."""
    if not spectral:
        harm, tokens = _pooled(harm), _pooled(tokens)
    weights = _seen(harm / np.maximum(tokens, 1), tokens > 0)
    shares = weights / max(float(weights.max()), 1e-300)
    codes = np.rint(-4 * np.log2(np.maximum(shares, SMALLEST_WEIGHT)))
    steps: NDArray[np.int8] = np.clip(codes[:BANDS], -127, 127).astype(np.int8)
    return steps


def _seen(weights: Matrix, seen: NDArray[np.bool_]) -> Matrix:
    """Weights ``[16]``, of bands without tokens too, for other features may have some.

    Frequencies weigh as the nearest ones do, special tokens as the most important band.
    """
    found = np.where(seen, weights, weights.max(initial=0, where=seen))
    known = np.flatnonzero(seen[:FREQUENCY_BANDS])
    if known.size:
        bands = np.arange(FREQUENCY_BANDS)
        found[bands] = weights[known[np.abs(bands[:, None] - known).argmin(axis=1)]]
    return found


def _pooled(by_band: Values) -> Values:
    """Values per band where every band of frequencies has the sum of all."""
    pooled = by_band.copy()
    pooled[:FREQUENCY_BANDS] = by_band[:FREQUENCY_BANDS].sum()
    return pooled


def _typical(deviations: Matrix) -> float:
    """The median of those deviations that are not 0."""
    present = deviations[deviations > 0]
    return float(np.median(present)) if present.size else 1.0
