"""The passes and contexts of the reference decoder: section 9.1 of cauf-1.0.md, one token at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

THRESHOLDS = (1, 2, 3, 4, 5, 7, 9, 12, 16, 21, 29, 41)


def grid_of(sizes: list[int], letters: list[int], specials: int) -> tuple[int, int]:
    """Rows and columns of a sample's grid, from the sizes of its token axes and how many letters each joins."""
    grid: list[int] = []
    for size, count in zip(sizes, letters, strict=True):
        rest = size - specials
        root = math.isqrt(max(rest, 0))
        grid += [root, root] if count == 2 and root * root == rest else [rest]
    return math.prod(grid[:-1]), grid[-1] if grid else 1


def passes(rows: int, columns: int, specials: int) -> Iterator[tuple[int, int, list[int]]]:
    """(pass, token, tokens of its neighbours inside the grid) of every token of a sample: [CAUF-0213]."""
    yield from ((0, token, []) for token in range(specials))
    for y in range(rows):
        for x in range(columns):
            number, steps = 0, list[tuple[int, int]]()
            for corner, s in ((1, 4), (3, 2), (5, 1)):
                here = (y % (2 * s), x % (2 * s))
                if here == (s, s):
                    number, steps = corner, [(-s, -s), (-s, s), (s, -s), (s, s)]
                elif here in ((0, s), (s, 0)):
                    number, steps = corner + 1, [(-s, 0), (s, 0), (0, -s), (0, s)]
            around = [(y + down, x + right) for down, right in steps]
            inside = [specials + v * columns + u for v, u in around if 0 <= v < rows and 0 <= u < columns]
            yield number, specials + y * columns + x, inside


def decode_buckets(
    grids: list[tuple[int, int]],
    specials: int,
    classes: Array,
    table_of: Array,
    tables: int,
    decode: Callable[[int, int], Array],
) -> Array:
    """Buckets [N, C] of a chunk; `decode(table, count)` gives the next ones: [CAUF-0213] to [CAUF-0215].

    `grids` has rows and columns of every sample, `table_of` the tables [K, 27] of contexts.
    """
    by_pass: list[list[tuple[int, list[int]]]] = [[] for _ in range(7)]
    start = 0
    for rows, columns in grids:
        for number, token, around in passes(rows, columns, specials):
            by_pass[number].append((start + token, [start + other for other in around]))
        start += specials + rows * columns
    buckets = np.zeros((start, len(classes)), np.int64)
    for number, members in enumerate(by_pass):
        table = np.zeros((len(members), len(classes)), np.int64)
        for row, (_, around) in enumerate(members):
            table[row] = table_of[classes, _neighbourhoods(buckets[around], number >= 5)]
        run = np.zeros(table.shape, np.int64)
        for t in range(tables):
            run[table == t] = decode(t, int((table == t).sum()))
        for row, (token, _) in enumerate(members):
            buckets[token] = run[row]
    return buckets


def _neighbourhoods(around: Array, near: bool) -> Array:
    """Neighbourhood of each channel of a token, from the buckets [n, C] of its neighbours."""
    n = len(around)
    if n == 0:
        return np.zeros(around.shape[1], np.int64)
    total = np.minimum(15, (around + 1) >> 1).sum(axis=0)
    return np.asarray(np.searchsorted(THRESHOLDS, 4 * total // n, side="right") + (1 if near else 14))
