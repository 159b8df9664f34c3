"""Stacks: alike tensors that are coded as one, one behind another along the first channel axis (spec, section 3.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from ..align import LayoutAligner
from ..bitstream import Shape
from ..errors import MalformedError
from ..layouts import Layout
from .base import Samples, Shapes
from .config import TensorConfig

__all__ = ["Stack", "leaders_of", "shares_out", "stack_axis", "stacks_of"]

T = TypeVar("T")


def stack_axis(layout: Layout) -> int | None:
    """The axis of a sample along which tensors are stacked; None where there is no channel axis."""
    return next(iter(LayoutAligner(layout).channel_axes), None)


@dataclass(frozen=True)
class Stack:
    """Tensors that one coder codes.

    Args:
        config: for the coder: of the leader, with the shape of the whole.
        members: numbers of the tensors, the leader first.
        axis: of a sample, along which they stand one behind another.
    """

    config: TensorConfig
    members: tuple[int, ...]
    axis: int = 0

    @property
    def leader(self) -> int:
        """Number of the tensor that has the payloads."""
        return self.members[0]

    @property
    def alone(self) -> bool:
        """Whether it is one tensor."""
        return len(self.members) == 1

    def shared_out(self, length: int) -> list[int]:
        """Bytes of a payload, by member: equal parts, and what is left over is the leader's."""
        share, rest = divmod(length, len(self.members))
        return [share + (0 if number else rest) for number in range(len(self.members))]

    def shapes(self, by_tensor: Sequence[Shapes]) -> Shapes:
        """Shapes of the whole, from those of all tensors of a chunk.

        Raises:
            MalformedError: if those of the members differ.
        """
        shapes = by_tensor[self.leader]
        if self.alone:
            return shapes
        if any(by_tensor[number] != shapes for number in self.members):
            raise MalformedError("stacked tensors differ in shape", requirement=563, tensor=self.config.name)
        known: dict[tuple[int, ...], tuple[int, ...]] = {}
        return tuple(known.setdefault(shape, self._whole(shape)) for shape in shapes)

    def _whole(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[: self.axis], shape[self.axis] * len(self.members), *shape[self.axis + 1 :])

    def joined(self, members: Sequence[Samples]) -> Samples:
        """Samples of the whole, from those of the members."""
        if self.alone:
            return members[0]
        if isinstance(members[0], np.ndarray):
            return np.concatenate(members, axis=self.axis + 1)
        return [np.concatenate(parts, axis=self.axis) for parts in zip(*members, strict=True)]

    def parted(self, samples: Samples) -> list[Samples]:
        """The inverse: samples of the members; views."""
        if self.alone:
            return [samples]
        if isinstance(samples, np.ndarray):
            return list(np.split(samples, len(self.members), axis=self.axis + 1))
        parts = [np.split(sample, len(self.members), axis=self.axis) for sample in samples]
        return [list(of_member) for of_member in zip(*parts, strict=True)]

    def payload(self, payloads: Sequence[T]) -> T:
        """The payload, from those of all tensors of a chunk; those of the other members must be empty.

        Raises:
            MalformedError: if one is not.
        """
        if any(len(payloads[number]) for number in self.members[1:]):  # type: ignore[arg-type]
            raise MalformedError("a stacked tensor with a payload of its own", requirement=563, tensor=self.config.name)
        return payloads[self.leader]


def shares_out(stacks: Sequence[Stack]) -> bool:
    """Whether chunks may be coded in threads of ours: the learned codec's networks have threads of torch."""
    return not any(stack.config.codec.weighted for stack in stacks)


def stacks_of(configs: Sequence[TensorConfig]) -> list[Stack]:
    """What is coded as one: every tensor in one stack, in the order of their leaders.

    Raises:
        MalformedError: if a tensor is stacked on one that it is not like.
    """
    members: dict[int, list[int]] = {}
    for number, config in enumerate(configs):
        leader = number if config.leader is None else config.leader
        if leader != number:
            _check_member(configs, number, leader)
        members.setdefault(leader, []).append(number)
    return [_stack(configs[leader], tuple(numbers)) for leader, numbers in members.items()]


def leaders_of(configs: Sequence[TensorConfig]) -> list[TensorConfig | None]:
    """By tensor, the leader of the stack that it is coded in; None of those that are coded alone."""
    found: list[TensorConfig | None] = [None] * len(configs)
    for stack in stacks_of(configs):
        for number in () if stack.alone else stack.members:
            found[number] = configs[stack.leader]
    return found


def _check_member(configs: Sequence[TensorConfig], number: int, leader: int) -> None:
    """Refuse a stack that cannot be: leaders come first, and lead themselves."""
    config = configs[number]
    if leader > number or configs[leader].leader not in (None, leader):
        raise MalformedError(f"stacked on tensor {leader}", requirement=562, tensor=config.name)
    one, other = (_alike(config) for config in (config, configs[leader]))
    if one != other or not config.codec.lossy or config.layout is None or stack_axis(config.layout) is None:
        raise MalformedError(f"unlike tensor {leader}, on which it is stacked", requirement=562, tensor=config.name)


def _alike(config: TensorConfig) -> tuple[Any, ...]:
    return config.dtype, config.template, config.layout, config.codec


def _stack(config: TensorConfig, members: tuple[int, ...]) -> Stack:
    if len(members) == 1 or config.layout is None:
        return Stack(config, members)
    axis = stack_axis(config.layout) or 0
    template = tuple(_sizes(config.template, axis, len(members)))
    return Stack(replace(config, template=template, stacked=len(members)), members, axis)


def _sizes(template: Shape, axis: int, count: int) -> Iterator[int | None]:
    for number, size in enumerate(template):
        if number == axis and size is None:
            raise MalformedError("the number of channels varies", requirement=66)
        yield size * count if number == axis and size is not None else size
