"""The transform along channels: a basis of quantised vectors, orthogonal or not (spec, section 9.5).

Prior art: transform coding by the Karhunen-Loeve basis (Hotelling 1933; Huang and Schultheiss 1963).
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MalformedError
from ...octaves import OCTAVE_PARTS, octaves
from ..kept import Kept

__all__ = ["ChannelTransform", "QuantizedRows", "principal_basis", "quantize_rows"]

SCALE_LIMIT = 800

LARGE, BYTES_KEPT = 1 << 20, 1 << 26
"""Numbers of a basis from which on its inverse takes seconds and is found in float32; the last inverse is kept, and
more in so many bytes, as planning and every pass look for the same ones."""

SHORTEST = 2.0**-100

POWERS = 8
"""Products with a vector after which its length is about the largest eigenvalue."""

SMALL = 48
"""Rows of a triangle whose inverse is found at once."""

FEW, FEW_OFTEN, MOST_STEPS, LEFT_OUT = 4, 16, 16, 2e-3
"""Coefficients per token from which on rough ones are found without an inverse, and where they are looked for often: in
so many steps at most, until so much of them is left."""

TINIEST = np.float32(2.0**-120)

Matrix = NDArray[Any]

_KEPT: Kept[bytes, Matrix] = Kept(BYTES_KEPT, lambda inverse: inverse.nbytes, fewest=1)


@dataclass(frozen=True)
class QuantizedRows:
    """Rows ``[K, C]`` as integer codes, and a scale code per row: ``codes * 2^(scale / 8)``.

    Args:
        codes: ``[K, C]``, C being the channels of a group.
        scales: scale codes ``[K]``.
        ranks: how many of the rows are each group's ``[G]``, in order; None for one group.

    Raises:
        MalformedError: for a scale code beyond 800 on either side.
    """

    codes: NDArray[Any]
    scales: NDArray[np.int16]
    ranks: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        if np.abs(self.scales.astype(np.int32)).max(initial=0) > SCALE_LIMIT:
            raise MalformedError("a basis scale out of range", requirement=227)

    def values(self) -> NDArray[np.float64]:
        """The rows [CAUF-0227]."""
        rows: NDArray[np.float64] = self.codes * octaves(self.scales)[:, None]
        return rows


def quantize_rows(
    rows: Matrix, bits: int | NDArray[np.int64] = 8, ranks: NDArray[np.int32] | None = None
) -> QuantizedRows:
    """The nearest codes to rows ``[K, C]``, as fine as so many bits allow, of all rows or each ``[K]``."""
    most = np.broadcast_to((1 << (np.asarray(bits) - 1)) - 1, len(rows))
    largest = np.maximum(np.abs(rows).max(axis=1, initial=0), 2.0**-90)
    scales = np.clip(np.ceil(OCTAVE_PARTS * np.log2(largest / most)), -SCALE_LIMIT, SCALE_LIMIT)
    codes = np.rint(rows / octaves(scales)[:, None])
    return QuantizedRows(codes.astype(np.int8 if np.max(bits) <= 8 else np.int16), scales.astype(np.int16), ranks)


class ChannelTransform:
    """Coefficients of every token in a basis: one of all channels, or one per group of channels.

    Args:
        synthesis: basis vectors ``[K, C / G]``: a group of a token is the sum of its coefficients times these.
        analysis: how to find coefficients, vectors of the same shape; None for the least-squares solution.
        rough: whether that may be found in float32, for choices.
        often: whether it will be, again and again.
    """

    def __init__(
        self,
        synthesis: QuantizedRows,
        analysis: QuantizedRows | None = None,
        *,
        rough: bool = False,
        often: bool = False,
    ) -> None:
        rows = synthesis.values()
        given = None if analysis is None else analysis.values()
        ends = np.cumsum([0, *(synthesis.ranks if synthesis.ranks is not None else [len(rows)])])
        self._groups = [
            _GroupTransform(rows[first:last], None if given is None else given[first:last], rough=rough, often=often)
            for first, last in itertools.pairwise(ends)
        ]
        self.coded = len(rows)
        """Number of coefficients per token, K."""
        self.products = rows.size
        """Multiplications per token."""

    def forward(self, values: Matrix) -> Matrix:
        """Tokens ``[N, C]`` to coefficients ``[N, K]``."""
        if len(self._groups) == 1:
            return self._groups[0].forward(values)
        parts = np.split(values, len(self._groups), axis=1)
        found = [group.forward(part) for group, part in zip(self._groups, parts, strict=True)]
        return np.concatenate(found, axis=1)

    def inverse(self, coefficients: Matrix) -> Matrix:
        """Coefficients ``[N, K]`` to tokens ``[N, C]``."""
        if len(self._groups) == 1:
            return self._groups[0].inverse(coefficients)
        ends = np.cumsum([group.rank for group in self._groups])[:-1]
        parts = np.split(coefficients, ends, axis=1)
        found = [group.inverse(part) for group, part in zip(self._groups, parts, strict=True)]
        return np.concatenate(found, axis=1)

    def measured(self, scales: Matrix, offsets: Matrix) -> tuple[Matrix, Matrix]:
        """Of every basis vector, its channels scaled: the square of its length, and its product with a token ``[K]``.

        Args:
            scales: of channels ``[C]``.
            offsets: the token ``[C]``.
        """
        parts = (np.split(part, len(self._groups)) for part in (scales, offsets))
        found = [group.measured(*of_group) for group, *of_group in zip(self._groups, *parts, strict=True)]
        return np.concatenate([squares for squares, _ in found]), np.concatenate([products for _, products in found])


class _GroupTransform:
    """Coefficients of one group of channels.

    Args:
        rows: basis vectors ``[K, C]``.
        analysis: vectors of the same shape, or None.
        rough: whether float32 will do.
        often: whether coefficients are found again and again.
    """

    def __init__(self, rows: Matrix, analysis: Matrix | None, *, rough: bool, often: bool) -> None:
        self.rank, self._rough = len(rows), rough
        self._few = FEW_OFTEN if often else FEW
        self._rows, self._analysis = rows, analysis
        self._casts: dict[tuple[bool, str], Matrix] = {}

    def forward(self, values: Matrix) -> Matrix:
        few = self._rough and self._analysis is None and self._few * len(values) <= self.rank
        found: Matrix = self._found(values) if few else np.matmul(values, self._matrix(True, values.dtype))
        return found

    def _found(self, values: Matrix) -> Matrix:
        """Coefficients of few tokens without an inverse: conjugate gradients of all of them side by side."""
        units, lengths = self._units
        left = values.astype(np.float32) @ units.T
        found, towards, before = np.zeros_like(left), left, np.square(left).sum(axis=1, keepdims=True)
        enough = LEFT_OUT**2 * float(before.sum())
        for _ in range(MOST_STEPS):
            if not float(before.sum()) > enough:
                break
            seen = (towards @ units) @ units.T
            pace = before / np.maximum((towards * seen).sum(axis=1, keepdims=True), TINIEST)
            found += pace * towards
            left = left - pace * seen
            now = np.square(left).sum(axis=1, keepdims=True)
            towards, before = left + now / np.maximum(before, TINIEST) * towards, now
        return (found / lengths).astype(values.dtype)

    @functools.cached_property
    def _units(self) -> tuple[Matrix, Matrix]:
        """Rows of length 1 in float32, and what they were long."""
        return _of_length_1(self._rows)

    def inverse(self, coefficients: Matrix) -> Matrix:
        tokens: Matrix = np.matmul(coefficients, self._matrix(False, coefficients.dtype))
        return tokens

    def measured(self, scales: Matrix, offsets: Matrix) -> tuple[Matrix, Matrix]:
        rows = self._rows * scales
        return np.square(rows).sum(axis=1), rows @ offsets

    def _matrix(self, analysis: bool, dtype: np.dtype[Any]) -> Matrix:
        """The right factor, cast once, by each thread that finds none: tokens come in many small runs."""
        key = (analysis, dtype.str)
        found = self._casts.get(key)
        if found is None:
            found = self._casts.setdefault(key, (self._finder() if analysis else self._rows).astype(dtype))
        return found

    def _finder(self) -> Matrix:
        if self._analysis is not None:
            return self._analysis.T
        return _roughly_solved(self._rows, nearly=True) if self._rough else _right_inverse(self._rows)


def _right_inverse(rows: Matrix) -> Matrix:
    """``[C, K]`` that finds coefficients in rows ``[K, C]`` by least squares."""
    digest = hashlib.blake2b(np.ascontiguousarray(rows).data).digest()
    return _KEPT.get(digest, lambda: _solved(rows) if rows.size < LARGE else _roughly_solved(rows))


def _roughly_solved(rows: Matrix, *, nearly: bool = False) -> Matrix:
    """In float32; ``nearly`` where an error of some thousandths does no harm."""
    units, lengths = _of_length_1(rows)
    inverse = _nearly_solved(units) if nearly else None
    found: Matrix = ((_solved(units) if inverse is None else inverse) / lengths).astype(np.float32)
    return found


def _nearly_solved(units: Matrix) -> Matrix | None:
    """By a step of Newton's from the transpose ``[C, K]``; None for rows that are too far from orthonormal for that."""
    apart = units @ units.T
    apart[np.diag_indices_from(apart)] -= 1
    vector = np.sign(apart.sum(axis=1)) + np.float32(0.5)
    norm = 0.0
    for _ in range(POWERS):
        vector = vector / max(float(np.linalg.norm(vector)), SHORTEST)
        vector = apart @ vector
        norm = float(np.linalg.norm(vector))
    if not norm**2 <= LEFT_OUT:
        return None
    found: Matrix = units.T - units.T @ apart
    return found


