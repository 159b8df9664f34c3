"""What people do today, to compare with: fewer bits a value, and a general compressor behind."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from ...coders.dtypes import to_floats
from ...errors import (
    OptionError,
    UnknownNameError,
)
from ...types import AnyArray
from .base import (
    FloatRival,
    Floats,
    TensorPlan,
)

__all__ = ["RIVALS", "HalfFloats", "IntCodes", "ZstdRival", "find_rivals"]

BITS = range(2, 9)
RIVALS = (*(f"int{bits}" for bits in BITS), "fp16")
"""Names of all, from few bits to many."""

PACKED_BITS = (2, 4)
"""Bits of codes that fill a byte without a rest."""

MAX_HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class ZstdRival(FloatRival):
    """A rival with zstd behind, on one thread; what has no channels it keeps as it is, under zstd.

    Args:
        level: of zstd.
    """

    level: int

    @property
    def name(self) -> str:
        return f"{self.kind} + zstd -{self.level}"

    @property
    def options(self) -> Mapping[str, Any]:
        return {"zstd_level": self.level}

    def encode(self, arrays: Sequence[AnyArray], plan: TensorPlan) -> bytes:
        return self._compress(arrays) if plan.channels is None else super().encode(arrays, plan)

    def decode(self, data: bytes, plan: TensorPlan, form: np.dtype[Any]) -> list[AnyArray]:
        if plan.channels is None:
            return plan.split(np.frombuffer(_decompress(data), form))
        return super().decode(data, plan, form)

    def _compress(self, arrays: Iterable[AnyArray]) -> bytes:
        return zstandard.ZstdCompressor(self.level).compress(b"".join(array.tobytes() for array in arrays))


@dataclass(frozen=True)
class HalfFloats(ZstdRival):
    """Every value as fp16."""

    @property
    def kind(self) -> str:
        return "fp16"

    def refusal(self, arrays: Sequence[AnyArray], plan: TensorPlan) -> str | None:
        floats = (to_floats(array, plan.dtype) for array in arrays)
        beyond = any(bool((np.isfinite(array) & (np.abs(array) > MAX_HALF)).any()) for array in floats)
        return f"holds values beyond {MAX_HALF:,.0f}" if beyond else None

    def _encode(self, arrays: Sequence[Floats], plan: TensorPlan) -> bytes:  # noqa: ARG002
        return self._compress(array.astype("<f2") for array in arrays)

    def _decode(self, data: bytes, plan: TensorPlan) -> list[Floats]:
        return plan.split(np.frombuffer(_decompress(data), "<f2").astype(np.float32))


@dataclass(frozen=True)
class IntCodes(ZstdRival):
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
        told = super().refusal(arrays, plan)
        if told is not None:
            return told
        with np.errstate(over="ignore"):
            low, step = self._scales([_singles(array, plan) for array in arrays], plan)
        return None if np.isfinite(low).all() and np.isfinite(step).all() else "has a range beyond that of fp32"

    def _scales(self, floats: Sequence[Floats], plan: TensorPlan) -> tuple[Floats, Floats]:
        filled = [array for array in floats if array.size]
        low = np.minimum.reduce([array.min(axis=plan.tokens, keepdims=True) for array in filled])
        high = np.maximum.reduce([array.max(axis=plan.tokens, keepdims=True) for array in filled])
        return low, (high - low) / np.float32(2**self.bits - 1)

    def _encode(self, arrays: Sequence[Floats], plan: TensorPlan) -> bytes:
        low, step = self._scales(arrays, plan)
        divisor = np.where(step > 0, step, np.float32(1))
        codes = [np.rint((array - low) / divisor).clip(0, 2**self.bits - 1).astype(np.uint8) for array in arrays]
        stored = [_pack(np.concatenate([c.ravel() for c in codes]), self.bits)] if self.packed else codes
        return low.astype("<f4").tobytes() + step.astype("<f4").tobytes() + self._compress(stored)

    def _decode(self, data: bytes, plan: TensorPlan) -> list[Floats]:
        channels = math.prod(plan.scales_shape)
        low, step = np.frombuffer(data, "<f4", 2 * channels).reshape(2, *plan.scales_shape)
        codes = np.frombuffer(_decompress(data[8 * channels :]), np.uint8)
        if self.packed:
            codes = _unpack(codes, self.bits)[: sum(math.prod(shape) for shape in plan.shapes)]
        return [part.astype(np.float32) * step + low for part in plan.split(codes)]


def find_rivals(names: Sequence[str], level: int) -> Sequence[tuple[ZstdRival, ...]]:
    """Rivals by name; several variants of one stand for the smallest.

    Raises:
        UnknownNameError: for an unknown name.
        OptionError: for a name that stands twice.
    """
    found: dict[str, tuple[ZstdRival, ...]] = {}
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


def _singles(array: AnyArray, plan: TensorPlan) -> Floats:
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
