"""Drafts of stacks: where a profile has stacked tensors, and where one is to be made that does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from ..align import ChannelAligner, GlobalAligner
from ..bitstream import AlignmentRecord
from ..codec.transform.parameters import Parameters
from ..coders.base import Terms
from ..coders.config import TensorConfig
from ..coders.lossy import statistics_arrays
from ..coders.sections import TURNS
from ..coders.stack import stack_axis
from ..descriptors import ALIGNMENT_KINDS, ALIGNMENT_SCOPES
from ..types import Arrays
from .goal import Goal, quality_goal, quality_step
from .importance import blind_importance
from .layout_names import pattern_of
from .options import Target
from .principals import BASIS_TOKENS, JUDGED_TOKENS, LARGEST_BASIS, LARGEST_PROFILED
from .sample_plan import QuantizerKind
from .source import Source
from .survey import TensorSurvey
from .tensor_draft import TensorDraft
from .transform_draft import BEYOND, THIN_VALUES, TransformDraft
from .transforms import JointTransforms, choose_transforms
from .trial import StackTrial

__all__ = ["StackDraft", "joint_drafts", "pays", "stackable", "with_joint_turns"]

MOST_APART = 1.5
"""Times the outliers of members that a stack may have: more are ordinary values of one beside far smaller others."""

STACK_VALUES = 1 << 18
"""Values of a stack's sample on which steps are tried, about: each of its members has goals of its own."""

VECTOR_BITS, LOW_VECTOR_BITS = 2.0, 8.0
"""Bits that a code of a basis across tensors must be worth: about what it takes from medium on, and more below, where
tokens have no floors and a bit is worth more than at high rates; by trials on caches."""

MOST_ASKED, STACK_MARGIN = 4, 1.03
"""Members of a stack that are asked what they take alone, at most, and what it must save, as they are read together."""


@dataclass(frozen=True, kw_only=True)
class StackDraft(TransformDraft):
    """How the leader of a stack will be coded with those behind it.

    Args:
        members: how many there are, each of which keeps what a quality promises; None of a profile's.
    """

    members: int | None = None

    @property
    def may_be_lossless(self) -> bool:
        """Not: the others depend on it."""
        return False

    @property
    def thin_values(self) -> int:
        """More than of one tensor: each has goals of its own."""
        return THIN_VALUES if self.members is None else STACK_VALUES

    def keeps(self, quality: float, target: Target) -> bool:
        """Whether a gain keeps what a quality promises: a short basis leaves directions out."""
        gain, kind = self._gain(quality, target)
        trial, goal = self._stack_trial(quality, target)
        return trial.meets(goal, kind, gain, BEYOND)

    def _gain(self, setting: float, target: Target) -> tuple[float, QuantizerKind]:
        if self.members is None:
            return super()._gain(setting, target)
        gain = quality_step(setting)
        kind = self._kind(gain, target)
        trial, goal = self._stack_trial(setting, target)
        return trial.gain_for(goal, kind, gain), kind

    def _stack_trial(self, quality: float, target: Target) -> tuple[StackTrial, Goal]:
        """The trial with the goals of the members, and what these are together."""
        trial, goals = self._trial_of(target), tuple(self._goals(quality, self.members or 1))
        whole = StackTrial(**{each.name: getattr(trial, each.name) for each in fields(trial)}, goals=goals)
        return whole, Goal(float(np.mean([goal.noise for goal in goals])))

    def _goals(self, quality: float, members: int) -> Iterator[Goal]:
        """Of the members, as if each were coded alone; each token only counts from medium on."""
        units = np.broadcast_to(np.asarray(self.aligner.scales(self._trial.side)), self._trial.features.shape)
        parts = (np.split(part, members, axis=1) for part in (self._counted_features, units))
        for features, own in zip(*parts, strict=True):
            yield quality_goal(quality, features, own, self.parameters.step, by_token=self.by_token)


def stackable(source: Source, drafts: Sequence[TensorDraft], *, embedded: bool) -> Iterator[list[int]]:
    """Numbers of tensors to be tried as stacks: alike in shape, layout and dtype, their names in all but numbers.

    Keys and values are of one stack, for they come from the same stream; stacks are of neighbouring layers, as many as
    there are tokens to know a basis from, or to pay for its bytes where a file holds it.
    """
    largest, tokens = (LARGEST_BASIS, BASIS_TOKENS) if embedded else (LARGEST_PROFILED, 2 * JUDGED_TOKENS)
    alike: dict[tuple[object, ...], list[int]] = {}
    for number, (tensor, draft) in enumerate(zip(source.tensors, drafts, strict=True)):
        if isinstance(draft, TransformDraft) and _may_be_stacked(draft):
            shapes = tensor.shapes
            alike.setdefault((draft.config.dtype, draft.config.layout, shapes), []).append(number)
    for numbers in alike.values():
        first = drafts[numbers[0]]
        if isinstance(first, TransformDraft):
            widest = min(largest, int(first.survey.total / tokens))
            yield from _runs([source.tensors[number].name for number in numbers], numbers, first.survey, widest)


