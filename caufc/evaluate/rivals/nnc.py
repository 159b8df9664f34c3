"""NNCodec: MPEG-7 neural network coding (ISO/IEC 15938-17), context-adaptive CABAC over uniform codes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from .base import (
    FloatRival,
    Floats,
    TensorPlan,
)

__all__ = ["NNCodec"]

STEPS_AN_OCTAVE = 4
"""Quantisation parameters in which the step doubles."""


@dataclass(frozen=True)
class NNCodec(FloatRival):
    """NNCodec on the features as one tensor, with its trellis quantiser; the file that it also leaves goes away.

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

    def _encode(self, arrays: Sequence[Floats], plan: TensorPlan) -> bytes:
        from nncodec import tensor

        values = plan.joined(arrays)
        deviation = float(values.std(dtype=np.float64)) or 1.0
        parameter = round(STEPS_AN_OCTAVE * (math.log2(deviation) - self.octaves))
        with TemporaryDirectory() as folder:
            return bytes(tensor.encode(values, {"qp": parameter, "results": folder}))

    def _decode(self, data: bytes, plan: TensorPlan) -> Sequence[Floats]:
        from nncodec import tensor

        values: Floats = np.asarray(tensor.decode(bytearray(data))).reshape(plan.joined_shape)
        return plan.apart(values)
