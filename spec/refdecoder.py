"""A second decoder of CAUF 1.0, written from cauf-1.0.md alone, to be read beside it.

`decode` turns the bytes of a file into arrays; as a program, this file prints what a CAUF file holds as JSON. The
container is read by refcontainer.py beside it. Numbers in calls of `require`, and in docstrings, are those of the
specification's requirements.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import struct
import sys
import zlib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from refcontainer import (
    BATCH,
    CHANNEL,
    CODEC,
    CONTENT,
    DTYPE,
    GLOBAL,
    MAX_CHUNK_VALUES,
    MAX_FILE_VALUES,
    MAX_OUT,
    PROFILE,
    SINGLE,
    STORAGE,
    TOKEN,
    Array,
    Block,
    CaufError,
    CaufViolation,
    Damaged,
    Header,
    Reader,
    Sections,
    Unsupported,
    inflate,
    is_int,
    leaves,
    limit,
    parse_layout,
    read_file,
    read_sections,
    require,
    supply,
)
from refcontexts import decode_buckets, grid_of
from reflattice import Lattice

# --- Entropy coding: sections 9.1, 9.2
OCTAVE = (4096, 4467, 4871, 5312, 5793, 6317, 6889, 7512)
ONE = 1 << 24
Table = tuple[list[int], list[int]]  # frequencies; cumulative frequencies, which are one more


def expand(levels: list[int]) -> Table:
    """[CAUF-0230] to [CAUF-0232]"""
    require(max(levels) <= 193 and any(levels), 230, "a level is above 193, or all are 0")
    weight = [OCTAVE[(v - 1) % 8] << ((v - 1) // 8) if v else 0 for v in levels]
    total = sum(weight)
    freq = [1 + w * (ONE - len(levels)) // total for w in weight]
    freq[weight.index(max(weight))] += ONE - sum(freq)
    return freq, list(accumulate(freq, initial=0))


def uniform(bits: int) -> Table:
    return [ONE >> bits] * (1 << bits), list(range(0, ONE + 1, ONE >> bits))


class Rans:
    """[CAUF-0250], [CAUF-0251]"""

    def __init__(self, data: bytes) -> None:
        require(len(data) % 4 == 0, 250, "words are not a multiple of 4 bytes")
        self.words: list[int] = np.frombuffer(data, "<u4").tolist()
        require(not self.words or self.words[-1] != 0, 250, "the last word is 0")
        self.state = 0
        for _ in range(min(2, len(self.words))):
            self.state = self.state << 32 | self.words.pop()

    def decode(self, table: Table, count: int) -> Array:
        """The next `count` symbols, all of one table."""
        (freq, cum), state, words = table, self.state, self.words
        out = np.zeros(count, np.int32)
        for i in range(count):
            q = state & (ONE - 1)
            s = bisect_right(cum, q) - 1
            state = freq[s] * (state >> 24) + q - cum[s]
            out[i] = s
            if state < 1 << 32:
                if words:
                    state = state << 32 | words.pop()
                elif state == 0:  # from here on all symbols are 0, and the state stays
                    break
        self.state = state
        return out

    def close(self) -> None:
        require(not self.words and self.state == 0, 251, "words or state are left after the last symbol")


# --- The lossless codec: section 11
def decode_lossless(data: bytes, count: int, storage: str, rotated: bool) -> Array:
    """`count` elements of the numpy type `storage`; only planes are rotated: [CAUF-0300] to [CAUF-0322]."""
    r = Reader(data)
    method, width = r.take(1)[0], np.dtype(storage).itemsize
    bits = np.dtype(f"<u{width}")
    if method == 3:
        elements = decode_planes(r, count, width).astype(bits)
        if rotated:
            upper, low = elements >> bits.type(8 * width - 9), elements & bits.type((1 << 8 * width - 9) - 1)
            elements = (upper >> bits.type(1) | (upper & bits.type(1)) << bits.type(8)) << bits.type(
                8 * width - 9
            ) | low
        return elements.view(storage)
    require(method <= 2, 300, f"method {method}")
    size = width if method == 1 else count * width
    content = inflate(r.rest(), size, 302) if method == 2 else r.rest()
    require(len(content) == size, 300 + method, f"not {size} bytes of elements")
    elements = np.frombuffer(content, storage)
    return np.repeat(elements, count) if method == 1 else elements


def read_context(r: Reader) -> tuple[Table | None, int]:
    """Table and favourite of a context's model; raw is (None, -1): [CAUF-0321], [CAUF-0322]."""
    kind = r.take(1)[0]
    require(kind <= 2, 321, f"model {kind}")
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
    require(valid, 317, f"a grid of {rows} x {columns} x {inner} for {count} elements")
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


