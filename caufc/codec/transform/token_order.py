"""In which order one sample's tokens are coded: passes, blocks, bands (spec, section 9.1).

Two orders. *Interlaced* refines a lattice: first every eighth token of a grid along both axes, then the middles of its
squares, then those of its edges, and so on with 4, 2 and 1 tokens of distance. *Spectral* is for grids that a DCT has
transformed block by block: from the lowest frequencies to the highest, one diagonal of every block a pass. Either way
all tokens of a pass have their neighbours in earlier passes, so that a pass is a few array operations. Prior art: the
Adam7 passes of PNG, interlaced and wavelet image coders.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..kept import Kept

__all__ = ["BANDS", "FREQUENCY_BANDS", "TokenOrder", "block_sizes", "order_of"]

STRIDES = (4, 2, 1)
SQUARE = 2 * STRIDES[0]
KEPT_TOKENS, KEPT_BYTES = 4096, 1 << 25
"""Tokens of a sample whose order is kept, and bytes of all orders that are, at most."""

TOKEN_BYTES, PASS_BYTES, ORDER_BYTES = 180, 300, 4096
"""What an order comes to hold for each token and pass, and besides, about."""

LARGEST_BLOCK = 64
"""Longest side of a block that a DCT transforms."""

BAND_STARTS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)
"""A coefficient's band is the last that starts at or before the sum of its two frequencies [CAUF-0225]."""

FREQUENCY_BANDS = len(BAND_STARTS)
BANDS = FREQUENCY_BANDS + 2
"""Two more: the first special token, and the others."""

Indices = NDArray[np.intp]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class TokenPass:
    """Tokens of one sample that are coded together, by block, then by number [CAUF-0213].

    Args:
        tokens: numbers ``[n]`` from the sample's first token on; ascending in the first pass.
        neighbours: numbers ``[4, n]``, or -1 where there is none.
        near: whether they are at distance 1, or in lower frequencies.
    """

    tokens: Indices
    neighbours: Indices
    near: bool


@dataclass(frozen=True)
class TokenOrder:
    """One sample.

    Args:
        passes: in order, empty ones too; the first holds special tokens and the blocks' heads.
        bands: band of every token ``[T]``: one step, one part of the class.
        ranks: of every token ``[T]``: 0 for heads and special tokens; others are coded if their block reaches as far.
        blocks: block of every token ``[T]``, -1 for tokens that are always coded.
        heads: head token of every block.
    """

    passes: tuple[TokenPass, ...]
    bands: Bytes
    ranks: Bytes
    blocks: Indices
    heads: Indices

    @functools.cached_property
    def tokens(self) -> Indices:
        """Tokens of all passes, one after the other."""
        return np.concatenate([part.tokens for part in self.passes])

    @functools.cached_property
    def neighbours(self) -> Indices:
        """Their neighbours ``[4, T]``."""
        return np.concatenate([part.neighbours for part in self.passes], axis=1)

    @functools.cached_property
    def numbers(self) -> Bytes:
        """The pass of each."""
        return np.repeat(np.arange(len(self.passes), dtype=np.uint8), [len(part.tokens) for part in self.passes])

    @functools.cached_property
    def inside(self) -> Indices:
        """The block of each, -1 for those that are always coded."""
        return self.blocks[self.tokens]

    @functools.cached_property
    def coded_bands(self) -> Bytes:
        """The band of each."""
        return self.bands[self.tokens]

    @functools.cached_property
    def coded_ranks(self) -> Bytes:
        """The rank of each."""
        return self.ranks[self.tokens]

    @functools.cached_property
    def placed(self) -> Indices:
        """All that is above of each: token, neighbours, block, pass, band, rank ``[9, T]``."""
        rest = [part[None] for part in (self.inside, self.numbers, self.coded_bands, self.coded_ranks)]
        return np.concatenate([self.tokens[None], self.neighbours, *rest], dtype=np.intp)

    @functools.cached_property
    def near(self) -> list[bool]:
        """Of every pass."""
        return [part.near for part in self.passes]


def order_of(grid: tuple[int, ...], special: int, spectral: bool) -> TokenOrder:
    """The order of a sample's tokens; those of small grids are kept."""
    small = special + math.prod(grid) <= KEPT_TOKENS
    if not small:
        return _order(grid, special, spectral)
    return _KEPT.get((grid, special, spectral), lambda: _order(grid, special, spectral))


def _bytes_of(order: TokenOrder) -> int:
    return ORDER_BYTES + PASS_BYTES * len(order.passes) + TOKEN_BYTES * len(order.bands)


_KEPT: Kept[tuple[tuple[int, ...], int, bool], TokenOrder] = Kept(KEPT_BYTES, _bytes_of)


def _order(grid: tuple[int, ...], special: int, spectral: bool) -> TokenOrder:
    rows, columns = _plane(grid)
    y, x = (axis.ravel() for axis in np.mgrid[0:rows, 0:columns])
    if spectral:
        return _spectral(_Grid(grid, special, y, x, rows, columns))
    return _interlaced(_Grid(grid, special, y, x, rows, columns))


