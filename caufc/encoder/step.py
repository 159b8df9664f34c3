"""Transforms and the step at gain 1: at medium quality what keeps predictions, from statistics alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import ValueAligner
from ..codec.transform.dct import forward_grid
from ..codec.transform.grids import Geometry
from ..codec.transform.parameters import Parameters
from ..coders.config import TensorConfig
from ..coders.registry import TRANSFORM
from ..coders.row_sums import row_squares
from .goal import MEDIUM, MEDIUM_SNR, quality_of_step
from .importance import Importance, blind_importance, directed_importance, flat_importance, read_bands
from .options import Target
from .outliers import CENTRED_TOKENS
from .rate import provisional_step
from .root import place_of
from .survey import TensorSurvey
from .thinning import spread_places
from .transform_judge import thin_noise
from .transforms import Transforms, choose_transforms, expected

__all__ = ["choose_step"]

Placed = tuple[float, Transforms]
"""A step, and transforms."""

BOUND_MARGIN = 1 - 2.0**-16
"""Steps of an error bound are this much under twice the bound: the cast to the output dtype takes its part."""

MEDIUM_STEP = 0.195
"""Step at medium quality, in deviations of aligned values.

Set so that medium keeps 99 % of predictions on the taps of ``tools/results/paper.md`` (``caufc evaluate paper``).
"""

LANGUAGE_STEP = 0.192
"""The same for tokens of language models: medium's predictions then diverge at most 1.5 times as much as with fp8 and a
scale per token, at 0.65 times its bytes (``tools/results/language.md``)."""

READ_STEP = {"mean": 0.21, "first": 0.2}
"""The same where only the mean, or the first token, is read, in deviations of its coefficients; by the same rule."""

RATE_SHARE, RATE_TRIALS, MOST_OCTAVES = 0.1, 6, 6.0
"""How near a rate is looked for before transforms are chosen, in so many trials, within so many octaves of a step."""

FAR_SMALLER = 2.0
"""Times by which a plain error must be smaller for transforms of larger weighted error to be chosen."""

SPECTRAL_PADDING = 0.05
"""Share of padding from which grids are not transformed: frequencies take bits for tokens that are nothing."""

SMALL_TARGETS = {"quality": Target("quality", MEDIUM), "snr": Target("snr", MEDIUM_SNR)}
"""For what transforms of a small file are chosen."""

SMALLEST_DEVIATION = 2.0**-80
ENOUGH_ROWS = 16
FAR = 16.0
"""Times the median magnitude beyond which few values say nothing of a deviation."""

MEDIAN_VALUES = 1 << 16
"""Values that tell a median."""

NORMAL_MEDIAN = 0.6745
"""Median magnitude of a normal distribution of deviation 1."""


def choose_step(
    base: TensorConfig,
    aligner: ValueAligner,
    survey: TensorSurvey,
    target: Target,
    reads: str,
    *,
    embedded: bool,
    small: bool = False,
) -> tuple[TensorConfig, float]:
    """Add transforms and the step to a configuration, for about the quality that is told too.

    A basis that a file embeds may be coarse; an error bound allows no transform. Those of a small file are the same
    whatever is asked: with others it would keep more or less as chance has it.
    """
    aligned, side = aligner.forward(survey.sample)
    if target.kind == "max_error":
        step = 2 * target.value * BOUND_MARGIN
        return _with_step(base, Parameters(float(np.float32(step)))), MEDIUM
    if reads == "tokens":
        step = _medium_step(aligned, survey, np.asarray(aligner.scales(side)))
    else:
        step = _medium_step_of_read(aligned, survey.geometry, reads)
    step = float(np.float32(step))
    energy = float(row_squares(aligned).sum()) / max(1, aligned.size)
    asked = provisional = provisional_step(aligned, step, energy, target)
    if small and target.kind in SMALL_TARGETS:
        provisional = provisional_step(aligned, step, energy, SMALL_TARGETS[target.kind])
    judged = _Judged(aligned, survey, _importance(survey, target, reads), target, reads, embedded, asked)
    transforms = judged.chosen(provisional)
    if target.kind == "bpfp":
        asked, transforms = judged.chosen_at_rate(provisional, transforms)
    config = replace(base, arrays={**base.arrays, **transforms.sections()})
    return _with_step(config, Parameters(step, spectral=transforms.spectral)), quality_of_step(asked / step)


@dataclass(frozen=True)
class _Judged:
    """What transforms are chosen for.

    Args:
        aligned: sample ``[M, C]``.
        survey: of the tensor.
        importance: of errors.
        target: the rate control.
        reads: what is read.
        embedded: whether a file holds a basis.
        asked: the step of what is asked for.
    """

    aligned: NDArray[Any]
    survey: TensorSurvey
    importance: Importance
    target: Target
    reads: str
    embedded: bool
    asked: float

    @property
    def _total(self) -> float:
        return self.survey.total * self.survey.channels

    def chosen(self, provisional: float) -> Transforms:
        """The transforms that are cheapest at a step."""
        return choose_transforms(
            self.aligned,
            self.survey.geometry,
            provisional,
            self._total,
            self.importance,
            embedded=self.embedded,
            matched=self.reads == "tokens",
            spectral=self._may_be_spectral,
            groups=(self.survey.groups, 1),
            finest=self.asked,
        )

    def chosen_at_rate(self, provisional: float, transforms: Transforms) -> tuple[float, Transforms]:
        """The step at which transforms have the wanted rate, and those that are cheapest there.

        Whether grids and channels are transformed is decided by the weighted error at that rate: at one error, choices
        that keep other things may each be the cheapest at the step that they have.
        """
        tried = [transforms, transforms.other_grid(self.importance)] if self._has_grid else [transforms]
        placed = [(self._step_of_rate(provisional, choice), choice) for choice in tried]
        step, best = self._keeping(min(placed, key=lambda one: self._expected(*one)[1]), placed)
        found = self.chosen(step)
        if found.spectral != best.spectral:
            return step, best
        if (found.basis is None) == (best.basis is None):
            return step, found
        other = self._step_of_rate(step, found), found
        return min((step, best), other, key=lambda one: self._expected(*one)[1])

    def _keeping(self, best: Placed, placed: Sequence[Placed]) -> Placed:
        """The best choice at the steps of a rate, or one whose plain error is far smaller, as that of heavy tails."""
        noises = [thin_noise(self.aligned, step) for step, _ in placed]
        least = min(range(len(placed)), key=noises.__getitem__)
        return placed[least] if noises[least] * FAR_SMALLER < thin_noise(self.aligned, best[0]) else best

    @property
    def _has_grid(self) -> bool:
        grids = self.survey.geometry.grids
        return self._may_be_spectral and any(math.prod(grid) > 1 for grid in grids)

    @property
    def _may_be_spectral(self) -> bool:
        padded = self.survey.padded > SPECTRAL_PADDING
        return not (self.survey.levelled or self.target.by_token or padded)

    def _step_of_rate(self, provisional: float, transforms: Transforms) -> float:
        place = place_of(
            lambda octave: -self._expected(provisional * 2.0**octave, transforms)[0],
            -self.target.value * self._total,
            first=0.0,
            slope=max(0.5 * self.target.value, 0.1) * self._total,
            near=RATE_SHARE * self.target.value * self._total,
            bounds=(-MOST_OCTAVES, MOST_OCTAVES),
            most=RATE_TRIALS,
        )
        return float(provisional * 2.0**place)

    def _expected(self, step: float, transforms: Transforms) -> tuple[float, float]:
        """Bits and weighted error."""
        return expected(
            self.aligned,
            self.survey.geometry,
            step,
            self._total,
            self.importance,
            transforms,
            embedded=self.embedded,
            matched=self.reads == "tokens",
        )


def _importance(survey: TensorSurvey, target: Target, reads: str) -> Importance:
    """What errors weigh: equally for an SNR; in language models' tokens by direction alone."""
    if target.kind == "snr":
        return flat_importance()
    if survey.levelled:
        return directed_importance()
    return blind_importance(replace(survey.geometry, spectral=True), reads)


