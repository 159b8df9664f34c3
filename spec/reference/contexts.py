"""The order of symbols and their contexts in the reference decoder: section 9.1 of cauf-1.0.md."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .container import Array
from .order import Token, tokens_of

THRESHOLDS = (1, 2, 3, 4, 5, 7, 9, 12, 16, 21, 29, 41)
NEAR, FAR, EXTENT = 1, 14, 27


@dataclass
class Model:
    """What decides contexts: classes [16, K], the map [R, 40], the number of tables."""

    classes: Array
    table_of: Array
    tables: int
    spectral: bool
    extents: bool


def mag(bucket: int) -> int:
    """[CAUF-0214]"""
    return min(15, (bucket + 1) >> 1)


def bin_of(value: int) -> int:
    return bisect_right(THRESHOLDS, value)


def chunk_tokens(grids: list[list[int]], specials: int, spectral: bool) -> list[Token]:
    """Tokens of all samples, numbered through; tokens without a block, or alone in one, have none: [CAUF-0219]."""
    tokens: list[Token] = []
    for sample, grid in enumerate(grids):
        start = len(tokens)
        found = tokens_of(grid, specials, spectral)
        sizes = Counter(token.block for token in found)
        for token in found:
            token.number += start
            token.around = tuple(start + other for other in token.around)
            token.block = (sample, *token.block) if token.block and sizes[token.block] > 1 else ()
        tokens += found
    return tokens


def decode_buckets(
    model: Model, grids: list[list[int]], specials: int, decode: Callable[[int, int], Array]
) -> tuple[Array, list[Token]]:
    """Buckets [N, K] of a chunk, and its tokens; `decode(table, count)` gives the next ones: [CAUF-0213]."""
    tokens = chunk_tokens(grids, specials, model.spectral)
    channels = model.classes.shape[1]
    buckets = np.zeros((len(tokens), channels), np.int64)
    blocks = sorted({token.block for token in tokens if token.block})
    heads = [token for token in tokens if token.block and token.rank == 0]
    extents: dict[tuple[int, ...], Array] = {}
    for number in range(max((token.pass_ for token in tokens), default=-1) + 1):
        members = [token for token in tokens if token.pass_ == number]
        if number:
            members.sort(key=lambda token: (token.block, token.number))
        places = [
            (token, c)
            for token in members
            for c in range(channels)
            if token.block not in extents or token.rank <= extents[token.block][c] or not token.rank
        ]
        tables = [symbol_table(model, token, c, buckets, extents) for token, c in places]
        for (token, c), bucket in zip(places, run(tables, model, decode), strict=True):
            buckets[token.number, c] = bucket
        if number == 0 and model.extents:
            tables = [extent_table(model, token, c, buckets) for token in heads for c in range(channels)]
            reach = run(tables, model, decode).reshape(len(heads), channels)
            extents = dict(zip(blocks, reach, strict=True))
    return buckets, tokens


def run(tables: list[int], model: Model, decode: Callable[[int, int], Array]) -> Array:
    """Symbols, each with its table: those of table 0 stand first, in their order, then those of table 1 ..."""
    wanted, found = np.array(tables, np.int64), np.zeros(len(tables), np.int64)
    for table in range(model.tables):
        found[wanted == table] = decode(table, int((wanted == table).sum()))
    return found


def symbol_table(
    model: Model, token: Token, channel: int, buckets: Array, extents: dict[tuple[int, ...], Array]
) -> int:
    """[CAUF-0215]"""
    context, n = 0, len(token.around)
    if n:
        total = sum(mag(int(buckets[other, channel])) for other in token.around)
        last = model.spectral and token.block in extents and extents[token.block][channel] == token.rank
        context = (NEAR if token.near and not last else FAR) + bin_of(4 * total // n)
    return int(model.table_of[model.classes[token.band, channel], context])


def extent_table(model: Model, head: Token, channel: int, buckets: Array) -> int:
    """[CAUF-0217]"""
    context = EXTENT + bin_of(4 * mag(int(buckets[head.number, channel])))
    return int(model.table_of[model.classes[head.band, channel], context])
