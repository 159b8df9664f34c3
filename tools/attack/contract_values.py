"""Values of random features by kind: what networks put out, and what stored features hold besides.

A kind is a function of a random generator and a :class:`Extent`, to float64 ``[B, N, C]`` of magnitude 1 or what the
kind is about. *Dense* kinds have no zeros and tokens of alike energy: medium keeps 20 dB on 99 % of their tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["DENSE", "KINDS", "LAYERS", "SAME_STATISTICS", "TURNS", "Extent", "Values"]

Values = NDArray[np.float64]
Rng = np.random.Generator


@dataclass(frozen=True)
class Extent:
    """How large an input is.

    Args:
        samples: B.
        grid: of tokens.
        channels: C.
        special: tokens before the grid.
    """

    samples: int
    grid: tuple[int, ...]
    channels: int
    special: int = 0

    @property
    def tokens(self) -> int:
        """N, of a sample."""
        return self.special + math.prod(self.grid)

    @property
    def shape(self) -> tuple[int, int, int]:
        """``[B, N, C]``."""
        return self.samples, self.tokens, self.channels


def gaussian(rng: Rng, extent: Extent) -> Values:
    return rng.standard_normal(extent.shape)


def laplace(rng: Rng, extent: Extent) -> Values:
    return rng.laplace(size=extent.shape)


def lognormal(rng: Rng, extent: Extent) -> Values:
    """A heavy tail with signs."""
    return np.asarray(rng.lognormal(0, 1.5, extent.shape) * rng.choice((-1, 1), extent.shape))


def low_rank(rng: Rng, extent: Extent) -> Values:
    """Up to 32 directions and noise, as what a basis is for."""
    rank = max(1, min(32, extent.channels // 8))
    mixed = rng.standard_normal((*extent.shape[:2], rank)) @ rng.standard_normal((rank, extent.channels))
    return mixed / math.sqrt(rank) + 0.2 * rng.standard_normal(extent.shape)


def autoregressive(rng: Rng, extent: Extent) -> Values:
    """Tokens like those before them."""
    found = rng.standard_normal(extent.shape)
    for token in range(1, extent.tokens):
        found[:, token] = 0.95 * found[:, token - 1] + math.sqrt(1 - 0.95**2) * found[:, token]
    return found


def scaled_channels(rng: Rng, extent: Extent) -> Values:
    """Channels of different offsets and scales."""
    scales = rng.lognormal(0, 1, extent.channels)
    return (rng.standard_normal(extent.shape) + rng.standard_normal(extent.channels)) * scales


def offset(rng: Rng, extent: Extent) -> Values:
    """A mean a million times the deviation."""
    return 1e6 + rng.standard_normal(extent.shape)


def sinks(rng: Rng, extent: Extent) -> Values:
    """Hidden states of language models: two or three channels of the first tokens are massive activations."""
    found = autoregressive(rng, extent)
    first, few = int(rng.choice((1, 1, 1, 3))), int(rng.integers(2, 4))
    channels = rng.choice(extent.channels, min(few, max(1, extent.channels // 8)), replace=False)
    for channel in channels:
        found[:, :first, channel] *= 10 ** rng.uniform(2, 4)
    return found


def relu(rng: Rng, extent: Extent) -> Values:
    return np.asarray(np.maximum(rng.standard_normal(extent.shape) - rng.choice((0.0, 0.5, 1.0)), 0))


def one_hot(rng: Rng, extent: Extent) -> Values:
    found = np.zeros(extent.shape)
    np.put_along_axis(found, rng.integers(extent.channels, size=(*extent.shape[:2], 1)), 1.0, axis=2)
    return found


def sae_codes(rng: Rng, extent: Extent) -> Values:
    """Codes of a sparse autoencoder: 99 % zeros."""
    return np.where(rng.random(extent.shape) < 0.01, rng.exponential(size=extent.shape), 0.0)


def smooth(rng: Rng, extent: Extent) -> Values:
    """Log-mel and video maps: a few low frequencies along the grid."""
    body = np.zeros((extent.samples, *extent.grid, extent.channels))
    for _ in range(4):
        wave = np.zeros(extent.grid)
        for axis, size in enumerate(extent.grid):
            ramp = np.arange(size) / max(1, size) * rng.uniform(0, 3)
            wave = wave + ramp.reshape([-1 if axis == other else 1 for other in range(len(extent.grid))])
        weights = rng.standard_normal((extent.samples, *[1] * len(extent.grid), extent.channels))
        body += weights * np.cos(2 * math.pi * wave + rng.uniform(0, 6))[None, ..., None]
    body += rng.choice((0.0, 1e-4)) * rng.standard_normal(body.shape)
    lead = rng.standard_normal((extent.samples, extent.special, extent.channels))
    return np.concatenate([lead, body.reshape(extent.samples, -1, extent.channels)], axis=1)


def few_directions(rng: Rng, extent: Extent) -> Values:
    """Maps and sequences of a few smooth signals in all channels, and noise, as batch-normalised layers make them."""
    few = int(rng.choice((2, 4, 8, 16)))
    signals = rng.standard_normal((extent.samples, *extent.grid, few))
    for axis in range(1, signals.ndim - 1):
        for _ in range(2):
            signals = (np.roll(signals, 1, axis) + 2 * signals + np.roll(signals, -1, axis)) / 4
    body = (signals @ rng.standard_normal((few, extent.channels))).reshape(extent.samples, -1, extent.channels)
    lead = rng.standard_normal((extent.samples, extent.special, extent.channels))
    found = np.concatenate([lead, body], axis=1)
    return np.asarray(found + rng.choice((0.01, 0.1, 0.3)) * rng.standard_normal(found.shape))


def sizes_in_turn(rng: Rng, extent: Extent) -> Values:
    """Tokens, or samples, of which every so-many-th is far smaller, as those without a condition are."""
    found, period = low_rank(rng, extent), int(rng.choice((2, 3, 4, 8)))
    turns = np.arange(found.shape[0] if rng.random() < 0.5 else found.shape[0] * found.shape[1])
    small = np.broadcast_to((turns % period == 0).reshape(extent.samples, -1, 1), found.shape)
    return np.where(small, found * 10 ** rng.uniform(-3, -1), found)


def constant(rng: Rng, extent: Extent) -> Values:
    return np.full(extent.shape, rng.choice((0.0, 1.0, -2.5)))


def constant_channels(rng: Rng, extent: Extent) -> Values:
    """Some channels have one value."""
    found = rng.standard_normal(extent.shape)
    still = rng.random(extent.channels) < 0.5
    found[..., still] = rng.standard_normal(extent.channels)[still]
    return found


def levels(rng: Rng, extent: Extent) -> Values:
    """Dequantised int4 or int8."""
    most = int(rng.choice((7, 127)))
    return np.clip(np.round(rng.standard_normal(extent.shape) * most / 3), -most, most) * 0.0421


def masked(rng: Rng, extent: Extent) -> Values:
    """Scores whose last ones are masked by minus infinity, for which a dtype has its lowest number."""
    seen = rng.uniform(0.55, 1.0, (*extent.shape[:2], 1)) * extent.channels
    return np.where(np.arange(extent.channels) < np.maximum(1, seen), rng.standard_normal(extent.shape), -math.inf)


KINDS: dict[str, Callable[[Rng, Extent], Values]] = {
    "gaussian": gaussian,
    "laplace": laplace,
    "lognormal": lognormal,
    "low rank": low_rank,
    "autoregressive": autoregressive,
    "scaled channels": scaled_channels,
    "offset": offset,
    "sinks": sinks,
    "relu": relu,
    "one-hot": one_hot,
    "SAE codes": sae_codes,
    "smooth": smooth,
    "constant": constant,
    "constant channels": constant_channels,
    "levels": levels,
    "masked": masked,
}

LAYERS: dict[str, Callable[[Rng, Extent], Values]] = {"few directions": few_directions}
"""Kinds that layers of networks make."""

TURNS: dict[str, Callable[[Rng, Extent], Values]] = {"sizes in turn": sizes_in_turn}
"""Kinds in which something comes again and again."""

DENSE = frozenset(
    {"gaussian", "laplace", "low rank", "autoregressive", "scaled channels", "offset", "sinks", "sizes in turn"}
)

SAME_STATISTICS = ("gaussian", "laplace", "low rank", "autoregressive")
"""Kinds whose tokens have the same statistics at any width."""
