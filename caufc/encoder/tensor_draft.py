"""Drafts: how a tensor will be coded, with tables and the gain on its steps still open."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..coders.base import Terms
from ..coders.config import TensorConfig
from ..coders.registry import LOSSLESS
from .compare import lossless_bytes
from .options import Target
from .plan import TensorPlan
from .survey import TensorSurvey

__all__ = ["HyperpriorDraft", "TensorDraft", "without_loss"]


@dataclass(frozen=True)
class TensorDraft:
    """How a tensor will be coded; as it stands, one that leaves nothing open, such as one without loss.

    Args:
        config: for the coder, so far.
        layout_reason: why the layout was chosen; empty for one that was given.
        terms: on which the coder codes.
        warning: what the user should know.
    """

    config: TensorConfig
    layout_reason: str = ""
    terms: Terms = field(default_factory=Terms)
    warning: str = ""

    def plan(self, setting: float, target: Target) -> TensorPlan:  # noqa: ARG002
        """The draft with all that was open.

        Args:
            setting: what rate control turns: the quality, or the number of a model's rate.
            target: the rate control.
        """
        return self._planned(self.config, self.terms)

    def for_profile(self, setting: float, target: Target) -> TensorConfig:
        """The configuration of a profile that is made for a setting, with the step that stands for medium quality."""
        return self.plan(setting, target).at_medium(setting).config

    def lossless(self) -> TensorPlan | None:
        """The plan without loss; None where some is wanted."""
        return self._planned(self.config, self.terms)

    @property
    def least_lossless_bytes(self) -> float:
        """Bytes without loss at least; 0 where that takes time to say."""
        return 0.0

    def stored(self) -> TensorPlan:
        """The plan without loss where nothing else is left: only what the user wants clipped is."""
        limits = None if self.terms.outliers else self.terms.truncate
        terms = Terms(truncate=limits, nonfinite=self.terms.nonfinite, counting=self.terms.counting)
        return self._planned(without_loss(self.config), terms)

    def _planned(self, config: TensorConfig, terms: Terms, expected: float = 0.0) -> TensorPlan:
        return TensorPlan(config, terms, self.layout_reason, self.warning, expected)


@dataclass(frozen=True, kw_only=True)
class HyperpriorDraft(TensorDraft):
    """How the learned codec will code a tensor: the rate is open.

    Args:
        survey: of the tensor.
    """

    survey: TensorSurvey

    def plan(self, setting: float, target: Target) -> TensorPlan:  # noqa: ARG002
        """With the rate of that number."""
        return self._planned(replace(self.config, parameters=(int(setting),)), self.terms)

    def lossless(self) -> TensorPlan | None:
        """The plan without loss; None where values beyond a range are to be lost."""
        if not self.terms.outliers:
            return None
        terms = replace(self.terms, separator=None, truncate=None)
        expected = lossless_bytes(self.survey, self.config.dtype)
        return self._planned(without_loss(self.config), terms, expected)


def without_loss(config: TensorConfig) -> TensorConfig:
    """A tensor's configuration with the lossless codec."""
    return replace(config, codec=LOSSLESS, alignment=None, parameters=(), arrays={}, leader=None)
