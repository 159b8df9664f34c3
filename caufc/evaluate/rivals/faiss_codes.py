"""The base of rivals made of faiss's scalar quantisers: codes of tokens, with zstd over them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from .base import ZSTD_LEVEL, FloatRival, Floats

__all__ = ["FaissRival"]

TRAINING_TOKENS = 65_536
"""Quantisers are trained on so many tokens at most, evenly taken; chosen by hand."""


@dataclass(frozen=True)
class FaissRival(FloatRival):
    """A quantiser of tokens: its trained numbers as fp32, then its codes under zstd.

    Args:
        bits: per value.
    """

    bits: int

    @property
    def options(self) -> Mapping[str, Any]:
        return {"bits": self.bits}

    @property
    @abstractmethod
    def quantiser_type(self) -> str:
        """The name of faiss's quantiser type."""

    def _quantiser(self, width: int) -> Any:
        import faiss

        faiss.omp_set_num_threads(1)
        return faiss.ScalarQuantizer(width, getattr(faiss.ScalarQuantizer, self.quantiser_type))

    def encode_tokens(self, tokens: Floats) -> bytes:
        """The bytes of tokens ``[N, C]``."""
        import faiss

        quantiser = self._quantiser(tokens.shape[1])
        quantiser.train(tokens[:: -(-len(tokens) // TRAINING_TOKENS)])
        trained: NDArray[Any] = faiss.vector_to_array(quantiser.trained).astype("<f4")
        codes = zstandard.ZstdCompressor(ZSTD_LEVEL).compress(quantiser.compute_codes(tokens).tobytes())
        return len(trained).to_bytes(4, "little") + trained.tobytes() + codes

    def decode_tokens(self, data: bytes, width: int) -> Floats:
        """The inverse of :meth:`encode_tokens`."""
        import faiss

        quantiser = self._quantiser(width)
        count = int.from_bytes(data[:4], "little")
        faiss.copy_array_to_vector(np.frombuffer(data, "<f4", count, 4), quantiser.trained)
        codes = np.frombuffer(zstandard.ZstdDecompressor().decompress(data[4 + 4 * count :]), np.uint8)
        tokens: Floats = quantiser.decode(codes.reshape(-1, quantiser.code_size))
        return tokens
