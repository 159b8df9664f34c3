"""Compressors of scientific data by error bound: SZ3 and zfp."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .base import (
    FloatRival,
    Floats,
    TensorPlan,
)

__all__ = ["SZ3", "Zfp"]


@dataclass(frozen=True)
class _ErrorBounded(FloatRival):
    """A compressor that is told the largest absolute error.

    Args:
        octaves: the bound is the values' standard deviation over ``2 ** octaves``.
        matrix: tokens x channels instead of the arrays' own shape.
    """

    octaves: float
    matrix: bool = False

    @property
    def options(self) -> Mapping[str, Any]:
        return {"octaves": self.octaves, "matrix": self.matrix}

    @property
    def name(self) -> str:
        return f"{self.kind}, error at most deviation / 2^{self.octaves:g}"

    def _encode(self, arrays: Sequence[Floats], plan: TensorPlan) -> bytes:
        values = plan.matrix(arrays) if self.matrix else plan.joined(arrays)
        deviation = float(values.std(dtype=np.float64)) or 1.0
        return self._compress(values, deviation / 2.0**self.octaves)

    def _decode(self, data: bytes, plan: TensorPlan) -> Sequence[Floats]:
        shape = (-1, plan.width) if self.matrix else plan.joined_shape
        tokens = sum(int(np.prod(each)) for each in plan.shapes) // max(plan.width, 1)
        values = self._decompress(data, (tokens, plan.width) if self.matrix else plan.joined_shape).reshape(shape)
        return plan.arrays(values) if self.matrix else plan.apart(values)

    @abstractmethod
    def _compress(self, values: Floats, bound: float) -> bytes: ...

    @abstractmethod
    def _decompress(self, data: bytes, shape: tuple[int, ...]) -> Floats: ...


@dataclass(frozen=True)
class SZ3(_ErrorBounded):
    """SZ3's default algorithm, an interpolating predictor, under an absolute bound."""

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


@dataclass(frozen=True)
class Zfp(_ErrorBounded):
    """zfp in its fixed-accuracy mode."""

    @property
    def kind(self) -> str:
        return "zfp"

    def _compress(self, values: Floats, bound: float) -> bytes:
        import zfpy

        packed: bytes = zfpy.compress_numpy(values, tolerance=bound)
        return packed

    def _decompress(self, data: bytes, shape: tuple[int, ...]) -> Floats:
        import zfpy

        values: Floats = zfpy.decompress_numpy(data).reshape(shape)
        return values
