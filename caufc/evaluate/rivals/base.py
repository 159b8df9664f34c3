"""What every rival is: a way to turn the arrays of a tensor into bytes and back."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...coders.dtypes import (
    cast_floats,
    to_floats,
    working_dtype,
)
from ...types import AnyArray

__all__ = ["FloatRival", "Floats", "Rival", "TensorPlan"]

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class TensorPlan:
    """What both sides of a rival know of a tensor; it costs the rival nothing.

    Args:
        dtype: a name of :data:`caufc.types.DTYPES`.
        shapes: of its arrays.
        channels: the arrays' channel axes; None for a tensor that is kept as it is, under zstd.
    """

    dtype: str
    shapes: Sequence[tuple[int, ...]]
    channels: tuple[int, ...] | None

    @property
    def tokens(self) -> tuple[int, ...]:
        """The axes that are not channels."""
        return tuple(axis for axis in range(len(self.shapes[0])) if axis not in (self.channels or ()))

    @property
    def scales_shape(self) -> tuple[int, ...]:
        """Shape of one number a channel that broadcasts over the arrays."""
        return tuple(1 if axis in self.tokens else size for axis, size in enumerate(self.shapes[0]))

    @property
    def width(self) -> int:
        """Number of channels."""
        return math.prod(self.scales_shape)

    @property
    def joined_shape(self) -> tuple[int, ...]:
        """Shape of all arrays as one: along their first axis, else as tokens x channels."""
        if 0 not in (self.channels or ()) and len({shape[1:] for shape in self.shapes}) == 1:
            return (sum(shape[0] for shape in self.shapes), *self.shapes[0][1:])
        return (sum(map(math.prod, self.shapes)) // max(self.width, 1), self.width)

    def split(self, flat: NDArray[Any]) -> list[NDArray[Any]]:
        """All values to arrays."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes])
        return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), self.shapes, strict=True)]

    def matrix(self, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Arrays to tokens x channels ``[N, C]``."""
        axes = (*self.tokens, *(self.channels or ()))
        rows = [array.transpose(axes).reshape(-1, self.width) for array in arrays]
        return np.ascontiguousarray(rows[0] if len(rows) == 1 else np.concatenate(rows))

    def arrays(self, matrix: NDArray[Any]) -> list[NDArray[Any]]:
        """The inverse of :meth:`matrix`."""
        axes = (*self.tokens, *(self.channels or ()))
        back = np.argsort(axes)
        ends = np.cumsum([math.prod(shape) // self.width for shape in self.shapes])
        parts = zip(np.split(matrix, ends[:-1]), self.shapes, strict=True)
        return [part.reshape([shape[axis] for axis in axes]).transpose(back) for part, shape in parts]

    def joined(self, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Arrays as one of :attr:`joined_shape`."""
        shape = self.joined_shape
        if len(shape) == 2 and len(self.shapes[0]) != 2:
            return self.matrix(arrays)
        return np.ascontiguousarray(arrays[0] if len(arrays) == 1 else np.concatenate(arrays))

    def apart(self, joined: NDArray[Any]) -> list[NDArray[Any]]:
        """The inverse of :meth:`joined`."""
        if joined.ndim == 2 and len(self.shapes[0]) != 2:
            return self.arrays(joined)
        ends = np.cumsum([shape[0] for shape in self.shapes])
        return np.split(joined, ends[:-1])


class Rival(ABC):
    """A way to store the arrays of a tensor, which come and go in the numpy form of their dtype."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """Its short name."""

    @property
    @abstractmethod
    def name(self) -> str:
        """As tables show it."""

    @property
    @abstractmethod
    def options(self) -> Mapping[str, Any]:
        """What makes it different from its like."""

    def refusal(self, arrays: Sequence[AnyArray], plan: TensorPlan) -> str | None:
        """What it cannot store in a tensor of floats; None if there is nothing."""
        finite = all(bool(np.isfinite(to_floats(array, plan.dtype)).all()) for array in arrays)
        return None if finite else "holds NaN or Inf"

    @abstractmethod
    def encode(self, arrays: Sequence[AnyArray], plan: TensorPlan) -> bytes:
        """A tensor to bytes."""

    @abstractmethod
    def decode(self, data: bytes, plan: TensorPlan, form: np.dtype[Any]) -> list[AnyArray]:
        """The inverse; ``form`` is how numpy holds the dtype."""


class FloatRival(Rival):
    """A rival of tensors of floats, which it takes and gives as fp32."""

    def encode(self, arrays: Sequence[AnyArray], plan: TensorPlan) -> bytes:
        return self._encode([to_floats(array, plan.dtype).astype(np.float32, copy=False) for array in arrays], plan)

    def decode(self, data: bytes, plan: TensorPlan, form: np.dtype[Any]) -> list[AnyArray]:  # noqa: ARG002
        working = working_dtype(plan.dtype)
        return [cast_floats(array.astype(working, copy=False), plan.dtype) for array in self._decode(data, plan)]

    @abstractmethod
    def _encode(self, arrays: Sequence[Floats], plan: TensorPlan) -> bytes: ...

    @abstractmethod
    def _decode(self, data: bytes, plan: TensorPlan) -> Sequence[Floats]: ...
