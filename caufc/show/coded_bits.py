"""What the payloads of a tensor are made of, and where among components, bands and tokens its bits go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import TokenAligner
from ..codec.transform.grids import Geometry
from ..codec.transform.token_order import BANDS
from ..coders.base import DecodedSymbols, TensorCoder
from ..coders.lossy import LossyCoder
from ..coders.payload import part_lengths
from ..coders.transform import TransformCoder
from .code_lengths import bits_of
from .planes import on_plane

__all__ = ["CodedBits"]

Floats = NDArray[np.float64]


@dataclass
class CodedBits:
    """Sums over the chunks that were decoded.

    Args:
        parts: bytes of the payloads by part, as :func:`~caufc.coders.payload.part_lengths` names them.
        components: bits of every coded component ``[K]``; None where symbols are none of components.
        bands: bits of every band ``[16]``.
        band_values: symbols of every band ``[16]``.
        grids: of every grid of tokens, the bits of each token ``[T]``, special ones first, and how many samples.
        tokens: how many tokens.
        spectral: whether places on the grid are frequencies.
        in_basis: whether components are those of a basis, and not channels.
        special: tokens before the grid.
    """

    parts: dict[str, int] = field(default_factory=dict)
    components: Floats | None = None
    bands: Floats = field(default_factory=lambda: np.zeros(BANDS))
    band_values: Floats = field(default_factory=lambda: np.zeros(BANDS))
    grids: dict[tuple[int, ...], tuple[Floats, int]] = field(default_factory=dict)
    tokens: int = 0
    spectral: bool = False
    in_basis: bool = False
    special: int = 0

    def add(self, coder: TensorCoder, symbols: DecodedSymbols, payload: memoryview) -> None:
        """Add the payload of a chunk, and its symbols."""
        if not isinstance(coder, LossyCoder):
            self._count({"symbols": len(payload)})
            return
        self._count(part_lengths(payload, sided=isinstance(coder.value, TokenAligner)))
        if isinstance(coder, TransformCoder):
            self.spectral = coder.codec.parameters.spectral
            self.in_basis = coder.codec.basis is not None
            self._add_bits(
                bits_of(coder.entropy, symbols.state.symbols, symbols.state.geometry), symbols.state.geometry
            )

    def _count(self, parts: dict[str, int]) -> None:
        for name, length in parts.items():
            self.parts[name] = self.parts.get(name, 0) + length

    def _add_bits(self, bits: NDArray[np.float32], geometry: Geometry) -> None:
        columns, rows = bits.sum(axis=0, dtype=np.float64), bits.sum(axis=1, dtype=np.float64)
        self.components = columns if self.components is None else self.components + columns
        self.bands += np.bincount(geometry.bands, rows, minlength=BANDS)
        self.band_values += np.bincount(geometry.bands, minlength=BANDS) * bits.shape[1]
        self.tokens += geometry.tokens
        self.special = geometry.special
        start = 0
        for grid, size in zip(geometry.grids, geometry.sizes, strict=True):
            total, samples = self.grids.get(grid, (np.zeros(size), 0))
            self.grids[grid] = total + rows[start : start + size], samples + 1
            start += size

    @property
    def total(self) -> float:
        """All estimated bits."""
        return float(self.bands.sum())

    def on_grid(self) -> tuple[Floats, Floats] | None:
        """Bits of a token by its place on the commonest grid of two or more axes, on average, and of special tokens.

        Returns:
            ``[rows, columns]`` and ``[special]``; None where there is no such grid.
        """
        planes = [(samples, grid) for grid, (_, samples) in self.grids.items() if len(grid) > 1 and 0 not in grid]
        if not planes:
            return None
        samples, grid = max(planes)
        mean = self.grids[grid][0] / samples
        return on_plane(mean[self.special :], grid, np.nan), mean[: self.special]

    def by_position(self) -> Floats | None:
        """Bits of a token by its position in a sequence, on average over the samples that reach it; None for others."""
        lines = {grid: found for grid, found in self.grids.items() if len(grid) == 1}
        if not lines or (self.spectral and len(lines) > 1):
            return None
        total, count = _padded(list(lines.values()))
        return np.asarray(total / np.maximum(count, 1))


def _padded(lines: Sequence[tuple[Floats, int]]) -> tuple[Floats, NDArray[Any]]:
    """Sums over sequences of several lengths, and how many samples have each position."""
    longest = max(len(bits) for bits, _ in lines)
    total, count = np.zeros(longest), np.zeros(longest)
    for bits, samples in lines:
        total[: len(bits)] += bits
        count[: len(bits)] += samples
    return total, count
