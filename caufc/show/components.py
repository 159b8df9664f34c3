"""Tokens as colours: their three first principal components are red, green and blue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .planes import places

__all__ = ["Components"]

COLOURS = 3
MOST_TOKENS = 1024
"""That components are fitted to."""

LARGEST = 1e100
"""Values beyond have squares that overflow, or nearly."""

ROBUST = 0.02
"""Share of the tokens at each end of a component that have its last colour."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Components:
    """The three first principal components of tokens, and the range of each that is shown.

    Args:
        mean: of the tokens ``[C]``.
        directions: of the components, orthonormal ``[C, 3]``; zeros where tokens have fewer.
        low, high: of the range ``[3]``.
        shares: of the variance that each explains ``[3]``.
        unit: of the others; 1, unless squares would overflow.
    """

    mean: Floats
    directions: Floats
    low: Floats
    high: Floats
    shares: Floats
    unit: float = 1.0

    @classmethod
    def fit(cls, tokens: NDArray[Any], outliers: NDArray[np.bool_] | None = None) -> Self:
        """Those of tokens ``[N, C]``, of at most 1,024 of them; outliers ``[N]`` have no say, unless all are."""
        kept = np.isfinite(tokens).all(axis=1)
        if outliers is not None and (kept & ~outliers).any():
            kept = kept & ~outliers
        there = np.flatnonzero(kept)
        chosen = tokens[there[places(len(there), MOST_TOKENS)]].astype(np.float64)
        chosen = chosen if len(chosen) else np.zeros((1, tokens.shape[1]))
        largest = float(np.abs(chosen).max(initial=0))
        unit = largest if largest > LARGEST else 1.0
        chosen = chosen / unit
        mean = chosen.mean(axis=0)
        centred = chosen - mean
        directions, variances = _directions(centred)
        places_in = centred @ directions
        low, high = np.quantile(places_in, (ROBUST, 1 - ROBUST), axis=0)
        total = float(np.square(centred).sum())
        return cls(mean, directions, low, high, variances / total if total else np.zeros(COLOURS), unit)

    def of(self, tokens: NDArray[Any]) -> Floats:
        """Components ``[N, 3]`` of tokens ``[N, C]``."""
        values = np.where(np.isfinite(tokens), tokens, 0).astype(np.float64)
        return np.asarray(values / self.unit @ self.directions - self.mean @ self.directions)

    def colours(self, tokens: NDArray[Any]) -> NDArray[np.uint8]:
        """Colours ``[N, 3]`` of tokens ``[N, C]``; a component without range is the middle grey of its colour."""
        spread = self.high - self.low
        shares = (self.of(tokens) - self.low) / np.where(spread > 0, spread, 1)
        levels = np.where(spread > 0, np.clip(shares, 0, 1), 0.5)
        return np.asarray(np.rint(255 * levels), np.uint8)


def _directions(centred: Floats) -> tuple[Floats, Floats]:
    """Directions ``[C, 3]`` and squared lengths ``[3]`` of the first components, from the smaller Gram matrix."""
    by_token = len(centred) < centred.shape[1]
    values, vectors = np.linalg.eigh(centred @ centred.T if by_token else centred.T @ centred)
    first = vectors[:, ::-1][:, :COLOURS]
    directions = centred.T @ first if by_token else first
    lengths = np.linalg.norm(directions, axis=0)
    small = values[::-1][:COLOURS] <= 1e-12 * max(float(values[-1]), 1e-300)
    directions = np.where(small, 0, directions / np.where(lengths > 0, lengths, 1))
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])])
    padded = np.zeros((centred.shape[1], COLOURS))
    padded[:, : directions.shape[1]] = directions * np.where(signs == 0, 1, signs)
    found = np.zeros(COLOURS)
    found[: len(small)] = np.where(small, 0, values[::-1][:COLOURS])
    return padded, found
