"""What people store hidden states and caches with: fp8, int-k, KIVI, and rivals of ``caufc evaluate``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import zstandard
from numpy.typing import NDArray

from caufc.evaluate.rivals.base import Rival, RivalInputs, TensorSpec
from caufc.evaluate.rivals.faiss_rotation import FAISS_ROTATION
from tools.measure.language_model import Features
from tools.measure.qualities_common import ZSTD_LEVEL

__all__ = ["Array", "Coded", "by_rival", "each", "faiss_rotation", "fp8", "int_by_channel", "int_by_token", "kivi"]

Array = NDArray[Any]
Coded: TypeAlias = "tuple[int, dict[str, Array]]"
"""Bytes of all that is stored, and what comes back."""

LARGEST_FP8 = 448.0
SMALLEST = 1e-7
PACKED = {2: 4, 4: 2}
"""Bits of a code -> codes in a byte."""


def fp8(features: Features) -> Coded:
    """e4m3 codes with an fp32 scale per token, of each head in a cache."""
    return each(features, lambda _, part: _fp8(part))


def int_by_token(features: Features, bits: int) -> Coded:
    """Affine codes between the minimum and the maximum of a token, of each head in a cache."""
    return each(features, lambda _, part: _affine(part, (-1,), bits))


def int_by_channel(features: Features, bits: int) -> Coded:
    """Affine codes between the minimum and the maximum of a channel over all tokens."""
    return each(features, lambda _, part: _affine(part, (0, -2), bits))


def kivi(features: Features, bits: int) -> Coded:
    """Keys by channel of a window, values by token, as KIVI has it (Liu et al. 2024)."""
    return each(features, lambda name, part: _affine(part, (-2,) if name.startswith("keys") else (-1,), bits))


def faiss_rotation(features: Features, bits: int) -> Coded:
    """Randomly rotated tokens under faiss's codes, and zstd."""
    (rival,) = FAISS_ROTATION.make({"bits": bits}, RivalInputs())
    return each(features, lambda _, part: by_rival(rival, part))


def each(features: Features, code: Callable[[str, Array], tuple[int, Array]]) -> Coded:
    """Every tensor coded by itself."""
    coded = {name: code(name, np.asarray(part, np.float32)) for name, part in features.items()}
    return sum(size for size, _ in coded.values()), {name: back for name, (_, back) in coded.items()}


def by_rival(rival: Rival, part: Array) -> tuple[int, Array]:
    """A tensor under a rival of ``caufc evaluate``; heads are channels too."""
    spec = TensorSpec("fp32", [part.shape], (1, 3) if part.ndim == 4 else (2,))
    data = rival.encode([part], spec)
    return len(data), rival.decode(data, spec, np.dtype("<f4"))[0]


def _compressed(*parts: Array) -> int:
    """Bytes under zstd, of each array by itself."""
    compressor = zstandard.ZstdCompressor(ZSTD_LEVEL)
    return sum(len(compressor.compress(np.ascontiguousarray(part).tobytes())) for part in parts)


def _fp8(part: Array) -> tuple[int, Array]:
    import torch

    values = torch.from_numpy(part)
    scale = values.abs().amax(-1, keepdim=True).clamp_min(1e-12) / LARGEST_FP8
    codes = (values / scale).to(torch.float8_e4m3fn)
    size = _compressed(codes.view(torch.uint8).numpy(), scale.numpy())
    return size, (codes.float() * scale).numpy()


def _affine(part: Array, axes: tuple[int, ...], bits: int) -> tuple[int, Array]:
    """Codes between minimum and maximum along axes, both limits in fp16; of packed and single codes, the smaller."""
    lowest, highest = part.min(axis=axes, keepdims=True), part.max(axis=axes, keepdims=True)
    low = lowest.astype(np.float16)
    step = ((highest - low) / (2**bits - 1)).astype(np.float16)
    width = np.maximum(step.astype(np.float32), SMALLEST)
    codes = np.rint((part - low) / width).clip(0, 2**bits - 1).astype(np.uint8)
    stored = [codes, _packed(codes, bits)] if bits in PACKED else [codes]
    size = min(map(_compressed, stored)) + _compressed(low, step)
    return size, codes * width + low.astype(np.float32)


def _packed(codes: Array, bits: int) -> Array:
    """Several codes a byte, the first in the low bits."""
    rows = np.pad(codes.reshape(-1), (0, -codes.size % PACKED[bits])).reshape(-1, PACKED[bits])
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    packed: Array = np.bitwise_or.reduce(rows << shifts, axis=1)
    return packed
