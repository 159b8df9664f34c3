"""Drafting of a file: every tensor, alone or in a stack, as a profile has it or as it is best."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..coders.config import TensorConfig
from ..coders.side_files import ProfileFile
from ..coders.stack import Stack, stack_axis, stacks_of
from ..errors import InputError
from ..threads import in_order, thread_count
from .drafting import Drafting
from .layout import LayoutChoice, choose_layouts, template_of
from .options import EncodeOptions, TensorOptions
from .profiled_draft import ProfiledDraft
from .profiled_plan import ProfiledPlan, Steps, fitted_template, profiled_plans
from .profiled_tensors import profiled_tensors
from .source import Source, SourceTensor, TensorInTurn
from .stack_drafting import stackable
from .stack_source import stacked_tensor
from .tensor_draft import TensorDraft
from .transform_draft import TransformDraft
from .transform_drafting import TransformDrafting
from .turn_search import searched_first

__all__ = ["draft_tensors"]

BASIS_VALUES, BASIS_PART = 1 << 21, 32
"""Values of a tensor from which a basis is made, at least, but of all together so many times the whole sample."""

PROFILE_VALUES = 1 << 27
"""The same of all tensors where a basis is to serve other files too, which no noise of this one should be in."""

MESSAGE_VALUES = 1 << 19
"""Values of a lone sample up to which it has no tables of its own; chosen by hand."""

MOST_STACKS = 2
"""Stacks of a file that are drafted at once: each takes some hundred MB."""

SHARED_VALUES = 1 << 16
"""Values of a tensor, on average, from which drafts are worth threads."""

Advance = Callable[[int], None]


def draft_tensors(
    source: Source,
    options: EncodeOptions,
    profile: ProfileFile | None,
    chunk: int,
    advance: Advance,
    *,
    embedded: bool,
) -> list[TensorDraft]:
    """Read every tensor once and settle how it will be coded.

    Args:
        source: what is coded.
        options: what the user wants.
        profile: that supplies what options leave open.
        chunk: samples that are read at a time.
        advance: called with the number of values that were read.
        embedded: whether a file holds what is chosen, rather than a profile for many files.

    Raises:
        InputError: for input that cannot be encoded as asked.
    """
    return _FileDrafting(source, options, profile, chunk, advance, embedded).drafts()


@dataclass(frozen=True)
class _FileDrafting:
    """Drafts the tensors of one file."""

    source: Source
    options: EncodeOptions
    profile: ProfileFile | None
    chunk: int
    advance: Advance
    embedded: bool

    def drafts(self) -> list[TensorDraft]:
        """One per tensor."""
        if self.profile is None:
            found = self._own_drafts()
            return self._stacked(found) if self._may_stack else found
        numbers, stacks = list(self._profiled), stacks_of([*self._profiled.values()])
        by_number: dict[int, TensorDraft] = {}
        for stack in (replace(stack, members=tuple(numbers[member] for member in stack.members)) for stack in stacks):
            by_number |= zip(stack.members, self._profiled_drafts(stack), strict=True)
        every = range(len(self.source.tensors))
        return [by_number[number] if number in by_number else self._draft(number, None) for number in every]

    @property
    def _may_stack(self) -> bool:
        """Whether alike tensors may be coded as one: in a file, if there is time and all of it is known."""
        whole = self.source.repeats == 1 and not self.source.small
        return not self.embedded or (whole and self.options.effort.stacked)

    def _own_drafts(self) -> list[TensorDraft]:
        """Drafts without a profile, of several large tensors in threads."""
        tensors, codec = self.source.tensors, self.options.codec
        if len(tensors) == 1 or codec.weighted or self.source.numel < SHARED_VALUES * len(tensors):
            return [self._draft(number, None) for number in range(len(tensors))]
        found = []
        numbers = range(len(self._turns))  # threads find the turns here already
        with closing(in_order(self._shared_draft, numbers, thread_count(self.options.threads))) as drafts:
            for tensor, draft in zip(tensors, drafts, strict=True):
                found.append(draft)
                self.advance(tensor.numel)
        return found

    def _shared_draft(self, number: int) -> TensorDraft:
        """Runs in several threads at once; they take turns in reading, as not all inputs can be read side by side."""
        whole = TensorInTurn.of(self.source.tensors[number], self._lock)
        return self._draft(number, None, whole, advance=lambda values: None)

    def _profiled_drafts(self, stack: Stack) -> list[TensorDraft]:
        """Drafts of the members of a profile's stack, which an error bound, for one, dissolves."""
        if stack.alone:
            return [self._draft(stack.leader, stack.config)]
        if not self.options.target.unequal or any(self._options[number].alignment for number in stack.members):
            return [self._draft(number, None) for number in stack.members]
        self._check_alike(stack)
        draft = self._draft(stack.leader, stack.config, stacked_tensor(self._tensors(stack.members), stack.axis))
        if not draft.config.codec.lossy:
            return [self._draft(number, None) for number in stack.members]
        return self._members(draft, stack.members)

    def _stacked(self, drafts: list[TensorDraft]) -> list[TensorDraft]:
        """Drafts without a profile, alike tensors in stacks where bases across them pay."""
        found = list(drafts)
        if self.options.target.kind != "quality":
            return found
        runs = list(stackable(self.source, drafts, embedded=self.embedded))
        threads = min(thread_count(self.options.threads), MOST_STACKS) if self.embedded else 1
        with closing(in_order(lambda numbers: self._joint(numbers, drafts), runs, threads)) as joints:
            for numbers, joint in zip(runs, joints, strict=True):
                for number, draft in zip(numbers, joint, strict=False):
                    found[number] = draft
        return found

    def _joint(self, numbers: Sequence[int], drafts: Sequence[TensorDraft]) -> list[TensorDraft]:
        """Drafts of tensors as a stack; none where bases across them do not pay."""
        alone = [draft for draft in (drafts[number] for number in numbers) if isinstance(draft, TransformDraft)]
        layout = self._layouts[numbers[0]].layout
        axis = None if layout is None else stack_axis(layout.unbatched())
        if layout is None or axis is None:
            return []
        whole = TensorInTurn.of(stacked_tensor(self._tensors(numbers), axis), self._lock)
        drafting = self._drafting(numbers[0], None, whole)
        joint = drafting.joint(layout, alone) if isinstance(drafting, TransformDrafting) else None
        return [] if joint is None else self._members(joint, numbers)

    def _members(self, draft: TensorDraft, numbers: Sequence[int]) -> list[TensorDraft]:
        """The draft of a stack as those of its members."""
        leader = numbers[0]
        template = template_of(self.source, self.source.tensors[leader])
        config = replace(draft.config, template=template, stacked=1)
        members: list[TensorDraft] = [replace(draft, config=config)]
        for number in numbers[1:]:
            own = replace(config, name=self.source.tensors[number].name, tap=self._options[number].tap, leader=leader)
            own = replace(own, framework=self.source.tensors[number].framework)
            own = replace(own, alignment=None, parameters=(), arrays={})
            members.append(TensorDraft(own, draft.layout_reason))
        return members

    def _check_alike(self, stack: Stack) -> None:
        """Refuse tensors that cannot make up a profile's stack.

        Raises:
            InputError: if they differ in dtype, shape or layout.
        """
        one, *others = (
            (tensor.dtype, self._layouts[number].layout, [leaf.shape for leaf in tensor.leaves])
            for number, tensor in zip(stack.members, self._tensors(stack.members), strict=True)
        )
        for number, other in zip(stack.members[1:], others, strict=True):
            if one != other:
                raise InputError(
                    f"differs from '{stack.config.name}' in dtype, shape or layout, and the profile codes both as one",
                    tensor=self.source.tensors[number].name,
                    remedy="use another profile, or none",
                )

    def _draft(
        self,
        number: int,
        default: TensorConfig | None,
        whole: SourceTensor | None = None,
        advance: Advance | None = None,
    ) -> TensorDraft:
        """The draft of a tensor, or of the stack that it leads."""
        tensor = whole or self.source.tensors[number]
        budget = max(1, self._sample_values * tensor.numel // max(1, self.source.numel))
        drafting = self._drafting(number, default, tensor)
        turns = self._turns[number] if default is None else None
        draft = drafting.draft(self._layouts[number], budget, self._least, advance or self.advance, turns)
        if not isinstance(draft, ProfiledDraft) or default is None:
            return draft
        draft = replace(draft, carried=not self.options.relies_on(self.profile))
        if number not in self._fixed or draft.config.layout != default.layout:
            return draft
        template = fitted_template(default.template, draft.config.template, default.layout)
        if self.source.structure.kind == "batch":  # there, no size is left open [CAUF-0067]
            template = draft.config.template
        return replace(draft, config=replace(draft.config, template=template), fixed=self._fixed[number])

    def _drafting(self, number: int, default: TensorConfig | None, tensor: SourceTensor) -> Drafting:
        made: Drafting = self.options.codec.load("drafting")(
            self.source, tensor, self.options, self._options[number], default, self.chunk, self.embedded
        )
        return made

    def _tensors(self, numbers: Sequence[int]) -> list[SourceTensor]:
        return [self.source.tensors[number] for number in numbers]

    @cached_property
    def _turns(self) -> list[NDArray[np.int32] | None]:
        """Turns by tensor; a file has one kind, which is looked for until it is found, or some tensors show none."""
        alone: dict[int, NDArray[np.int32] | None] = {}

        def turns_of(number: int, known: Sequence[NDArray[np.int32]] = ()) -> NDArray[np.int32] | None:
            if number in alone and not known:
                return alone[number]
            found = self._drafting(number, None, self.source.tensors[number]).turns_beside(layouts[number], known)
            return found if known else alone.setdefault(number, found)

        layouts = [choice.layout for choice in self._layouts]
        if all(turns_of(number) is None for number in searched_first(self.source.tensors)):
            return [None] * len(layouts)
        by_number: list[NDArray[np.int32] | None] = []
        for number in range(len(layouts)):
            by_number.append(turns_of(number, [turns for turns in by_number if turns is not None][:1]))
        return by_number

    @cached_property
    def _lock(self) -> threading.Lock:
        return threading.Lock()

    @cached_property
    def _profiled(self) -> Mapping[int, TensorConfig]:
        """What the profile says of tensors, by their numbers."""
        if self.profile is None:
            return {}
        return profiled_tensors(self.profile, self.source.tensors, alone=self.options.relies_on(self.profile))

    @cached_property
    def _fixed(self) -> Mapping[int, ProfiledPlan]:
        """Plans that the profile alone makes: those of a small lone sample that relies on it, a message."""
        target, profile = self.options.target, self.profile
        lone = self.source.samples == 1 and self.source.numel <= MESSAGE_VALUES
        if profile is None or not lone or target.kind != "quality" or not self.options.relies_on(profile):
            return {}
        return profiled_plans(profile, Steps.of(profile, target.value))

    @cached_property
    def _options(self) -> list[TensorOptions]:
        """Options by tensor, with what the profile says of what they leave open."""
        own = [self.options.of(tensor.name) for tensor in self.source.tensors]
        if self.profile is None:
            return own
        for number, config in self._profiled.items():
            own[number] = _settled(own[number], config)
        return own

    @cached_property
    def _layouts(self) -> list[LayoutChoice]:
        names = [tensor.name for tensor in self.source.tensors]
        found = choose_layouts(self.source, dict(zip(names, self._options, strict=True)))
        return [found[name] for name in names]

    @property
    def _sample_values(self) -> int:
        """Values of all tensors that tables are made from."""
        return self.options.effort.sample_of(max(1, self.source.numel), profiled=self.profile is not None)

    @property
    def _least(self) -> int:
        """Values of a tensor that transforms are chosen on, at least."""
        tensors = max(1, len(self.source.tensors))
        if not self.embedded:
            return PROFILE_VALUES // tensors
        return min(BASIS_VALUES, BASIS_PART * self._sample_values // tensors)


def _settled(own: TensorOptions, default: TensorConfig) -> TensorOptions:
    """A tensor's options, with what a profile says of what they leave open."""
    return replace(own, layout=own.layout or default.layout, tap=own.tap or default.tap)
