"""Drafts: how a tensor will be coded, with tables and the gain on its steps still open."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..coders.base import Terms
from ..coders.config import TensorConfig
from .options import Target
from .plan import TensorPlan

__all__ = ["HyperpriorDraft", "TensorDraft"]


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

    def _planned(self, config: TensorConfig, terms: Terms, expected: float = 0.0) -> TensorPlan:
        return TensorPlan(config, terms, self.layout_reason, self.warning, expected)


@dataclass(frozen=True)
class HyperpriorDraft(TensorDraft):
    """How the learned codec will code a tensor: the rate is open."""

    def plan(self, setting: float, target: Target) -> TensorPlan:  # noqa: ARG002
        """With the rate of that number."""
        return self._planned(replace(self.config, parameters=(int(setting),)), self.terms)
