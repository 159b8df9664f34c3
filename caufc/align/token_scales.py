"""Scales of single tokens: what lets a token far larger or smaller than the others be coded like them (spec, 7.1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..octaves import OCTAVE_PARTS
from .base import SideArray
from .value import SCALE_CODE_LIMIT, check_scale_codes, scale_of

__all__ = ["TokenScales"]


class TokenScales:
    """One factor per token ``[N]``, as codes in eighths of octaves that travel with a chunk.

    Raises:
        MalformedError: for a code out of range.
    """

    def __init__(self, codes: SideArray) -> None:
        check_scale_codes(codes)
        self.codes = codes

    @classmethod
    def of(cls, factors: NDArray[np.float64]) -> TokenScales:
        """The scales nearest to factors ``[N]`` above 0."""
        codes = np.rint(OCTAVE_PARTS * np.log2(factors))
        return cls(np.clip(codes, -SCALE_CODE_LIMIT, SCALE_CODE_LIMIT).astype(np.int16))

    @classmethod
    def joined(cls, parts: Sequence[TokenScales | None], counts: Sequence[int]) -> TokenScales | None:
        """The scales of tokens in parts of so many, None for parts without any; None if no token has one."""
        if all(part is None or not part.codes.any() for part in parts):
            return None
        codes = [np.zeros(n, np.int16) if part is None else part.codes for part, n in zip(parts, counts, strict=True)]
        return cls(np.concatenate(codes))

    def times(self, other: TokenScales | None) -> TokenScales:
        """The product of both."""
        if other is None:
            return self
        codes = np.clip(self.codes.astype(np.int32) + other.codes, -SCALE_CODE_LIMIT, SCALE_CODE_LIMIT)
        return TokenScales(codes.astype(np.int16))

    def part(self, rows: slice) -> TokenScales:
        """Those of some tokens."""
        return TokenScales(self.codes[rows])

    @cached_property
    def factors(self) -> NDArray[np.float32]:
        """Features' units per unit of what is aligned ``[N, 1]``."""
        return scale_of(self.codes)[:, None]

    def divide(self, matrix: NDArray[Any]) -> NDArray[Any]:
        """Features ``[N, C]`` to what is aligned; of scaled tokens, outliers that are stored exactly may overflow."""
        scaled = np.flatnonzero(self.codes)
        with np.errstate(over="ignore"):
            if 2 * len(scaled) > len(matrix):
                return (matrix / self.factors.astype(np.float64)).astype(matrix.dtype)
            out = matrix.copy()
            if len(scaled):
                out[scaled] = (matrix[scaled] / self.factors[scaled].astype(np.float64)).astype(matrix.dtype)
        return out

    def multiply(self, matrix: NDArray[Any]) -> NDArray[Any]:
        """The inverse, in place: one multiplication per value [CAUF-0560]."""
        scaled = np.flatnonzero(self.codes)
        if 2 * len(scaled) > len(matrix):
            matrix *= self.factors.astype(matrix.dtype)
        elif len(scaled):
            matrix[scaled] *= self.factors[scaled].astype(matrix.dtype)
        return matrix
