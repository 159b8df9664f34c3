"""Karhunen-Loeve bases of channels and of groups of them, with the vectors that code anything."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec.transform.basis import ChannelTransform, QuantizedRows, principal_basis, quantize_rows
from .importance import Importance

__all__ = [
    "BASIS_TOKENS",
    "BIT_WEIGHT",
    "JOINT_TOKENS",
    "JUDGED_TOKENS",
    "LARGEST_BASIS",
    "LARGEST_PROFILED",
    "Principal",
    "principal_of",
    "principals_of",
    "reaches",
]

Values = NDArray[Any]

BIT_WEIGHT = 2 * math.log(2) / 12
"""Squared steps that a bit is worth at high rate."""

BASIS_TOKENS = 5
"""Tokens per channel that a basis must be made from, or it would follow noise; chosen by hand."""

JOINT_TOKENS = 8
"""The same for a basis across groups, which must not only seem to find what they have in common."""

JUDGED_TOKENS = 1.5
"""The same where bases are judged on other tokens than they are made from."""

SMALLEST_BASIS, LARGEST_BASIS, LARGEST_PROFILED = 4, 2048, 4096
"""Channels of a basis; a profile's may be larger, for no file holds it."""

NEVER_CODED = 0.2
"""Basis vectors whose deviation is below this share of the finest step only code zeros."""

FINEST_BITS, COARSEST_BITS = 8, 2

MOST_MISSED = 0.75
"""Share of the error at the wanted rate that a basis may leave to no coefficients: with more, steps far finer than that
make up for it, and with all of it none can."""


@dataclass(frozen=True)
class Principal:
    """Karhunen-Loeve bases of groups, longer where errors weigh less, without vectors that would only code zeros.

    Args:
        vectors: of each group, all that there are ``[C / G, C / G]``.
        shares: octaves that their deviations are above the finest step ``[G, C / G]``.
        kept: how many of each group count ``[G]``.
        finest_step: of all bands.
    """

    vectors: Sequence[NDArray[np.float64]]
    shares: NDArray[np.float64]
    kept: NDArray[np.int64]
    finest_step: float

    @property
    def rows(self) -> NDArray[np.float64]:
        """Of all groups, in order ``[K, C / G]``."""
        return np.concatenate([group[:rank] for group, rank in zip(self.vectors, self.kept, strict=True)])

    @property
    def octaves(self) -> NDArray[np.float64]:
        """That their deviations are above the finest step ``[K]``."""
        return np.concatenate([share[:rank] for share, rank in zip(self.shares, self.kept, strict=True)])

    @property
    def ranks(self) -> NDArray[np.int32] | None:
        """Rows of each group ``[G]``; None for one group."""
        return self.kept.astype(np.int32) if len(self.kept) > 1 else None

    def whole(self) -> Principal:
        """With all vectors: no codes of these miss anything."""
        return replace(self, kept=np.full_like(self.kept, self.shares.shape[1]))

    def paying(self, step: float, tokens: float, worth: float) -> Principal:
        """With the vectors whose codes are worth so many bits at a step in so many tokens."""
        octaves = math.log2(step * math.sqrt(BIT_WEIGHT * worth * self.shares.shape[1] / tokens) / self.finest_step)
        return replace(self, kept=np.minimum(self.kept, np.maximum(1, np.count_nonzero(self.shares > octaves, axis=1))))

    def reaching(self, tokens: Values, noise: float) -> Principal:
        """With all vectors if the finest codes of these miss too much of tokens ``[n, C]``, at such errors."""
        if int(self.kept.min()) == self.shares.shape[1]:
            return self
        return self if reaches(ChannelTransform(self.finest(), rough=True), tokens, noise) else self.whole()

    def finest(self) -> QuantizedRows:
        """As fine as codes can be."""
        return quantize_rows(self.rows, ranks=self.ranks)

    def quantized(self, margin: int) -> QuantizedRows:
        """As coarse as the deviations allow: what a vector's codes miss of it costs others bits."""
        bits = np.ceil(self.octaves).astype(np.int64) + margin
        return quantize_rows(self.rows, np.clip(bits, COARSEST_BITS, FINEST_BITS), self.ranks)


def principals_of(
    aligned: Values,
    step: float,
    importance: Importance,
    groups: Sequence[int],
    *,
    embedded: bool,
    joint_tokens: float = JOINT_TOKENS,
) -> Iterator[tuple[int, Principal]]:
    """Bases of a sample ``[M, C]`` by their number of groups, where there are enough tokens to know them."""
    for count in dict.fromkeys(groups):
        width = aligned.shape[1] // count
        if embedded:
            known = len(aligned) >= (BASIS_TOKENS if count == groups[0] else joint_tokens) * width
        else:
            known = len(aligned) >= (BASIS_TOKENS if len(groups) == 1 else JUDGED_TOKENS) * width
        if known and SMALLEST_BASIS <= width <= (LARGEST_BASIS if embedded else LARGEST_PROFILED):
            yield count, principal_of(aligned, step, importance, count)


def principal_of(aligned: Values, step: float, importance: Importance, groups: int) -> Principal:
    """The bases of so many groups of channels."""
    tokens = len(aligned)
    parts = [np.ascontiguousarray(part) for part in np.split(aligned, groups, axis=1)]
    found = [principal_basis(np.asarray(part.T @ part / tokens, np.float64)) for part in parts]
    variances = np.stack([of_group for _, of_group in found])
    scales = importance.scales(variances)
    finest_step = step * 2.0 ** (int(importance.steps.min()) / 8)
    finest = finest_step * scales
    kept = np.maximum(1, np.count_nonzero(variances > (NEVER_CODED * finest) ** 2, axis=1))
    shares = np.log2(np.maximum(np.sqrt(variances) / finest, NEVER_CODED))
    vectors = [of_group * of_row[:, None] for (of_group, _), of_row in zip(found, scales, strict=True)]
    return Principal(vectors, shares, kept, finest_step)


def reaches(transform: ChannelTransform, tokens: Values, noise: float) -> bool:
    """Whether the vectors of a basis, as its codes have them, reach enough of tokens ``[n, C]``."""
    if transform.coded >= tokens.shape[1]:
        return True
    missed = transform.inverse(transform.forward(tokens)) - tokens
    return float(np.mean(np.square(missed))) <= MOST_MISSED * noise
