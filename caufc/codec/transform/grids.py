"""Where a chunk's tokens lie on their grids, and in which passes they are coded (spec, section 9.1)."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .grid_lines import GridLines
from .token_order import TokenOrder, order_of

__all__ = ["ChunkPass", "Geometry", "Placement"]

Indices = NDArray[np.intp]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class ChunkPass:
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


class Placement(NamedTuple):
    """All passes of a chunk, one after the other, as kernels read them.

    Args:
        tokens: number of tokens N.
        spectral: whether the grids hold frequencies.
        places: tokens of all passes ``[n]``.
        neighbours: their neighbours ``[4, n]``, N where there is none.
        bands: theirs ``[n]``.
        blocks: theirs ``[n]``; the number of blocks for tokens that are always coded.
        passes: first and last place, rank, and whether neighbours are near ``[P, 4]``.
        heads: head token of every block ``[H]``.
        head_bands: theirs ``[H]``.
    """

    tokens: int
    spectral: bool
    places: Indices
    neighbours: Indices
    bands: Bytes
    blocks: Indices
    passes: Indices
    heads: Indices
    head_bands: Bytes


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
    def alike(self) -> bool:
        """Whether there are samples and all have one grid: what follows is then a few array operations."""
        return len(self.grids) > 0 and self.grids.count(self.grids[0]) == len(self.grids)

    @functools.cached_property
    def orders(self) -> tuple[TokenOrder, ...]:
        """Order of every sample's tokens."""
        if self.alike:
            return (order_of(self.grids[0], self.special, self.spectral),) * len(self.grids)
        found = {grid: order_of(grid, self.special, self.spectral) for grid in dict.fromkeys(self.grids)}
        return tuple(found[grid] for grid in self.grids)

    @functools.cached_property
    def sizes(self) -> list[int]:
        """Tokens of every sample."""
        if self.alike:
            return [self.special + math.prod(self.grids[0])] * len(self.grids)
        return [self.special + math.prod(grid) for grid in self.grids]

    @functools.cached_property
    def tokens(self) -> int:
        """Number of tokens N."""
        return sum(self.sizes)

    @functools.cached_property
    def bands(self) -> Bytes:
        """Band of every token ``[N]``."""
        if self.alike:
            return np.tile(self.orders[0].bands, len(self.grids))
        return np.concatenate([np.empty(0, np.uint8), *(order.bands for order in self.orders)])

    @functools.cached_property
    def heads(self) -> Indices:
        """Head token of every block, in order."""
        if self.alike:
            return (self._starts[:-1, None] + self.orders[0].heads).ravel()
        moved = [order.heads + start for order, start in zip(self.orders, self._starts[:-1], strict=True)]
        return np.concatenate([np.empty(0, np.intp), *moved])

    @functools.cached_property
    def lines(self) -> GridLines:
        """Lines of tokens that a DCT goes along."""
        return GridLines.of(self.by_grid, self.special)

    @functools.cached_property
    def by_grid(self) -> list[tuple[tuple[int, ...], Indices]]:
        """Every grid that occurs, and the first token of each sample that has it."""
        return [(grid, self._starts[samples]) for grid, samples in self._numbers]

    @functools.cached_property
    def _numbers(self) -> list[tuple[tuple[int, ...], Indices]]:
        """Every grid that occurs, and the numbers of the samples that have it."""
        if self.alike:
            return [(self.grids[0], np.arange(len(self.grids)))]
        found: dict[tuple[int, ...], list[int]] = {}
        for number, grid in enumerate(self.grids):
            found.setdefault(grid, []).append(number)
        return [(grid, np.array(samples)) for grid, samples in found.items()]

    @functools.cached_property
    def _starts(self) -> Indices:
        """First token of every sample, and the number of tokens."""
        return np.cumsum([0, *self.sizes])

    @functools.cached_property
    def passes(self) -> tuple[ChunkPass, ...]:
        """The passes, in order; those without tokens are left out."""
        whole = self._whole
        return tuple(whole.cut(there, near, self.tokens) for there, near in self._bounds)

    @functools.cached_property
    def placement(self) -> Placement:
        """All of them as flat arrays."""
        whole, bounds = self._whole, self._bounds
        starts = np.array([there.start for there, _ in bounds], np.intp)
        ranks = np.maximum.reduceat(whole.ranks, starts) if bounds else whole.ranks
        passes = [(there.start, there.stop, rank, near) for (there, near), rank in zip(bounds, ranks, strict=True)]
        return Placement(
            self.tokens,
            self.spectral,
            np.ascontiguousarray(whole.tokens, np.intp),
            np.ascontiguousarray(whole.neighbours, np.intp),
            whole.bands,
            np.ascontiguousarray(whole.blocks, np.intp),
            np.array(passes, np.intp).reshape(-1, 4),
            self.heads,
            self.bands[self.heads],
        )

    @functools.cached_property
    def _whole(self) -> _Placed:
        """Tokens of all passes: a pass has them by sample, and so by block and token [CAUF-0218]."""
        if not self.alike:
            return self._joined()
        whole = self._repeated(self.orders[0])
        return whole.ordered(np.argsort(whole.passes, kind="stable"))

    @functools.cached_property
    def _bounds(self) -> list[tuple[slice, bool]]:
        """Where each pass that has tokens stands among all, and whether its neighbours are near."""
        edges = np.cumsum([0, *np.bincount(self._whole.passes)]).tolist()
        near = max((self.orders[samples[0]].near for _, samples in self._numbers), key=len, default=[False])
        return [
            (slice(start, stop), near[number])
            for number, (start, stop) in enumerate(itertools.pairwise(edges))
            if stop > start
        ]

    @functools.cached_property
    def _first_blocks(self) -> Indices:
        """First block of every sample, and the number of blocks."""
        return np.cumsum([0, *(len(order.heads) for order in self.orders)])

    def _repeated(self, order: TokenOrder) -> _Placed:
        """The tokens of all samples, whose order is the same, one sample after the other."""
        first, block, repeat = self._starts[:-1, None], self._first_blocks[:-1, None], len(self.grids)
        around = order.neighbours[:, None]
        neighbours = np.where(around < 0, self.tokens, around + first)
        blocks = np.where(order.inside < 0, self._first_blocks[-1], order.inside + block)
        bytes_ = (np.tile(part, repeat) for part in (order.numbers, order.coded_bands, order.coded_ranks))
        return _Placed((order.tokens + first).ravel(), neighbours.reshape(4, -1), blocks.ravel(), *bytes_)

    def _joined(self) -> _Placed:
        """The tokens of all samples, by pass."""
        if not self.orders:
            return _Placed.empty()
        whole = np.concatenate([order.placed for order in self.orders], axis=1)
        around, inside = whole[1:5], whole[5]
        first, block = (np.repeat(starts[:-1], self.sizes) for starts in (self._starts, self._first_blocks))
        whole[0] += first
        whole[1:5] = np.where(around < 0, self.tokens, around + first)
        whole[5] = np.where(inside < 0, self._first_blocks[-1], inside + block)
        whole = np.take(whole, np.argsort(whole[6].astype(np.uint8), kind="stable"), axis=1)
        return _Placed(whole[0], whole[1:5], whole[5], *whole[6:].astype(np.uint8))


