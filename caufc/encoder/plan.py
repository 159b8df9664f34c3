"""Plans: a tensor as it is coded in one pass, with tables, at a gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..coders.base import Terms
from ..coders.config import TensorConfig
from .goal import quality_step
from .separator import OutlierSeparator

__all__ = ["TensorPlan", "file_gain"]


@dataclass(frozen=True)
class TensorPlan:
    """How a tensor is coded in one pass.

    Args:
        config: for coder and decoder, whole.
        terms: for the coder, with its quantiser.
        layout_reason: why the layout was chosen; empty for one that was given.
        warning: what the user should know.
        expected: bytes of sections and payloads, about; 0 where that is not known.
        payload_bytes: bytes of payloads alone, about; 0 where that is not known.
        gain: of the file, on which the steps rely; None where they do not.
    """

    config: TensorConfig
    terms: Terms
    layout_reason: str = ""
    warning: str = ""
    expected: float = 0.0
    payload_bytes: float = 0.0
    gain: float | None = None

    @property
    def steps_alone(self) -> bool:
        """Whether its steps are its own, and rely on no gain of the file."""
        return self.terms.quantizer is not None and self.gain is None

    def at_medium(self, setting: float) -> TensorPlan:
        """The plan with the step that stands for medium quality, if this one is that of another."""
        return self.with_step(1 / quality_step(setting)) if self.steps_alone else self

    @property
    def step(self) -> float:
        """The transform codec's."""
        return float(self.config.parameters[0])

    def with_step(self, factor: float) -> TensorPlan:
        """The plan with steps of the transform codec so many times as large."""
        step, *others = self.config.parameters
        limits = np.finfo(np.float32)
        stepped = float(np.float32(min(max(step * factor, float(limits.tiny)), float(limits.max))))
        config = replace(self.config, parameters=(stepped, *others))
        return replace(self, config=config)

    def with_outliers(self, times: float) -> TensorPlan:
        """The plan with outlying tokens that are kept so many times more finely."""
        separator = self.terms.separator
        if not isinstance(separator, OutlierSeparator):
            return self
        return replace(self, terms=replace(self.terms, separator=separator.finer(times)))


def file_gain(plans: Sequence[TensorPlan]) -> tuple[float, list[TensorPlan]]:
    """The gain of a file, on which profiled steps rely, and its plans, with all other steps less that gain."""
    gain = next((plan.gain for plan in plans if plan.gain is not None), 1.0)
    if gain == 1:
        return gain, list(plans)
    return gain, [plan.with_step(1 / gain) if plan.steps_alone else plan for plan in plans]
