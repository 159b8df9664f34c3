"""Drafting: a tensor is read once, and how it will be coded is settled, but for what rate control leaves open."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..align import LayoutAligner
from ..coders.base import Terms
from ..coders.config import TensorConfig
from ..coders.lossy import turns_of
from ..coders.registry import LOSSLESS
from ..coders.sections import TURNS
from ..errors import OptionError
from ..layouts import Layout
from ..types import FLOATS
from .layout import LayoutChoice, template_of
from .options import EncodeOptions, TensorOptions
from .separator import Separation
from .source import Source, SourceTensor
from .survey import TensorSurvey
from .survey_reading import check_finite, chunks_of
from .surveying import survey_tensor
from .tensor_draft import TensorDraft
from .turn_search import found_turns

__all__ = ["Drafting", "lossless_config"]

Advance = Callable[[int], None]


def lossless_config(
    source: Source, tensor: SourceTensor, layout: Layout | None, tap: str | None = None
) -> TensorConfig:
    """The configuration of a tensor that is coded without loss."""
    template = template_of(source, tensor)
    meaning = None if layout is None else layout.unbatched()
    return TensorConfig(tensor.name, tensor.dtype, tensor.framework, template, LOSSLESS, meaning, tap=tap)


class Drafting(ABC):
    """One tensor's way from values to a draft; subclasses choose for their codec.

    Args:
        source: of the tensor.
        tensor: one of its tensors, or a stack of them.
        options: what the user wants.
        own: the same of the tensor, with a profile's layout and tap.
        default: what a profile says of the tensor.
        chunk: samples that are read at a time.
        embedded: whether a file holds what is chosen, rather than a profile for many files.
    """

    scales_channels = True
    """Whether alignment gives large channels scales of their own."""

    def __init__(
        self,
        source: Source,
        tensor: SourceTensor,
        options: EncodeOptions,
        own: TensorOptions,
        default: TensorConfig | None,
        chunk: int,
        embedded: bool,
    ) -> None:
        self.source, self.tensor, self.chunk, self.embedded = source, tensor, chunk, embedded
        self.options, self.own, self.target, self.default = options, own, options.target, default

    def draft(
        self, choice: LayoutChoice, budget: int, least: int, advance: Advance, turns: NDArray[np.int32] | None = None
    ) -> TensorDraft:
        """Read the tensor and choose.

        Args:
            choice: its layout.
            budget: most values of the sample on which tables are made.
            least: values of the sample on which transforms are chosen, at least: they need more where there are many
                tensors.
            advance: called with the number of values that were read.
            turns: of the tensor's keys; None for none.
        """
        layout, reason = choice.layout, choice.reason
        base = lossless_config(self.source, self.tensor, layout, self.own.tap)
        terms = self._terms()
        if layout is None or self.target.kind == "lossless" or not self.tensor.numel:
            self._check_finite(advance)
            return TensorDraft(base, reason)
        members = 1 if self.default is None else self.default.stacked
        base = self._with_turns(base, turns)
        survey = self._surveyed(base, layout, terms, max(budget, least), members, advance)
        if self.target.kind != "max_error" and not survey.statistics.moderate:
            wide = f"{self._name()}kept without loss: its values are beyond 2^48 or all below 2^-48"
            return TensorDraft(base, reason, warning="" if survey.constant else wide)
        terms = replace(terms, separator=survey.separator, counting=survey.counting)
        planned = min(budget, self.options.effort.tables_of(survey.channels)) if self.embedded else budget
        draft = self._with_loss(base, replace(survey, planned=planned), terms)
        return replace(draft, layout_reason=reason)

    def turns_beside(self, layout: Layout | None, known: Sequence[NDArray[np.int32]]) -> NDArray[np.int32] | None:
        """Turns of the tensor's keys that pay; None where there are none, or are not for a draft to choose.

        Args:
            layout: of the tensor.
            known: turns of other tensors of the file.
        """
        exact = self.target.bounded or self.own.alignment is not None
        if exact or layout is None or not self.tensor.numel or self._profiled() is not None:
            return None
        return found_turns(self.source, self.tensor, layout.unbatched(), known)

    def _with_turns(self, base: TensorConfig, turns: NDArray[np.int32] | None) -> TensorConfig:
        """The configuration with the turns that a profile has, or with those that pay."""
        if self.target.kind == "max_error" or self.own.alignment is not None:
            return base
        default = self._profiled()
        turns = turns if default is None else default.arrays.get(TURNS)
        return base if turns is None else replace(base, arrays={**base.arrays, TURNS: turns})

    def _surveyed(
        self, base: TensorConfig, layout: Layout, terms: Terms, values: int, members: int, advance: Advance
    ) -> TensorSurvey:
        channels = LayoutAligner(layout).size(self.tensor.shape(0))[1]
        return survey_tensor(
            self.source,
            self.tensor,
            layout,
            chunk=self.chunk,
            budget=values,
            keep_nonfinite=self.options.keep_nonfinite,
            progress=advance,
            truncated=terms.truncate,
            separation=None if self.target.kind == "max_error" else self._separation(layout),
            members=members,
            turns=turns_of(base, channels),
        )

    def _separation(self, layout: Layout) -> Separation:
        """How outliers are coded apart."""
        target = self.target
        return Separation(self._levelled(layout), target.by_token, self.scales_channels, target.by_tensor)

    @abstractmethod
    def _with_loss(self, base: TensorConfig, survey: TensorSurvey, terms: Terms) -> TensorDraft:
        """The draft of a tensor that may lose something.

        Args:
            base: the configuration without loss.
            survey: of the tensor.
            terms: that were asked for.
        """

    def _levelled(self, layout: Layout) -> bool:  # noqa: ARG002
        """Whether tokens are coded as if they were equally large."""
        return False

    def _profiled(self) -> TensorConfig | None:
        """The profile's configuration, where neither option nor target stand against it."""
        default = self.default
        if default is None or not default.codec.lossy or self.own.alignment or self.target.bounded:
            return None
        return default

    def _terms(self) -> Terms:
        default = self._profiled()
        alignment = self.own.alignment
        truncate = None if alignment is None else alignment.truncate
        if default is not None and default.alignment is not None:
            truncate = default.alignment.truncate
        if self.target.bounded and truncate is not None:
            raise OptionError("truncation and an error bound contradict each other", remedy="leave one out")
        bound = self.target.value if self.target.kind == "max_error" else None
        token_snr = self.target.value if self.target.by_token else None
        return Terms(bound, truncate, self.options.keep_nonfinite, token_snr=token_snr)

    def _name(self) -> str:
        return f"tensor '{self.tensor.name}' " if self.tensor.name else ""

    def _doubt(self, channels: int) -> str:
        """What the plugin says of the tap, if the features do not look like that."""
        declared = self.own.channels
        if declared in (None, channels):
            return ""
        return f"{self._name()}has {channels} channels, tap '{self.own.tap}' has {declared}: is the tap right?"

    def _check_finite(self, advance: Advance) -> None:
        """What is coded without loss carries NaN and Inf, but only if that was asked for."""
        if self.target.kind == "lossless" or self.options.keep_nonfinite or self.tensor.dtype not in FLOATS:
            advance(self.tensor.numel)
            return
        for samples in chunks_of(self.source.samples, self.chunk):
            advance(check_finite(self.tensor, samples))
