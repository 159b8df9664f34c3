"""Drafting for the transform codec: alignment, transforms and step, or a profile's."""

from __future__ import annotations

from dataclasses import replace

from ..coders.base import Terms
from ..coders.config import TensorConfig
from ..errors import OptionError
from .alignment import choose_alignment
from .compare import prefers_lossless
from .drafting import Drafting
from .step import choose_step
from .survey import TensorSurvey
from .tensor_draft import TensorDraft, TransformDraft

__all__ = ["TransformDrafting"]

UNEQUAL = ("quality", "bpfp")
"""Targets that are free to weigh values unequally."""


class TransformDrafting(Drafting):
    """Chooses for the transform codec."""

    def _with_loss(self, base: TensorConfig, survey: TensorSurvey, terms: Terms) -> TensorDraft:
        draft = self._drafted(base, survey)
        if terms.truncate is None and prefers_lossless(draft, self.target):
            return TensorDraft(base)
        warning = self._doubt(survey.channels) or self._unread(draft)
        return replace(draft, terms=terms, warning=warning)

    def _drafted(self, base: TensorConfig, survey: TensorSurvey) -> TransformDraft:
        default, searched = self._profiled(), self.file.effort.searched
        if default is not None:
            return TransformDraft.from_profile(base, default, survey, searched=searched)
        reads = self._reads()
        self._check_read(reads, survey.geometry.special)
        aligned, aligner = choose_alignment(base, survey, self.options.alignment, self.target)
        config = choose_step(aligned, aligner, survey, self.target, reads, embedded=self.embedded)
        return TransformDraft.of(config, aligner, survey, searched=searched)

    def _unread(self, draft: TransformDraft) -> str:
        """What is kept coarsely because the plugin says that nothing reads it."""
        if draft.profiled or self.options.reads is not None or self._reads() == "tokens":
            return ""
        part = {"mean": "the mean over the grid", "first": "the first token"}[self._reads()]
        return f"{self._name()}keeps {part}, which is what '{self.options.tap}' is read by; --reads tokens keeps all"

    def _reads(self) -> str:
        """What is read: as the user says, else as the plugin says where the target may weigh values unequally."""
        if self.options.reads is not None:
            return self.options.reads
        return self.options.tap_reads if self.target.kind in UNEQUAL else "tokens"

    def _check_read(self, reads: str, special: int) -> None:
        if reads != "tokens" and self.target.kind not in UNEQUAL:
            raise OptionError(f"what is read ('{reads}') says nothing under {self.target.kind}", remedy="leave it out")
        if reads == "first" and not special:
            layout = "b (1 + n) c"
            raise OptionError("no first token in the layout", remedy=f"set it apart, as in --layout '{layout}'")
