"""What coding one tensor's chunks means: samples to a payload and back, the integer half apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..types import AnyArray
from .distortion import Distortion

__all__ = ["Coder", "Costs", "Encoded", "Promise", "Samples", "Shapes", "Symbols", "Work", "split"]

Costs = NDArray[Any] | None
"""Of indices, for the encoder of a tensor, as :class:`~caufc.codec.TransformCodec` has them."""
"""Smallest magnitudes, in steps, that an encoder keeps ``[16, K]``."""

Samples = AnyArray | list[AnyArray]
Shapes = Sequence[tuple[int, ...]]


@dataclass(frozen=True)
class Promise:
    """What the encoder must keep besides the rate.

    Args:
        max_error: largest absolute error after the cast to the output dtype; None for no bound.
        truncate: range to which values are clipped.
        nonfinite: whether NaN and Inf may come, to be kept exactly.
        outliers: whether values beyond the range are stored exactly; else they are lost.
    """

    max_error: float | None = None
    truncate: tuple[float, float] | None = None
    nonfinite: bool = False
    outliers: bool = False


@dataclass(frozen=True)
class Encoded:
    """A coded chunk of one tensor: its payload, the bytes that the symbols' checksum covers, and its distortion."""

    payload: bytes
    symbols: Sequence[bytes | memoryview]
    distortion: Distortion = field(default_factory=Distortion)


@dataclass(frozen=True)
class Symbols:
    """The integers of a decoded chunk of one tensor, and the bytes that their checksum covers."""

    state: Any
    covered: Sequence[bytes | memoryview]


@dataclass(frozen=True)
class Work:
    """What samples cost besides their values.

    Args:
        tokens: rows of the matrix that is coded.
        grids: different token grids.
        products: multiplications by a basis, or by a network's kernels.
        latents: symbols of the learned codec.
    """

    tokens: int = 0
    grids: int = 0
    products: int = 0
    latents: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.tokens + other.tokens,
            self.grids + other.grids,
            self.products + other.products,
            self.latents + other.latents,
        )


class Coder(Protocol):
    """Codes the chunks of one tensor."""

    def work(self, shapes: Shapes) -> Work: ...

    def encode(self, samples: Samples, promise: Promise) -> Encoded: ...
    def decode_symbols(self, payload: memoryview, shapes: Shapes) -> Symbols: ...
    def reconstruct(self, symbols: Symbols, shapes: Shapes) -> list[AnyArray] | AnyArray: ...


def split(flat: AnyArray, shapes: Shapes, stacked: bool) -> list[AnyArray] | AnyArray:
    """Flat values of samples to one array ``[B, ...]`` or a list of arrays."""
    if stacked and len(shapes):
        return flat.reshape(len(shapes), *shapes[0])
    out, start = [], 0
    for shape in shapes:
        stop = start + int(np.prod(shape, dtype=np.int64))
        out.append(flat[start:stop].reshape(shape))
        start = stop
    return out
