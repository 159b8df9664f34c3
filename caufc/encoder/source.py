"""What the encoder reads: tensors of numbered samples, in parts."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from ..bitstream import Key
from ..types import NOTE, AnyArray, Framework, Leaf, Structure

__all__ = ["SMALL_VALUES", "Source", "SourceTensor", "TensorInTurn"]

SMALL_VALUES = 1 << 14
"""Values that a small file has at most: there is time to try, while the errors of a model are large."""


@dataclass(frozen=True)
class SourceTensor:
    """One named tensor over all samples.

    Args:
        name: the path in the structure, joined with dots; empty for a lone tensor.
        dtype: a name of :data:`caufc.types.DTYPES`.
        framework: where arrays came from, and go back to.
        leaves: one leaf whose first axis counts samples (``stacked``), or one leaf a sample.
        stacked: which of the two.
    """

    name: str
    dtype: str
    framework: Framework
    leaves: Sequence[Leaf]
    stacked: bool

    @functools.cached_property
    def numel(self) -> int:
        """Values over all samples."""
        return sum(math.prod(leaf.shape) for leaf in self.leaves)

    def shape(self, sample: int) -> tuple[int, ...]:
        """Shape of one sample, without a sample axis."""
        return self.shapes[0] if self.stacked else self.shapes[sample]

    @functools.cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of every sample, or the one of all if they are stacked."""
        return tuple(tuple(leaf.shape[self.stacked :]) for leaf in self.leaves)

    def block(self, start: int, stop: int) -> AnyArray | list[AnyArray]:
        """Samples ``[start, stop)``: one array ``[stop - start, ...]`` if stacked, else a list of arrays."""
        if self.stacked:
            return self.leaves[0].rows(start, stop)
        return [leaf.read() for leaf in self.leaves[start:stop]]


@dataclass(frozen=True)
class TensorInTurn(SourceTensor):
    """A tensor that threads read one after the other.

    Args:
        lock: of the input.
    """

    lock: Lock

    @classmethod
    def of(cls, tensor: SourceTensor, lock: Lock) -> TensorInTurn:
        """The tensor, with the lock of its input."""
        return cls(tensor.name, tensor.dtype, tensor.framework, tensor.leaves, tensor.stacked, lock)

    def block(self, start: int, stop: int) -> AnyArray | list[AnyArray]:
        with self.lock:
            return super().block(start, stop)


@dataclass(frozen=True)
class Source:
    """An input as a structure and its tensors.

    Args:
        structure: of the samples.
        tensors: by tensor number.
        samples: how many.
        metadata: of the file, texts by name.
        keys: of keyed samples, in order; None for others.
        repeats: for how many times as many samples choices are made: those here may be the first of a stream.
    """

    structure: Structure
    tensors: tuple[SourceTensor, ...]
    samples: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[Key, ...] | None = None
    repeats: float = 1.0

    @functools.cached_property
    def numel(self) -> int:
        """Values of all tensors, notes not counted."""
        return sum(tensor.numel for tensor in self.tensors if tensor.dtype != NOTE)

    @property
    def small(self) -> bool:
        """Whether that is all there will be, and little."""
        return self.repeats == 1 and self.numel <= SMALL_VALUES

    @property
    def dimensions(self) -> dict[str, int]:
        """Axes of one sample, by tensor name."""
        return {t.name: len(t.leaves[0].shape) - t.stacked if t.leaves else 0 for t in self.tensors}
