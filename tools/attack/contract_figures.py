"""Figures that contracts are judged by: SNR of what remains without outliers, and of each token.

Written from the design's words and nothing of the encoder: **SNR** is 10 log10 of the sum of squares over the sum of
squared errors. **Masks** are set aside first: the lowest or highest value where it comes more than once and is over 100
times the median of the others. **Outliers** are values over 100 times the median of those that are not zero, tokens
and channels that are mostly such values, then those whose root mean square over what remains is over 100 times theirs.
Where over a third would be outliers, those far larger than that third are.

Matrices are ``[N, C]``, tokens x channels, in float64; errors are restored minus original values. Sums are scaled, so
that neither 1e-300 nor 1e300 leaves the range of float64. A restored value that is not finite is an infinite error.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["OUTLIER_RATIO", "WORST_SHARE", "is_rest", "snr_db", "token_snrs_db", "worst_token_snr_db"]

Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]

OUTLIER_RATIO = 100.0
"""Beyond so many times the median, tokens, channels and values are outliers."""

MOST_OUTLYING = 1 / 3
"""Where a larger share is beyond, it is no outlier: of two sizes in turn, both are what the values are like."""

WORST_SHARE = 0.01
"""The SNR that all tokens but this share reach is that of the worst 1 %."""


def is_rest(matrix: Matrix) -> Mask:
    """What remains of a matrix when outliers are set aside ``[N, C]``."""
    if not matrix.size:
        return np.ones(matrix.shape, bool)
    masks = _masks(matrix)
    matrix = np.where(masks, 0.0, matrix)
    large = _outlying(np.abs(matrix))
    aside = masks | large | _mostly(large, matrix)[:, None] | _mostly(large.T, matrix.T)
    matrix = np.where(aside, 0.0, matrix)
    tokens, channels = _outlying(_rms(matrix)), _outlying(_rms(matrix.T))
    rest: Mask = ~(aside | tokens[:, None] | channels[None])
    return rest


def _mostly(large: Mask, rows: Matrix) -> Mask:
    """Which rows are mostly large values, of those that are not 0."""
    found: Mask = 2 * np.count_nonzero(large, axis=1) > np.count_nonzero(rows, axis=1)
    return found


def _masks(matrix: Matrix) -> Mask:
    """Where values stand for nothing ``[N, C]``, as those of masked scores do."""
    found = np.zeros(matrix.shape, bool)
    for end in (np.min, np.max, np.min, np.max):
        rest = matrix[~found]
        value = end(rest, initial=math.inf if end is np.min else -math.inf)
        others = np.abs(rest[(rest != value) & (rest != 0)])
        if np.count_nonzero(rest == value) > 1 and others.size and abs(value) / OUTLIER_RATIO > np.median(others):
            found |= matrix == value
    return found


def snr_db(original: NDArray[Any], error: NDArray[Any]) -> float:
    """SNR in dB of values and their errors, of one shape; infinite without error, minus infinity without energy."""
    return float(token_snrs_db(original.reshape(1, -1), error.reshape(1, -1))[0]) if original.size else math.inf


def token_snrs_db(original: Matrix, error: Matrix) -> Matrix:
    """SNR in dB of every token ``[N]``."""
    if not original.size:
        return np.full(len(original), math.inf)
    with np.errstate(all="ignore"):
        unit = np.abs(original).max(axis=1)
        lost = np.abs(error).max(axis=1)
        energy = np.square(original / unit[:, None]).sum(axis=1)
        errors = np.square(error / lost[:, None]).sum(axis=1)
        found: Matrix = 10 * np.log10(energy / errors) + 20 * (np.log10(unit) - np.log10(lost))
    found[unit == 0] = -math.inf
    found[~np.isfinite(lost)] = -math.inf
    found[lost == 0] = math.inf
    return found


def worst_token_snr_db(original: Matrix, error: Matrix) -> float:
    """The SNR in dB that 99 % of tokens reach; tokens of zeros have none, and infinity is that of no tokens."""
    found = np.sort(token_snrs_db(original, error)[np.abs(original).max(axis=1, initial=0) > 0])
    return float(found[int(WORST_SHARE * len(found))]) if len(found) else math.inf


def _rms(rows: Matrix) -> Matrix:
    unit = np.abs(rows).max(axis=1)
    safe = np.where(unit > 0, unit, 1.0)
    return np.asarray(unit * np.sqrt(np.square(rows / safe[:, None]).mean(axis=1)))


def _outlying(magnitudes: Matrix) -> Mask:
    present = magnitudes[magnitudes > 0]
    if not present.size:
        return np.zeros(magnitudes.shape, bool)
    outlying: Mask = magnitudes / OUTLIER_RATIO > np.median(present)
    if np.count_nonzero(outlying) > MOST_OUTLYING * present.size:
        outlying = magnitudes / OUTLIER_RATIO > np.median(magnitudes[outlying])
    return outlying