@functools.lru_cache(maxsize=256)
def block_sizes(length: int) -> tuple[int, ...]:
    """How a grid axis falls into blocks: as few as can be, their sizes as equal as can be [CAUF-0224]."""
    count = max(1, math.ceil(length / LARGEST_BLOCK))
    edges = [number * length // count for number in range(count + 1)]
    return tuple(after - before for before, after in itertools.pairwise(edges))


def _plane(grid: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns: the last axis is a row, the others together count rows."""
    return math.prod(grid[:-1]), grid[-1] if grid else 1


@dataclass(frozen=True)
class _Grid:
    grid: tuple[int, ...]
    special: int
    y: Indices
    x: Indices
    rows: int
    columns: int

    def around(self, members: Indices, steps: list[tuple[int, int]], blocks: Indices | None = None) -> Indices:
        """Token numbers ``[4, n]`` of neighbours at the given steps, -1 outside the grid, or outside the block."""
        y, x = self.y[members], self.x[members]
        found = np.full((4, len(members)), -1)
        for row, (down, right) in enumerate(steps):
            inside = (y + down >= 0) & (y + down < self.rows) & (x + right >= 0) & (x + right < self.columns)
            there = np.where(inside, (y + down) * self.columns + x + right, 0)
            if blocks is not None:
                inside &= blocks[there] == blocks[members]
            found[row] = np.where(inside, self.special + there, -1)
        return found

    def finish(
        self, passes: list[tuple[Indices, Indices, bool]], bands: Indices, ranks: Indices, blocks: Indices
    ) -> TokenOrder:
        """An order from what is known of grid tokens; special tokens join the first pass."""
        sizes = np.bincount(blocks, minlength=1)
        numbers = np.where(sizes > 1, np.cumsum(sizes > 1) - 1, -1)
        blocks = numbers[blocks]
        heads = np.flatnonzero((ranks == 0) & (blocks >= 0))
        heads = self.special + heads[np.argsort(blocks[heads], kind="stable")]
        listed = []
        for number, (members, neighbours, near) in enumerate(passes):
            if number == 0:
                tokens = np.concatenate([np.arange(self.special), self.special + members])
                listed.append(TokenPass(tokens, np.full((4, len(tokens)), -1), near))
                continue
            by_block = np.argsort(blocks[members], kind="stable")
            listed.append(TokenPass(self.special + members[by_block], neighbours[:, by_block], near))
        lead = FREQUENCY_BANDS + np.minimum(np.arange(self.special), 1)
        return TokenOrder(
            tuple(listed),
            np.concatenate([lead, bands]).astype(np.uint8),
            np.concatenate([np.zeros(self.special, np.intp), ranks]).astype(np.uint8),
            np.concatenate([np.full(self.special, -1), blocks]),
            heads,
        )


def _interlaced(grid: _Grid) -> TokenOrder:
    y, x = grid.y, grid.x
    nothing = np.empty((4, 0), np.intp)
    passes = [(np.flatnonzero((y % SQUARE == 0) & (x % SQUARE == 0)), nothing, False)]
    for stride in STRIDES:
        odd_y, odd_x = y % (2 * stride) == stride, x % (2 * stride) == stride
        even_y, even_x = y % (2 * stride) == 0, x % (2 * stride) == 0
        corners = [(-stride, -stride), (-stride, stride), (stride, -stride), (stride, stride)]
        edges = [(-stride, 0), (stride, 0), (0, -stride), (0, stride)]
        for members, steps in ((odd_y & odd_x, corners), ((odd_y & even_x) | (even_y & odd_x), edges)):
            where = np.flatnonzero(members)
            passes.append((where, grid.around(where, steps), stride == 1))
    blocks = (y // SQUARE) * math.ceil(grid.columns / SQUARE) + x // SQUARE
    ranks = ((y % SQUARE != 0) | (x % SQUARE != 0)).astype(np.intp)
    first = passes[0][0]
    passes[0] = (first, np.full((4, len(first)), -1), False)
    return grid.finish(passes, np.zeros(len(y), np.intp), ranks, blocks)


def _spectral(grid: _Grid) -> TokenOrder:
    rows_of_plane = grid.grid[-2] if len(grid.grid) > 1 else 1
    row_edges = np.cumsum([0, *block_sizes(rows_of_plane)])
    column_edges = np.cumsum([0, *block_sizes(grid.columns)])
    plane, row = np.divmod(grid.y, max(1, rows_of_plane))
    down = np.searchsorted(row_edges, row, side="right") - 1
    right = np.searchsorted(column_edges, grid.x, side="right") - 1
    u, v = row - row_edges[down], grid.x - column_edges[right]
    blocks = (plane * (len(row_edges) - 1) + down) * (len(column_edges) - 1) + right
    bands = np.searchsorted(BAND_STARTS, u + v, side="right") - 1
    everywhere = np.arange(len(u))
    around = grid.around(everywhere, [(-1, 0), (0, -1), (-1, -1), (-2, 0)], blocks)
    around[3] = np.where(u >= v, around[3], grid.around(everywhere, [(0, -2)], blocks)[0])
    by_diagonal = np.argsort(u + v, kind="stable")
    ends = np.cumsum(np.bincount(u + v, minlength=1))[:-1]
    passes = [(members, around[:, members], True) for members in np.split(by_diagonal, ends)]
    return grid.finish(passes, bands, bands, blocks)
