"""Drafts: ways to code a tap, made from features and what a network reacts to; a task-aware profile takes the best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import (
    ChannelAligner,
    Tokens,
    ValueAligner,
    align_channels,
)
from ..align.statistics import ChannelStatistics
from ..bitstream import AlignmentRecord
from ..codec.transform.basis import quantize_rows
from ..codec.transform.grids import Geometry
from ..codec.transform.parameters import (
    ANALYSIS,
    ANALYSIS_SCALES,
    BAND_STEPS,
    BASIS,
    BASIS_SCALES,
    Parameters,
)
from ..codec.transform.token_order import (
    BANDS,
    FREQUENCY_BANDS,
)
from ..coders.config import TensorConfig
from ..coders.lossy import value_aligner
from ..coders.registry import TRANSFORM
from ..coders.sections import (
    OFFSETS,
    SCALES,
)
from ..descriptors import ALIGNMENT_KINDS
from ..encoder.alignment import is_sparse
from ..types import Arrays
from .sensitivity import (
    Metric,
    Sensitivity,
    second_moments,
)

__all__ = ["ALIKE", "Draft", "Drawn", "Evidence", "blind_draft", "metric_draft", "scaled_draft"]

SMALLEST_WEIGHT = 2.0**-20
ALIKE = 1e6
"""A floor under which all channels count alike."""

SCALED_FLOOR = 0.3
"""What channels without sensitivity count, against the mean of all."""

DROPPED_SHARE = 1 / 32
"""Coordinates whose deviation is below this share of medium quality's step are never coded."""

ANALYSIS_BITS = 16
PER_CHANNEL = AlignmentRecord(ALIGNMENT_KINDS.index("mean-deviation"), 1)

Values = NDArray[Any]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """What is known of a tap.

    Args:
        tokens: features.
        sensitivity: of the rest of the network to them.
    """

    tokens: Tokens
    sensitivity: Sensitivity

    @cached_property
    def statistics(self) -> ChannelStatistics:
        """Of the features."""
        found = ChannelStatistics(self.tokens.matrix.shape[1])
        found.add(self.tokens.matrix)
        return found

    @cached_property
    def centred(self) -> ChannelAligner:
        """Channels without their means, all scaled alike."""
        return align_channels("mean-deviation", self.statistics, self.tokens.matrix, 0.0)

    @cached_property
    def covariances(self) -> Matrix:
        """Of the centred coefficients of every band ``[16, C, C]``."""
        return second_moments(self.align(self.centred), self.geometry).covariances()

    @property
    def geometry(self) -> Geometry:
        """Where coefficients lie once grids are transformed."""
        return Geometry(self.tokens.grids, self.tokens.special, spectral=True)

    def align(self, aligner: ValueAligner) -> Values:
        """Aligned features ``[N, C]``."""
        return aligner.forward(np.ascontiguousarray(self.tokens.matrix))[0]


@dataclass(frozen=True)
class Draft:
    """One way to code a tap, but for its step.

    Args:
        alignment: value alignment; None for identity.
        arrays: sections of alignment and transforms.
        spectral: whether grids are transformed.
        unit: deviation of a typical coordinate, where the search for a step begins.
    """

    alignment: AlignmentRecord | None
    arrays: Arrays
    spectral: bool
    unit: float

    def config(self, base: TensorConfig, step: float, shift: int = 0) -> TensorConfig:
        """The configuration of a tensor that is coded so, with this step and reconstruction shift."""
        parameters = Parameters(float(np.float32(step)), shift, self.spectral).to_fields()
        return replace(base, codec=TRANSFORM, alignment=self.alignment, parameters=parameters, arrays=self.arrays)


Drawn = Callable[[Evidence, float], Draft]
"""Evidence, and the step at medium quality or 0 while it is unknown -> a draft."""


