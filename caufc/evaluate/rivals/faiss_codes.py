"""faiss: scalar quantisers of vectors, plain and behind a random rotation, with zstd over their codes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from .base import (
    FloatRival,
    Floats,
    TensorPlan,
)

__all__ = ["RotatedCodes", "ScalarCodes"]

LEVEL = 19
SEED = 1
"""Of the rotation: both sides know it."""

TRAINING_TOKENS = 65_536
"""Quantisers are trained on so many tokens at most, evenly taken."""

PLAIN = {4: "QT_4bit", 6: "QT_6bit", 8: "QT_8bit", 16: "QT_fp16"}


@dataclass(frozen=True)
class _FaissCodes(FloatRival):
    """Codes of tokens under zstd, and the quantiser's trained numbers as fp32 before them.

    Args:
        bits: a value.
    """

    bits: int

    @property
    def options(self) -> Mapping[str, Any]:
        return {"bits": self.bits}

    @property
    @abstractmethod
    def _type(self) -> str:
        """The name of faiss's quantiser."""

    def _quantiser(self, width: int) -> Any:
        import faiss

        faiss.omp_set_num_threads(1)
        return faiss.ScalarQuantizer(width, getattr(faiss.ScalarQuantizer, self._type))

    def _codes(self, tokens: Floats) -> bytes:
        import faiss

        quantiser = self._quantiser(tokens.shape[1])
        quantiser.train(tokens[:: -(-len(tokens) // TRAINING_TOKENS)])
        trained: NDArray[Any] = faiss.vector_to_array(quantiser.trained).astype("<f4")
        codes = zstandard.ZstdCompressor(LEVEL).compress(quantiser.compute_codes(tokens).tobytes())
        return len(trained).to_bytes(4, "little") + trained.tobytes() + codes

    def _tokens(self, data: bytes, width: int) -> Floats:
        import faiss

        quantiser = self._quantiser(width)
        count = int.from_bytes(data[:4], "little")
        faiss.copy_array_to_vector(np.frombuffer(data, "<f4", count, 4), quantiser.trained)
        codes = np.frombuffer(zstandard.ZstdDecompressor().decompress(data[4 + 4 * count :]), np.uint8)
        tokens: Floats = quantiser.decode(codes.reshape(-1, quantiser.code_size))
        return tokens


@dataclass(frozen=True)
class ScalarCodes(_FaissCodes):
    """faiss's scalar quantiser, a range a channel."""

    @property
    def kind(self) -> str:
        return "faiss-sq"

    @property
    def name(self) -> str:
        return f"faiss {self._type} + zstd -{LEVEL}"

    @property
    def _type(self) -> str:
        return PLAIN[self.bits]

    def _encode(self, arrays: Sequence[Floats], plan: TensorPlan) -> bytes:
        return self._codes(plan.matrix(arrays))

    def _decode(self, data: bytes, plan: TensorPlan) -> Sequence[Floats]:
        return plan.arrays(self._tokens(data, plan.width))


@dataclass(frozen=True)
class RotatedCodes(_FaissCodes):
    """Tokens of unit power, randomly rotated, then faiss's EDEN quantiser for normal values; a fp16 norm a token."""

    @property
    def kind(self) -> str:
        return "faiss-rotation"

    @property
    def name(self) -> str:
        return f"rotation + faiss {self._type} + zstd -{LEVEL}"

    @property
    def _type(self) -> str:
        return f"QT_{self.bits}bit_eden"

    def _encode(self, arrays: Sequence[Floats], plan: TensorPlan) -> bytes:
        tokens = plan.matrix(arrays)
        norms: NDArray[Any] = np.sqrt(np.square(tokens, dtype=np.float64).mean(axis=1)).clip(0, 65504).astype("<f2")
        scales = norms.astype(np.float32)[:, None]
        rotated: Floats = _rotation(plan.width).apply(tokens / np.where(scales > 0, scales, 1))
        return norms.tobytes() + self._codes(rotated)

    def _decode(self, data: bytes, plan: TensorPlan) -> Sequence[Floats]:
        count = sum(int(np.prod(shape)) for shape in plan.shapes) // plan.width
        norms: NDArray[Any] = np.frombuffer(data, "<f2", count)
        rotated = self._tokens(data[2 * count :], plan.width)
        tokens = _rotation(plan.width).reverse_transform(rotated) * norms.astype(np.float32)[:, None]
        return plan.arrays(tokens)


def _rotation(width: int) -> Any:
    import faiss

    rotation = faiss.RandomRotationMatrix(width, width)
    rotation.init(SEED)
    return rotation
