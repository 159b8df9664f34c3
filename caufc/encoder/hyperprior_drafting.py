"""Drafting for the learned codec: a range to which values are truncated, then normalised; the model brings the rest."""

from __future__ import annotations

from dataclasses import replace

from ..coders.base import Terms
from ..coders.config import TensorConfig
from ..coders.registry import HYPERPRIOR
from ..errors import OptionError
from .alignment import choose_range
from .compare import TINY_BYTES
from .drafting import Drafting
from .survey import TensorSurvey
from .tensor_draft import HyperpriorDraft, TensorDraft

__all__ = ["HyperpriorDrafting"]


class HyperpriorDrafting(Drafting):
    """Chooses for the learned codec."""

    scales_channels = False

    def _with_loss(self, base: TensorConfig, survey: TensorSurvey, terms: Terms) -> TensorDraft:
        weights = self.options.weights
        if weights is None:
            raise OptionError("the hyperprior codec has no weights", remedy="give --weights")
        if survey.constant or self.tensor.numel * base.item_size <= TINY_BYTES:
            return TensorDraft(base)
        wanted = self.own.alignment
        config, _, limits = choose_range(base, survey, wanted)
        chosen = wanted is None or wanted.truncate is None
        outliers = chosen if self.options.outliers is None else self.options.outliers
        arrays = {**config.arrays, **weights.weights.arrays}
        return HyperpriorDraft(
            replace(config, codec=HYPERPRIOR, parameters=(0,), arrays=arrays),
            terms=replace(terms, truncate=limits, outliers=outliers, separator=terms.separator if outliers else None),
            survey=survey,
            warning=self._doubt(survey.channels),
        )
