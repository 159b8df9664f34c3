"""The transform codec of the reference decoder: section 9 of cauf-1.0.md.

Floats that pass a grid transform or a basis are computed in double precision, and come with the sums of section 9.6
that a decoder's tolerance depends on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .container import Array, Sections, Unsupported, is_int, require
from .contexts import Model, decode_buckets
from .entropy import Rans, Table, expand, uniform
from .order import Token, blocks_of

UNIVERSAL = Path(__file__).parents[1] / "tables" / "universal.tables"
EIGHTHS = [0x3F800000, 0x3F8B95C2, 0x3F9837F0, 0x3FA5FED7, 0x3FB504F3, 0x3FC5672A, 0x3FD744FD, 0x3FEAC0C7]


def powers(codes: Array) -> Array:
    """2^(code / 8) in f64, exact in 24 bits: [CAUF-0354]."""
    mantissa = np.array(EIGHTHS, np.uint32).view(np.float32)[codes & 7].astype(np.float64)
    return np.asarray(np.ldexp(mantissa, (codes >> 3).astype(np.int32)))


@dataclass
class Codec:
    """What parameters and sections say of one tensor."""

    channels: int
    shift: int
    dependent: bool
    steps: Array  # f32 [16]
    basis: Array | None  # f64 [K, C], 0 outside of a vector's group
    products: int  # by the basis, of a token
    coded: int  # K
    tables: list[Table]
    model: Model

    @property
    def exact(self) -> bool:
        """Whether values are the same in every decoder."""
        return not self.model.spectral and self.basis is None


def read_codec(parameters: Sequence[Any] | None, sections: Sections, number: int, channels: int, gain: float) -> Codec:
    """[CAUF-0201] to [CAUF-0204], [CAUF-0216], [CAUF-0221], [CAUF-0227], [CAUF-0228], [CAUF-0561]"""
    step, shift, flags, level = parameters if parameters is not None and len(parameters) == 4 else (0, 0, 0, 0)
    typed = isinstance(step, float) and all(type(number) is int for number in (shift, flags, level)) and flags >= 0
    require(typed, 201, f"parameters {parameters} are not step, shift, flags and level")
    require(flags <= 7, 6, f"flags {flags}", Unsupported)
    require(step > 0 and is_int(shift, -32, 32) and is_int(level, -255, 255), 201, f"parameters {parameters}")
    of = {kind: array for (kind, tensor), array in sections.items() if tensor == number}
    groups = len(of[28]) if 28 in of else 1
    require(channels % groups == 0 and (28 not in of or 8 in of or 9 in of), 561, f"{groups} groups")
    vectors, _ = read_basis(of, 8, channels, groups), read_basis(of, 10, channels, groups)
    basis = None if vectors is None else spread(vectors, of.get(28, np.array([len(vectors)])), channels // groups)
    require(10 not in of or (8 in of and len(of[10]) == len(of[8])), 228, "analysis of another shape than the basis")
    coded = channels if basis is None else len(basis)
    levels = {kind: read_levels(of, kind, coded if kind == 3 else 16) for kind in (3, 6, 7)}
    with np.errstate(all="ignore"):
        steps = (float(step) * gain * powers(levels[7])).astype(np.float32)
    require(bool(np.isfinite(steps).all() and (steps > 0).all()), 221, f"step {step} with gain {gain}")
    table_of, tables = read_tables(of)
    classes = np.clip(level + levels[6][:, None] + levels[3][None], 0, len(table_of) - 1)
    model = Model(classes, table_of, len(tables), bool(flags & 1), bool(flags & 2))
    products = 0 if vectors is None else vectors.size
    return Codec(channels, shift, bool(flags & 4), steps, basis, products, coded, tables, model)


def read_levels(of: dict[int, Array], kind: int, count: int) -> Array:
    found = of.get(kind, np.zeros(count, np.int8)).astype(np.int64)
    require(len(found) == count, 204, f"section {kind} has {len(found)} elements, not {count}")
    return found


def spread(vectors: Array, ranks: Array, width: int) -> Array:
    """Vectors of all channels [K, C] from those of their groups [K, C / G]: [CAUF-0561]."""
    fits = bool(((ranks >= 0) & (ranks <= width)).all()) and int(ranks.sum(dtype=np.int64)) == len(vectors)
    require(fits, 561, f"ranks of {len(vectors)} vectors")
    whole = np.zeros((len(vectors), width * len(ranks)))
    for row, group in enumerate(np.repeat(np.arange(len(ranks)), ranks)):
        whole[row, group * width : (group + 1) * width] = vectors[row]
    return whole


def read_basis(of: dict[int, Array], kind: int, channels: int, groups: int) -> Array | None:
    codes, scales = of.get(kind), of.get(kind + 1)
    if codes is None and scales is None:
        return None
    require(codes is not None and scales is not None, 228, "codes without scales, or scales without codes")
    assert codes is not None and scales is not None
    width = channels // groups
    fits = 1 <= len(scales) <= channels and len(codes) == len(scales) * width
    require(fits, 228, f"{len(scales)} vectors, {len(codes)} codes, {channels} channels")
    require(bool((abs(scales.astype(int)) <= 800).all()), 227, "a scale code out of range")
    return np.asarray(codes.reshape(len(scales), width) * powers(scales.astype(int))[:, None])


def read_tables(of: dict[int, Array]) -> tuple[Array, list[Table]]:
    """Context map [R, 40] and tables."""
    if 4 not in of and 5 not in of:
        data = np.frombuffer(UNIVERSAL.read_bytes(), np.uint8)
        of = {5: data[: 48 * 40], 4: data[48 * 40 :]}
    levels, table_of = of.get(4, np.zeros(0, np.uint8)), of.get(5, np.zeros(0, np.uint8))
    require(len(levels) % 64 == 0 and 1 <= len(levels) // 64 <= 256, 203, "not 1 to 256 tables of 64 levels")
    valid = len(table_of) % 40 == 0 and 1 <= len(table_of) // 40 <= 48
    require(valid and int(table_of.max()) < len(levels) // 64, 216, "context map")
    return table_of.reshape(-1, 40), [expand(row) for row in levels.reshape(-1, 64).tolist()]


def decode_symbols(codec: Codec, words: bytes, grids: list[list[int]], specials: int) -> tuple[Array, list[Token]]:
    """Symbols [N, K] and the chunk's tokens: [CAUF-0205], [CAUF-0210] to [CAUF-0212]."""
    rans = Rans(words)
    matrix, tokens = decode_buckets(codec.model, grids, specials, lambda t, n: rans.decode(codec.tables[t], n))
    bucket = matrix.reshape(-1)
    symbols = bucket.copy()
    for k in range(16, 64):
        where = np.flatnonzero(bucket == k)
        bits = (k - 16) // 2 + 3
        rest = np.zeros(len(where), np.int32)
        for piece in (min(bits, 16), max(bits - 16, 0)) if len(where) else ():
            rest = rest << piece | rans.decode(uniform(piece), len(where)) if piece else rest
        symbols[where] = ((2 + (k & 1)) << bits) + rest
    rans.close()
    return symbols.reshape(matrix.shape), tokens


