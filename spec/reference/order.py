"""Grids, blocks and passes of the reference decoder: section 9.1 of cauf-1.0.md, one token at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

BAND_STARTS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)
FIRST_SPECIAL, OTHER_SPECIAL = 14, 15  # bands
SQUARE, LARGEST_BLOCK = 8, 64


@dataclass
class Token:
    """A token of a sample; `around` are numbers of its neighbours, `block` is a number of its own in every sample."""

    number: int
    pass_: int = 0
    band: int = 0
    rank: int = 0
    block: tuple[int, ...] = ()
    around: tuple[int, ...] = ()
    near: bool = False


def grid_of(sizes: list[int], letters: list[int], specials: int) -> list[int]:
    """The grid of a sample, from the sizes of its token axes and how many letters each joins: [CAUF-0223]."""
    grid: list[int] = []
    for size, count in zip(sizes, letters, strict=True):
        rest = size - specials
        root = math.isqrt(max(rest, 0))
        grid += [root, root] if count == 2 and root * root == rest else [rest]
    return grid


def blocks_of(length: int) -> list[tuple[int, int]]:
    """Where each block of an axis starts, and its size: [CAUF-0224]."""
    count = max(1, -(-length // LARGEST_BLOCK))
    edges = [number * length // count for number in range(count + 1)]
    return [(edges[i], edges[i + 1] - edges[i]) for i in range(count)]


def tokens_of(grid: list[int], specials: int, spectral: bool) -> list[Token]:
    """The tokens of a sample, by number."""
    special = [Token(number, band=OTHER_SPECIAL if number else FIRST_SPECIAL) for number in range(specials)]
    tokens = special + list(spectral_tokens(grid, specials) if spectral else interlaced_tokens(grid, specials))
    return sorted(tokens, key=lambda token: token.number)


def interlaced_tokens(grid: list[int], specials: int) -> Iterator[Token]:
    """[CAUF-0213]"""
    columns = grid[-1] if grid else 1
    rows = math.prod(grid[:-1])
    for y in range(rows):
        for x in range(columns):
            pass_, steps = 0, list[tuple[int, int]]()
            for number, s in ((1, 4), (3, 2), (5, 1)):
                here = (y % (2 * s), x % (2 * s))
                if here == (s, s):
                    pass_, steps = number, [(-s, -s), (-s, s), (s, -s), (s, s)]
                elif here in ((0, s), (s, 0)):
                    pass_, steps = number + 1, [(-s, 0), (s, 0), (0, -s), (0, s)]
            places = [(y + down, x + right) for down, right in steps]
            around = tuple(specials + v * columns + u for v, u in places if 0 <= v < rows and 0 <= u < columns)
            block = (y // SQUARE, x // SQUARE)
            yield Token(specials + y * columns + x, pass_, 0, min(pass_, 1), block, around, pass_ >= 5)


def spectral_tokens(grid: list[int], specials: int) -> Iterator[Token]:
    """[CAUF-0218]"""
    rows, columns = ([1, 1, *grid] if grid else [1, 1])[-2:]
    for plane in range(math.prod(grid[:-2])):
        for top, height in blocks_of(rows):
            for left, width in blocks_of(columns):
                for u in range(height):
                    for v in range(width):
                        number = specials + (plane * rows + top + u) * columns + left + v
                        band = sum(start <= u + v for start in BAND_STARTS) - 1
                        steps = [(1, 0), (0, 1), (1, 1), (2, 0) if u >= v else (0, 2)]
                        around = tuple(number - up * columns - back for up, back in steps if up <= u and back <= v)
                        yield Token(number, u + v, band, band, (plane, top, left), around, True)
