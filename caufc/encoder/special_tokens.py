"""Special tokens and grids along one axis of tokens: how many tokens come first, and whether the others are a square.

Vision transformers put CLS, distillation and register tokens before a grid of patches; language models make a sink of
the first token, whose statistics are unlike those of all others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import LayoutAligner
from ..layouts import GRID_LETTERS, Layout

__all__ = ["special_candidates", "stands_apart", "token_axis"]

SPECIAL_COUNTS = (0, 1, 2, 4, 5, 8)
"""CLS; with a distillation token; registers without and with CLS; eight registers."""

SMALLEST_SIDE = 4
FEWEST_TOKENS, FEWEST_CHANNELS = 8, 4
"""Of a sequence whose first token may stand apart."""

APART = 1.5
"""How far beyond the others' the first token's distance from their mean must lie, as a ratio."""

ALIKE, AHEAD = 0.6, 0.2
"""Cosine of a first token with those of other samples, and how far ahead of other positions' it must be."""

QUANTILE = 0.02
SMALLEST_VARIANCE, SMALLEST = 1e-6, 1e-300


def token_axis(layout: Layout) -> int | None:
    """The only axis of tokens of a sample; None where there are none or several."""
    axes = [axis for axis, term in enumerate(layout.sample_terms) if term[0] in GRID_LETTERS]
    return axes[0] if len(axes) == 1 else None


def special_candidates(
    layout: Layout, lengths: Sequence[int], samples: Sequence[NDArray[Any]], *, gridded: bool, first_apart: bool
) -> list[Layout]:
    """The same layout with special tokens, or with a square grid, where the numbers of tokens allow it.

    Args:
        layout: of a sample, with one axis of tokens.
        lengths: of that axis, in all samples.
        samples: some of them, whole along the axis of tokens.
        gridded: whether neighbours are alike, as on a grid.
        first_apart: whether the first token is unlike the others.
    """
    terms = list(layout.terms)
    axis = token_axis(layout)
    found = []
    for count in SPECIAL_COUNTS if gridded else ():
        if all(_is_square(length - count) for length in lengths) and _folds(samples, layout, count):
            found.append(f"({count} + h w)" if count else "(h w)")
    if first_apart and min(lengths) >= FEWEST_TOKENS:
        found.append("(1 + n)")
    return [Layout(" ".join(text if place == axis else term for place, term in enumerate(terms))) for text in found]


def _is_square(count: int) -> bool:
    return count >= SMALLEST_SIDE**2 and math.isqrt(count) ** 2 == count


def _folds(samples: Sequence[NDArray[Any]], layout: Layout, special: int) -> bool:
    """Whether tokens behind some special ones are more alike a line of their square apart than half a line apart."""
    aligner = LayoutAligner(layout)
    ahead = [_ahead_of_line(aligner.to_tokens([sample]).matrix[special:].astype(np.float64)) for sample in samples]
    return float(np.mean(ahead)) > 0


def _ahead_of_line(tokens: NDArray[np.float64]) -> float:
    """By how much more alike tokens ``[T, C]`` a line apart are, as a share of their variance."""
    line = math.isqrt(len(tokens))
    tokens = (tokens - tokens.mean(axis=0)) / np.maximum(tokens.std(axis=0), SMALLEST)
    half, whole = (float(np.mean(np.square(tokens[lag:] - tokens[:-lag]))) for lag in (line // 2, line))
    return half - whole


def stands_apart(samples: Sequence[NDArray[Any]], layout: Layout) -> bool:
    """Whether the first token is unlike all others in every sample.

    It is where it points the same way from the others' mean in all samples, as no other token does: language models
    make the same sink of any first token. Or where its distance from that mean is beyond what nearly all others
    reach, by far. Both in deviations of channels, so that no channel counts alone.

    Args:
        samples: of one tensor, whole along the axis of tokens.
        layout: of a sample, with one axis of tokens.
    """
    aligner = LayoutAligner(layout)
    found = [aligner.to_tokens([sample]).matrix for sample in samples]
    length = min(map(len, found), default=0)
    if length < FEWEST_TOKENS or found[0].shape[1] < FEWEST_CHANNELS:
        return False
    tokens = np.stack([matrix[:length] for matrix in found]).astype(np.float64)
    tokens /= max(float(np.abs(tokens).max()), SMALLEST)
    variance = tokens[:, 1:].var(axis=(0, 1))
    floor = max(SMALLEST_VARIANCE * float(variance.mean()), 1e-30)
    tokens = (tokens - tokens[:, 1:].mean(axis=(0, 1))) / np.sqrt(np.maximum(variance, floor))
    return _same_direction(tokens) or _far_out(tokens)


def _same_direction(tokens: NDArray[np.float64]) -> bool:
    """Whether first tokens ``[S, 0, C]`` are alike in all samples, far more than those of other positions."""
    if len(tokens) < 2:
        return False
    others = tokens.sum(axis=0) - tokens
    lengths = np.linalg.norm(tokens, axis=2) * np.linalg.norm(others, axis=2)
    cosines = np.sum(tokens * others, axis=2) / np.maximum(lengths, 1e-30)
    first = float(cosines[:, 0].min())
    return first > ALIKE and first > float(np.quantile(cosines[:, 1:].mean(axis=0), 1 - QUANTILE)) + AHEAD


def _far_out(tokens: NDArray[np.float64]) -> bool:
    """Whether first tokens lie far from the mean, or close to it, against those of the same sample ``[S, T, C]``."""
    distances = np.sqrt(np.mean(np.square(tokens), axis=2))
    low, high = np.quantile(distances[:, 1:], [QUANTILE, 1 - QUANTILE], axis=1)
    first = distances[:, 0]
    return bool(np.all((first > APART * high) | (first * APART < low)))
