"""Drafting for the transform codec: alignment, transforms and step, or a profile's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..align import ChannelAligner, GlobalAligner, TokenAligner
from ..codec.transform.parameters import Parameters
from ..coders.base import Terms
from ..coders.config import TensorConfig
from ..coders.row_sums import row_squares
from ..errors import OptionError
from ..layouts import GRID_LETTERS, Layout
from .alignment import choose_alignment
from .compare import TINY_BYTES
from .drafting import Advance, Drafting
from .goal import MEDIUM, MEDIUM_SNR, WIDE_TOKEN_SNR, quality_goal, quality_step
from .layout import LayoutChoice
from .options import Target
from .principals import JOINT_TOKENS
from .profiled_draft import ProfiledDraft
from .separator import TOKEN_CHANNELS
from .stack_drafting import StackDraft, joint_drafts, pays, with_joint_turns
from .step import choose_step
from .survey import TensorSurvey
from .tensor_draft import TensorDraft
from .transform_draft import TransformDraft
from .trial import WORST_SHARE, worst_energy

__all__ = ["TransformDrafting"]

LEAST_TOKEN = 10 ** (-(MEDIUM_SNR - WIDE_TOKEN_SNR - 1) / 20)
"""Root mean square of tokens below which they need finer steps, in those of all."""

NOISY = 1.25
"""Tokens are raised to what steps add, not by their size, if that is so many times more, as beside massive channels."""

JOINT_VALUES, JOINT_SAMPLE = 1 << 27, 1 << 21
"""Values of a stack on which bases across its members are chosen: for a profile at most, for a file at least."""

RAISED_QUALITY = 35.0
"""Below, tokens in transformed grids have no scales: means are what matters there, and all have about 0 dB."""


SCALE_BITS = 6.0
"""What the scale of a token takes, about."""

EVEN_MARGIN = 0.85
"""The share of bytes that errors which are the same in all tokens must take at most, for the sake of a clear choice."""

AT_MEDIUM = Target("snr", MEDIUM_SNR, by_token=True)
"""Where that is decided, so that it is the same whatever is asked."""

MOST_SNR = 250.0
"""dB beyond which errors are not made the same in all tokens, for a few that are far smaller."""


class TransformDrafting(Drafting):
    """Chooses for the transform codec."""

    def draft(
        self, choice: LayoutChoice, budget: int, least: int, advance: Advance, turns: NDArray[np.int32] | None = None
    ) -> TensorDraft:
        found = super().draft(choice, budget, least, advance, turns)
        if not self.target.by_token or self._profiled() is not None or not isinstance(found, TransformDraft):
            return found

        def drafted(target: Target) -> TensorDraft:
            options = replace(self.options, target=target)
            other = type(self)(self.source, self.tensor, options, self.own, self.default, self.chunk, self.embedded)
            return super(TransformDrafting, other).draft(choice, budget, least, lambda values: None, turns)

        excess = _excess_of_worst(found.survey)
        if not self.target.value + excess <= MOST_SNR:
            return found
        at_medium, wanted = (Target("snr", value + excess) for value in (MEDIUM_SNR, self.target.value))
        if not _even_pays(drafted(AT_MEDIUM), drafted(at_medium), at_medium):
            return found
        even = drafted(wanted)
        if not isinstance(even, TransformDraft):
            return found
        terms = replace(even.terms, token_snr=self.target.value, token_scales=False)
        return replace(even, terms=terms, even=wanted, stackable=False)

    def joint(self, layout: Layout, members: Sequence[TransformDraft]) -> StackDraft | None:
        """The draft of a stack, which is the tensor here, with bases across its members; None where they do not pay.

        Args:
            layout: of the members.
            members: how each would be coded alone, the leader first.
        """
        terms, config = self._terms(), with_joint_turns(members)
        channels = len(members) * members[0].survey.channels
        values = max(JOINT_SAMPLE, JOINT_TOKENS * channels**2) if self.embedded else JOINT_VALUES
        survey = self._surveyed(config, layout, terms, values, len(members), lambda values: None)
        terms = replace(terms, separator=survey.separator, counting=survey.counting)
        survey = replace(survey, planned=sum(member.survey.planned for member in members))
        if not self.embedded:
            return next(joint_drafts(config, survey, members, terms), None)
        found = joint_drafts(config, survey, members, terms, math.log2(quality_step(self.target.value)))
        return next((joint for joint in found if pays(joint, members, self.target.value, self.target)), None)

    def _with_loss(self, base: TensorConfig, survey: TensorSurvey, terms: Terms) -> TensorDraft:
        tiny = survey.total * survey.channels * base.item_size <= TINY_BYTES
        if (survey.constant or tiny) and terms.truncate is None:
            return TensorDraft(base)
        draft = self._drafted(base, survey, terms)
        return replace(draft, warning=self._doubt(survey.channels) or self._unread(draft))

    def _levelled(self, layout: Layout) -> bool:
        """Tokens of sequences are, and of their layers: what reads them mostly normalises them first."""
        grid = [letter for term in layout.sample_terms for letter in term if letter in GRID_LETTERS]
        return self.target.unequal and 1 <= len(grid) <= 2

    def _drafted(self, base: TensorConfig, survey: TensorSurvey, terms: Terms) -> TransformDraft:
        default, searched = self._profiled(), self.options.effort.searched
        if default is not None:
            draft = ProfiledDraft.from_profile(base, default, survey, searched=searched)
            return replace(draft, terms=terms)
        reads = self._reads()
        self._check_read(reads, survey.geometry.special)
        aligned, aligner = choose_alignment(base, survey, self.own.alignment, self.target)
        if isinstance(aligner, ChannelAligner | GlobalAligner):
            survey = survey.standing_at(aligner.offset)
        small = self.embedded and self.source.small
        config, quality = choose_step(aligned, aligner, survey, self.target, reads, embedded=self.embedded, small=small)
        each = reads == "tokens" and not (survey.sparse and _is_plane(survey))
        by_token = each and (quality >= RAISED_QUALITY or not Parameters.from_fields(config.parameters).spectral)
        if by_token and self.target.unequal:
            step = Parameters.from_fields(config.parameters).step
            scales = None if isinstance(aligner, TokenAligner) else np.asarray(aligner.scales(None), np.float64)
            survey = _with_raised_tokens(survey, step, scales)
        terms = replace(terms, separator=survey.separator)
        return TransformDraft(
            config=config,
            aligner=aligner,
            survey=survey,
            terms=terms,
            searched=searched,
            matched=reads == "tokens",
            by_token=by_token,
            stackable=each,
            small=small,
        )

    def _unread(self, draft: TransformDraft) -> str:
        """What is kept coarsely because the plugin says that nothing reads it."""
        if isinstance(draft, ProfiledDraft) or self.own.reads is not None or self._reads() == "tokens":
            return ""
        part = {"mean": "the mean over the grid", "first": "the first token"}[self._reads()]
        return f"{self._name()}keeps {part}, which is what '{self.own.tap}' is read by; --reads tokens keeps all"

    def _reads(self) -> str:
        """What is read: as the user says, else as the plugin says where the target may weigh values unequally."""
        if self.own.reads is not None:
            return self.own.reads
        return self.own.tap_reads if self.target.unequal else "tokens"

    def _check_read(self, reads: str, special: int) -> None:
        if reads != "tokens" and not self.target.unequal:
            raise OptionError(f"what is read ('{reads}') says nothing under {self.target.kind}", remedy="leave it out")
        if reads == "first" and not special:
            layout = "b (1 + n) c"
            raise OptionError("no first token in the layout", remedy=f"set it apart, as in --layout '{layout}'")


def _excess_of_worst(survey: TensorSurvey) -> float:
    """By how many dB the SNR of a tensor exceeds that of its worst tokens, if errors are the same in all of them."""
    counted = survey.features if survey.apart is None else np.where(survey.apart, 0, survey.features)
    mean, worst = float(row_squares(counted).mean()), worst_energy(counted)
    return max(0.0, 10 * math.log10(mean / worst)) if worst > 0 else math.inf


def _even_pays(scaled: TensorDraft, even: TensorDraft, target: Target) -> bool:
    """Whether a tensor takes clearly fewer bytes with the same errors in all tokens than with a scale for each.

    The worst tokens are then stored exactly, where they have less than is promised.
    """
    if not isinstance(scaled, TransformDraft) or not isinstance(even, TransformDraft):
        return False
    survey, item_size = scaled.survey, scaled.config.item_size
    exact = WORST_SHARE * survey.total * survey.channels * item_size
    scales = SCALE_BITS / 8 * survey.total
    with_scales = scaled.expected_bytes(0.0, AT_MEDIUM) + scales
    return even.expected_bytes(0.0, target) + exact < EVEN_MARGIN * with_scales


def _with_raised_tokens(survey: TensorSurvey, step: float, scales: NDArray[np.float64] | None) -> TensorSurvey:
    """The survey with tokens raised that would have less than a quality promises: they get finer steps.

    Args:
        survey: of the tensor.
        step: at medium quality, in aligned units.
        scales: features' units per aligned unit, broadcastable; None where tokens have their own.
    """
    if survey.levelled or survey.channels < TOKEN_CHANNELS or not survey.sample.size:
        return survey
    share = 1.0 if survey.apart is None else 1 - float(np.mean(survey.apart))
    if not share:
        return survey
    counted = survey.sample if survey.apart is None else np.where(survey.apart, 0, survey.sample)
    least = LEAST_TOKEN * math.sqrt(float(row_squares(counted).sum()) / counted.size / share)
    if scales is None:
        return survey.raised(least)
    noise = quality_goal(MEDIUM, counted, scales, step, by_token=False).noise / share
    needed = 10 ** ((WIDE_TOKEN_SNR + 1) / 20) * math.sqrt(noise)
    return survey.raised(needed if needed > NOISY * least else least)


def _is_plane(survey: TensorSurvey) -> bool:
    """Whether tokens are places of a map, which networks read together."""
    return any(len(grid) > 1 for grid in survey.geometry.grids) and not survey.geometry.special
