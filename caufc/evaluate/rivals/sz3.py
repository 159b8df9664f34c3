"""SZ3, a prediction-based compressor of scientific data by error bound (Liang et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..sweep import Sweep
from .base import Floats, RivalFamily
from .error_bounded import ErrorBoundedRival

__all__ = ["SZ3", "SZ3_FAMILY"]


@dataclass(frozen=True)
class SZ3(ErrorBoundedRival):
    """SZ3 with its default algorithm, an interpolating predictor, under an absolute bound."""

    @property
    def kind(self) -> str:
        return "sz3"

    def _compress(self, values: Floats, bound: float) -> bytes:
        from pysz import sz, szConfig, szErrorBoundMode

        config = szConfig()
        config.errorBoundMode = szErrorBoundMode.ABS
        config.absErrorBound = bound
        packed: bytes = sz.compress(values, config)[0].tobytes()
        return packed

    def _decompress(self, data: bytes, shape: tuple[int, ...]) -> Floats:
        from pysz import sz

        values: Floats = sz.decompress(np.frombuffer(data, np.uint8), np.float32, shape)[0]
        return values


SZ3_FAMILY = RivalFamily(
    "sz3",
    "SZ3",
    Sweep("octaves", (-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0), divisible=True, low=-10, high=10),
    lambda setting, _: [SZ3(setting["octaves"]), SZ3(setting["octaves"], matrix=True)],
    module="pysz",
    package="pysz",
    cost=0.03,
)
