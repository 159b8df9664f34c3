"""Drafts whose choices a profile has made: what its file leaves open is the gain, and whether its tables fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec.transform.codec import TransformCodec
from ..codec.transform.grids import Geometry
from ..codec.transform.parameters import TABLES, Parameters
from ..coders.config import TensorConfig
from ..coders.lossy import value_aligner
from ..errors import InputError, MalformedError
from ..types import Arrays
from .options import Target
from .plan import TensorPlan
from .profile_tables import LevelCosts
from .profiled_plan import LEVEL_BITS, ProfiledPlan, has_other_points
from .sample_plan import QuantizerKind, SamplePlan, plan_sample, section_cost
from .survey import TensorSurvey
from .thinning import halves, rows_beside
from .transform_draft import THIN_VALUES, TransformDraft, gain_share_of

__all__ = ["ProfiledDraft"]

Values = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class ProfiledDraft(TransformDraft):
    """How a profile codes a tensor: a quality is a gain on the profile's steps.

    Args:
        carried: whether the file holds the profile's sections itself.
        fixed: the plan, where the profile alone makes it.
    """

    matched: bool = False
    carried: bool = True
    fixed: ProfiledPlan | None = None

    @classmethod
    def from_profile(
        cls, base: TensorConfig, default: TensorConfig, survey: TensorSurvey, *, searched: bool
    ) -> ProfiledDraft:
        """Alignment, transforms, step and tables as a profile has them.

        Raises:
            InputError: if the profile is for another number of channels.
        """
        config = replace(default, dtype=base.dtype, framework=base.framework, template=base.template)
        config = replace(config, layout=base.layout, name=base.name, tap=base.tap)
        try:
            draft = cls(config=config, aligner=value_aligner(config, survey.channels), survey=survey, searched=searched)
            draft.codec  # noqa: B018
        except MalformedError as err:
            raise InputError(
                f"the profile does not fit features of {survey.channels} channels", tensor=base.name
            ) from err
        return draft

    @property
    def may_be_lossless(self) -> bool:
        """Not: what a profile codes is what it was made for."""
        return False

    def expected_bytes(self, setting: float, target: Target) -> float:
        """Bytes of sections and payloads at a quality, about: from a thin sample, with its own tables."""
        gain, kind = self._gain(setting, target)
        trial = self._trial
        made = self._sample_plan(trial.coefficients, trial.geometry, gain, kind, target, self._thin_scale)
        sections = section_cost(self.config.arrays) if self.carried else 0.0
        return made.bits * self._thin_scale / 8 + sections + self._exact_bytes(target)

    def plan(self, setting: float, target: Target) -> TensorPlan:
        """With a profile's classes and tables, unless own ones save more than they take."""
        if self.fixed is not None:
            made_so = self.fixed.plan(self.config, self.terms)
            return replace(made_so, layout_reason=self.layout_reason, warning=self.warning)
        gain, kind = self._gain(setting, target)
        own = Parameters.from_fields(self.config.parameters).with_quantizer(kind == "dependent")
        other_points = has_other_points(gain, own.dependent != Parameters.from_fields(self.config.parameters).dependent)
        if target.kind == "snr":
            own, gain = replace(own, step=float(np.float32(self.parameters.step * gain))), 1.0
        whole = (self._coefficients, self._geometry)
        made = self._own_plan(*whole, own, gain, target, self._scale)
        own = replace(own, shift=made.parameters.shift if other_points else own.shift)
        config = self._fitted(made, own, gain, target)
        plan = self._planned(config, replace(self.terms, quantizer=made.quantizer))
        return replace(plan, gain=gain, payload_bytes=made.bits * self._scale / 8 + self._exact_bytes(target))

    def _own_plan(
        self, coefficients: Values, geometry: Geometry, own: Parameters, gain: float, target: Target, scale: float
    ) -> SamplePlan:
        """The plan of a sample with tables of its own; universal ones cannot take the place of a profile's."""
        steps = self._codec_of(own).steps(gain).astype(np.float64)
        kind: QuantizerKind = "dependent" if own.dependent else "plain"
        universal, share = TABLES not in self.config.arrays, gain_share_of(target)
        return plan_sample(
            coefficients, geometry, steps, self.parameters, scale, kind=kind, gain_share=share, universal=universal
        )

    def _codec_of(self, parameters: Parameters, sections: Arrays | None = None) -> TransformCodec:
        return TransformCodec(parameters, {**self.config.arrays, **(sections or {})}, self.survey.channels)

    def _fitted(self, made: SamplePlan, own: Parameters, gain: float, target: Target) -> TensorConfig:
        """The configuration with the profile's tables or, where these save more than they take, its own."""
        if self._saved(made, own, gain, target) > 8 * section_cost(made.whole_sections):
            parameters = replace(made.parameters, step=own.step, shift=own.shift)
            arrays = {**self.config.arrays, **made.whole_sections}
            return replace(self.config, parameters=parameters.to_fields(), arrays=arrays)
        costs = self._level_costs(made, own, gain, self._coefficients, self._geometry)
        level = costs.cheapest(LEVEL_BITS / self._scale)[0]
        return replace(self.config, parameters=replace(own, level=level).to_fields())

    def _saved(self, made: SamplePlan, own: Parameters, gain: float, target: Target) -> float:
        """Bits of the file that own tables save: on tokens that they are not made from, where there are others."""
        coefficients, geometry = self._coefficients, self._geometry
        beside = self._beside
        if beside is not None:
            coefficients, geometry = beside
        elif self._scale > 1 and len(geometry.grids) > 1:
            known, (coefficients, geometry) = halves(coefficients, geometry)
            made = self._own_plan(*known, own, gain, target, self.survey.total / len(known[0]))
        scale = self.survey.total / max(1, len(coefficients))
        kept = self._level_costs(made, own, gain, coefficients, geometry).cheapest(0.0)[1]
        parameters = replace(made.parameters, step=own.step)
        spent = self._level_costs(made, parameters, gain, coefficients, geometry, made.whole_sections)
        return (kept - spent.at(parameters.level)) * scale

    @property
    def _beside(self) -> tuple[Values, Geometry] | None:
        """Coefficients of tokens that plans are not made from, where these are of one sample; None for none."""
        survey = self.survey
        found = rows_beside(survey.geometry, survey.channels, max(THIN_VALUES, survey.planned))
        if found is None:
            return None
        rows, plain = found
        geometry = self.codec.geometry(plain.grids, plain.special)
        aligned, _ = self.aligner.forward(survey.sample[rows])
        return np.ascontiguousarray(self.codec.transform(aligned, geometry)), geometry

    def _level_costs(
        self,
        made: SamplePlan,
        parameters: Parameters,
        gain: float,
        coefficients: Values,
        geometry: Geometry,
        sections: Arrays | None = None,
    ) -> LevelCosts:
        """What a sample takes with a quantiser, and the profile's sections or some in their place."""
        codec = self._codec_of(parameters, sections)
        symbols = made.quantizer(coefficients, codec.steps(gain).astype(np.float64), geometry.bands)
        return LevelCosts.of(codec, {**self.config.arrays, **(sections or {})}, symbols, geometry)