def metric_draft(floor: float) -> Drawn:
    """Channels in the basis that decorrelates what the network reacts to, grids transformed.

    Args:
        floor: what a direction without sensitivity counts, against the mean of all.
    """

    def draw(evidence: Evidence, step: float) -> Draft:
        metric = evidence.sensitivity.metric(evidence.covariances, floor)
        whole = len(metric.variances)
        kept = max(1, int(np.count_nonzero(metric.variances > (DROPPED_SHARE * step) ** 2)))
        arrays = {**_alignment_arrays(evidence.centred), **_basis_arrays(metric, kept if 2 * kept < whole else whole)}
        arrays[BAND_STEPS] = _band_steps(metric.weights)
        return Draft(PER_CHANNEL, arrays, True, _typical(np.sqrt(metric.variances)))

    return draw


def scaled_draft(spectral: bool, floor: float = SCALED_FLOOR) -> Drawn:
    """Channels as they are, scaled by what the network reacts to; bands or kinds of token by it too.

    Args:
        spectral: whether grids are transformed.
        floor: what channels without sensitivity count, against the mean of all; far above 1, all count alike.
    """

    def draw(evidence: Evidence, step: float) -> Draft:  # noqa: ARG001
        moments, tokens = evidence.sensitivity.moments, evidence.sensitivity.tokens
        of_channel = np.einsum("bcc->bc", moments).astype(np.float64)
        total = of_channel.sum(axis=0)
        scale = 1 / np.sqrt(total / max(float(total.mean()), 1e-300) + floor)
        offset = np.zeros_like(scale) if is_sparse(evidence.tokens.matrix) else evidence.statistics.mean
        harm = of_channel @ np.square(scale)
        if not spectral:
            harm, tokens = _pooled(harm), _pooled(tokens)
        aligner = ChannelAligner.of(offset, scale)
        arrays = {**_alignment_arrays(aligner), BAND_STEPS: _band_steps(harm / np.maximum(tokens, 1))}
        return Draft(PER_CHANNEL, arrays, spectral, _typical(evidence.statistics.deviation / scale))

    return draw


def blind_draft(config: TensorConfig) -> Drawn:
    """As features alone would have it."""

    def draw(evidence: Evidence, step: float) -> Draft:  # noqa: ARG001
        deviations = np.std(evidence.align(value_aligner(config, evidence.tokens.matrix.shape[1])), axis=0)
        spectral = Parameters.from_fields(config.parameters).spectral
        return Draft(config.alignment, dict(config.arrays), spectral, _typical(deviations))

    return draw


def _alignment_arrays(aligner: ChannelAligner) -> dict[str, Values]:
    return {OFFSETS: aligner.offset_codes, SCALES: aligner.scale_codes}


def _basis_arrays(metric: Metric, kept: int) -> dict[str, Values]:
    """Sections of a metric's first coordinates; a whole basis is inverted, a cut one needs its analysis."""
    synthesis = quantize_rows(metric.synthesis[:kept])
    arrays: dict[str, Values] = {BASIS: synthesis.codes.ravel(), BASIS_SCALES: synthesis.scales}
    if kept < len(metric.synthesis):
        analysis = quantize_rows(metric.analysis[:kept], ANALYSIS_BITS)
        arrays |= {ANALYSIS: analysis.codes.ravel(), ANALYSIS_SCALES: analysis.scales}
    return arrays


def _band_steps(weights: Matrix) -> NDArray[np.int8]:
    """Step codes ``[16]``: steps go with the root of the harm that errors do."""
    shares = weights / max(float(weights.max(initial=0)), 1e-300)
    codes = np.rint(-4 * np.log2(np.maximum(shares, SMALLEST_WEIGHT)))
    steps: NDArray[np.int8] = np.clip(codes[:BANDS], -127, 127).astype(np.int8)
    return steps


def _pooled(by_band: Values) -> Values:
    """Every band of frequencies with the sum of all."""
    pooled = by_band.copy()
    pooled[:FREQUENCY_BANDS] = by_band[:FREQUENCY_BANDS].sum()
    return pooled


def _typical(deviations: Matrix) -> float:
    present = deviations[deviations > 0]
    return float(np.median(present)) if present.size else 1.0