def _of_length_1(rows: Matrix) -> tuple[Matrix, Matrix]:
    lengths = np.maximum(np.sqrt(np.square(rows).sum(axis=1)), SHORTEST)
    return (rows / lengths[:, None]).astype(np.float32), lengths


def _solved(rows: Matrix) -> Matrix:
    """By Cholesky's factor, whose inverse is made of products: they are what libraries do fastest."""
    try:
        factor = np.linalg.cholesky(rows @ rows.T)
    except np.linalg.LinAlgError:
        return np.linalg.pinv(rows)
    half = _lower_inverse(factor)
    found: Matrix = (half.T @ (half @ rows)).T
    return found


def _lower_inverse(lower: Matrix) -> Matrix:
    """The inverse of a lower triangle ``[K, K]``, by quarters."""
    size = len(lower)
    if size <= SMALL:
        return np.linalg.inv(lower)
    middle, found = size // 2, np.zeros_like(lower)
    first, last = _lower_inverse(lower[:middle, :middle]), _lower_inverse(lower[middle:, middle:])
    found[:middle, :middle], found[middle:, middle:] = first, last
    found[middle:, :middle] = -last @ (lower[middle:, :middle] @ first)
    return found


def principal_basis(covariance: Matrix) -> tuple[Matrix, NDArray[np.float64]]:
    """The Karhunen-Loeve basis: orthonormal rows ``[C, C]`` by descending variance, and the variances."""
    variances, vectors = np.linalg.eigh(covariance)
    return vectors[:, ::-1].T, np.maximum(variances[::-1], 0)