class _Placed(NamedTuple):
    """Tokens of all passes: arrays ``[n]``, neighbours ``[4, n]``."""

    tokens: Indices
    neighbours: Indices
    blocks: Indices
    passes: Bytes
    bands: Bytes
    ranks: Bytes

    @classmethod
    def empty(cls) -> _Placed:
        """Of no tokens."""
        none, bytes_ = np.empty(0, np.intp), np.empty(0, np.uint8)
        return cls(none, np.empty((4, 0), np.intp), none, bytes_, bytes_, bytes_)

    def ordered(self, places: Indices) -> _Placed:
        """The same in another order."""
        return _Placed(
            self.tokens[places],
            self.neighbours[:, places],
            self.blocks[places],
            self.passes[places],
            self.bands[places],
            self.ranks[places],
        )

    def cut(self, there: slice, near: bool, outside: int) -> ChunkPass:
        """One pass."""
        neighbours, blocks = self.neighbours[:, there], self.blocks[there]
        return ChunkPass(
            self.tokens[there],
            neighbours,
            (neighbours < outside).sum(axis=0),
            self.bands[there],
            int(self.ranks[there].max()),
            blocks,
            _starts(blocks),
            near,
        )


def _starts(blocks: Indices) -> Indices:
    return np.flatnonzero(np.concatenate([[True], blocks[1:] != blocks[:-1]])) if len(blocks) else blocks
