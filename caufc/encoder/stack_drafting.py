"""Drafts of stacks: where a profile has stacked tensors, and where one is to be made that does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..align import ChannelAligner, GlobalAligner
from ..bitstream import AlignmentRecord
from ..codec.transform.parameters import Parameters
from ..coders.base import Terms
from ..coders.config import TensorConfig
from ..coders.lossy import statistics_arrays
from ..coders.stack import stack_axis
from ..descriptors import ALIGNMENT_KINDS, ALIGNMENT_SCOPES
from .importance import blind_importance
from .layout_names import pattern_of
from .source import Source
from .survey import TensorSurvey
from .tensor_draft import TensorDraft
from .transform_draft import TransformDraft
from .transforms import choose_transforms

__all__ = ["StackDraft", "joint_draft", "stackable"]


@dataclass(frozen=True, kw_only=True)
class StackDraft(TransformDraft):
    """How the leader of a stack will be coded with those behind it."""

    @property
    def may_be_lossless(self) -> bool:
        """Not: the others depend on it."""
        return False


def stackable(source: Source, drafts: Sequence[TensorDraft]) -> Iterator[list[int]]:
    """Numbers of tensors that are alike: in all but the numbers in their names, and so in how they are drafted."""
    alike: dict[tuple[object, ...], list[int]] = {}
    for number, (tensor, draft) in enumerate(zip(source.tensors, drafts, strict=True)):
        if isinstance(draft, TransformDraft) and _may_be_stacked(draft):
            config = draft.config
            shapes = tensor.shape(0) if tensor.stacked else tuple(leaf.shape for leaf in tensor.leaves)
            key = pattern_of(tensor.name), config.dtype, config.layout, shapes
            alike.setdefault(key, []).append(number)
    yield from (numbers for numbers in alike.values() if len(numbers) > 1)


def _may_be_stacked(draft: TransformDraft) -> bool:
    """Tokens that are as large as they are, statistics by channel or for all, channels to stand behind."""
    layout, survey = draft.config.layout, draft.survey
    plain = isinstance(draft.aligner, ChannelAligner | GlobalAligner) and draft.terms.truncate is None
    return plain and not survey.levelled and draft.by_token and layout is not None and stack_axis(layout) is not None


def joint_draft(
    config: TensorConfig, survey: TensorSurvey, members: Sequence[TransformDraft], terms: Terms
) -> StackDraft | None:
    """The draft of a stack with bases across its members; None where such bases do not pay.

    Args:
        config: of the whole without loss.
        survey: of the whole.
        members: how each would be coded alone, the leader first.
        terms: of the whole.
    """
    aligner = _joint_aligner(members)
    step = members[0].parameters.step
    transforms = choose_transforms(
        aligner.forward(survey.sample)[0],
        survey.geometry,
        step,
        survey.total * survey.channels,
        blind_importance(replace(survey.geometry, spectral=True), "tokens"),
        embedded=False,
        groups=[len(members), *_fewer_groups(len(members))],
    )
    if transforms.basis is None or _groups(transforms.basis.ranks) >= len(members):
        return None
    record = AlignmentRecord(ALIGNMENT_KINDS.index("mean-deviation"), ALIGNMENT_SCOPES.index("channel"))
    parameters = Parameters(step, spectral=transforms.spectral)
    joint = replace(
        config,
        codec=members[0].config.codec,
        alignment=record,
        arrays={**statistics_arrays(aligner), **transforms.sections()},
        parameters=parameters.to_fields(),
    )
    return StackDraft(config=joint, aligner=aligner, survey=survey, terms=terms, searched=members[0].searched)


def _groups(ranks: NDArray[np.int32] | None) -> int:
    return 1 if ranks is None else len(ranks)


def _fewer_groups(members: int) -> list[int]:
    """Numbers of groups that each have several members."""
    return [count for count in range(members - 1, 0, -1) if members % count == 0]


def _joint_aligner(members: Sequence[TransformDraft]) -> ChannelAligner:
    """The members' aligners behind each other, in units in which all have the step of the first."""
    offsets, scales = [], []
    for member in members:
        width = member.survey.channels
        unit = member.parameters.step / members[0].parameters.step
        offsets.append(np.broadcast_to(np.asarray(_offset(member), np.float64), (width,)))
        scales.append(np.broadcast_to(np.asarray(member.aligner.scales(None), np.float64) * unit, (width,)))
    return ChannelAligner.of(np.concatenate(offsets), np.concatenate(scales))


def _offset(member: TransformDraft) -> NDArray[np.float32] | float:
    aligner = member.aligner
    return aligner.offset if isinstance(aligner, ChannelAligner | GlobalAligner) else 0.0
