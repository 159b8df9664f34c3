"""Calls compiled kernels with arguments that do not fit: they do their work or raise ValueError, and nothing else.

    python -m tools.attack.kernel_calls [--count 100000]

A case takes a call that is in order and spoils its arguments: arrays cut, lengthened, of other items, at odd addresses,
with other numbers in them; sizes, shifts and numbers of tables that are wrong. Under ``tools.attack.sanitized``
whatever a kernel reads or writes outside of its arguments ends the process.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from caufc.codec import kernels
from caufc.codec.transform.compiled import CONTEXT_OF_SUM, tables_by_head, tables_by_sum
from caufc.codec.transform.contexts import EXTENT_CONTEXT
from caufc.codec.transform.dct import joined_halves
from caufc.codec.transform.grids import Geometry, Placement
from caufc.codec.transform.universal_tables import universal_tables
from tools.attack.fuzzing import Case, main

NUMBERS = [
    -(1 << 62),
    -(1 << 31),
    -1,
    0,
    1,
    2,
    3,
    15,
    16,
    17,
    40,
    48,
    63,
    64,
    65,
    255,
    256,
    257,
    1 << 28,
    1 << 31,
    1 << 62,
]
DTYPES = ["u1", "i2", "i4", "i8", "f4", "f8"]

Call = tuple[Callable[..., object], list[Any]]


def _both(*arguments: Any) -> Any:
    """Two decodings side by side."""
    middle = len(arguments) // 2
    return kernels.coefficients.decode_both(arguments[:middle], arguments[middle:])


def calls(rng: np.random.Generator) -> list[Call]:
    """Calls in order, of every kernel's every function."""
    grids = [((6, 7), (9,)), ((), (), ()), ((20,),), ((8, 8),)][rng.integers(4)]
    geometry = Geometry(grids, int(rng.integers(3)), bool(rng.integers(2)))
    placement, n, c = geometry.placement, geometry.tokens, int(rng.integers(1, 6))
    table_of, levels = universal_tables()
    key = table_of.tobytes()
    by_sum, by_head, kinds = tables_by_sum(key), tables_by_head(key), len(table_of)
    tables = kernels.rans.tables_of(np.full((len(levels), 64), 1 << 18, np.int64), len(levels), 64)
    bytes_tables = kernels.rans.tables_of(np.full((2, 256), 1 << 16, np.int64), 2, 256)
    words = rng.integers(1, 1 << 32, int(rng.integers(1, 40)), np.uint32)
    classes = rng.integers(0, kinds, (16, c)).astype("u1")
    symbols = rng.integers(0, 1 << int(rng.integers(1, 20)), (n, c)).astype("i4")
    indices, bands = (symbols >> 1) * rng.choice([-1, 1], symbols.shape).astype("i4"), geometry.bands
    runs, heads = (len(placement.passes) + 1) * 256, len(placement.heads)
    buckets, large = rng.integers(0, 64, (n, c)).astype("u1"), np.zeros(64, "i8")
    values = (rng.laplace(size=(n, c)) * 3).astype("f4")
    one, costs, zones = np.ones(1, "f4"), np.zeros((2, 16, c), "f4"), np.zeros((16, c), "f4")
    part, context = rng.integers(0, 256, (2, 24)).astype("u1")
    pass_kinds = np.array([2, 2, 1] + [0] * 253, "u1")
    coefficients, quantizer, counts = kernels.coefficients, kernels.quantizer, kernels.counts
    planes, integers, rans, rows = kernels.planes, kernels.integers, kernels.rans, kernels.rows
    bits = rng.integers(0, 57, 9).astype("u1")
    packed = np.zeros((int(bits.sum()) + 7) // 8, "u1")
    decoding = [words, placement, classes, by_sum, by_head, tables, symbols, c, kinds, True]
    beside = [words[::-1].copy(), *decoding[1:6], symbols.copy(), *decoding[7:]]
    return [
        (coefficients.decode, decoding),
        (_both, [*decoding, *beside]),
        (
            coefficients.group,
            [
                symbols,
                placement,
                classes,
                by_sum,
                by_head,
                np.empty(runs, "u1"),
                np.empty(runs, "i8"),
                np.empty((n + heads) * c, "u1"),
                large,
                np.empty((n, c), "i4"),
                c,
                kinds,
                True,
            ],
        ),
        (quantizer.trellis, [values, one, bands, costs, symbols, n, c]),
        (quantizer.quantize, [values, one, bands, zones, 0.5, symbols, n, c]),
        (quantizer.dequantize, [symbols, one, 0.25, True, values, n, c]),
        (quantizer.zigzag, [indices, np.empty((n, c), "i4")]),
        (counts.buckets, [indices, buckets, n, c]),
        (counts.sums, [indices, bands, np.zeros(16, "i8"), np.zeros(c, "i8"), n, c]),
        (counts.sizes, [indices, bands, classes, np.zeros(144, "i8"), np.zeros(48, "i8"), n, c]),
        (counts.by_class, [buckets, bands, classes, np.zeros(48 * 64, "i8"), n, c]),
        (counts.extents, [buckets, placement, classes, np.empty((heads, c), "u1"), c]),
        (
            counts.by_context,
            [buckets, placement, classes, CONTEXT_OF_SUM, EXTENT_CONTEXT, np.zeros(122_880, "i8"), c, True],
        ),
        (
            kernels.dct.transform,
            [
                values,
                np.empty((n, c), "f4"),
                geometry.lines.rows,
                geometry.lines.across,
                *joined_halves(geometry.lines.lengths, bool(rng.integers(2))),
                bool(rng.integers(2)),
                n,
                c,
            ],
        ),
        (planes.split, [part.view("u4"), np.empty((4, 6), "u1"), 4, True]),
        (planes.join, [part, np.empty(6, "u4"), 4, True]),
        (
            planes.contexts,
            [part, context, part[:1].repeat(256), np.empty(6, "u1"), (4, 3, 2), (1, 2, 1), (0, 1, 3), 0, 1, 1],
        ),
        (planes.look_up, [part[:1].repeat(256), part, np.empty(24, "u1")]),
        (planes.hits, [context, part, np.zeros(256, "i2"), np.empty(24, "u1")]),
        (planes.count, [context, part % 3, 3, part, np.zeros((768, 256), "i8")]),
        (planes.group, [part, context, pass_kinds, np.empty(24, "u1"), np.empty(257, "i8")]),
        (
            planes.read,
            [
                words,
                len(words),
                1 << 40,
                bytes_tables,
                context % 4,
                pass_kinds,
                part[:1].repeat(256),
                part,
                np.empty(24, "u1"),
            ],
        ),
        (integers.bucketed, [part.view("u8"), 2, np.empty(3, "u1"), np.empty(3, "u1"), 8]),
        (integers.pack, [rng.integers(0, 1 << 60, 9, np.uint64), bits, packed, 8]),
        (integers.unpack, [packed, bits, np.zeros(9, "u8"), 8]),
        (rows.square, [values, np.empty(n), n, c]),
        (rows.measure, [values, costs[0, 0], costs[1, 0], np.empty(n, "u1"), np.empty(n), n, c]),
        (rows.transfer, [values, values, costs[0, 0], costs[1, 0], np.empty(n), np.empty(n), n, c]),
        (
            rows.turn,
            [
                np.zeros((9, 6), "f4"),
                *(np.zeros((5, 2), "f4") for _ in range(2)),
                rng.integers(0, 5, 9),
                np.array([0, 2], "i8"),
                np.ones(2, "i8"),
                1,
                9,
                6,
            ],
        ),
        (rows.transpose, [values, np.empty((c, n), "f4"), 4, 1, n, c]),
        (rans.tables_of, [np.full((2, 256), 1 << 16, np.int64), 2, 256]),
        (rans.intervals_of, [np.full((2, 256), 1 << 16, np.int64), 2, 256]),
        (
            rans.encode,
            [
                np.empty(30, "u4"),
                3,
                1 << 40,
                part,
                1,
                rans.intervals_of(np.full((2, 256), 1 << 16, np.int64), 2, 256),
                np.array([1, 0, 1], "u1"),
                np.array([5, 20, 24], "i8"),
            ],
        ),
        (rans.encode_bits, [np.empty(30, "u4"), 3, 1 << 40, (part & 7).astype("i4"), 3]),
        (
            rans.encode_rests,
            [np.empty(60, "u4"), 3, 1 << 40, (part.ravel() & 7).astype("i4"), np.eye(64, dtype="i8")[16] * part.size],
        ),
        (rans.start, [words]),
        (rans.decode, [words, len(words), 1 << 40, bytes_tables, 1, np.empty(30, "u2"), 2]),
        (rans.decode_bits, [words, len(words), 1 << 40, 9, np.empty(30, "i4")]),
    ]


def spoilt(value: Any, draw: random.Random) -> Any:
    """Another argument in place of one."""
    if isinstance(value, Placement):
        number = draw.randrange(len(value))
        return Placement._make(spoilt(part, draw) if place == number else part for place, part in enumerate(value))
    if isinstance(value, tuple):
        number = draw.randrange(len(value))
        return tuple(spoilt(part, draw) if place == number else part for place, part in enumerate(value))
    if isinstance(value, np.ndarray):
        return _spoilt_array(value, draw)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return draw.choice([value - 1, value + 1, -value, draw.choice(NUMBERS)])
    if isinstance(value, float):
        return draw.choice([0.0, -1.0, 1e30, float("nan"), float("inf")])
    return draw.choice([value, value, None])


def _spoilt_array(array: Any, draw: random.Random) -> Any:
    way = draw.randrange(8)
    flat = array.ravel().copy()
    if way < 4 and flat.size:
        number = draw.choice(NUMBERS)
        flat[draw.randrange(flat.size)] = np.int64(number).astype(flat.dtype) if flat.dtype.kind in "iu" else number
        return flat.reshape(array.shape)
    if way == 4:
        return flat[: draw.randrange(flat.size + 1)]
    if way == 5:
        return np.concatenate([flat, flat])[: flat.size + draw.randrange(1, 9)]
    if way == 6:
        return array.astype(draw.choice(DTYPES))
    return np.frombuffer(flat.tobytes() + bytes(8), "u1")[1 : 1 + flat.nbytes].view(flat.dtype)


def check(number: int) -> str:
    """The case of a number."""
    draw = random.Random(number)
    made = calls(np.random.default_rng(number))
    function, arguments = made[number % len(made)]
    for _ in range(draw.choice([0, 1, 1, 1, 2, 3])):
        place = draw.randrange(len(arguments))
        with np.errstate(all="ignore"):
            arguments[place] = spoilt(arguments[place], draw)
    kernel = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
    try:
        function(*arguments)
    except (ValueError, BufferError, TypeError, OverflowError, MemoryError):
        return f"{kernel} refuses"
    return f"{kernel} works"


def make(options: argparse.Namespace) -> tuple[Case, int]:  # noqa: ARG001
    return check, 100_000


if __name__ == "__main__":
    sys.exit(main("tools.attack.kernel_calls", __doc__ or "", make))
