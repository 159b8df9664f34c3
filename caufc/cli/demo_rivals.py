"""What people do today, to compare with: fewer bits a value, and a general compressor behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

__all__ = ["RIVALS", "Rival"]

Floats = NDArray[np.float32]

LEVEL = 3
"""zstd's own default."""


@dataclass(frozen=True)
class Rival:
    """A way to store arrays of fp32.

    Args:
        name: for the table.
        encode: (arrays, channel axis counted from the end) -> bytes and the side information that decoding needs.
        decode: the inverse; shapes are known to it and cost nothing.
    """

    name: str
    encode: Callable[[Sequence[Floats], int], tuple[bytes, Any]]
    decode: Callable[[bytes, Any, Sequence[tuple[int, ...]]], list[Floats]]


def _split(flat: NDArray[Any], shapes: Sequence[tuple[int, ...]]) -> list[NDArray[Any]]:
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]


def _encode_fp16(arrays: Sequence[Floats], channel: int) -> tuple[bytes, Any]:  # noqa: ARG001 - no channels here
    data = b"".join(array.astype(np.float16).tobytes() for array in arrays)
    return zstandard.ZstdCompressor(LEVEL).compress(data), None


def _decode_fp16(data: bytes, side: Any, shapes: Sequence[tuple[int, ...]]) -> list[Floats]:  # noqa: ARG001
    flat = np.frombuffer(zstandard.ZstdDecompressor().decompress(data), np.float16)
    return [part.astype(np.float32) for part in _split(flat, shapes)]


def _encode_int8(arrays: Sequence[Floats], channel: int) -> tuple[bytes, Any]:
    """Affine from each channel's minimum and maximum; the two fp32 a channel stand before the codes."""
    tokens = np.concatenate([np.moveaxis(array, channel, -1).reshape(-1, array.shape[channel]) for array in arrays])
    low = tokens.min(axis=0)
    step = np.maximum(tokens.max(axis=0) - low, np.float32(1e-30)) / np.float32(255)
    codes = []
    for array in arrays:
        last = np.moveaxis(array, channel, -1)
        code = np.rint((last - low) / step).clip(0, 255).astype(np.uint8)
        codes.append(np.moveaxis(code, -1, channel).tobytes())
    head = low.astype("<f4").tobytes() + step.astype("<f4").tobytes()
    return head + zstandard.ZstdCompressor(LEVEL).compress(b"".join(codes)), (channel, len(low))


def _decode_int8(data: bytes, side: Any, shapes: Sequence[tuple[int, ...]]) -> list[Floats]:
    channel, count = side
    low, step = np.frombuffer(data, "<f4", 2 * count).reshape(2, count)
    flat = np.frombuffer(zstandard.ZstdDecompressor().decompress(data[8 * count :]), np.uint8)
    found = []
    for part in _split(flat, shapes):
        last = np.moveaxis(part, channel, -1).astype(np.float32) * step + low
        found.append(np.ascontiguousarray(np.moveaxis(last, -1, channel), np.float32))
    return found


RIVALS = (
    Rival("fp16 + zstd -3", _encode_fp16, _decode_fp16),
    Rival("int8 + zstd -3", _encode_int8, _decode_int8),
)
