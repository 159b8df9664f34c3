"""A random rotation before faiss's EDEN quantiser (Vargaftik et al. 2022), with zstd over its codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..sweep import Sweep
from .base import ZSTD_LEVEL, Floats, RivalFamily, TensorSpec
from .faiss_codes import FaissRival

__all__ = ["FAISS_ROTATION", "RotatedCodes"]

SEED = 1
"""Seed of the rotation, which both sides know."""


@dataclass(frozen=True)
class RotatedCodes(FaissRival):
    """Tokens of unit power, randomly rotated, under faiss's EDEN quantiser for normal values; a fp16 norm per token."""

    @property
    def kind(self) -> str:
        return "faiss-rotation"

    @property
    def name(self) -> str:
        return f"rotation + faiss {self.quantiser_type} + zstd -{ZSTD_LEVEL}"

    @property
    def quantiser_type(self) -> str:
        return f"QT_{self.bits}bit_eden"

    def _encode(self, arrays: Sequence[Floats], spec: TensorSpec) -> bytes:
        tokens = spec.matrix(arrays)
        norms: NDArray[Any] = np.sqrt(np.square(tokens, dtype=np.float64).mean(axis=1)).clip(0, 65504).astype("<f2")
        scales = norms.astype(np.float32)[:, None]
        rotated: Floats = _rotation(spec.width).apply(tokens / np.where(scales > 0, scales, 1))
        return norms.tobytes() + self.encode_tokens(rotated)

    def _decode(self, data: bytes, spec: TensorSpec) -> Sequence[Floats]:
        count = sum(int(np.prod(shape)) for shape in spec.shapes) // spec.width
        norms: NDArray[Any] = np.frombuffer(data, "<f2", count)
        rotated = self.decode_tokens(data[2 * count :], spec.width)
        tokens = _rotation(spec.width).reverse_transform(rotated) * norms.astype(np.float32)[:, None]
        return spec.arrays(tokens)


def _rotation(width: int) -> Any:
    import faiss

    rotation = faiss.RandomRotationMatrix(width, width)
    rotation.init(SEED)
    return rotation


FAISS_ROTATION = RivalFamily(
    "faiss-rotation",
    "faiss rotation + zstd",
    Sweep("bits", (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)),
    lambda setting, _: [RotatedCodes(round(setting["bits"]))],
    module="faiss",
    package="faiss-cpu",
    cost=0.3,
)
