"""Valid files by hand, at the ends of what clauses allow; tools.make.vectors writes them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from caufc.bitstream import varint
from caufc.codec.lossless.codec import encode_lossless
from tools.make.file_parts import MAP, TABLE, Parts, chunk, framed, lossless, record, section, with_record
from tools.make.invalid_chunks import indexed
from tools.make.invalid_codecs import coded
from tools.make.invalid_learned import learned_file
from tools.make.plain_weights import plain_arrays

__all__ = ["ByHand", "by_hand_clauses"]

INTEGERS = [
    0,
    127,
    128,
    255,
    256,
    65535,
    65536,
    (1 << 32) - 1,
    1 << 32,
    (1 << 63) - 1,
    -1,
    -32,
    -33,
    -128,
    -129,
    -(1 << 15),
    -(1 << 15) - 1,
    -(1 << 31),
    -(1 << 31) - 1,
    -(1 << 63),
]
"""The first and the last of every form that msgpack has for integers."""

TEXTS = ["", "a" * 31, "b" * 32, "c" * 255, "d" * 256, "é" * 16]


@dataclass(frozen=True)
class ByHand:
    """A valid file."""

    name: str
    what: str
    parts: Parts

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return self.parts.to_bytes()


def by_hand_clauses() -> Iterator[ByHand]:
    """All of them."""
    yield from headers()
    yield from blocks()
    yield from transforms()
    yield from alignments()
    yield from patches()
    yield from networks()


def headers() -> Iterator[ByHand]:
    """Forms of values, lengths of text, levels and axes."""
    notes = [[3, msgpack.packb(bytes(size))] for size in (0, 250, 251, 252, 253, 254, 255, 256, 257)]
    lists = [[1, [], [[3, b"\xc0"]] * size] for size in (0, 15, 16)]
    children = [*[[3, msgpack.packb(name)] for name in (*INTEGERS, *TEXTS)], *notes, *lists, 0]
    names = [*INTEGERS, *TEXTS, *(f"note {n}" for n in range(len(notes) + len(lists))), "x"]
    fields = [*Parts().fields, "é" * 4096, None, "é" * 64, "ü" * 64]
    fields[4] = [0, names, children]
    yield ByHand("header-forms", "the ends of all forms of values", Parts(fields=fields))
    deep: Any = 0
    for _ in range(16):
        deep = [1, [], [deep]]
    yield ByHand("header-levels", "16 levels of structure", Parts(fields=[*fields[:4], deep, fields[5]]))
    deepest = msgpack.packb(_nested(18))
    long = zlib.compress(b"\xdb" + struct.pack(">I", (1 << 22) - 5) + bytes((1 << 22) - 5), 9)[2:-4]
    for name, what, leaf in (
        ("note-deep", "a note of arrays 36 deep", [3, deepest]),
        ("note-largest", "a note of 2^22 bytes", [3, long, 1]),
        (
            "note-forms",
            "numbers of a note",
            [3, msgpack.packb([1, [], [*INTEGERS, *TEXTS, 1.5, True, None, b"a" * 256]])],
        ),
    ):
        yield ByHand(name, what, Parts(fields=[*fields[:4], [1, [], [0, leaf]], fields[5]]))
    axes = lossless(b"\x01\x07", dtype=8)
    axes.fields[5] = [record(dtype=8, shape=[1, 2, 1, 1, 3, 1, 1, 2], layout=None, codec=0, parameters=None)]
    axes.chunks = [chunk(payload=b"\x01\x07", symbols=b"\x07" * 24)]
    yield ByHand("axes", "eight axes", axes)
    none = Parts(fields=[0, None, 0, None, [1, [], []], []], sections=[], chunks=[], end=b"\x00")
    yield ByHand("no-tensors", "a structure without tensors", none)
    two = [0, None, 0, None, [1, [], [0, 1]], [record(leader=0), record(leader=1)]]
    tables = [section(4, TABLE), section(5, MAP)]
    tables += [body[:1] + b"\x01" + body[2:] for body in tables]
    body = varint(0) + varint(2) + b"\x01\x01" + zlib.crc32(bytes(320)).to_bytes(4, "little") + bytes(2)
    yield ByHand("leader-itself", "tensors that lead themselves", Parts(fields=two, sections=tables, chunks=[body]))
    ends = with_record(alignment=[1, 0, 0.5, 2.0, 1.5, 1.5])
    yield ByHand("truncation-of-one", "a truncation whose ends are equal", ends)


def _nested(levels: int) -> Any:
    """Lists in lists; each level is two arrays."""
    inner: Any = 5
    for _ in range(levels):
        inner = [1, [], [inner]]
    return inner


def blocks() -> Iterator[ByHand]:
    """Blocks, sections, chunks, index, keys."""
    bare = Parts(chunks=[], end=b"\x00")
    yield ByHand("index-of-none", "an index without chunks", indexed(bare))
    skipped = [varint(256), varint(511) + b"\xff", varint(300) + bytes(9)]
    beside = Parts(sections=[*Parts().sections, *skipped])
    yield ByHand("ancillary-sections", "sections of types 256 to 511, whatever they hold", beside)
    ancillary = ("x", b"ancillary")
    right = indexed(replace(beside, extra=[ancillary]))
    yield ByHand("ancillary-indexed", "an ancillary block before the chunks of an indexed file", right)
    index = right.index or b""
    apart = [ancillary, ("C", right.chunks[0]), ancillary, ("I", index), ancillary]
    distance = sum(len(framed(tag, body, 0)) for tag, body in apart[3:]) + len(framed("E", bytes(9), 0))
    end = right.end[:1] + distance.to_bytes(8, "little")
    what = "ancillary blocks before the chunks, the index and the end of an indexed file"
    yield ByHand("ancillary-everywhere", what, replace(right, extra=apart, chunks=[], index=None, end=end))
    many = Parts(fields=[0, None, 0, None, [1, [], []], []], sections=[], end=varint(65_536))
    many.chunks = [varint(0) + varint(65_536) + bytes(4)]
    yield ByHand("chunk-of-65536", "as many samples as a chunk can have", many)
    names = msgpack.packb(["a", "b"])
    packed = zlib.compress(names, 9)[2:-4]
    fields = [6, *Parts().fields[1:]]
    other = msgpack.packb([7, "7"])
    keyed = Parts(fields=fields, chunks=[chunk() + b"\x01" + packed, chunk(first=2) + b"\x00" + other], end=b"\x04")
    everything = b"\x00" + msgpack.packb(["a", "b", 7, "7"])
    yield ByHand("keys-packed", "keys packed in one chunk, plain in another", indexed(keyed, behind=everything))


def transforms() -> Iterator[ByHand]:
    """Parameters, tables, bases."""
    for name, parameters in (("low", [0.5, -32, 7, -255]), ("high", [0.5, 32, 0, 255])):
        yield ByHand(f"parameters-{name}", "the ends of shift and level", with_record(parameters=parameters))
    many = bytes([193, *[1] * 63]) + TABLE * 255
    rows = bytes(range(40)) * 47 + bytes([255] * 40)
    tables = Parts(sections=[section(4, many), section(5, rows)])
    yield ByHand("tables-of-256", "as many tables and classes as there may be", tables)
    basis = [section(8, b"\x01" * 25), section(9, np.array([-800, 800, 0, 1, -1], "<i2").tobytes())]
    yield ByHand("basis-scales", "the ends of a basis' scales", Parts(sections=[*Parts().sections, *basis]))
    ranks = section(28, np.array([2, 0], "<i4").tobytes())
    groups = with_record(shape=[4, 2, 2])
    groups.sections += [section(8, b"\x01" * 4), section(9, bytes(4)), ranks]
    groups.chunks = [chunk(symbols=bytes(4 * 16))]
    yield ByHand("group-of-none", "a group with all vectors, and one without", groups)
    special = with_record(layout="(3 + h) c", shape=[3, 5])
    special.chunks = [chunk(symbols=bytes(4 * 30))]
    yield ByHand("special-alone", "special tokens without a grid", special)


def alignments() -> Iterator[ByHand]:
    """Offsets and scales whose products round, tie and overflow: 0354 to 0360, 0560, 0422."""
    offsets = [0, 1, -1, 257, 259, -257, 2049, 2051, -2051, 16777217, -16777219, (1 << 31) - 1, -(1 << 31), 123456789]
    offsets += [5, 4097, 65519, 65520, 131071, 33554431, 8388607, 7, 9, -9]
    scales = [
        0,
        3,
        -3,
        32,
        32,
        32,
        32,
        32,
        32,
        1,
        7,
        960,
        960,
        5,
        -960,
        32,
        32,
        32,
        32,
        848,
        856,
        -156,
        -162,
        -161,
    ]
    tokens = [0, 1, -1, 8, -9, 200]
    for number, name in enumerate(("fp32", "fp16", "bf16", "fp64")):
        yield ByHand(f"offsets-{name}", "offsets that round, tie and overflow", _offsets(number, offsets, scales, []))
        yield ByHand(f"token-scales-by-hand-{name}", "scales of tokens", _offsets(number, offsets, scales, tokens))
    constant = with_record(alignment=[1, 0, 3.0e38, 1.0], dtype=1)
    yield ByHand("offset-beyond-fp16", "an offset that half precision does not hold", constant)


def _offsets(dtype: int, offsets: Sequence[int], scales: Sequence[int], tokens: Sequence[int]) -> Parts:
    """A file of zeros, aligned."""
    channels, count = len(offsets), max(1, len(tokens))
    parts = with_record(dtype=dtype, shape=[count, channels], layout="n c", alignment=[2, 1, 0.0, 1.0])
    parts.sections += [section(27, np.array(offsets, "<i4").tobytes()), section(2, np.array(scales, "<i2").tobytes())]
    payload, covered = b"\x00", b""
    if tokens:
        payload, covered = b"\x02" + coded(tokens, "<i2"), np.array(tokens, "<i2").tobytes()
    parts.chunks = [chunk(count=1, payload=payload, symbols=covered + bytes(4 * channels * count))]
    parts.end = b"\x01"
    return parts


def patches() -> Iterator[ByHand]:
    """All values, the last one, NaN."""
    values = np.arange(40, dtype="<f4") - 7
    values[3], values[5] = np.nan, -np.inf
    yield ByHand("patches-of-all", "every value patched", _patched(np.arange(40), values))
    yield ByHand("patch-of-last", "the last value patched", _patched(np.array([0, 39]), values[:2]))


def _patched(positions: NDArray[np.int64], values: NDArray[np.float32]) -> Parts:
    gaps = np.diff(positions, prepend=-1) - 1
    data = varint(len(positions)) + coded(gaps, "<u4") + encode_lossless(values, rotate=True)
    covered = bytes(160) + positions.astype("<u4").tobytes() + values.tobytes()
    return Parts(chunks=[chunk(payload=b"\x01" + varint(len(data)) + data, symbols=covered)])


def networks() -> Iterator[ByHand]:
    """Shifts, scales, rates."""
    arrays = plain_arrays(rates=64, flags=1, encoder=True)
    arrays[19][:] = 48
    arrays[20][[25, 51, 77]], arrays[21][[1, 3, 5]], arrays[21][-2] = -3, -1, 0.75
    yield ByHand(
        "hyperprior-ends", "the ends of shifts and rates, a negative scale", learned_file(arrays, parameters=[63])
    )
    below = learned_file(arrays, parameters=[63], alignment=[1, 0, 0.0, 1.0, 1.0, 2.0])
    yield ByHand("hyperprior-below", "values below the lower end of a truncation", below)
