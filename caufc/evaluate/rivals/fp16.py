"""fp16 with zstd behind: what people do who want no surprises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...coders.dtypes import to_floats
from ...types import AnyArray
from ..sweep import Sweep
from .base import Floats, RivalFamily, TensorSpec
from .zstd_rival import ZstdRival, decompress

__all__ = ["FP16", "HalfFloats"]

MAX_HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class HalfFloats(ZstdRival):
    """Every value as fp16, under zstd."""

    @property
    def kind(self) -> str:
        return "fp16"

    def refusal(self, arrays: Sequence[AnyArray], spec: TensorSpec) -> str | None:
        floats = (to_floats(array, spec.dtype) for array in arrays)
        beyond = any(bool((np.isfinite(array) & (np.abs(array) > MAX_HALF)).any()) for array in floats)
        return f"holds values beyond {MAX_HALF:,.0f}" if beyond else None

    def _encode(self, arrays: Sequence[Floats], spec: TensorSpec) -> bytes:  # noqa: ARG002
        return self.compress(array.astype("<f2") for array in arrays)

    def _decode(self, data: bytes, spec: TensorSpec) -> list[Floats]:
        return spec.split(np.frombuffer(decompress(data), "<f2").astype(np.float32))


FP16 = RivalFamily(
    "fp16",
    "fp16 + zstd",
    Sweep("bits", (16.0,)),
    lambda _, inputs: [HalfFloats(inputs.zstd_level)],
    named={"fp16": {"bits": 16.0}},
    cost=0.2,
)
