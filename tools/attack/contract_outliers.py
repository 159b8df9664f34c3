"""Outliers put into values ``[B, N, C]``: one token, sample, channel or value, or a few, far larger than the rest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tools.attack.contract_values import Values

__all__ = ["PLACES", "possible", "with_outliers"]

Rng = np.random.Generator
Mask = NDArray[np.bool_]

LEAST = 4
"""Of what is made an outlier there are at least so many: a median needs a majority."""


def _tokens(rng: Rng, shape: tuple[int, ...], count: int) -> Mask:
    hit = np.zeros(shape[0] * shape[1], bool)
    hit[rng.choice(hit.size, count, replace=False)] = True
    return np.broadcast_to(hit.reshape(*shape[:2], 1), shape)


def _channels(rng: Rng, shape: tuple[int, ...], count: int) -> Mask:
    hit = np.zeros(shape[2], bool)
    hit[rng.choice(shape[2], count, replace=False)] = True
    return np.broadcast_to(hit, shape)


def _values(rng: Rng, shape: tuple[int, ...], count: int) -> Mask:
    hit = np.zeros(int(np.prod(shape)), bool)
    hit[rng.choice(hit.size, count, replace=False)] = True
    return hit.reshape(shape)


def _sample(rng: Rng, shape: tuple[int, ...]) -> Mask:
    hit = np.zeros((shape[0], 1, 1), bool)
    hit[rng.integers(shape[0])] = True
    return np.broadcast_to(hit, shape)


PLACES: dict[str, Callable[[Rng, tuple[int, ...]], Mask]] = {
    "token": lambda rng, shape: _tokens(rng, shape, 1),
    "tokens": lambda rng, shape: _tokens(rng, shape, max(1, min(3, shape[0] * shape[1] // 8))),
    "sample": _sample,
    "channel": lambda rng, shape: _channels(rng, shape, 1),
    "channels": lambda rng, shape: _channels(rng, shape, max(1, min(3, shape[2] // 8))),
    "value": lambda rng, shape: _values(rng, shape, 1),
    "values": lambda rng, shape: _values(rng, shape, max(1, min(5, int(np.prod(shape)) // 64))),
}
"""Where outliers stand, by name: a mask of a shape."""


def possible(shape: tuple[int, ...]) -> list[str]:
    """The places that leave a majority without outliers."""
    samples, tokens, channels = shape
    counts = {"token": samples * tokens, "sample": samples, "channel": channels, "value": samples * tokens * channels}
    least = {"value": 16}
    return [name for name in PLACES if counts[name.rstrip("s")] >= least.get(name.rstrip("s"), LEAST)]


def with_outliers(rng: Rng, values: Values, place: str, factor: float) -> tuple[Values, Values, Mask]:
    """Values with outliers, the same without, and where the others are.

    A single value becomes ``factor`` with its sign, so that it is large wherever it stands; all else is multiplied.
    Without them, values and channels are 0: what remains of a narrow token is then the same in both. In place of tokens
    and samples stand others: a quality keeps the worst tokens, and these are then the same in both.
    """
    hit = PLACES[place](rng, values.shape)
    shape = values.shape
    outlying = np.where(hit, np.copysign(factor, values) if place.startswith("value") else values * factor, values)
    if place.startswith(("value", "channel")):
        return outlying, np.where(hit, 0.0, values), ~hit
    blocks = shape if place == "sample" else (shape[0] * shape[1], 1, shape[2])
    apart = hit.reshape(blocks)[:, 0, 0]
    return outlying, _with_others(values.reshape(blocks), apart).reshape(shape), ~hit


def _with_others(blocks: Values, apart: Mask) -> Values:
    """Blocks ``[n, N, C]`` with one of the others, none of whose tokens is among the smallest, for those apart."""
    smallest = np.square(blocks).sum(axis=2).min(axis=1)
    others = np.flatnonzero(~apart)
    ordered = others[np.argsort(smallest[others], kind="stable")]
    found = blocks.copy()
    found[apart] = blocks[ordered[-1 if blocks.shape[1] > 1 else len(ordered) // 2]]
    return found
