"""Drafts: how a tensor will be coded, with tables and the gain on its steps still open."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import ValueAligner
from ..codec.transform.codec import TransformCodec
from ..codec.transform.grids import Geometry
from ..codec.transform.parameters import TABLES, Parameters
from ..coders.base import Terms
from ..coders.config import TensorConfig
from ..coders.lossy import value_aligner
from ..errors import InputError, MalformedError
from ..types import Arrays
from .options import Target
from .plan import TensorPlan
from .rate import RateModel
from .sample_plan import (
    DEPENDENT_BITS,
    DEPENDENT_BITS_OF_ERROR,
    GAIN_SHARE,
    SamplePlan,
    plan_sample,
    sample_bits,
    section_cost,
)
from .survey import TensorSurvey

__all__ = ["HyperpriorDraft", "TensorDraft", "TransformDraft"]


@dataclass(frozen=True)
class TensorDraft:
    """How a tensor will be coded; as it stands, one that leaves nothing open, such as one without loss.

    Args:
        config: for the coder, so far.
        guessed: whether the layout was a guess.
        terms: on which the coder codes.
        warning: what the user should know.
    """

    config: TensorConfig
    guessed: bool = False
    terms: Terms = field(default_factory=Terms)
    warning: str = ""

    def plan(self, setting: float, target: Target) -> TensorPlan:  # noqa: ARG002
        """The draft with all that was open.

        Args:
            setting: what rate control turns: the gain on all steps, or the number of a model's rate.
            target: the rate control.
        """
        return self._planned(self.config, self.terms)

    def _planned(self, config: TensorConfig, terms: Terms) -> TensorPlan:
        return TensorPlan(config, terms, self.guessed, self.warning)


@dataclass(frozen=True)
class HyperpriorDraft(TensorDraft):
    """How the learned codec will code a tensor: the rate is open."""

    def plan(self, setting: float, target: Target) -> TensorPlan:  # noqa: ARG002
        """With the rate of that number."""
        return self._planned(replace(self.config, parameters=(int(setting),)), self.terms)


@dataclass(frozen=True, kw_only=True)
class TransformDraft(TensorDraft):
    """How the transform codec will code a tensor: alignment, transforms and step stand, quantiser and tables are open.

    Args:
        scale: features' units per aligned unit, a mean.
        coefficients: of the survey's sample ``[M, K]``.
        geometry: of the coefficients.
        survey: of the tensor.
        profiled: whether a profile made the choices.
        searched: whether there is time to search for indices that depend on each other.
    """

    scale: float
    coefficients: NDArray[Any]
    geometry: Geometry
    survey: TensorSurvey
    profiled: bool = False
    searched: bool = True

    @classmethod
    def of(
        cls,
        config: TensorConfig,
        aligner: ValueAligner,
        survey: TensorSurvey,
        *,
        searched: bool,
        profiled: bool = False,
    ) -> TransformDraft:
        """The draft that a configuration stands for."""
        codec = TransformCodec(Parameters.from_fields(config.parameters), config.arrays, survey.channels)
        aligned, side = aligner.forward(survey.sample)
        geometry = codec.geometry(survey.geometry.grids, survey.geometry.special)
        return cls(
            config,
            scale=float(np.mean(aligner.scales(side))) if aligned.size else 1.0,
            coefficients=np.ascontiguousarray(codec.transform(aligned, geometry)),
            geometry=geometry,
            survey=survey,
            profiled=profiled,
            searched=searched,
        )

    @classmethod
    def from_profile(
        cls, base: TensorConfig, default: TensorConfig, survey: TensorSurvey, *, searched: bool
    ) -> TransformDraft:
        """Alignment, transforms, step and tables as a profile has them.

        Raises:
            InputError: if the profile is for another number of channels.
        """
        config = replace(default, dtype=base.dtype, framework=base.framework, template=base.template)
        config = replace(config, layout=base.layout, name=base.name, tap=base.tap)
        try:
            return cls.of(config, value_aligner(config, survey.channels), survey, searched=searched, profiled=True)
        except MalformedError as err:
            raise InputError(
                f"the profile does not fit features of {survey.channels} channels", tensor=base.name
            ) from err

    @property
    def parameters(self) -> Parameters:
        """The codec's scalars so far, with the plain quantiser."""
        return Parameters.from_fields(self.config.parameters).with_quantizer(dependent=False)

    def steps(self, gain: float) -> NDArray[np.float64]:
        """Step of every band ``[16]`` at a gain."""
        codec = TransformCodec(self.parameters, self.config.arrays, self.survey.channels)
        return codec.steps(gain).astype(np.float64)

    def model(self) -> RateModel:
        """The tensor's rate model."""
        return RateModel.thinned(self.coefficients, self.geometry, self.steps(1.0), self.scale, self.survey.scale)

    def sample_plan(self, gain: float, target: Target) -> SamplePlan:
        """Quantiser, reconstruction points, classes and tables for the sample at a gain."""
        exact = target.kind == "snr"
        least = DEPENDENT_BITS_OF_ERROR if exact else DEPENDENT_BITS
        return plan_sample(
            self.coefficients,
            self.geometry,
            self.steps(gain),
            self.parameters,
            self.survey.scale,
            bounded=target.kind == "max_error",
            gain_share=0.0 if exact else GAIN_SHARE,
            dependent_from=least if self.searched else math.inf,
        )

    def plan(self, setting: float, target: Target) -> TensorPlan:
        """With quantiser, reconstruction points, classes and tables for that gain."""
        made = self.sample_plan(setting, target)
        if self.profiled:
            config = self._with_profile(made, setting)
        else:
            config = self._with(made.parameters, {**self.config.arrays, **made.sections})
        return self._planned(config, replace(self.terms, quantizer=made.quantizer))

    def _with(self, parameters: Parameters, arrays: Arrays) -> TensorConfig:
        return replace(self.config, parameters=parameters.to_fields(), arrays=arrays)

    def _with_profile(self, made: SamplePlan, gain: float) -> TensorConfig:
        """A profile's classes and tables, unless own ones save more than they take; always its points."""
        profiled = Parameters.from_fields(self.config.parameters).with_quantizer(made.parameters.dependent)
        codec = TransformCodec(profiled, self.config.arrays, self.survey.channels)
        kept = sample_bits(codec, made.quantizer, self.coefficients, self.geometry, gain)
        saved = (kept - made.bits) * self.survey.scale
        if (TABLES in self.config.arrays and not made.tables) or saved <= 8 * section_cost(made.whole_sections):
            return self._with(profiled, self.config.arrays)
        parameters = replace(made.parameters, step=profiled.step, shift=profiled.shift)
        return self._with(parameters, {**self.config.arrays, **made.whole_sections})