# --- Tensors and the transform codec: sections 6, 7, 9, 10
@dataclass
class Tensor:
    """A tensor of the file; `samples` are its arrays, bf16 as u16 bits, bool as u8."""

    name: str
    dtype: str
    storage: str  # numpy's type
    framework: str
    shape: list[int | None]
    layout: str | None
    codec: int
    samples: list[Array] = field(default_factory=list)
    values: int = 0  # in all samples
    letters: list[int] = field(default_factory=list)  # of the grid, that an axis joins
    specials: int = 0
    scope: int = GLOBAL
    offset: Any = 0.0  # of the tensor, or of channels
    scale: Any = 1.0
    step: Any = 1.0
    shift: int = 0
    tables: list[Table] = field(default_factory=list)
    table_of: Array | None = None  # [K, 27]
    classes: Array = field(default_factory=lambda: np.zeros(0, np.uint8))


def make_tensor(name: str, record: list[Any], number: int, sections: Sections, header: Header) -> Tensor:
    """What a record and its sections say: [CAUF-0061] to [CAUF-0066], [CAUF-0200] to [CAUF-0204], [CAUF-0351]."""
    dtype, framework, shape, layout, _tap, codec, alignment, parameters = record
    require(None not in (dtype, framework, shape, codec), 61, f"tensor {number} lacks a field")
    t = Tensor(name, DTYPE[dtype], STORAGE[dtype], ("numpy", "torch")[framework], shape, layout, codec)
    if layout is not None:
        t.letters, t.specials = parse_layout(layout)
        require(len(t.letters) == len(shape), 65, f"layout {layout!r} for {len(shape)} axes")
    if codec == 0:
        return t
    require(dtype < 4 and layout is not None, 200, "transform codec for integers, or without a layout")
    channel_sizes = [n for n, count in zip(shape, t.letters, strict=True) if not count]
    require(None not in channel_sizes, 66, "the size of a channel axis is nil")
    channels = math.prod(channel_sizes)
    require(channels <= 1 << 24, 66, f"{channels} channels")
    step, t.shift = parameters if parameters is not None and len(parameters) == 2 else (0, 0)
    valid = isinstance(step, float) and step > 0 and is_int(t.shift, -32, 32)
    require(valid, 201, f"parameters {parameters} are not step and shift")
    with np.errstate(all="ignore"):
        t.step = np.float32(step * (header.gain or 1.0))
    require(0 < t.step < math.inf, 221, f"step {step} with gain {header.gain}")
    _, t.scope, t.offset, t.scale = alignment[:4] if alignment else (0, GLOBAL, 0.0, 1.0)
    if t.scope == CHANNEL:
        codes = [sections.get((kind, number)) for kind in (1, 2)]
        require(all(c is not None and len(c) == channels for c in codes), 351, f"not {channels} offsets and scales")
        t.offset, t.scale = statistics(codes[0], codes[1])
    levels = sections.get((4, number), np.zeros(0, np.uint8))
    require(len(levels) % 64 == 0 and 1 <= len(levels) // 64 <= 256, 203, "not 1 to 256 tables of 64 levels")
    t.tables = [expand(row) for row in levels.reshape(-1, 64).tolist()]
    contexts = sections.get((5, number))
    if contexts is not None:
        valid = len(contexts) > 0 and len(contexts) % 27 == 0 and int(contexts.max()) < len(t.tables)
        require(valid, 216, "context map")
        t.table_of = contexts.reshape(-1, 27)
    kinds = len(t.tables) if t.table_of is None else len(t.table_of)
    t.classes = sections.get((3, number), np.zeros(channels, np.uint8))
    require(len(t.classes) == channels and bool(np.all(t.classes < kinds)), 204, "channel classes")
    return t


def statistics(offsets: Any, scales: Any) -> tuple[Array, Array]:
    """Offsets and scales that codes stand for, as f32: [CAUF-0354] to [CAUF-0356]."""
    octave = [0x3F800000, 0x3F8B95C2, 0x3F9837F0, 0x3FA5FED7, 0x3FB504F3, 0x3FC5672A, 0x3FD744FD, 0x3FEAC0C7]
    require(bool((np.abs(scales) <= 800).all()), 356, "a scale code out of range")
    with np.errstate(all="ignore"):
        scale = np.ldexp(np.array(octave, np.uint32).view(np.float32)[scales & 7], (scales >> 3).astype(np.int32))
        return offsets.astype(np.float32) * (scale / np.float32(16)), scale


def decode_symbols(t: Tensor, words: bytes, grids: list[tuple[int, int]]) -> Array:
    """Symbols [N, C]: [CAUF-0205], [CAUF-0210] to [CAUF-0215]."""
    rans = Rans(words)
    tokens = sum(t.specials + rows * columns for rows, columns in grids)
    if t.table_of is None:
        matrix = np.zeros((tokens, len(t.classes)), np.int64)
        for number, table in enumerate(t.tables):
            channels = np.flatnonzero(t.classes == number)
            matrix[:, channels] = rans.decode(table, tokens * len(channels)).reshape(tokens, len(channels))
    else:
        decode = lambda number, count: rans.decode(t.tables[number], count)  # noqa: E731
        matrix = decode_buckets(grids, t.specials, t.classes, t.table_of, len(t.tables), decode)
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
    return symbols


def reconstruct(t: Tensor, symbols: Array, tokens: int, side: Array) -> Array:
    """The matrix [N, C] of features in the tensor's dtype: [CAUF-0220], [CAUF-0350], [CAUF-0360]."""
    work: Any = np.float64 if t.dtype == "fp64" else np.float32
    most = np.uint32(0x7F7F0000).view(np.float32) if t.dtype == "bf16" else np.finfo(t.storage).max
    offset, scale = (x[:, None] for x in statistics(*np.split(side, 2))) if t.scope == TOKEN else (t.offset, t.scale)
    q = (symbols >> 1) ^ -(symbols & 1)
    with np.errstate(all="ignore"):
        aligned = (q.astype(work) + np.sign(q).astype(work) * work(t.shift / 64)) * work(t.step)
        matrix = aligned.reshape(tokens, len(t.classes))
        matrix = np.clip(matrix * np.asarray(scale, work) + np.asarray(offset, work), -work(most), work(most))
    if t.dtype == "bf16":
        bits: Array = matrix.view(np.uint32)
        matrix = (bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) >> np.uint32(16)
    return np.asarray(matrix, t.storage)


def decode_patches(data: bytes, t: Tensor, count: int) -> tuple[Array, Array]:
    """Positions and values: [CAUF-0330] to [CAUF-0332]."""
    r = Reader(data)
    patches = r.varint()
    require(1 <= patches <= count, 331, f"{patches} patches for {count} values")
    gaps = decode_lossless(r.take(r.varint()), patches, "<u4", rotated=False)
    positions = np.cumsum(gaps.astype(np.int64) + 1) - 1
    require(int(positions[-1]) < count, 332, "a patch lies behind the last value")
    return positions.astype("<u4"), decode_lossless(r.rest(), patches, t.storage, rotated=True)


def decode_payload(t: Tensor, payload: bytes, shapes: list[list[int]]) -> tuple[Array, list[Array]]:
    """Values of a chunk's samples, one after the other, and the arrays that are its symbols: [CAUF-0118]."""
    sizes = [math.prod(shape) for shape in shapes]
    if t.codec == 0:
        elements = decode_lossless(payload, sum(sizes), t.storage, t.dtype in DTYPE[:4])
        require(t.dtype != "bool" or not np.any(elements > 1), 303, "a boolean is neither 0 nor 1")
        return elements, [elements]
    r = Reader(payload)
    flags = r.take(1)[0]
    require(flags <= 1, 206, f"payload flags {flags}")
    extents = [math.prod(n for n, count in zip(shape, t.letters, strict=True) if count) for shape in shapes]
    require(min(extents) >= t.specials, 171, "fewer tokens than special tokens")
    tokens = sum(extents)
    side, positions, patches = np.zeros(0, "<i2"), np.zeros(0, "<u4"), np.zeros(0, t.storage)
    if t.scope == TOKEN:
        side = decode_lossless(r.take(r.varint()), 2 * tokens, "<i2", rotated=False)
    if flags:
        positions, patches = decode_patches(r.take(r.varint()), t, sum(sizes))
    axes = [axis for axis, count in enumerate(t.letters) if count]
    letters = [t.letters[axis] for axis in axes]
    grids = [grid_of([shape[axis] for axis in axes], letters, t.specials) for shape in shapes]
    symbols = decode_symbols(t, r.rest(), grids)
    matrix = reconstruct(t, symbols, tokens, side)
    order = sorted(range(len(t.shape)), key=lambda axis: not t.letters[axis])  # token axes, then channel axes
    rows = np.split(matrix, np.cumsum(extents)[:-1])
    samples = (part.reshape([shape[axis] for axis in order]) for part, shape in zip(rows, shapes, strict=True))
    values = np.concatenate([sample.transpose(np.argsort(order)).reshape(-1) for sample in samples])
    values[positions] = patches
    return values, [side, symbols.astype("<i4"), positions, patches]


# --- Chunks, index, end: section 8
@dataclass
class Decoded:
    header: Header
    samples: int
    tensors: list[Tensor]
    symbols_sha256: str


def decode_chunk(body: bytes, tensors: list[Tensor], done: int, content: int, sha: Any) -> int:
    """Adds a chunk's samples to the tensors; returns their number: [CAUF-0110] to [CAUF-0119]."""
    r = Reader(body)
    first, count = r.varint(), r.varint()
    require(1 <= count <= 65536, 111, f"chunk of {count} samples")
    require(content != SINGLE or (count == 1 and not done), 113, f"a single of {done + count} samples")
    require(first == done, 114, f"chunk starts at sample {first} instead of {done}")
    require(count * sum(t.shape.count(None) for t in tensors) <= r.left(), 112, f"{count} samples do not fit")
    shapes = [[[r.varint() if n is None else n for n in t.shape] for _ in range(count)] for t in tensors]
    for t, of_tensor in zip(tensors, shapes, strict=True):
        t.values += sum(math.prod(shape) for shape in of_tensor)
    work = sum(math.prod(max(n, 1) for n in shape) for of_tensor in shapes for shape in of_tensor)
    limit(work, MAX_CHUNK_VALUES, "values a chunk, an empty axis counted as 1")
    limit(sum(t.values for t in tensors), MAX_FILE_VALUES, "values a file")
    limit(sum(t.values * np.dtype(t.storage).itemsize for t in tensors), MAX_OUT, "bytes out")
    lengths = [r.varint() for _ in tensors]
    expected, actual = r.number("<I"), 0
    require(sum(lengths) <= r.left(), 112, "payloads do not fit")
    for t, length, of_tensor in zip(tensors, lengths, shapes, strict=True):
        values, symbols = decode_payload(t, r.take(length), of_tensor)
        for array in symbols:
            actual = zlib.crc32(array.tobytes(), actual)
            sha.update(array.tobytes())
        parts = np.split(values, np.cumsum([math.prod(shape) for shape in of_tensor])[:-1])
        t.samples += [part.reshape(shape) for part, shape in zip(parts, of_tensor, strict=True)]
    r.close()
    require(actual == expected, 118, "symbols differ from their checksum", Damaged)
    return count


def check_index(index: Block, chunks: list[Block], counts: list[int]) -> None:
    """[CAUF-0140] to [CAUF-0142]"""
    r = Reader(index.body)
    start, number = r.varint(), r.varint()
    require(2 * number <= r.left(), 141, f"index announces {number} chunks")
    entries = [(r.varint(), r.varint()) for _ in range(number)]
    r.close()
    agrees = entries == [(chunk.end - chunk.start, count) for chunk, count in zip(chunks, counts, strict=True)]
    end = chunks[-1].end if chunks else start
    gapless = start == [*chunks, index][0].start and end - start == sum(length for length, _ in entries)
    require(agrees and gapless, 142, "index does not agree with the chunks")


def decode(data: bytes, profiles: Mapping[bytes, bytes] = MappingProxyType({})) -> Decoded:
    """Decodes a file; `profiles` maps content hashes to profiles."""
    header, blocks = read_file(data)
    require(header.content != PROFILE, 164, "a profile is not decoded on its own")
    sections: Sections = {}
    if header.profile is not None:
        known = header.profile in profiles
        require(known, 162, f"the file needs the profile {header.profile.hex()}", Unsupported)
        header, sections = supply(header, profiles[header.profile])
    records = header.records or []
    sections |= read_sections(blocks, len(records))
    paths = list(leaves(0 if header.tree is None else header.tree))
    require([n for n, _ in paths] == list(range(len(records))), 52, "leaves are not the tensors in their order")
    tensors = [make_tensor(name, records[n], n, sections, header) for n, name in paths]
    require(header.content != BATCH or all(None not in t.shape for t in tensors), 67, "sizes vary within a batch")

    chunks, counts, sha = [block for block in blocks if block.tag == "C"], list[int](), hashlib.sha256()
    for chunk in chunks:
        counts.append(decode_chunk(chunk.body, tensors, sum(counts), header.content, sha))
    require(header.content != SINGLE or len(chunks) == 1, 113, "a single without a chunk")
    r = Reader(blocks[-1].body)  # [CAUF-0145], [CAUF-0146]
    samples = r.varint()
    require(samples == sum(counts), 146, f"end announces {samples} samples, there are {sum(counts)}")
    if header.flags:
        index = next(block for block in blocks if block.tag == "I")
        check_index(index, chunks, counts)
        require(r.number("<I") == len(data) - index.start, 146, "end has another distance of the index")
    r.close()
    return Decoded(header, samples, tensors, sha.hexdigest())


# --- The program
def summary(decoded: Decoded) -> dict[str, Any]:
    """What the program prints."""
    header, tensors = decoded.header, []
    for t in decoded.tensors:
        values = hashlib.sha256()
        for sample in t.samples:
            values.update(sample.tobytes())
        tensor = {"name": t.name, "dtype": t.dtype, "shape": t.shape, "layout": t.layout, "codec": CODEC[t.codec]}
        tensors.append({**tensor, "values_sha256": values.hexdigest()})
    about = {"version": "{}.{}".format(*header.version), "content": CONTENT[header.content], "arch": header.arch}
    return {**about, "samples": decoded.samples, "tensors": tensors, "symbols_sha256": decoded.symbols_sha256}


def main() -> int:
    parser = argparse.ArgumentParser(description="Decodes a CAUF file and prints what it holds as JSON.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--profile", type=Path, action="append", default=[], help="a profile that the file may name")
    parser.add_argument("--json", action="store_true", help="JSON in one line")
    parser.add_argument("-o", dest="out", type=Path, help="write samples to this .npz, as NAME/NUMBER")
    options = parser.parse_args()
    profiles = {hashlib.sha256(data).digest()[:8]: data for data in (path.read_bytes() for path in options.profile)}
    try:
        decoded = decode(options.file.read_bytes(), profiles)
    except CaufError as error:
        print(f"{options.file}: {error}", file=sys.stderr)
        return 3 if isinstance(error, CaufViolation) else 4
    print(json.dumps(summary(decoded), indent=None if options.json else 2))
    if options.out:
        arrays: dict[str, Any] = {
            f"{t.name}/{i}": sample for t in decoded.tensors for i, sample in enumerate(t.samples)
        }
        np.savez(options.out, **arrays)
    return 0


if __name__ == "__main__":
    sys.exit(main())
