"""int-k with zstd behind: per-channel affine codes of k bits, the usual quantisation of activations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...coders.dtypes import to_floats
from ...types import AnyArray
from ..sweep import Setting, Sweep
from .base import Floats, RivalFamily, RivalInputs, TensorSpec
from .zstd_rival import ZstdRival, decompress

__all__ = ["INT", "IntCodes"]

BITS = range(2, 9)

PACKED_BITS = (2, 4)
"""Bits of codes that fill a byte without a rest."""


@dataclass(frozen=True)
class IntCodes(ZstdRival):
    """k-bit affine codes between each channel's minimum and maximum, which two fp32 before them tell: minimum and step.

    Args:
        bits: per code.
        packed: whether a byte holds several codes instead of one; only for :data:`PACKED_BITS`.
    """

    bits: int
    packed: bool = False

    @property
    def kind(self) -> str:
        return f"int{self.bits}"

    @property
    def options(self) -> Mapping[str, Any]:
        return {"bits": self.bits, "packed": self.packed, **super().options}

    def refusal(self, arrays: Sequence[AnyArray], spec: TensorSpec) -> str | None:
        refusal = super().refusal(arrays, spec)
        if refusal is not None:
            return refusal
        with np.errstate(over="ignore"):
            low, step = self._scales([_singles(array, spec) for array in arrays], spec)
        return None if np.isfinite(low).all() and np.isfinite(step).all() else "has a range beyond that of fp32"

    def _scales(self, floats: Sequence[Floats], spec: TensorSpec) -> tuple[Floats, Floats]:
        filled = [array for array in floats if array.size]
        low = np.minimum.reduce([array.min(axis=spec.tokens, keepdims=True) for array in filled])
        high = np.maximum.reduce([array.max(axis=spec.tokens, keepdims=True) for array in filled])
        return low, (high - low) / np.float32(2**self.bits - 1)

    def _encode(self, arrays: Sequence[Floats], spec: TensorSpec) -> bytes:
        low, step = self._scales(arrays, spec)
        divisor = np.where(step > 0, step, np.float32(1))
        codes = [np.rint((array - low) / divisor).clip(0, 2**self.bits - 1).astype(np.uint8) for array in arrays]
        stored = [_pack(np.concatenate([c.ravel() for c in codes]), self.bits)] if self.packed else codes
        return low.astype("<f4").tobytes() + step.astype("<f4").tobytes() + self.compress(stored)

    def _decode(self, data: bytes, spec: TensorSpec) -> list[Floats]:
        channels = math.prod(spec.scales_shape)
        low, step = np.frombuffer(data, "<f4", 2 * channels).reshape(2, *spec.scales_shape)
        codes = np.frombuffer(decompress(data[8 * channels :]), np.uint8)
        if self.packed:
            codes = _unpack(codes, self.bits)[: sum(math.prod(shape) for shape in spec.shapes)]
        return [part.astype(np.float32) * step + low for part in spec.split(codes)]


def _singles(array: AnyArray, spec: TensorSpec) -> Floats:
    return to_floats(array, spec.dtype).astype(np.float32, copy=False)


def _pack(codes: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Codes ``8 // bits`` to a byte, the first in the low bits."""
    per_byte = 8 // bits
    rows = np.pad(codes, (0, -len(codes) % per_byte)).reshape(-1, per_byte)
    packed = np.zeros(len(rows), np.uint8)
    for place in range(per_byte):
        packed |= rows[:, place] << np.uint8(place * bits)
    return packed


def _unpack(packed: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """The inverse of :func:`_pack`; padding stays."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    codes: NDArray[np.uint8] = (packed[:, None] >> shifts) & np.uint8(2**bits - 1)
    return codes.reshape(-1)


def _variants(setting: Setting, inputs: RivalInputs) -> list[IntCodes]:
    bits = round(setting["bits"])
    return [
        IntCodes(inputs.zstd_level, bits, packed) for packed in ((False, True) if bits in PACKED_BITS else (False,))
    ]


INT = RivalFamily(
    "int",
    "int-k + zstd",
    Sweep("bits", tuple(map(float, BITS))),
    _variants,
    named={f"int{bits}": {"bits": float(bits)} for bits in BITS},
    cost=0.3,
)
