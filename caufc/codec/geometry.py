"""Where a chunk's tokens lie on their grids, and in which passes they are coded (spec, section 9.1)."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .order import TokenOrder, order_of

__all__ = ["Geometry", "Pass"]

ALWAYS = 255
Indices = NDArray[np.intp]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Pass:
    """Tokens that are coded together.

    Args:
        tokens: their numbers ``[n]``: in the first pass ascending, then by block, then ascending.
        neighbours: token numbers ``[4, n]``, or the number of tokens where there is none.
        counts: how many neighbours each has ``[n]``.
        bands: of the tokens ``[n]``.
        rank: of all of them.
        blocks: their blocks ``[n]``; the number of blocks for tokens that are always coded.
        starts: where a block's tokens start ``[k]``.
        near: whether neighbours lie at distance 1, or in lower frequencies.
    """

    tokens: Indices
    neighbours: Indices
    counts: Indices
    bands: Bytes
    rank: int
    blocks: Indices
    starts: Indices
    near: bool


@dataclass(frozen=True)
class Geometry:
    """The grids of a chunk's samples.

    Args:
        grids: token grid of every sample; the last axis is a row, the others together count rows.
        special: tokens before the grid in every sample.
        spectral: whether the grids hold frequencies.
    """

    grids: tuple[tuple[int, ...], ...]
    special: int
    spectral: bool = False

    @functools.cached_property
    def orders(self) -> tuple[TokenOrder, ...]:
        """Order of every sample's tokens."""
        found = {grid: order_of(grid, self.special, self.spectral) for grid in dict.fromkeys(self.grids)}
        return tuple(found[grid] for grid in self.grids)

    @functools.cached_property
    def sizes(self) -> list[int]:
        """Tokens of every sample."""
        return [self.special + math.prod(grid) for grid in self.grids]

    @functools.cached_property
    def tokens(self) -> int:
        """Number of tokens N."""
        return sum(self.sizes)

    @functools.cached_property
    def bands(self) -> Bytes:
        """Band of every token ``[N]``."""
        return np.concatenate([np.empty(0, np.uint8), *(order.bands for order in self.orders)])

    @functools.cached_property
    def heads(self) -> Indices:
        """Head token of every block, in order."""
        return self._joined([order.heads for order in self.orders])

    @functools.cached_property
    def by_grid(self) -> list[tuple[tuple[int, ...], Indices]]:
        """Every grid that occurs, and the first token of each sample that has it."""
        starts = np.cumsum([0, *self.sizes])
        found: dict[tuple[int, ...], list[int]] = {}
        for number, grid in enumerate(self.grids):
            found.setdefault(grid, []).append(number)
        return [(grid, starts[samples]) for grid, samples in found.items()]

    @functools.cached_property
    def passes(self) -> tuple[Pass, ...]:
        """The passes, in order; those without tokens are left out."""
        first_blocks = np.cumsum([0, *(len(order.heads) for order in self.orders)])
        parts: dict[int, list[Pass]] = {}
        numbers: dict[tuple[int, ...], list[int]] = {}
        for number, grid in enumerate(self.grids):
            numbers.setdefault(grid, []).append(number)
        starts = np.cumsum([0, *self.sizes])
        for samples in numbers.values():
            order = self.orders[samples[0]]
            offsets = np.stack([starts[samples], first_blocks[samples]])
            for number, part in enumerate(self._placed(order, offsets, int(first_blocks[-1]))):
                parts.setdefault(number, []).append(part)
        merged = (_merged(parts[number]) for number in sorted(parts))
        return tuple(part for part in merged if len(part.tokens))

    def _placed(self, order: TokenOrder, offsets: Indices, blocks: int) -> Iterator[Pass]:
        """One sample's passes, repeated for all samples of that grid: first tokens and first blocks ``[2, B]``."""
        first, block = offsets[0][:, None], offsets[1][:, None]
        for part in order.passes:
            tokens = (part.tokens + first).ravel()
            around = part.neighbours[:, None, :]
            neighbours = np.where(around < 0, self.tokens, around + first).reshape(4, -1)
            inside = order.blocks[part.tokens]
            numbers = np.where(inside < 0, blocks, inside + block).ravel()
            yield Pass(
                tokens,
                neighbours,
                (neighbours < self.tokens).sum(axis=0),
                order.bands[part.tokens][None].repeat(len(first), axis=0).ravel(),
                int(order.ranks[part.tokens].max(initial=0)),
                numbers,
                _starts(numbers),
                part.near,
            )

    def _joined(self, parts: list[Indices]) -> Indices:
        starts = np.cumsum([0, *self.sizes])
        moved = [part + start for part, start in zip(parts, starts[:-1], strict=True)]
        return np.concatenate([np.empty(0, np.intp), *moved])


def _starts(blocks: Indices) -> Indices:
    return np.flatnonzero(np.concatenate([[True], blocks[1:] != blocks[:-1]])) if len(blocks) else blocks


def _merged(parts: list[Pass]) -> Pass:
    """Passes of one number over several grids, tokens by sample."""
    if len(parts) == 1:
        return parts[0]
    tokens = np.concatenate([part.tokens for part in parts])
    samples = np.concatenate([part.blocks for part in parts])
    rank = max(part.rank for part in parts)
    order = np.lexsort((tokens, samples)) if rank else np.argsort(tokens, kind="stable")
    blocks = samples[order]
    return Pass(
        tokens[order],
        np.concatenate([part.neighbours for part in parts], axis=1)[:, order],
        np.concatenate([part.counts for part in parts])[order],
        np.concatenate([part.bands for part in parts])[order],
        rank,
        blocks,
        _starts(blocks),
        parts[0].near,
    )