def _with_step(base: TensorConfig, parameters: Parameters) -> TensorConfig:
    return replace(base, codec=TRANSFORM, parameters=parameters.to_fields())


def _medium_step(aligned: NDArray[Any], survey: TensorSurvey, scales: NDArray[Any]) -> float:
    """Where all tokens are read: by the deviation of the median channel, which outliers do not move.

    Args:
        aligned: sample ``[M, C]``.
        survey: of the tensor.
        scales: features' units per aligned unit, by channel, or one for all.
    """
    by_channel = scales if scales.ndim < 2 else np.mean(scales)
    medium = LANGUAGE_STEP if survey.levelled else MEDIUM_STEP
    if survey.total >= CENTRED_TOKENS and not survey.sparse:
        deviations = survey.statistics.deviation / by_channel
        return medium * _median(deviations if survey.apart is None else deviations[~survey.apart.all(axis=0)])
    counted = aligned.ravel() if survey.apart is None else aligned[~survey.apart]
    if survey.sparse:
        return medium * _median(np.array([_size_of_present(counted)]))
    near = _near(counted.astype(np.float64) - float(np.median(counted))) if counted.size else counted
    return medium * _median(np.array([float(np.std(near)) or float(np.abs(aligned).max())]))


def _size_of_present(aligned: NDArray[Any]) -> float:
    """Root mean square of what is not 0, nor far larger than the rest."""
    sizes = np.abs(aligned)
    present = sizes[spread_places(len(sizes), MEDIAN_VALUES)]
    present = present[present > 0] if present.any() else sizes[sizes > 0]
    if not present.size:
        return 0.0
    near = np.where(sizes <= FAR * float(np.median(present)), sizes, sizes.dtype.type(0))
    return math.sqrt(float(row_squares(near[None])[0]) / np.count_nonzero(near))


def _near(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances without those that are many times the typical one."""
    sizes = np.abs(distances)
    present = sizes[sizes > 0]
    return distances[sizes <= FAR * float(np.median(present))] if present.size else distances


def _medium_step_of_read(aligned: NDArray[Any], geometry: Geometry, reads: str) -> float:
    """Where only some bands are read.

    Args:
        aligned: sample ``[M, C]``.
        geometry: of the sample.
        reads: ``mean`` or ``first``.
    """
    spectral = replace(geometry, spectral=True)
    read = forward_grid(aligned, spectral)[np.isin(spectral.bands, read_bands(reads))]
    if len(read) >= ENOUGH_ROWS:
        return READ_STEP[reads] * _median(read.std(axis=0, dtype=np.float64))
    return READ_STEP[reads] * _median(np.abs(read).ravel() / NORMAL_MEDIAN)


def _median(deviations: NDArray[Any]) -> float:
    """The median of what is above 0; 1 if nothing is."""
    present = deviations[deviations > 0]
    deviation = float(np.median(present)) if present.size else 0.0
    return deviation if np.isfinite(deviation) and deviation > SMALLEST_DEVIATION else 1.0