def _runs(names: Sequence[str], numbers: Sequence[int], survey: TensorSurvey, widest: int) -> Iterator[list[int]]:
    """Alike tensors, in runs of neighbouring layers of at most so many channels."""
    kinds: dict[str, list[int]] = {}
    for name, number in zip(names, numbers, strict=True):
        kinds.setdefault(pattern_of(name), []).append(number)
    layers = min(len(of_kind) for of_kind in kinds.values())
    if any(len(of_kind) != layers for of_kind in kinds.values()):
        for of_kind in kinds.values():
            yield from _split([[number] for number in of_kind], widest // survey.channels)
        return
    yield from _split([list(layer) for layer in zip(*kinds.values(), strict=True)], widest // survey.channels)


def _split(layers: Sequence[list[int]], most: int) -> Iterator[list[int]]:
    """Layers in runs of about equal lengths, each with at most so many tensors, and more than one."""
    count = max(1, math.ceil(len(layers) * len(layers[0]) / max(1, most)))
    for run in np.array_split(np.array(layers), count):
        if run.size > 1:
            yield sorted(int(number) for number in run.ravel())


def _may_be_stacked(draft: TransformDraft) -> bool:
    """Tokens that are as large as they are, statistics by channel or for all, channels to stand behind."""
    layout, survey = draft.config.layout, draft.survey
    plain = isinstance(draft.aligner, ChannelAligner | GlobalAligner) and draft.terms.truncate is None
    return plain and not survey.levelled and draft.stackable and layout is not None and stack_axis(layout) is not None


def joint_drafts(
    config: TensorConfig,
    survey: TensorSurvey,
    members: Sequence[TransformDraft],
    terms: Terms,
    octaves: float | None = None,
) -> Iterator[StackDraft]:
    """Drafts of a stack with bases across its members, the best first; none where such bases do not pay.

    Args:
        config: of the leader, for the whole.
        survey: of the whole.
        members: how each would be coded alone, the leader first.
        terms: of the whole.
        octaves: above the step at medium quality, of a file that holds the bases; None of a profile, which serves all.
    """
    aligner = _joint_aligner(members)
    step = members[0].parameters.step
    aligned, total = aligner.forward(survey.sample)[0], survey.total * survey.channels
    importance = blind_importance(replace(survey.geometry, spectral=True), "tokens")
    groups = (len(members), 1)
    if octaves is None:
        chosen = choose_transforms(aligned, survey.geometry, step, total, importance, embedded=False, groups=groups)
        across = chosen.basis is not None and _groups(chosen.basis.ranks) < len(members)
        tried = iter([chosen] if across else [])
    else:
        joint = JointTransforms(aligned, survey.geometry, step * 2.0**octaves, total, importance, len(members))
        worth = VECTOR_BITS if octaves <= 0 else LOW_VECTOR_BITS
        tried = (found for found in map(joint.chosen, (worth, None)) if found is not None)
    record = AlignmentRecord(ALIGNMENT_KINDS.index("mean-deviation"), ALIGNMENT_SCOPES.index("channel"))
    for transforms in tried:
        yield StackDraft(
            config=replace(
                config,
                codec=members[0].config.codec,
                alignment=record,
                arrays={**_turns(config.arrays), **statistics_arrays(aligner), **transforms.sections()},
                parameters=Parameters(step, spectral=transforms.spectral).to_fields(),
            ),
            aligner=aligner,
            survey=survey,
            terms=terms,
            searched=members[0].searched,
            by_token=octaves is None or (octaves <= 0 and all(member.by_token for member in members)),
            members=None if octaves is None else len(members),
        )


def pays(joint: StackDraft, members: Sequence[TransformDraft], quality: float, target: Target) -> bool:
    """Whether a stack keeps as much in fewer bytes than its members alone would take, of which some are asked."""
    if _share_apart(joint) > MOST_APART * np.mean([_share_apart(member) for member in members]):
        return False
    if not joint.keeps(quality, target):
        return False
    asked = members[:: math.ceil(len(members) / MOST_ASKED)]
    alone = sum(member.expected_bytes(quality, target) for member in asked) * len(members) / len(asked)
    return joint.expected_bytes(quality, target) * STACK_MARGIN < alone


def _share_apart(draft: TransformDraft) -> float:
    apart = draft.survey.apart
    return 0.0 if apart is None else float(apart.mean())


def with_joint_turns(members: Sequence[TransformDraft]) -> TensorConfig:
    """The configuration of a stack's leader, with the turns of all members."""
    config = members[0].config
    distance = next((int(member.config.arrays[TURNS][0]) for member in members if TURNS in member.config.arrays), None)
    others = {name: array for name, array in config.arrays.items() if name != TURNS}
    if distance is None:
        return config
    none = np.zeros(1 + members[0].survey.channels, np.int32)
    parts = [member.config.arrays.get(TURNS, none)[1:] for member in members]
    turns = np.concatenate([np.array([distance], np.int32), *parts]).astype(np.int32)
    return replace(config, arrays={**others, TURNS: turns})


def _turns(arrays: Arrays) -> Arrays:
    return {TURNS: arrays[TURNS]} if TURNS in arrays else {}


def _groups(ranks: NDArray[np.int32] | None) -> int:
    return 1 if ranks is None else len(ranks)


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
