"""Blosc2: cut mantissas and shuffled bits before zstd (blosc.org)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..sweep import Sweep
from .base import FloatRival, Floats, RivalFamily, TensorSpec

__all__ = ["BLOSC2", "Blosc2"]

LEVEL = 9
"""Level of Blosc2's zstd: its highest."""


@dataclass(frozen=True)
class Blosc2(FloatRival):
    """Blosc2 with its filters TRUNC_PREC and BITSHUFFLE before zstd.

    Args:
        mantissa: bits of each mantissa that are kept, of 23.
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

    def _encode(self, arrays: Sequence[Floats], spec: TensorSpec) -> bytes:
        import blosc2

        filters = [blosc2.Filter.TRUNC_PREC, blosc2.Filter.BITSHUFFLE]
        parameters = {"filters": filters, "filters_meta": [self.mantissa, 0], "typesize": 4, "nthreads": 1}
        packed: bytes = blosc2.pack_tensor(
            spec.joined(arrays), cparams={"codec": blosc2.Codec.ZSTD, "clevel": LEVEL, **parameters}
        )
        return packed

    def _decode(self, data: bytes, spec: TensorSpec) -> Sequence[Floats]:
        import blosc2

        return spec.apart(np.asarray(blosc2.unpack_tensor(data)))


BLOSC2 = RivalFamily(
    "blosc2",
    "blosc2",
    Sweep("mantissa", (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)),
    lambda setting, _: [Blosc2(round(setting["mantissa"]))],
    module="blosc2",
    package="blosc2",
    cost=0.1,
)
