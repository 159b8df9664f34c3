"""Blosc2: mantissas cut, bits shuffled, zstd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .base import (
    FloatRival,
    Floats,
    TensorPlan,
)

__all__ = ["Blosc"]

LEVEL = 9
"""Of Blosc2's zstd, its highest."""


@dataclass(frozen=True)
class Blosc(FloatRival):
    """Blosc2's filters TRUNC_PREC and BITSHUFFLE before zstd.

    Args:
        mantissa: bits of it that are kept, of 23.
    """

    mantissa: int

    @property
    def kind(self) -> str:
        return "blosc2"

    @property
    def name(self) -> str:
        return f"blosc2, {self.mantissa} mantissa bits"

    @property
    def options(self) -> Mapping[str, Any]:
        return {"mantissa": self.mantissa}

    def _encode(self, arrays: Sequence[Floats], plan: TensorPlan) -> bytes:
        import blosc2

        filters = [blosc2.Filter.TRUNC_PREC, blosc2.Filter.BITSHUFFLE]
        parameters = {"filters": filters, "filters_meta": [self.mantissa, 0], "typesize": 4, "nthreads": 1}
        packed: bytes = blosc2.pack_tensor(
            plan.joined(arrays), cparams={"codec": blosc2.Codec.ZSTD, "clevel": LEVEL, **parameters}
        )
        return packed

    def _decode(self, data: bytes, plan: TensorPlan) -> Sequence[Floats]:
        import blosc2

        return plan.apart(np.asarray(blosc2.unpack_tensor(data)))
