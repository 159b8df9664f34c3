"""Synthetic features with the structure of real ones: smooth grids, mixed channels, special tokens, heads, layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["cache", "maps", "states", "vision_tokens"]

Floats = NDArray[np.float32]


def _smooth(values: NDArray[Any], axis: int) -> NDArray[Any]:
    """A running mean of three, twice, along an axis."""
    for _ in range(2):
        values = (np.roll(values, 1, axis) + 2 * values + np.roll(values, -1, axis)) / 4
    return values


def _mixed(values: NDArray[Any], channels: int, rng: np.random.Generator) -> Floats:
    """Fewer sources in the last axis to so many channels, with a mean for each and a little noise."""
    mixing = rng.normal(size=(values.shape[-1], channels)) * np.exp(rng.normal(size=channels) / 2)
    out = values @ mixing + rng.normal(size=channels)
    noisy: Floats = (out + 0.05 * rng.normal(size=out.shape)).astype(np.float32)
    return noisy


def maps(shape: tuple[int, int, int, int], seed: int = 0) -> Floats:
    """Smooth maps, channels last ``[B, H, W, C]``."""
    rng = np.random.default_rng(seed)
    count, rows, columns, channels = shape
    fields = rng.normal(size=(count, rows, columns, max(2, channels // 3)))
    return _mixed(_smooth(_smooth(fields, 1), 2), channels, rng)


def states(shape: tuple[int, int, int], seed: int = 0) -> Floats:
    """Hidden states ``[B, T, C]`` in which neighbours are a little alike."""
    rng = np.random.default_rng(seed)
    count, tokens, channels = shape
    fields = rng.normal(size=(count, tokens, max(2, channels // 3)))
    return _mixed((fields + np.roll(fields, 1, 1)) / 2, channels, rng)


def vision_tokens(count: int, special: int, side: int, channels: int, seed: int = 0) -> Floats:
    """Special tokens before the tokens of a square grid ``[B, special + side * side, C]``."""
    rng = np.random.default_rng(seed)
    grid = maps((count, side, side, channels), seed).reshape(count, side * side, channels)
    first = rng.normal(size=(1, special, channels)) * 4 + rng.normal(size=(count, special, channels))
    return np.concatenate([first.astype(np.float32), grid], axis=1)


def cache(count: int, heads: int, tokens: int, size: int, seed: int = 0) -> Floats:
    """Keys ``[B, H, T, D]``."""
    flat = states((count, tokens, heads * size), seed)
    return np.ascontiguousarray(flat.reshape(count, tokens, heads, size).transpose(0, 2, 1, 3))
