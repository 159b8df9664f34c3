"""The base of rivals that put zstd behind fewer bits per value, as people do today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zstandard

from ...types import AnyArray
from .base import FloatRival, TensorSpec

__all__ = ["ZstdRival", "decompress"]


@dataclass(frozen=True)
class ZstdRival(FloatRival):
    """A rival with zstd behind, on one thread; it keeps a tensor without channels as it is, under zstd.

    Args:
        level: zstd's.
    """

    level: int

    @property
    def name(self) -> str:
        return f"{self.kind} + zstd -{self.level}"

    @property
    def options(self) -> Mapping[str, Any]:
        return {"zstd_level": self.level}

    def encode(self, arrays: Sequence[AnyArray], spec: TensorSpec) -> bytes:
        return self.compress(arrays) if spec.channels is None else super().encode(arrays, spec)

    def decode(self, data: bytes, spec: TensorSpec, form: np.dtype[Any]) -> list[AnyArray]:
        if spec.channels is None:
            return spec.split(np.frombuffer(decompress(data), form))
        return super().decode(data, spec, form)

    def compress(self, arrays: Iterable[AnyArray]) -> bytes:
        """All values of arrays under zstd."""
        return zstandard.ZstdCompressor(self.level).compress(b"".join(array.tobytes() for array in arrays))


def decompress(data: bytes) -> bytes:
    """The inverse of :meth:`ZstdRival.compress`, as flat bytes."""
    return zstandard.ZstdDecompressor().decompress(data)
