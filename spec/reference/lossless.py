"""The lossless codec: section 11."""

from __future__ import annotations

import struct

import numpy as np

from .container import Array, Reader, Unsupported, inflate, require
from .entropy import Rans, Table, expand
from .integers import decode_integers
from .lattice import Lattice


def decode_lossless(data: bytes, count: int, storage: str, rotated: bool) -> Array:
    """`count` elements of the numpy type `storage`; only planes are rotated: [CAUF-0300] to [CAUF-0322]."""
    r = Reader(data)
    method, width = r.take(1, 300)[0], np.dtype(storage).itemsize
    bits = np.dtype(f"<u{width}")
    if method == 3:
        elements = decode_planes(r, count, width).astype(bits)
        if rotated:
            upper, low = elements >> bits.type(8 * width - 9), elements & bits.type((1 << 8 * width - 9) - 1)
            elements = (upper >> bits.type(1) | (upper & bits.type(1)) << bits.type(8)) << bits.type(
                8 * width - 9
            ) | low
        return elements.view(storage)
    if method == 4:
        return decode_integers(r, count, width).view(storage)
    require(method <= 2, 6, f"method {method}", Unsupported)
    size = width if method == 1 else count * width
    content = inflate(r.rest(), size, 302) if method == 2 else r.rest()
    require(len(content) == size, 300 + method, f"not {size} bytes of elements")
    elements = np.frombuffer(content, storage)
    return np.repeat(elements, count) if method == 1 else elements


def read_context(r: Reader) -> tuple[Table | None, int]:
    """Table and favourite of a context's model; raw is (None, -1): [CAUF-0321], [CAUF-0322]."""
    kind = r.take(1)[0]
    require(kind <= 2, 6, f"model {kind}", Unsupported)
    if kind < 2:
        return None, r.take(1)[0] if kind else -1
    where = np.flatnonzero(np.unpackbits(np.frombuffer(r.take(32, 322), np.uint8)))
    levels = np.zeros(256, np.uint8)
    levels[where] = np.frombuffer(r.take(len(where), 322), np.uint8)
    require(np.count_nonzero(levels) == len(where), 322, "a level that is announced is 0")
    table = expand(levels.tolist())
    return table, table[0].index(max(table[0]))


def read_intervals(r: Reader) -> list[int]:
    starts = list(r.take(r.take(1, 314)[0], 314))
    require(len(starts) <= 15 and 0 not in starts and starts == sorted(set(starts)), 314, "starts of intervals")
    return starts


def decode_planes(r: Reader, count: int, width: int) -> Array:
    """Elements, as u64: [CAUF-0310] to [CAUF-0320]."""
    models_size, words_size = struct.unpack("<II", r.take(8, 310))
    models, rans, raw = Reader(r.take(models_size, 310), 321), Rans(r.take(words_size, 310)), Reader(r.rest(), 312)
    grid = models.take(1, 316)[0]
    require(grid <= 1, 316, f"grid {grid}")
    rows, columns, inner = struct.unpack("<III", models.take(12, 316)) if grid else (1, 1, 1)
    size = rows * columns * inner
    valid = 0 < size <= count and count % size == 0 and (rows * columns > 1 or not grid)
    require(valid or not grid, 317, f"a grid of {rows} x {columns} x {inner} for {count} elements")
    lattice = Lattice(count, rows, columns, inner)
    near = read_intervals(models) if grid else []
    groups = read_intervals(models)
    signs, of_groups = 3 if grid else 1, len(groups) + 1
    numbers = [len(near) + 2 if grid else 1, signs * of_groups, *[2 * of_groups] * 6]
    contexts = [[read_context(models) for _ in range(number)] for number in numbers[:width]]
    models.close(311)
    planes, hit = np.zeros((width, count), np.uint8), np.zeros(count, np.int64)
    for p, plane in enumerate(planes):
        favourite_of = np.zeros(count, np.int64)
        for where, before, behind in lattice.passes() if p < 2 else [(lattice.all(), None, None)]:
            group = np.searchsorted(groups, planes[0, where], side="right")
            if p >= 2:
                context = 2 * group + hit[where]
            elif before is None:
                context = signs // 2 + signs * group if p else np.zeros(len(where), np.int64)
            elif p == 1:
                context = 3 * group + (plane[before] >> 7) + (plane[behind] >> 7)
            else:
                mean = (plane[before].astype(np.int64) + plane[behind] + 1) // 2
                context = 1 + np.searchsorted(near, mean, side="right")
            is_raw = np.zeros(len(where), bool)
            for c, (table, favourite) in enumerate(contexts[p]):
                here = where[context == c]
                plane[here] = rans.decode(table, len(here)) if table else max(favourite, 0)
                is_raw |= (context == c) & (favourite < 0)
                favourite_of[here] = favourite
            plane[where[is_raw]] = np.frombuffer(raw.take(int(is_raw.sum())), np.uint8)
        hit = (plane == favourite_of).astype(np.int64)
    rans.close()
    raw.close(311)
    elements = np.zeros(count, np.uint64)
    for plane in planes:
        elements = elements << np.uint64(8) | plane
    return elements