def aligned_values(
    codec: Codec, symbols: Array, tokens: list[Token], grids: list[list[int]], specials: int, work: Any
) -> tuple[Array, Array]:
    """Aligned values [N, C], and the same with every term replaced by its magnitude: [CAUF-0220] to [CAUF-0227]."""
    steps = codec.steps[np.array([token.band for token in tokens], np.int64)].astype(work)[:, None]
    q = (symbols >> 1) ^ -(symbols & 1)
    s = codec.shift - 32 * halves(q) if codec.dependent else np.full(q.shape, codec.shift)
    with np.errstate(all="ignore"):
        values = (q.astype(work) + np.sign(q).astype(work) * (s / 64).astype(work)) * steps
    if codec.exact:
        return values, np.abs(values)
    values = values.astype(np.float64)
    sums = np.abs(values)
    if codec.model.spectral:
        inverse_grid(values, sums, grids, specials)
    if codec.basis is not None:
        values, sums = values @ codec.basis, sums @ np.abs(codec.basis)
    return values, sums


def halves(q: Array) -> Array:
    """The half of every index [N, K]: [CAUF-0229]."""
    found = np.zeros(q.shape, np.int64)
    for k in range(1, q.shape[1]):
        found[:, k] = (q[:, k - 1 :: -2] & 1).sum(axis=1) & 1
    return found


def dct(length: int, magnitude: bool) -> Array:
    """wave(size, i, j), by i and j: [CAUF-0226]; its factor alone, for sums of magnitudes: [CAUF-0222]."""
    k, j = np.mgrid[0:length, 0:length]
    cosine = 1.0 if magnitude else np.cos(np.pi * ((2 * j + 1) * k % (4 * length)) / (2 * length))
    return np.asarray(np.sqrt(np.where(k == 0, 1, 2) / length) * cosine)


def inverse_grid(values: Array, sums: Array, grids: list[list[int]], specials: int) -> None:
    """Frequencies to values, in place."""
    start = 0
    for grid in grids:
        start += specials
        rows, columns = ([1, 1, *grid] if grid else [1, 1])[-2:]
        shape = (math.prod(grid[:-2]), rows, columns, values.shape[1])
        stop = start + math.prod(grid)
        for array, magnitude in ((values, False), (sums, True)):
            planes = array[start:stop].reshape(shape)
            for top, height in blocks_of(rows):
                for left, width in blocks_of(columns):
                    down, right = dct(height, magnitude), dct(width, magnitude)
                    part = planes[:, top : top + height, left : left + width]
                    planes[:, top : top + height, left : left + width] = np.einsum(
                        "puvc,uy,vx->pyxc", part, down, right
                    )
        start = stop
