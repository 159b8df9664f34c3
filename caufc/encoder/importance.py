"""Blind importance: what errors weigh by frequency, kind of token and direction, from what networks mostly do.

Layers behind a tap mostly pool, average or read a special token, so errors there weigh more than errors of high
frequencies; far more where it is known that nothing else is read. Attention looks at high frequencies more than
convolutions do. And networks react most to the directions of a token in which features vary most. Task-aware steps
come from a profile instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..codec.transform.grids import Geometry
from ..codec.transform.token_order import BAND_STARTS, BANDS, FREQUENCY_BANDS
from ..octaves import OCTAVE_PARTS

__all__ = ["Importance", "blind_importance", "directed_importance", "flat_importance", "flat_steps", "read_bands"]

CONVOLUTION_EXPONENT, ATTENTION_EXPONENT = 0.5, 0.25
"""How steps grow with frequency: in planes without special tokens, and in what only attention reads.

``tools/measure/importance.py``, row *frequencies of the other kind* in ``tools/results/importance.md``.
"""

VARIANCE_EXPONENT = 0.4
"""How the weight of errors in a direction grows with the variance of features in it.

``tools/measure/importance.py``, rows *variance^0* and *variance^0.6* in ``tools/results/importance.md``.
"""

LANGUAGE_VARIANCE_EXPONENT = 0.25
"""The same for tokens of language models; by trials at equal divergence of next-token predictions."""

SMALLEST_VARIANCE = 2.0**-20
"""Variances below this share of their mean count as much."""

LOWEST = 0.12
"""Added to normalised frequencies, so that the lowest have a step."""

MEAN_WEIGHT, MEAN_SHARE = 8.0, 0.5
FIRST_TOKEN_WEIGHT = 6.0
OTHER_TOKENS_WEIGHT = 2.0
"""How much finer steps are of a grid's mean (by at most that share of its tokens), of the first special token, and of
other special tokens; chosen by hand."""

UNREAD = 64.0
"""Steps of what is not read, in steps of what is: coarse, but not nothing."""

Codes = NDArray[np.int8]


@dataclass(frozen=True)
class Importance:
    """What errors weigh.

    Args:
        steps: step codes of every band ``[16]``, in eighths of octaves.
        variance_exponent: squared errors in a direction of a token weigh as the variance in it to this power.
    """

    steps: Codes
    variance_exponent: float = 0.0

    def scales(self, variances: NDArray[np.float64]) -> NDArray[np.float64]:
        """Steps of directions ``[C]`` against those of all; the mean weight of errors stays 1."""
        mean = float(variances.mean())
        if not mean > 0:
            return np.ones_like(variances)
        weights = np.maximum(variances / mean, SMALLEST_VARIANCE) ** self.variance_exponent
        scales: NDArray[np.float64] = np.sqrt(weights.mean() / weights)
        return scales


def flat_importance() -> Importance:
    """Equal errors: the best SNR."""
    return Importance(flat_steps())


def directed_importance() -> Importance:
    """Equal errors in all tokens, unequal ones in their directions."""
    return Importance(flat_steps(), LANGUAGE_VARIANCE_EXPONENT)


def blind_importance(geometry: Geometry, reads: str = "tokens") -> Importance:
    """What is known without a network.

    Args:
        geometry: of the coefficients.
        reads: ``tokens``, ``mean`` or ``first``.
    """
    steps = _steps_of_all(geometry) if reads == "tokens" else _steps_of_some(read_bands(reads))
    return Importance(np.rint(OCTAVE_PARTS * np.log2(steps)).astype(np.int8), VARIANCE_EXPONENT)


def flat_steps() -> Codes:
    """Equal steps: equal errors, the best SNR."""
    return np.zeros(BANDS, np.int8)


def read_bands(reads: str) -> list[int]:
    """Bands that are read; none where it is all of them."""
    return {"mean": [0, FREQUENCY_BANDS, FREQUENCY_BANDS + 1], "first": [FREQUENCY_BANDS]}.get(reads, [])


def _steps_of_some(read: list[int]) -> NDArray[np.float64]:
    steps = np.full(BANDS, UNREAD)
    steps[read] = 1
    return steps


def _steps_of_all(geometry: Geometry) -> NDArray[np.float64]:
    steps = np.ones(BANDS)
    if geometry.spectral and any(math.prod(grid) > 1 for grid in geometry.grids):
        steps[:FREQUENCY_BANDS] = (LOWEST + _radii(geometry)) ** _frequency_exponent(geometry)
        steps[0] /= min(MEAN_WEIGHT, max(1.0, MEAN_SHARE * _typical_tokens(geometry)))
    steps[FREQUENCY_BANDS] = 1 / FIRST_TOKEN_WEIGHT
    steps[FREQUENCY_BANDS + 1] = 1 / OTHER_TOKENS_WEIGHT
    return steps


def _frequency_exponent(geometry: Geometry) -> float:
    """By the network that such tokens come from: convolutions make planes, attention takes sequences."""
    plane = any(len(grid) > 1 for grid in geometry.grids)
    return CONVOLUTION_EXPONENT if plane and not geometry.special else ATTENTION_EXPONENT


def _typical_tokens(geometry: Geometry) -> int:
    """Tokens of a typical grid: the fewer there are, the less is a mean more than each of them."""
    return sorted(math.prod(grid) for grid in geometry.grids)[len(geometry.grids) // 2]


def _radii(geometry: Geometry) -> NDArray[np.float64]:
    """Normalised frequency in the middle of every band of a typical sample: 1 is an axis's highest."""
    grids = sorted(geometry.grids, key=math.prod)
    rows, columns = (1, 1, *grids[len(grids) // 2])[-2:]
    middles = np.array(BAND_STARTS, np.float64)
    middles[1:-1] += np.diff(middles[1:]) / 2 - 0.5
    if rows <= 1:
        return np.minimum(middles / max(1, columns), 1.5)
    return np.minimum(middles / 2 * math.hypot(1 / rows, 1 / max(1, columns)), 1.5)
