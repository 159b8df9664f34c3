"""A transform coder after KVTC (ICLR 2026): PCA along channels, bits by component, DEFLATE."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..sweep import Sweep
from .base import FloatRival, Floats, RivalFamily, TensorSpec

__all__ = ["KVTC", "KVTC_CALIBRATED", "Kvtc", "allocate", "principal_components"]

MOST_BITS = 8
NORMAL_STEPS = (1.596, 0.9957, 0.586, 0.3352, 0.1881, 0.1041, 0.0569, 0.0308)
"""Best uniform steps for 1 to 8 bits of a normal variable of deviation 1 (Max 1960, table 2, continued)."""

Basis = tuple[Floats, Floats, NDArray[np.float64]]
"""Mean ``[C]``, components as rows ``[C, C]``, variances ``[C]``, the largest first."""


def principal_components(tokens: Floats) -> Basis:
    """The principal components of tokens ``[N, C]``."""
    mean = tokens.mean(axis=0, dtype=np.float64)
    covariance = tokens.T.astype(np.float64) @ tokens / len(tokens) - np.outer(mean, mean)
    variances, vectors = np.linalg.eigh(covariance)
    return mean.astype("f4"), np.ascontiguousarray(vectors[:, ::-1].T.astype("f4")), np.maximum(variances[::-1], 0)


@dataclass(frozen=True)
class Kvtc(FloatRival):
    """PCA, bit allocation and DEFLATE, written anew from the paper's description of KVTC.

    Args:
        octaves: ``2 ** octaves`` bits per value are shared among the components.
        basis: from other data, as the paper has it, and not counted; None takes the features' own and counts it.
    """

    octaves: float
    basis: Basis | None = field(default=None, compare=False, repr=False)

    @property
    def kind(self) -> str:
        return "kvtc" if self.basis is None else "kvtc-calibrated"

    @property
    def name(self) -> str:
        return f"PCA, {2**self.octaves:.3g} bits a value, DEFLATE"

    @property
    def options(self) -> Mapping[str, Any]:
        return {"octaves": self.octaves}

    def _encode(self, arrays: Sequence[Floats], spec: TensorSpec) -> bytes:
        tokens = spec.matrix(arrays)
        mean, components, variances = principal_components(tokens) if self.basis is None else self.basis
        bits = allocate(variances, 2.0**self.octaves * spec.width)
        kept = np.flatnonzero(bits)
        parts = [bits.tobytes()]
        if self.basis is None:
            halves = mean.astype("<f2"), components[kept].astype("<f2")
            parts += [half.tobytes() for half in halves]
            mean, basis = (half.astype(np.float32) for half in halves)
        else:
            basis = components[kept]
        coordinates = basis @ (tokens - mean).T
        found = [_quantise(values, int(count)) for values, count in zip(coordinates, bits[kept], strict=True)]
        ranges, codes = [each[0] for each in found], [each[1] for each in found]
        return b"".join([*parts, np.array(ranges, "<f4").tobytes(), zlib.compress(np.stack(codes).tobytes(), 9)])

    def _decode(self, data: bytes, spec: TensorSpec) -> Sequence[Floats]:
        width = spec.width
        bits = np.frombuffer(data, np.uint8, width)
        kept, at = np.flatnonzero(bits), width
        if self.basis is None:
            mean = np.frombuffer(data, "<f2", width, at).astype(np.float32)
            basis = np.frombuffer(data, "<f2", width * len(kept), at + 2 * width).astype(np.float32).reshape(-1, width)
            at += 2 * width * (1 + len(kept))
        else:
            mean, basis = self.basis[0], self.basis[1][kept]
        ranges = np.frombuffer(data, "<f4", 2 * len(kept), at).reshape(-1, 2)
        codes = np.frombuffer(zlib.decompress(data[at + 8 * len(kept) :]), np.uint8).reshape(len(kept), -1)
        coordinates = codes.astype(np.float32) * ranges[:, 1:] + ranges[:, :1]
        return spec.arrays(np.ascontiguousarray(coordinates.T) @ basis + mean)


def allocate(variances: NDArray[np.float64], total: float) -> NDArray[np.uint8]:
    """Bits per component ``[C]``: each of ``total`` bits goes where the error is largest; one at least is given."""
    gains = np.log2(np.maximum(variances, 1e-300))[:, None] - 2 * np.arange(MOST_BITS)
    order = np.argsort(-gains, axis=None, kind="stable")[: max(1, round(total))]
    return np.bincount(order // MOST_BITS, minlength=len(variances)).astype(np.uint8)


def _quantise(values: Floats, bits: int) -> tuple[tuple[float, float], NDArray[np.uint8]]:
    """((first value, step), codes) of a component: the better of its range and the one that suits a normal variable."""
    levels = 2**bits - 1
    centre, deviation = float(values.mean()), float(values.std())
    low, high = float(values.min()), float(values.max())
    step = NORMAL_STEPS[bits - 1] * deviation
    tried = [(low, (high - low) / levels), (centre - step * levels / 2, step)]
    found = []
    for first, width in tried:
        codes = np.rint((values - first) / (width or 1.0)).clip(0, levels)
        error = float(np.square(codes * width + first - values).sum())
        found.append((error, (first, width), codes.astype(np.uint8)))
    return min(found, key=lambda each: each[0])[1:]


SWEEP = Sweep("octaves", (-6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0), divisible=True, low=-10, high=3)

KVTC = RivalFamily("kvtc", "PCA + DEFLATE (KVTC)", SWEEP, lambda setting, _: [Kvtc(setting["octaves"])], cost=0.2)

KVTC_CALIBRATED = RivalFamily(
    "kvtc-calibrated",
    "PCA + DEFLATE (KVTC), calibrated",
    SWEEP,
    lambda setting, inputs: [Kvtc(setting["octaves"], principal_components(inputs.calibration_tokens()))],
    calibrated=True,
    cost=0.2,
)
