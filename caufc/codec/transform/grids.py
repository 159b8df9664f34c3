"""Where a chunk's tokens lie on their grids, and in which passes they are coded (spec, section 9.1)."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
        whole = self._whole
        passes = [(there.start, there.stop, int(whole.ranks[there].max()), near) for there, near in self._bounds]
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
        """Tokens of all passes."""
        starts, blocks = self._starts, np.cumsum([0, *(len(order.heads) for order in self.orders)])
        placed = [
            self._placed(self.orders[samples[0]], starts[samples], blocks[samples], int(blocks[-1]))
            for _, samples in self._numbers
        ]
        return placed[0] if len(placed) == 1 else _Placed.joined(placed)

    @functools.cached_property
    def _bounds(self) -> list[tuple[slice, bool]]:
        """Where each pass that has tokens stands among all, and whether its neighbours are near."""
        whole = self._whole
        edges = np.searchsorted(whole.passes, np.arange(int(whole.passes.max(initial=0)) + 2))
        near = max((self.orders[samples[0]].near for _, samples in self._numbers), key=len, default=[False])
        return [
            (slice(int(start), int(stop)), near[number])
            for number, (start, stop) in enumerate(itertools.pairwise(edges))
            if stop > start
        ]

    def _placed(self, order: TokenOrder, first: Indices, block: Indices, blocks: int) -> _Placed:
        """One sample's tokens in their order, repeated for all samples of that grid, pass by pass."""
        members, around = order.tokens, order.neighbours
        inside = order.blocks[members]
        repeat = len(first)
        tokens = members + first[:, None]
        neighbours = np.where(around[:, None] < 0, self.tokens, around[:, None] + first[:, None])
        numbers = np.where(inside < 0, blocks, inside + block[:, None])
        by_pass = np.argsort(np.broadcast_to(order.numbers, tokens.shape).ravel(), kind="stable")
        return _Placed(
            np.tile(order.numbers, repeat)[by_pass],
            tokens.ravel()[by_pass],
            neighbours.reshape(4, -1)[:, by_pass],
            np.tile(order.bands[members], repeat)[by_pass],
            np.tile(order.ranks[members], repeat)[by_pass],
            numbers.ravel()[by_pass],
        )


@dataclass(frozen=True)
class _Placed:
    """Tokens of all passes, one pass after the other: arrays ``[n]``, neighbours ``[4, n]``."""

    passes: Bytes
    tokens: Indices
    neighbours: Indices
    bands: Bytes
    ranks: Bytes
    blocks: Indices

    @classmethod
    def joined(cls, parts: list[_Placed]) -> _Placed:
        """Tokens of several grids, or of none: the first pass by token, others by block and token [CAUF-0218]."""
        parts = parts or [cls.empty()]
        passes = np.concatenate([part.passes for part in parts])
        tokens = np.concatenate([part.tokens for part in parts])
        blocks = np.concatenate([part.blocks for part in parts])
        order = np.lexsort((tokens, np.where(passes > 0, blocks, 0), passes))
        return cls(
            passes[order],
            tokens[order],
            np.concatenate([part.neighbours for part in parts], axis=1)[:, order],
            np.concatenate([part.bands for part in parts])[order],
            np.concatenate([part.ranks for part in parts])[order],
            blocks[order],
        )

    @classmethod
    def empty(cls) -> _Placed:
        """Of no tokens."""
        none, bytes_ = np.empty(0, np.intp), np.empty(0, np.uint8)
        return cls(bytes_, none, np.empty((4, 0), np.intp), bytes_, bytes_, none)

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
