"""The hyperprior codec of the reference decoder: section 14 of cauf-1.0.md."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .container import WEIGHTS_ELEMENT, Array, Sections, Unsupported, require
from .entropy import Rans, Table, expand, uniform

Shape = tuple[int, ...]


class Tile(NamedTuple):
    top: int
    left: int
    rows: int
    columns: int

    def latents(self) -> Shape:
        return -(-self.rows // 16), -(-self.columns // 16)

    def hyper(self) -> Shape:
        return -(-self.rows // 64), -(-self.columns // 64)


class Model(NamedTuple):
    rate: int
    width: int
    latents: int
    gains: Array  # inverse, of the rate
    latent_tables: list[Table]
    hyper_tables: list[Table]  # of the rate
    integer: list[tuple[Array, Array, Array]]  # kernels, biases, shifts
    synthesis: list[tuple[Array, Array]]  # kernels, biases
    blocks: Array | None


def layers(n: int, m: int, shortcut: int) -> dict[int, list[Shape]]:
    """Shapes of the kernels of every network, by the type of their section (section 14.2)."""
    conv, norm, blocks = (n, n, 5, 5), (n, n), [(m, 16, 16)] * shortcut
    return {
        17: [conv, conv, (m, n, 3, 3)],
        20: [(n, m, 5, 5), norm, conv, norm, conv, norm, (1, n, 5, 5), *blocks],
        22: [(n, 1, 5, 5), norm, conv, norm, conv, norm, (m, n, 5, 5), *blocks],
        24: [(n, m, 3, 3), conv, conv],
    }


def read_model(parameters: list[Any] | None, sections: Sections, number: int) -> Model:
    """[CAUF-0400] to [CAUF-0406], [CAUF-0420]"""
    rates_given = parameters or []
    require([type(x) for x in rates_given] == [int] and rates_given[0] >= 0, 400, f"tensor {number}: no rate")
    found = {kind: sections[kind, 0] for kind in WEIGHTS_ELEMENT if (kind, 0) in sections}
    require(12 in found and len(found[12]) == 4, 401, "no weights")
    n, m, rates, flags = (int(x) for x in found[12])
    inside = 1 <= n <= 512 and 1 <= m <= 512 and 1 <= rates <= 64
    require(flags <= 1, 6, f"network with flags {flags}", Unsupported)
    require(inside, 402, f"network {n}, {m}, {rates}")
    shapes = layers(n, m, flags)
    sizes = {12: 4, 13: rates * m, 14: rates * m, 15: 64 * 64, 16: rates * n * 64}
    for kind, kernels in shapes.items():
        outputs = sum(shape[0] for shape in kernels)
        sizes |= {kind: sum(math.prod(shape) for shape in kernels)}
        sizes |= {18: outputs, 19: outputs} if kind == 17 else {kind + 1: 2 * outputs}
    encoder = [kind for kind in (13, 22, 23, 24, 25) if kind in found]
    require(len(encoder) in (0, 5), 403, "a part of an encoder")
    for kind in [12, *range(14, 22), *encoder]:
        require(kind in found and len(found[kind]) == sizes[kind], 403, f"section {kind} has another size")
    tables = [[expand(row.tolist()) for row in found[kind].reshape(-1, 64)] for kind in (15, 16)]
    floats = {kind: found[kind].astype("<i4").view("<f4") for kind in (14, 21, *(set(encoder) & {13, 23, 25}))}
    require(all(bool(np.isfinite(x).all()) for x in floats.values()), 404, "a float that is not finite")
    scales, biases = (split(x, [(shape[0],) for shape in shapes[20]]) for x in np.split(floats[21], 2))
    synthesis = [
        (code * scale.reshape(-1, *[1] * (code.ndim - 1)), bias)
        for code, scale, bias in zip(split(found[20], shapes[20]), scales, biases, strict=True)
    ]
    norms = [layer for layer in synthesis if layer[0].ndim == 2]
    require(all(bool((k >= 0).all() and (b >= 0).all()) for k, b in norms), 405, "a norm with negative numbers")
    rate = rates_given[0]
    require(rate < rates, 400, f"rate {rate} of {rates}")
    rows: list[Shape] = [(shape[0],) for shape in shapes[17]]
    integer = list(zip(split(found[17], shapes[17]), split(found[18], rows), split(found[19], rows), strict=True))
    for _, _, shifts in integer:
        require(bool(((shifts >= 1) & (shifts <= 48)).all()), 406, "a shift out of range")
    blocks = synthesis.pop()[0] if flags else None
    own = tables[1][rate * n : (rate + 1) * n]
    return Model(rate, n, m, floats[14].reshape(rates, m)[rate], tables[0], own, integer, synthesis, blocks)


def split(flat: Array, shapes: list[Shape]) -> list[Array]:
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]


def tiles_of(rows: int, columns: int) -> list[Tile]:
    """[CAUF-0410]"""
    corners = [(top, left) for top in range(0, rows, 512) for left in range(0, columns, 2048)]
    return [Tile(top, left, min(512, rows - top), min(2048, columns - left)) for top, left in corners]


def cost(model: Model, rows: int, columns: int) -> tuple[int, int]:
    """Products, and latents and hyper-latents, of a plane: section 12."""
    n, m = model.width, model.latents
    u, v = (-(-rows // size) * -(-columns // size) for size in (16, 64))
    products = u * (25 * m * n + 584 * n * n + 1600 * n + 256 * m) + v * (125 * n * n + 144 * m * n)
    return products, u * m + v * n


def signed(symbols: Array) -> Array:
    """[CAUF-0411]"""
    wide = symbols.astype(np.int64)
    return (wide >> 1) ^ -(wide & 1)


def decode_run(rans: Rans, tables: list[Table], table_of: Array) -> Array:
    """A run of buckets and their extra bits: [CAUF-0412]."""
    buckets = np.zeros(len(table_of), np.int64)
    for number, table in enumerate(tables):
        where = np.flatnonzero(table_of == number)
        buckets[where] = rans.decode(table, len(where))
    symbols = buckets.copy()
    for bucket in range(16, 64):
        where = np.flatnonzero(buckets == bucket)
        octave = (bucket - 16) // 2 + 4
        rest, bits = np.zeros(len(where), np.int64), octave - 1
        while bits > 0 and len(where):
            piece = min(bits, 16)
            bits -= piece
            rest = rest << piece | rans.decode(uniform(piece), len(where))
        symbols[where] = ((2 + (bucket & 1)) << (octave - 1)) + rest
    return symbols


def decode_latents(model: Model, words: bytes, rows: int, columns: int) -> tuple[Array, Array]:
    """Symbols of all hyper-latents, and of all latents: [CAUF-0410] to [CAUF-0414]."""
    tiles = tiles_of(rows, columns)
    sizes = [math.prod(tile.hyper()) for tile in tiles]
    rans = Rans(words)
    channels = [np.repeat(np.arange(model.width), size) for size in sizes]
    hyper = decode_run(rans, model.hyper_tables, np.concatenate([np.zeros(0, np.int64), *channels]))
    require(not np.any(hyper > 65534), 413, "a hyper-latent out of range")
    values = np.split(signed(hyper), np.cumsum([model.width * size for size in sizes])[:-1]) if tiles else []
    indexes = [scale_indexes(model, part, tile) for part, tile in zip(values, tiles, strict=True)]
    latents = decode_run(rans, model.latent_tables, np.concatenate([np.zeros(0, np.int64), *indexes]))
    rans.close()
    return hyper.astype("<i4"), latents.astype("<i4")


def scale_indexes(model: Model, hyper: Array, tile: Tile) -> Array:
    """Section 14.3, flat."""
    x = hyper.reshape(model.width, *tile.hyper())
    for position, (kernels, bias, shift) in enumerate(model.integer):
        sums = (convolve if position == 2 else deconvolve)(x, kernels.astype(np.int64))
        wide = shift.astype(np.int64)[:, None, None]
        x = (sums + bias.astype(np.int64)[:, None, None] + (1 << (wide - 1))) >> wide
        x = np.clip(x, 0, 63 if position == 2 else 65535)
    rows, columns = tile.latents()
    return x[:, :rows, :columns].reshape(-1)


def deconvolve(x: Array, kernels: Array) -> Array:
    """Outputs of twice the size; the sum of section 14.2, tap by tap."""
    height, width = x.shape[1:]
    out = np.zeros((len(kernels), 2 * height + 3, 2 * width + 3), np.result_type(x, kernels))
    for i in range(5):
        for j in range(5):
            part = np.tensordot(kernels[:, :, i, j], x, (1, 0))
            out[:, i : i + 2 * height : 2, j : j + 2 * width : 2] += part
    return out[:, 2 : 2 + 2 * height, 2 : 2 + 2 * width]


def convolve(x: Array, kernels: Array) -> Array:
    height, width = x.shape[1:]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    parts = [
        np.tensordot(kernels[:, :, i, j], padded[:, i : i + height, j : j + width], (1, 0))
        for i in range(3)
        for j in range(3)
    ]
    return np.asarray(sum(parts))


def aligned_plane(model: Model, latents: Array, rows: int, columns: int) -> tuple[Array, Array]:
    """Aligned values [rows, columns] in f64, and of each the tile's largest magnitude: [CAUF-0421], [CAUF-0423]."""
    plane, tops, start = np.zeros((rows, columns)), np.ones((rows, columns)), 0
    for tile in tiles_of(rows, columns):
        shape = (model.latents, *tile.latents())
        x = signed(latents[start : start + math.prod(shape)]).reshape(shape) * model.gains.astype("f8")[:, None, None]
        start += math.prod(shape)
        out = x
        for kernels, bias in model.synthesis:
            wide, constant = kernels.astype("f8"), bias.astype("f8")[:, None, None]
            if kernels.ndim == 2:
                out = out * np.sqrt(constant + np.tensordot(wide, out**2, (1, 0)))
            else:
                out = deconvolve(out, wide) + constant
        found = out[0]
        if model.blocks is not None:
            parts = np.einsum("mij,myx->yixj", model.blocks.astype("f8"), x)
            found = found + parts.reshape(found.shape)
        found = found[: tile.rows, : tile.columns]
        there = slice(tile.top, tile.top + tile.rows), slice(tile.left, tile.left + tile.columns)
        plane[there], tops[there] = found, max(1.0, float(np.abs(found).max(initial=0)))
    return plane, tops
