"""What people do today, to compare with: fewer bits a value, and a general compressor behind."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from ..errors import OptionError, UnknownNameError
from ..pipeline.numeric import cast_floats, to_floats, working_dtype
from ..types import AnyArray

__all__ = ["RIVALS", "HalfFloats", "IntCodes", "Rival", "TensorPlan", "find_rivals"]

BITS = range(2, 9)
RIVALS = (*(f"int{bits}" for bits in BITS), "fp16")
"""Names of all, from few bits to many."""

PACKED_BITS = (2, 4)
"""Bits of codes that fill a byte without a rest."""

MAX_HALF = float(np.finfo(np.float16).max)


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

    def split(self, flat: NDArray[Any]) -> list[NDArray[Any]]:
        """All values to arrays."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes])
        return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), self.shapes, strict=True)]


@dataclass(frozen=True)
class Rival(ABC):
    """A way to store the arrays of a tensor, which come and go in the numpy form of their dtype.

    Args:
        level: of zstd, which runs on one thread.
    """

    level: int

    @property
    @abstractmethod
    def kind(self) -> str:
        """A name of :data:`RIVALS`."""

    @property
    def name(self) -> str:
        """As tables show it."""
        return f"{self.kind} + zstd -{self.level}"

    @property
    def options(self) -> Mapping[str, Any]:
        """What makes it different from its like."""
        return {"zstd_level": self.level}

    @abstractmethod
    def refusal(self, arrays: Sequence[AnyArray], plan: TensorPlan) -> str | None:
        """What it cannot store in a tensor of floats; None if there is nothing."""

    def encode(self, arrays: Sequence[AnyArray], plan: TensorPlan) -> bytes:
        """A tensor to bytes."""
        return self._compress(arrays) if plan.channels is None else self._encode(arrays, plan)

    def decode(self, data: bytes, plan: TensorPlan, form: np.dtype[Any]) -> list[AnyArray]:
        """The inverse; ``form`` is how numpy holds the dtype."""
        if plan.channels is None:
            return plan.split(np.frombuffer(_decompress(data), form))
        working = working_dtype(plan.dtype)
        return [cast_floats(array.astype(working, copy=False), plan.dtype) for array in self._decode(data, plan)]

    @abstractmethod
    def _encode(self, arrays: Sequence[AnyArray], plan: TensorPlan) -> bytes: ...

    @abstractmethod
    def _decode(self, data: bytes, plan: TensorPlan) -> list[NDArray[np.float32]]: ...

    def _compress(self, arrays: Iterable[AnyArray]) -> bytes:
        return zstandard.ZstdCompressor(self.level).compress(b"".join(array.tobytes() for array in arrays))


@dataclass(frozen=True)
class HalfFloats(Rival):
    """Every value as fp16."""

    @property
    def kind(self) -> str:
        return "fp16"

    def refusal(self, arrays: Sequence[AnyArray], plan: TensorPlan) -> str | None:
        floats = (to_floats(array, plan.dtype) for array in arrays)
        beyond = any(bool((np.isfinite(array) & (np.abs(array) > MAX_HALF)).any()) for array in floats)
        return f"holds values beyond {MAX_HALF:,.0f}" if beyond else None

    def _encode(self, arrays: Sequence[AnyArray], plan: TensorPlan) -> bytes:
        halves = arrays if plan.dtype == "fp16" else (to_floats(a, plan.dtype).astype("<f2") for a in arrays)
        return self._compress(halves)

    def _decode(self, data: bytes, plan: TensorPlan) -> list[NDArray[np.float32]]:
        return plan.split(np.frombuffer(_decompress(data), "<f2").astype(np.float32))


