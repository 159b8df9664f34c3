"""The base of rivals that compress scientific data: they are given the largest absolute error."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .base import FloatRival, Floats, TensorSpec

__all__ = ["ErrorBoundedRival"]


@dataclass(frozen=True)
class ErrorBoundedRival(FloatRival):
    """A compressor that keeps every value within a bound.

    Args:
        octaves: the bound is the values' standard deviation over ``2 ** octaves``.
        matrix: whether it sees tokens x channels instead of the arrays' own shape.
    """

    octaves: float
    matrix: bool = False

    @property
    def options(self) -> Mapping[str, Any]:
        return {"octaves": self.octaves, "matrix": self.matrix}

    @property
    def name(self) -> str:
        return f"{self.kind}, error at most deviation / 2^{self.octaves:g}"

    def _encode(self, arrays: Sequence[Floats], spec: TensorSpec) -> bytes:
        values = spec.matrix(arrays) if self.matrix else spec.joined(arrays)
        deviation = float(values.std(dtype=np.float64)) or 1.0
        return self._compress(values, deviation / 2.0**self.octaves)

    def _decode(self, data: bytes, spec: TensorSpec) -> Sequence[Floats]:
        shape = (-1, spec.width) if self.matrix else spec.joined_shape
        tokens = sum(int(np.prod(each)) for each in spec.shapes) // max(spec.width, 1)
        values = self._decompress(data, (tokens, spec.width) if self.matrix else spec.joined_shape).reshape(shape)
        return spec.arrays(values) if self.matrix else spec.apart(values)

    @abstractmethod
    def _compress(self, values: Floats, bound: float) -> bytes: ...

    @abstractmethod
    def _decompress(self, data: bytes, shape: tuple[int, ...]) -> Floats: ...
