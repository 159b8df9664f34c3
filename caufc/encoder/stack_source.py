"""Tensors of a stack as one tensor that the encoder reads: one behind another along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..types import AnyArray, Framework, Leaf
from .source import SourceTensor

__all__ = ["stacked_tensor"]


@dataclass(frozen=True)
class _StackedLeaf:
    """Leaves of one shape, joined along an axis."""

    leaves: Sequence[Leaf]
    axis: int

    @property
    def shape(self) -> tuple[int, ...]:
        shape = self.leaves[0].shape
        return (*shape[: self.axis], shape[self.axis] * len(self.leaves), *shape[self.axis + 1 :])

    @property
    def dtype(self) -> str:
        return self.leaves[0].dtype

    @property
    def framework(self) -> Framework:
        return self.leaves[0].framework

    def read(self) -> AnyArray:
        return np.concatenate([leaf.read() for leaf in self.leaves], axis=self.axis)

    def rows(self, start: int, stop: int) -> AnyArray:
        return np.concatenate([leaf.rows(start, stop) for leaf in self.leaves], axis=self.axis)


def stacked_tensor(members: Sequence[SourceTensor], axis: int) -> SourceTensor:
    """The tensor that members of the same shapes make up.

    Args:
        members: of a stack.
        axis: of a sample, along which they stand one behind another.
    """
    first = members[0]
    at = axis + first.stacked
    leaves = [_StackedLeaf(parts, at) for parts in zip(*(member.leaves for member in members), strict=True)]
    return SourceTensor(first.name, first.dtype, first.framework, leaves, first.stacked)
