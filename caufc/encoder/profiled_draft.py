"""Drafts whose choices a profile has made: what its file leaves open is the gain, and whether its tables fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..codec.transform.codec import TransformCodec
from ..codec.transform.parameters import TABLES, Parameters
from ..coders.config import TensorConfig
from ..coders.lossy import value_aligner
from ..errors import InputError, MalformedError
from .options import Target
from .plan import TensorPlan
from .profiled_plan import ProfiledPlan
from .sample_plan import SamplePlan, plan_sample, sample_bits, section_cost
from .survey import TensorSurvey
from .transform_draft import TransformDraft, gain_share_of

__all__ = ["ProfiledDraft"]


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
        """With a profile's classes and tables, unless own ones save more than they take; always its points."""
        if self.fixed is not None:
            made_so = self.fixed.plan(self.config, self.terms)
            return replace(made_so, layout_reason=self.layout_reason, warning=self.warning)
        gain, kind = self._gain(setting, target)
        own = Parameters.from_fields(self.config.parameters).with_quantizer(kind == "dependent")
        if target.kind == "snr":
            own, gain = replace(own, step=float(np.float32(self.parameters.step * gain))), 1.0
        codec = TransformCodec(own, self.config.arrays, self.survey.channels)
        made = plan_sample(
            self._coefficients,
            self._geometry,
            codec.steps(gain).astype(np.float64),
            self.parameters,
            self._scale,
            kind=kind,
            gain_share=gain_share_of(target),
        )
        config = self._fitted(made, own, gain)
        plan = self._planned(config, replace(self.terms, quantizer=made.quantizer))
        return replace(plan, gain=gain, payload_bytes=made.bits * self._scale / 8 + self._exact_bytes(target))

    def _fitted(self, made: SamplePlan, own: Parameters, gain: float) -> TensorConfig:
        codec = TransformCodec(own, self.config.arrays, self.survey.channels)
        kept = sample_bits(codec, made.quantizer, self._coefficients, self._geometry, gain)
        saved = (kept - made.bits) * self._scale
        if (TABLES in self.config.arrays and not made.tables) or saved <= 8 * section_cost(made.whole_sections):
            return replace(self.config, parameters=own.to_fields())
        parameters = replace(made.parameters, step=own.step, shift=own.shift)
        arrays = {**self.config.arrays, **made.whole_sections}
        return replace(self.config, parameters=parameters.to_fields(), arrays=arrays)
