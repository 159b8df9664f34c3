"""Drafts of the transform codec: alignment and transforms stand; step, quantiser and tables follow from the setting."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import ValueAligner
from ..codec.transform.codec import TransformCodec
from ..codec.transform.grids import Geometry
from ..codec.transform.parameters import TABLES, Parameters
from ..coders.config import TensorConfig
from ..coders.error_transfer import ErrorTransfer
from .compare import FEWEST_VALUES, broken_values, lossless_bytes
from .gain_ladder import GainLadder
from .goal import GRID, Goal, grid_quality, narrow_goal, quality_goal, quality_step, snr_goal
from .options import Target
from .plan import TensorPlan
from .profile_tables import StepSample, tables_of_steps
from .quantize import IndexQuantizer
from .sample_plan import (
    DEPENDENT_BITS,
    DEPENDENT_BITS_OF_ERROR,
    FEW_CHANNELS,
    GAIN_SHARE,
    QuantizerKind,
    SamplePlan,
    plan_sample,
    section_cost,
)
from .survey import TensorSurvey
from .tensor_draft import TensorDraft, without_loss
from .thinning import MOST_SPREAD, differ_in_size, lines_differ_in_size, spread_rows, thinned_rows
from .trial import FEW_VALUES, Trial, worst_energy

__all__ = ["BEYOND", "THIN_VALUES", "TransformDraft", "gain_share_of"]

THIN_VALUES = 1 << 16
"""Values of a sample on which steps are tried, about."""

LONGEST_SEARCH = 512
"""Coefficients of a token, per token, for which a search is worth its time: it goes through tokens side by side."""

NARROW_CHANNELS, LOWER_PLACES = 16, 3
"""What few tokens of fewer channels keep moves by leaps: steps are no coarser than those of the qualities below."""

ENOUGH_TOKENS, FEW_TOKENS = 32, 64
"""Tokens of a thin sample at least, as costs follow them; of fewer, the worst are not as bad as in the file."""

SPARSE_TOKENS, SPARSE_VALUES = 128, 1 << 19
"""Tokens at least that are mostly zeros, as what they keep is a matter of chance, but for more than so many values."""

TINY_VALUES = 1 << 9
"""Values that are not 0 for which all gains are tried that keep anything: exact ones may lie far apart."""

BEYOND = 0.1
"""dB by which the finest steps miss an SNR that is more than steps give."""

UNSURE_TIMES = 2.0
"""By how many times few values may mistake what a file takes without loss."""

EXACT_BYTES = 1.5
"""What the place of a value that is stored exactly takes, about."""


@dataclass(frozen=True, kw_only=True)
class TransformDraft(TensorDraft):
    """How the transform codec will code a tensor: alignment, transforms and the step at medium quality stand.

    Args:
        aligner: value alignment.
        survey: of the tensor.
        searched: whether there is time to search for indices that depend on each other.
        matched: whether steps are such that the features' error is a quality's; else a quality says how large they are.
        by_token: whether a quality promises something for each token.
        stackable: whether it may be coded with tensors that are like it: each of its tokens is read.
        underrated: how many times more than a sample says the file takes without loss, as a pass has shown.
        small: whether the file has so few values that all steps which may do are tried.
        even: the SNR of the tensor that leaves all tokens what they are promised; None where they have scales for that.
    """

    aligner: ValueAligner
    survey: TensorSurvey
    searched: bool = True
    matched: bool = True
    by_token: bool = True
    stackable: bool = True
    underrated: float = 1.0
    small: bool = False
    even: Target | None = None

    @property
    def parameters(self) -> Parameters:
        """The codec's scalars so far, with the plain quantiser."""
        return Parameters.from_fields(self.config.parameters).with_quantizer(dependent=False)

    @cached_property
    def codec(self) -> TransformCodec:
        """Transforms, and the step at medium quality."""
        return TransformCodec(self.parameters, self.config.arrays, self.survey.channels)

    @property
    def thin_values(self) -> int:
        """Values of a sample on which steps are tried, about."""
        return THIN_VALUES

    @property
    def tried_whole(self) -> bool:
        """Whether gains were tried on all there is, so that the file has what a gain was chosen for."""
        return self.small and self.survey.apart is None

    def plan(self, setting: float, target: Target) -> TensorPlan:
        """With step, quantiser, reconstruction points, classes and tables; without loss where that takes fewer bytes.

        Args:
            setting: the quality, where the target is one or looks for one.
            target: the rate control.
        """
        target = self.even or target
        gain, kind = self._gain(setting, target)
        if self.may_be_lossless and self._is_beyond(gain, kind, target):
            return self._lossless()
        made = self._sample_plan(self._coefficients, self._geometry, gain, kind, target, self._scale)
        payloads = made.bits * self._scale / 8 + self._exact_bytes(target)
        expected = payloads + self._section_bytes(made)
        if self.may_be_lossless and expected >= self.least_lossless_bytes and expected >= self.lossless_bytes:
            return self._lossless()
        config = self._with(made, gain)
        terms = replace(self.terms, quantizer=made.quantizer, transfer=self._transfer(gain, kind))
        plan = self._planned(config, terms, expected)
        return replace(plan, payload_bytes=payloads)

    def for_profile(self, setting: float, target: Target) -> TensorConfig:
        """The same, with tables for other steps too, where it has tables of its own."""
        plan = self.plan(setting, target)
        quantizer = plan.terms.quantizer
        if not isinstance(quantizer, IndexQuantizer) or TABLES not in plan.config.arrays:
            return plan.at_medium(setting).config
        parameters = Parameters.from_fields(plan.config.parameters)
        sample = StepSample(
            TransformCodec(parameters, plan.config.arrays, self.survey.channels),
            plan.config.arrays,
            self._coefficients,
            self._geometry,
            1.0 if plan.gain is None else plan.gain,
            "dependent" if quantizer.dependent else "plain",
        )
        tables, level = tables_of_steps(sample, self._scale)
        parameters, arrays = replace(parameters, level=level), {**plan.config.arrays, **tables}
        config = replace(plan.config, parameters=parameters.to_fields(), arrays=arrays)
        return replace(plan, config=config).at_medium(setting).config

    def _transfer(self, gain: float, kind: QuantizerKind) -> ErrorTransfer | None:
        """What tells errors without a decode, where no promise needs one."""
        terms = self.terms
        if not terms.measured or any(term is not None for term in (terms.max_error, terms.token_snr, terms.truncate)):
            return None
        return self._trial.transfer(kind, gain, self._thin_scale * len(self._trial.features))

    def expected_bytes(self, setting: float, target: Target) -> float:
        """Bytes of sections and payloads at a quality, about: from a thin sample."""
        target = self.even or target
        gain, kind = self._gain(setting, target)
        trial, scale = self._trial, self._thin_scale
        made = self._sample_plan(trial.coefficients, trial.geometry, gain, kind, target, scale)
        lossy = made.bits * scale / 8 + self._section_bytes(made) + self._exact_bytes(target)
        return min(lossy, self.lossless_bytes) if self.may_be_lossless else lossy

    def _section_bytes(self, made: SamplePlan) -> int:
        """Bytes of sections: those that stand already, unless a sample's plan has others, and those of the plan."""
        return section_cost(made.sections) + sum(
            size for name, size in self._standing_bytes.items() if name not in made.sections
        )

    @cached_property
    def _standing_bytes(self) -> dict[str, int]:
        return {name: section_cost({name: array}) for name, array in self.config.arrays.items()}

    def lossless(self) -> TensorPlan | None:
        """The plan without loss; None where some is wanted."""
        return self._lossless() if self.may_be_lossless else None

    def _lossless(self) -> TensorPlan:
        terms = replace(self.terms, separator=None, quantizer=None)
        planned = self._planned(without_loss(self.config), terms, self.lossless_bytes)
        return replace(planned, payload_bytes=self.lossless_bytes)

    @property
    def may_be_lossless(self) -> bool:
        """Whether no loss is better than some: not where the user wants values clipped."""
        return self.terms.truncate is None

    @cached_property
    def least_lossless_bytes(self) -> float:
        """Bytes without loss at least, as few values say; 0 for a sample that has no more."""
        if self.survey.sample.size <= FEWEST_VALUES:
            return 0.0
        return self.underrated * lossless_bytes(self.survey, self.config.dtype, FEWEST_VALUES) / UNSURE_TIMES

    @cached_property
    def lossless_bytes(self) -> float:
        """Bytes without loss, about."""
        return self.underrated * lossless_bytes(self.survey, self.config.dtype)

    def _with(self, made: SamplePlan, gain: float) -> TensorConfig:
        """The configuration with a sample's plan, whose steps include the gain."""
        step = float(np.float32(self.parameters.step * gain))
        parameters = replace(made.parameters, step=step)
        return replace(self.config, parameters=parameters.to_fields(), arrays={**self.config.arrays, **made.sections})

    def _sample_plan(
        self,
        coefficients: NDArray[Any],
        geometry: Geometry,
        gain: float,
        kind: QuantizerKind,
        target: Target,
        scale: float,
    ) -> SamplePlan:
        steps = self.codec.steps(gain).astype(np.float64)
        return plan_sample(
            coefficients, geometry, steps, self.parameters, scale, kind=kind, gain_share=gain_share_of(target)
        )

    def _gain(self, setting: float, target: Target) -> tuple[float, QuantizerKind]:
        """The gain on steps of a kind of quantiser."""
        if target.kind == "max_error":
            return 1.0, "bounded"
        if target.kind == "snr":
            goal = self._snr_goal(target)
            first = self._gain_of_noise(goal.noise)
            return self._gain_for(goal, first, target)
        few = self._trial.features.size <= FEW_VALUES
        quality = grid_quality(setting) if few else setting
        coarser = quality_step(quality)
        if not self.matched:
            return coarser, self._kind(coarser, target)
        trial, goal = self._trial_of(target), self._goal(quality)
        own, kind = self._gain_for(goal, coarser, target)
        if self.small or not few or self.survey.channels >= NARROW_CHANNELS:
            return own, kind
        places = [quality - number * GRID for number in range(1, LOWER_PLACES)]
        lower = [trial.gain_for(self._goal(place), kind, quality_step(place)) for place in places]
        return min([own, *(gain for gain in lower if trial.meets(goal, kind, gain))]), kind

    def _gain_for(self, goal: Goal, gain: float, target: Target) -> tuple[float, QuantizerKind]:
        """The gain that meets a goal, and the kind of quantiser; ``gain`` is where to begin."""
        trial = self._trial_of(target)
        if not self.small or not trial.features.size or not goal.noise > 0:
            kind = self._kind(gain, target)
            return trial.gain_for(goal, kind, gain), kind
        tiny = int(np.count_nonzero(trial.features)) <= TINY_VALUES
        ladder = GainLadder(lambda tried: self._kind(tried, target), trial.figures, whole=tiny)
        return self._ladders.setdefault(target.kind, ladder).gain_for(goal, gain)

    @cached_property
    def _ladders(self) -> dict[str, GainLadder]:
        """By kind of rate control."""
        return {}

    def _goal(self, quality: float) -> Goal:
        trial = self._trial
        units = np.asarray(self.aligner.scales(trial.side))
        goal = quality_goal(quality, self._counted_features, units, self.parameters.step, by_token=self.by_token)
        goal = replace(goal, token_snr=goal.token_snr + self._worse_tokens)
        return narrow_goal(goal, self._counted_features) if self.small else goal

    @cached_property
    def _worse_tokens(self) -> float:
        """By how many dB the worst tokens of the survey's sample have less energy than those of a very thin one."""
        survey, trial = self.survey, self._trial
        if not len(trial.features) < min(FEW_TOKENS, len(survey.sample)):
            return 0.0
        counted = survey.sample if survey.apart is None else np.where(survey.apart, 0, survey.sample)
        here, everywhere = (worst_energy(features) for features in (self._counted_features, counted))
        return max(0.0, 10 * math.log10(here / everywhere)) if here and everywhere else 0.0

    def _is_beyond(self, gain: float, kind: QuantizerKind, target: Target) -> bool:
        """Whether an SNR is more than any step gives, as where a basis leaves directions out."""
        if target.kind != "snr":
            return False
        return not self._trial_of(target).meets(self._snr_goal(target), kind, gain, BEYOND)

    def _snr_goal(self, target: Target) -> Goal:
        """What an SNR asks for, of nearly all tokens too where errors are to be the same in all."""
        judged = self._judged if target.by_tensor else None
        features = self._counted_features if judged is None else np.where(judged[1], judged[0], 0)
        goal = snr_goal(target, features)
        promised = self.terms.token_snr
        return goal if self.even is None or promised is None else replace(goal, token_snr=promised)

    def _gain_of_noise(self, noise: float) -> float:
        """The gain whose steps make about so much noise."""
        units = float(np.median(self.aligner.scales(self._trial.side)))
        return float(np.clip(math.sqrt(12 * noise) / (units * self.parameters.step), 2.0**-60, 2.0**60))

    @property
    def _counted_features(self) -> NDArray[Any]:
        """The thin sample, with zeros for what does not count."""
        trial = self._trial
        return trial.features if trial.counted is None else np.where(trial.counted, trial.features, 0)

    def _kind(self, gain: float, target: Target) -> QuantizerKind:
        """Dependent quantisation from a rate on at which it pays."""
        if not self._may_be_dependent:
            return "plain"
        trial = self._trial
        least = DEPENDENT_BITS_OF_ERROR if target.kind == "snr" else DEPENDENT_BITS
        made = self._sample_plan(trial.coefficients, trial.geometry, gain, "plain", target, self._thin_scale)
        return "dependent" if made.bits >= least * trial.coefficients.size else "plain"

    @property
    def _may_be_dependent(self) -> bool:
        tokens, coded = self._trial.coefficients.shape
        return self.searched and FEW_CHANNELS <= coded <= LONGEST_SEARCH * tokens

    def _trial_of(self, target: Target) -> Trial:
        trial = self._judged_trial if target.by_tensor else self._trial
        judged = None if target.kind == "snr" or self._judged is None else self._judged[1]
        return replace(trial, gain_share=gain_share_of(target), judged=judged)

    @cached_property
    def _judged(self) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.float64]] | None:
        """Features of the thin sample as they came in, which of them an SNR is judged by, and squared scales of tokens.

        None where that is what the trial has anyway, and of small files, which are tried.
        """
        survey = self.survey
        if self.small or survey.separator is None or type(self._trial) is not Trial:
            return None
        rows, _ = self._thinned_for_trial
        whole = survey.features if len(rows) == len(survey.features) else survey.features[rows]
        apart = survey.separator(whole)
        if apart.scales is None:
            return None
        counts = survey.counting(whole)
        counts = np.ones(whole.shape, np.bool_) if counts is None else counts
        if apart.values is not None:
            counts = counts & ~apart.values
        return whole, counts, np.square(apart.scales.factors.astype(np.float64))

    @cached_property
    def _judged_trial(self) -> Trial:
        """The trial by which an SNR is judged."""
        if self._judged is None:
            return self._trial
        _, counts, units = self._judged
        return replace(self._trial, counted=counts, units=units, in_units=True)

    @cached_property
    def _trial(self) -> Trial:
        """A thin part of the survey's sample."""
        survey = self.survey
        rows, geometry = self._thinned_for_trial
        features = survey.sample if len(rows) == len(survey.sample) else survey.sample[rows]
        counted = None if survey.apart is None else ~survey.apart[rows]
        trial = Trial.of(self.codec, self.aligner, features, counted, geometry, self.config.dtype, GAIN_SHARE)
        if not self.small or survey.separator is None:
            return trial
        whole = survey.features if len(rows) == len(survey.sample) else survey.features[rows]
        energies, own = (
            np.square(part if counted is None else np.where(counted, part, 0), dtype=np.float64).sum(axis=1)
            for part in (whole, features)
        )
        units = np.divide(energies, own, out=np.ones(len(own)), where=(own > 0) & (energies > 0))
        return replace(trial, units=units[:, None])

    @cached_property
    def _thinned_for_trial(self) -> tuple[NDArray[np.intp], Geometry]:
        survey = self.survey
        enough = ENOUGH_TOKENS * survey.channels
        if survey.sparse:
            enough = max(enough, min(SPARSE_TOKENS * survey.channels, SPARSE_VALUES))
        return self._thinned(max(self.thin_values, min(survey.planned, enough)))

    @property
    def _thin_scale(self) -> float:
        return self.survey.total / max(1, len(self._trial.features))

    @cached_property
    def _part(self) -> tuple[NDArray[np.intp], Geometry]:
        """Rows of the survey's sample that a plan is made from, and their geometry, not spectral."""
        return self._thinned(max(THIN_VALUES, self.survey.planned))

    def _thinned(self, values: int) -> tuple[NDArray[np.intp], Geometry]:
        """Rows of the survey's sample that hold about so many values, and their geometry, not spectral."""
        survey = self.survey
        samples, lines = (False, False) if self.codec.parameters.spectral else self._differ_in_size
        rows, geometry = thinned_rows(survey.geometry, survey.channels, values, apart=lines)
        if samples and len(geometry.grids) < min(MOST_SPREAD, len(survey.geometry.grids)):
            return spread_rows(survey.geometry, survey.channels, values, apart=lines)
        return rows, geometry

    @cached_property
    def _differ_in_size(self) -> tuple[bool, bool]:
        """Whether samples do, and lines of their grids."""
        features, geometry = self.survey.features, self.survey.geometry
        return differ_in_size(features, geometry), lines_differ_in_size(features, geometry)

    @property
    def _scale(self) -> float:
        """How many times more tokens the file has than these rows."""
        return self.survey.total / max(1, len(self._part[0]))

    @property
    def _geometry(self) -> Geometry:
        geometry = self._part[1]
        return self.codec.geometry(geometry.grids, geometry.special)

    @cached_property
    def _coefficients(self) -> NDArray[Any]:
        """Of the part of the survey's sample that a plan is made from ``[M, K]``."""
        rows, _ = self._part
        if len(self._trial.features) == len(rows):
            return self._trial.coefficients
        features = self.survey.sample if len(rows) == len(self.survey.sample) else self.survey.sample[rows]
        aligned, _ = self.aligner.forward(features)
        return np.ascontiguousarray(self.codec.transform(aligned, self._geometry))

    def _exact_bytes(self, target: Target) -> float:
        """What values that are stored exactly take, about."""
        broken = 0.0
        if target.kind == "max_error":
            broken = broken_values(self.survey, self.config.dtype, self.parameters.step, target.value)
        return self.survey.exact_bytes + broken * (self.config.item_size + EXACT_BYTES)


def gain_share_of(target: Target) -> float:
    return 0.0 if target.kind == "snr" else GAIN_SHARE
