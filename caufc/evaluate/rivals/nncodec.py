"""NNCodec: MPEG-7 neural network coding (ISO/IEC 15938-17), context-adaptive CABAC over uniform codes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ..sweep import Sweep
from .base import FloatRival, Floats, RivalFamily, TensorSpec

__all__ = ["NNCODEC", "NNCodec"]

PARAMETERS_PER_OCTAVE = 4
"""Quantisation parameters over which the step doubles, as the standard has it."""


@dataclass(frozen=True)
class NNCodec(FloatRival):
    """NNCodec on the features as one tensor, with its trellis quantiser; the file that it also writes is removed.

    Args:
        octaves: the step is about the values' standard deviation over ``2 ** octaves``.
    """

    octaves: float

    @property
    def kind(self) -> str:
        return "nncodec"

    @property
    def name(self) -> str:
        return f"NNCodec, step deviation / 2^{self.octaves:g}"

    @property
    def options(self) -> Mapping[str, Any]:
        return {"octaves": self.octaves}

    def _encode(self, arrays: Sequence[Floats], spec: TensorSpec) -> bytes:
        from nncodec import tensor

        values = spec.joined(arrays)
        deviation = float(values.std(dtype=np.float64)) or 1.0
        parameter = round(PARAMETERS_PER_OCTAVE * (math.log2(deviation) - self.octaves))
        with TemporaryDirectory() as folder:
            return bytes(tensor.encode(values, {"qp": parameter, "results": folder}))

    def _decode(self, data: bytes, spec: TensorSpec) -> Sequence[Floats]:
        from nncodec import tensor

        values: Floats = np.asarray(tensor.decode(bytearray(data))).reshape(spec.joined_shape)
        return spec.apart(values)


NNCODEC = RivalFamily(
    "nncodec",
    "NNCodec",
    Sweep("octaves", (-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0), divisible=True, low=-10, high=10),
    lambda setting, _: [NNCodec(setting["octaves"])],
    module="nncodec",
    package="nncodec",
    cost=0.4,
)