@dataclass(frozen=True)
class IntCodes(Rival):
    """Affine codes between each channel's minimum and maximum; the minimum and the step, two fp32, precede them.

    Args:
        bits: of a code.
        packed: several codes a byte, instead of one; only for :data:`PACKED_BITS`.
    """

    bits: int
    packed: bool = False

    @property
    def kind(self) -> str:
        return f"int{self.bits}"

    @property
    def options(self) -> Mapping[str, Any]:
        return {"bits": self.bits, "packed": self.packed, **super().options}

    def refusal(self, arrays: Sequence[AnyArray], plan: TensorPlan) -> str | None:
        if not all(bool(np.isfinite(to_floats(array, plan.dtype)).all()) for array in arrays):
            return "holds NaN or Inf"
        with np.errstate(over="ignore"):
            low, step = self._scales([_singles(array, plan) for array in arrays], plan)
        return None if np.isfinite(low).all() and np.isfinite(step).all() else "has a range beyond that of fp32"

    def _scales(
        self, floats: Sequence[NDArray[np.float32]], plan: TensorPlan
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        filled = [array for array in floats if array.size]
        low = np.minimum.reduce([array.min(axis=plan.tokens, keepdims=True) for array in filled])
        high = np.maximum.reduce([array.max(axis=plan.tokens, keepdims=True) for array in filled])
        return low, (high - low) / np.float32(2**self.bits - 1)

    def _encode(self, arrays: Sequence[AnyArray], plan: TensorPlan) -> bytes:
        floats = [_singles(array, plan) for array in arrays]
        low, step = self._scales(floats, plan)
        divisor = np.where(step > 0, step, np.float32(1))
        codes = [np.rint((array - low) / divisor).clip(0, 2**self.bits - 1).astype(np.uint8) for array in floats]
        stored = [_pack(np.concatenate([c.ravel() for c in codes]), self.bits)] if self.packed else codes
        return low.astype("<f4").tobytes() + step.astype("<f4").tobytes() + self._compress(stored)

    def _decode(self, data: bytes, plan: TensorPlan) -> list[NDArray[np.float32]]:
        channels = math.prod(plan.scales_shape)
        low, step = np.frombuffer(data, "<f4", 2 * channels).reshape(2, *plan.scales_shape)
        codes = np.frombuffer(_decompress(data[8 * channels :]), np.uint8)
        if self.packed:
            codes = _unpack(codes, self.bits)[: sum(math.prod(shape) for shape in plan.shapes)]
        return [part.astype(np.float32) * step + low for part in plan.split(codes)]


def find_rivals(names: Sequence[str], level: int) -> list[tuple[Rival, ...]]:
    """Rivals by name; several variants of one stand for the smallest.

    Raises:
        UnknownNameError: for an unknown name.
        OptionError: for a name that stands twice.
    """
    found: dict[str, tuple[Rival, ...]] = {}
    for name in names:
        if name not in RIVALS:
            raise UnknownNameError("rival", name, RIVALS)
        if name in found:
            raise OptionError(f"rival '{name}' is named twice", remedy="name it once")
        if name == "fp16":
            found[name] = (HalfFloats(level),)
            continue
        bits = int(name.removeprefix("int"))
        variants = (False, True) if bits in PACKED_BITS else (False,)
        found[name] = tuple(IntCodes(level, bits, packed) for packed in variants)
    return list(found.values())


def _singles(array: AnyArray, plan: TensorPlan) -> NDArray[np.float32]:
    return to_floats(array, plan.dtype).astype(np.float32, copy=False)


def _decompress(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(data)


def _pack(codes: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Several codes a byte, the first in the low bits."""
    a_byte = 8 // bits
    rows = np.pad(codes, (0, -len(codes) % a_byte)).reshape(-1, a_byte)
    packed = np.zeros(len(rows), np.uint8)
    for place in range(a_byte):
        packed |= rows[:, place] << np.uint8(place * bits)
    return packed


def _unpack(packed: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """The inverse of :func:`_pack`; padding stays."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    codes: NDArray[np.uint8] = (packed[:, None] >> shifts) & np.uint8(2**bits - 1)
    return codes.reshape(-1)
