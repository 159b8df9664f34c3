"""The aligner interface: what both steps of feature alignment give and take (CAUFC, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["SideArray", "Tokens", "ValueAligner"]

SideArray = NDArray[np.int16]
"""Integers that travel with a chunk: per-token statistics, ``[2, N]`` (offset codes, scale codes)."""


@dataclass(frozen=True)
class Tokens:
    """Samples as one matrix of tokens.

    Args:
        matrix: ``[N, C]``, the tokens of all samples one after the other, in C's order and in one piece.
        shapes: shape of every sample's tensor, without a sample axis.
        grids: token grid of every sample, special tokens not counted.
        special: number of special tokens that precede the grid in every sample.
        stacked: whether the samples came as one array ``[B, ...]``.
    """

    matrix: NDArray[Any]
    shapes: tuple[tuple[int, ...], ...]
    grids: tuple[tuple[int, ...], ...]
    special: int
    stacked: bool


class ValueAligner(Protocol):
    """Second step: values of any tap to one distribution, ``(x - offset) / scale``, with statistics as data."""

    def forward(self, matrix: NDArray[Any]) -> tuple[NDArray[Any], SideArray | None]:
        """Features ``[N, C]`` to aligned values ``[N, C]``, and what must travel with them."""
        ...

    def inverse(self, aligned: NDArray[Any], side: SideArray | None) -> NDArray[Any]:
        """Aligned values to features, in the dtype of ``aligned``: one multiplication, one addition, IEEE rounding."""
        ...

    def scales(self, side: SideArray | None) -> NDArray[Any]:
        """Features' units per aligned unit, broadcastable to ``[N, C]``."""
        ...
