"""A second decoder of CAUF 1.0, written from cauf-1.0.md alone, to be read beside it.

`decode` turns the bytes of a file into arrays. The container is read by container.py beside it, the transform codec by
transform.py and what that imports. Numbers in calls of `require`, and in docstrings, are those of the specification's
requirements.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from .container import (
    BATCH,
    CHANNEL,
    CODEC,
    CONTENT,
    DTYPE,
    GLOBAL,
    KEYED,
    MAX_ARRAYS,
    MAX_CHANNELS,
    MAX_LISTED,
    MAX_NOTE,
    METADATA,
    PROFILE,
    SINGLE,
    STORAGE,
    TOKEN,
    WEIGHTS,
    Array,
    Block,
    Damaged,
    Header,
    LimitExceeded,
    Reader,
    Sections,
    Unsupported,
    leaves,
    limit,
    notes,
    parse_layout,
    read_file,
    read_sections,
    require,
    supply,
    supply_weights,
)
from .hyperprior import aligned_plane, decode_latents, read_model
from .lossless import decode_lossless
from .notes import check_keys, parse_keys, parse_metadata, parse_note
from .order import grid_of
from .tensor import Tensor, check_work
from .transform import EIGHTHS, aligned_values, decode_symbols, read_codec


# --- Tensors: sections 6, 7, 10
@dataclass
class Stack:
    """Tensors that are coded as one: section 3.4. A lone tensor is a stack of itself."""

    whole: Tensor  # for the codec
    numbers: list[int]  # of the members, the leader first
    members: list[Tensor]
    axis: int

    def shapes(self, by_member: list[list[list[int]]]) -> list[list[int]]:
        """Shapes of the whole: [CAUF-0563]."""
        require(all(shapes == by_member[0] for shapes in by_member), 563, "stacked tensors differ in shape")
        if len(self.members) == 1:
            return by_member[0]
        return [[n * (len(self.members) if a == self.axis else 1) for a, n in enumerate(s)] for s in by_member[0]]

    def give(self, values: Array, sums: Array, shapes: list[list[int]]) -> None:
        """Shares out the samples of a chunk."""
        ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
        for array, kind in ((values, "samples"), (sums, "sums")):
            for flat, shape in zip(np.split(array, ends), shapes, strict=True):
                parts = [flat.reshape(shape)]
                if len(self.members) > 1:
                    parts = np.split(parts[0], len(self.members), self.axis)
                for member, part in zip(self.members, parts, strict=True):
                    getattr(member, kind).append(part)


def make_stacks(names: list[str], records: list[Any], sections: Sections, header: Header) -> list[Stack]:
    """Every tensor in one stack, by leader: [CAUF-0562]."""
    numbers: dict[int, list[int]] = {}
    for n, record in enumerate(records):
        leader = n if record[8] is None else record[8]
        if leader != n:
            require(leader < n and records[leader][8] in (None, leader), 562, f"tensor {n} is stacked on {leader}")
            alike = all(record[field] == records[leader][field] for field in (0, 2, 3, 5))
            require(alike and record[5] in (1, 2), 562, f"tensor {n} is not like {leader}")
        numbers.setdefault(leader, []).append(n)
    stacks = []
    for leader, members in numbers.items():
        whole, axis = [*records[leader]], 0
        if len(members) > 1:
            joined, _ = parse_layout(whole[3] or "")
            channel = [a for a, count in enumerate(joined) if not count]
            require(len(joined) == len(whole[2]) and bool(channel), 562, "no axis to stack along")
            axis, whole[2] = channel[0], [*whole[2]]
            require(whole[2][axis] is not None, 66, "the size of a channel axis is nil")
            whole[2][axis] *= len(members)
        stacks.append(Stack(make_tensor(names[leader], whole, leader), members, [], axis))
    limit(sum(stack.whole.channels for stack in stacks), MAX_CHANNELS, "channels of all tensors")
    for stack in stacks:
        read_coding(stack.whole, records[stack.numbers[0]], stack.numbers[0], sections, header)
        stack.members = [stack.whole]
        if len(stack.numbers) > 1:
            framework = [("numpy", "torch")[records[n][1]] for n in stack.numbers]
            stack.members = [
                replace(stack.whole, name=names[n], framework=f, shape=records[n][2], samples=[], sums=[], notes=[])
                for n, f in zip(stack.numbers, framework, strict=True)
            ]
    return stacks


def make_tensor(name: str, record: list[Any], number: int) -> Tensor:
    """What a record says: [CAUF-0061] to [CAUF-0066], [CAUF-0200]."""
    dtype, framework, shape, layout, _tap, codec, _alignment, _parameters, _leader = record
    require(None not in (dtype, framework, shape, codec), 61, f"tensor {number} lacks a field")
    t = Tensor(name, DTYPE[dtype], STORAGE[dtype], ("numpy", "torch")[framework], shape, layout, codec)
    if layout is not None:
        t.letters, t.specials = parse_layout(layout)
        require(len(t.letters) == len(shape), 65, f"layout {layout!r} for {len(shape)} axes")
    require(t.dtype != "note" or len(shape) == 1, 503, f"notes of {len(shape)} axes")
    if codec == 0:
        return t
    require(dtype < 4 and layout is not None, 200, "a codec with loss for integers, or without a layout")
    channel_sizes = [n for n, count in zip(shape, t.letters, strict=True) if not count]
    require(None not in channel_sizes, 66, "the size of a channel axis is nil")
    t.channels = math.prod(channel_sizes)
    require(t.channels <= 1 << 24, 66, f"{t.channels} channels")
    return t


def read_coding(t: Tensor, record: list[Any], number: int, sections: Sections, header: Header) -> None:
    """How a tensor is aligned and coded, by its record and sections: [CAUF-0351]."""
    if t.codec == 0:
        return
    alignment, parameters = record[6:8]
    _, t.scope, t.offset, t.scale = alignment[:4] if alignment else (0, GLOBAL, 0.0, 1.0)
    if t.scope == CHANNEL:
        offsets = 27 if (27, number) in sections else 1
        codes = [sections.get((kind, number), np.zeros(0, "<i2")) for kind in (offsets, 2)]
        require(all(len(c) == t.channels for c in codes), 351, f"not {t.channels} offsets and scales")
        t.offset, t.scale = statistics(codes[0], codes[1])
    t.turns = read_turns(t, sections.get((29, number)), t.channels)
    if t.codec == 2:
        t.ends = tuple(alignment[4:6]) if alignment and len(alignment) == 6 else None
        t.model = read_model(parameters, sections, number)
    else:
        t.transform = read_codec(parameters, sections, number, t.channels, header.gain or 1.0)


def read_turns(t: Tensor, turns: Array | None, channels: int) -> Array | None:
    """The distance of pairs, and the turn of every channel: [CAUF-0564]."""
    if turns is None:
        return None
    line = [count for count in t.letters if count] == [1]
    require(line and len(turns) == 1 + channels and turns[0] >= 1, 564, f"{len(turns)} turns for {channels} channels")
    first = np.flatnonzero(turns[1:])
    pairs = len(first) and int(first[-1]) + int(turns[0]) < channels and not turns[1:][first + int(turns[0])].any()
    require(bool(pairs), 564, "turns without pairs")
    return turns


def turned(turns: Array, matrix: Array, positions: Array) -> Array:
    """Pairs of channels, turned by their tokens' positions: [CAUF-0565]."""
    first = np.flatnonzero(turns[1:])
    second = first + int(turns[0])
    angles = 2 * np.pi * (np.outer(positions, turns[1:][first].astype(np.int64)) % 2**32) / 2**32
    cosine, sine = np.cos(angles).astype(matrix.dtype), np.sin(angles).astype(matrix.dtype)
    x, y, out = matrix[:, first], matrix[:, second], matrix.copy()
    out[:, first], out[:, second] = x * cosine - y * sine, y * cosine + x * sine
    return out


def statistics(offsets: Any, scales: Any) -> tuple[Array, Array]:
    """Offsets and scales that codes stand for, as f32: [CAUF-0354] to [CAUF-0356]."""
    require(bool((np.abs(scales.astype(int)) <= 960).all()), 356, "a scale code out of range")
    with np.errstate(all="ignore"):
        scale = np.ldexp(np.array(EIGHTHS, np.uint32).view(np.float32)[scales & 7], (scales >> 3).astype(np.int32))
        return offsets.astype(np.float32) * (scale / np.float32(16)), scale


def reconstruct(
    t: Tensor, aligned: Array, sums: Array, side: Array, scales: Array, extents: list[int]
) -> tuple[Array, Array]:
    """Features [N, C] in the tensor's dtype, and the sums of section 9.6: [CAUF-0350], [CAUF-0360], [CAUF-0560]."""
    work: Any = aligned.dtype.type
    most = np.uint32(0x7F7F0000).view(np.float32) if t.dtype == "bf16" else np.finfo(t.storage).max
    offset, scale = (x[:, None] for x in statistics(*np.split(side, 2))) if t.scope == TOKEN else (t.offset, t.scale)
    with np.errstate(all="ignore"):
        matrix = aligned * np.asarray(scale, work) + np.asarray(offset, work)
        if t.ends is not None:
            matrix = np.clip(matrix, work(t.ends[0]), work(t.ends[1]))
        sums = sums * np.asarray(scale, np.float64) + np.abs(np.asarray(offset, np.float64))
        if len(scales):
            _, factors = statistics(scales, scales)
            matrix, sums = matrix * factors[:, None].astype(work), sums * factors[:, None].astype(np.float64)
        if t.turns is not None:
            matrix = turned(t.turns, matrix, np.concatenate([np.arange(n) for n in extents]))
            first, sums = np.flatnonzero(t.turns[1:]), sums.copy()
            second = first + int(t.turns[0])
            sums[:, first] = sums[:, second] = sums[:, first] + sums[:, second]
        matrix = np.clip(matrix, -work(most), work(most))
    if t.dtype == "bf16":
        bits: Array = matrix.astype(np.float32).view(np.uint32)
        matrix = (bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) >> np.uint32(16)
    return np.asarray(matrix, t.storage), sums


def as_floats(dtype: str, values: Array) -> Array:
    """Stored floats as f64."""
    bits = values.astype(np.uint32) << np.uint32(16) if dtype == "bf16" else values
    return np.asarray((bits.view(np.float32) if dtype == "bf16" else bits).astype(np.float64))


def tolerance(dtype: str, values: Array, sums: Array) -> Array:
    """How far another decoder may be from values of an inexact tensor: [CAUF-0222]."""
    digits, least = {"fp32": (24, -126), "fp16": (11, -14), "bf16": (8, -126), "fp64": (53, -1022)}[dtype]
    exponent = np.maximum(np.frexp(np.abs(as_floats(dtype, values)))[1] - 1, least)
    share = 2.0**-47 if dtype == "fp64" else 2.0**-18
    return np.where(sums == 0, 0, np.ldexp(1.0, exponent - digits + 1) + share * sums)


def decode_patches(data: bytes, t: Tensor, count: int) -> tuple[Array, Array]:
    """Positions and values: [CAUF-0330] to [CAUF-0332]."""
    r = Reader(data)
    patches = r.varint()
    require(1 <= patches <= count, 331, f"{patches} patches for {count} values")
    gaps = decode_lossless(r.take(r.varint()), patches, "<u4", rotated=False)
    positions = np.cumsum(gaps.astype(np.int64) + 1) - 1
    require(int(positions[-1]) < count, 332, "a patch lies behind the last value")
    return positions.astype("<u4"), decode_lossless(r.rest(), patches, t.storage, rotated=True)


def decode_payload(t: Tensor, payload: bytes, shapes: list[list[int]]) -> tuple[Array, Array, list[Array]]:
    """Values of a chunk's samples, one after the other, their sums, and the arrays that are its symbols."""
    sizes = [math.prod(shape) for shape in shapes]
    if t.codec == 0:
        elements = decode_lossless(payload, sum(sizes), t.storage, t.dtype in DTYPE[:4])
        require(t.dtype != "bool" or not np.any(elements > 1), 303, "a boolean is neither 0 nor 1")
        return elements, np.zeros(len(elements)), [elements]
    r = Reader(payload)
    flags = r.take(1)[0]
    require(flags <= 3, 6, f"payload flags {flags}", Unsupported)
    extents = [math.prod(n for n, count in zip(shape, t.letters, strict=True) if count) for shape in shapes]
    require(min(extents) >= t.specials, 171, "fewer tokens than special tokens")
    side, scales = np.zeros(0, "<i2"), np.zeros(0, "<i2")
    positions, patches = np.zeros(0, "<u4"), np.zeros(0, t.storage)
    if t.scope == TOKEN:
        side = decode_lossless(r.take(r.varint()), 2 * sum(extents), "<i2", rotated=False)
    if flags & 2:
        scales = decode_lossless(r.take(r.varint()), sum(extents), "<i2", rotated=False)
    if flags & 1:
        positions, patches = decode_patches(r.take(r.varint()), t, sum(sizes))
    work = np.float64 if t.dtype == "fp64" else np.float32
    if t.model is not None:
        shape = sum(extents), math.prod(n or 0 for n, count in zip(t.shape, t.letters, strict=True) if not count)
        hyper, latents = decode_latents(t.model, r.rest(), *shape)
        plane, tops = aligned_plane(t.model, latents, *shape)
        aligned, sums = plane.astype(np.float32).astype(work), tops * 2.0 ** (37 if work is np.float64 else 8)
        symbols = [side, scales, hyper, latents, positions, patches]
    else:
        aligned, sums, coded = transformed(t, r.rest(), shapes, work)
        symbols = [side, scales, coded, positions, patches]
    values, sums = (in_samples(t, matrix, shapes) for matrix in reconstruct(t, aligned, sums, side, scales, extents))
    values[positions], sums[positions] = patches, 0
    return values, sums, symbols


def transformed(t: Tensor, words: bytes, shapes: list[list[int]], work: Any) -> tuple[Array, Array, Array]:
    """Aligned values of the transform codec, their sums, and symbols."""
    require(t.transform is not None, 0, "no codec")
    codec: Any = t.transform
    axes = [axis for axis, count in enumerate(t.letters) if count]
    letters = [t.letters[axis] for axis in axes]
    grids = [grid_of([shape[axis] for axis in axes], letters, t.specials) for shape in shapes]
    symbols, tokens = decode_symbols(codec, words, grids, t.specials)
    aligned, sums = aligned_values(codec, symbols, tokens, grids, t.specials, work)
    return aligned, sums, symbols.astype("<i4")


def in_samples(t: Tensor, matrix: Array, shapes: list[list[int]]) -> Array:
    """A matrix [N, C] in the samples' own order: [CAUF-0170]."""
    order = sorted(range(len(t.shape)), key=lambda axis: not t.letters[axis])  # token axes, then channel axes
    counts = [math.prod(n for n, count in zip(shape, t.letters, strict=True) if count) for shape in shapes]
    rows = np.split(matrix, np.cumsum(counts)[:-1])
    samples = (part.reshape([shape[axis] for axis in order]) for part, shape in zip(rows, shapes, strict=True))
    return np.concatenate([sample.transpose(np.argsort(order)).reshape(-1) for sample in samples])


# --- Chunks, index, end: section 8
@dataclass
class Decoded:
    header: Header
    samples: int
    tensors: list[Tensor]
    symbols_sha256: str
    metadata: dict[str, str]
    keys: list[Any]  # of keyed samples


def decode_chunk(
    body: bytes, tensors: list[Tensor], stacks: list[Stack], done: int, content: int, sha: Any, keys: list[Any]
) -> int:
    """Adds a chunk's samples to the tensors, and their keys; returns their number: [CAUF-0110] to [CAUF-0119]."""
    r = Reader(body)
    first, count = r.varint(), r.varint()
    require(1 <= count <= 65536, 111, f"chunk of {count} samples")
    require(content != SINGLE or count == 1, 113, f"a single of {count} samples")
    require(first == done, 114, f"chunk starts at sample {first} instead of {done}")
    limit(count * len(tensors), MAX_ARRAYS, "samples times tensors in a chunk")
    require(count * sum(t.shape.count(None) for t in tensors) <= r.left(), 112, f"{count} samples do not fit")
    shapes = [[[r.varint() if n is None else n for n in t.shape] for _ in range(count)] for t in tensors]
    coded = [stack.shapes([shapes[n] for n in stack.numbers]) for stack in stacks]
    check_work([stack.whole for stack in stacks], coded)
    rows = content == BATCH and not all(0 in t.shape for t in tensors)
    require(rows or done + count <= MAX_LISTED, 370, "too many samples", LimitExceeded)
    lengths = [r.varint() for _ in tensors]
    expected, actual = r.number("<I"), 0
    payloads = [r.take(length) for length in lengths]
    for stack, of_stack in zip(stacks, coded, strict=True):
        payload, *others = (payloads[n] for n in stack.numbers)
        require(not any(others), 563, "a stacked tensor with a payload of its own")
        values, sums, symbols = decode_payload(stack.whole, payload, of_stack)
        for array in symbols:
            actual = zlib.crc32(array.tobytes(), actual)
            sha.update(array.tobytes())
        stack.give(values, sums, of_stack)
    keys += parse_keys(r, count) if content == KEYED else []  # [CAUF-0504]
    r.close()
    require(actual == expected, 118, "symbols differ from their checksum", Damaged)
    return count


def check_index(index: Block, chunks: list[Block], counts: list[int], keys: list[Any] | None) -> None:
    """[CAUF-0140] to [CAUF-0142]"""
    r = Reader(index.body)
    start, number = r.varint(), r.varint()
    require(2 * number <= r.left(), 141, f"index announces {number} chunks")
    entries = [(r.varint(), r.varint()) for _ in range(number)]
    listed = None if keys is None else parse_keys(r, sum(count for _, count in entries))
    r.close()
    there = [(chunk.end - chunk.start, count) for chunk, count in zip(chunks, counts, strict=True)]
    agrees = entries == there
    require(listed == keys or not agrees, 507, "keys in the index are not those of the chunks")
    end = chunks[-1].end if chunks else start
    gapless = start == [*chunks, index][0].start and end - start == sum(length for length, _ in entries)
    require(agrees and gapless, 142, "index does not agree with the chunks")


def decode(data: bytes, profiles: Mapping[bytes, bytes] = MappingProxyType({})) -> Decoded:
    """Decodes a file; `profiles` maps content hashes to profiles and weights."""
    header, blocks = read_file(data)
    require(header.content not in (PROFILE, WEIGHTS), 164, "neither profiles nor weights are decoded on their own")
    sections: Sections = {}
    if header.profile is not None:
        known = header.profile in profiles
        require(known, 162, f"the file needs the profile {header.profile.hex()}", Unsupported)
        header, sections = supply(header, profiles[header.profile])
    records = header.records or []
    if header.weights is not None:
        known = header.weights in profiles
        require(known, 167, f"the file needs the weights {header.weights.hex()}", Unsupported)
        if any(record[5] == 2 for record in records):
            sections = supply_weights(header, profiles[header.weights]) | sections
    own = read_sections(blocks, len(records))
    sections |= own
    metadata = parse_metadata(own.get((METADATA, 0), np.zeros(0, "u1")).tobytes())
    sections = {key: array for key, array in sections.items() if len(array)}  # [CAUF-0095]
    paths = list(leaves(0 if header.tree is None else header.tree))
    require([n for n, _ in paths] == list(range(len(records))), 52, "leaves are not the tensors in their order")
    stacks = make_stacks([name for _, name in paths], records, sections, header)
    by_number = {n: t for stack in stacks for n, t in zip(stack.numbers, stack.members, strict=True)}
    tensors = [by_number[n] for n in range(len(records))]
    varying = any(None in t.shape for t in tensors if t.dtype != "note")
    require(header.content != BATCH or not varying, 67, "sizes vary within a batch")
    room = MAX_NOTE  # [CAUF-0502]
    for note in notes(header.tree):
        parse_note(note)
        room -= len(note)
        require(room >= 0, 502, "notes of the tree are too long")

    chunks, counts, sha = [block for block in blocks if block.tag == "C"], list[int](), hashlib.sha256()
    keys = list[Any]()
    for chunk in chunks:
        counts.append(decode_chunk(chunk.body, tensors, stacks, sum(counts), header.content, sha, keys))
    for t in tensors:
        t.notes = [parse_note(sample.tobytes()) for sample in t.samples] if t.dtype == "note" else []
    check_keys(keys)
    require(header.content != SINGLE or len(chunks) == 1, 113, f"a single of {len(chunks)} chunks")
    r = Reader(blocks[-1].body)  # [CAUF-0145], [CAUF-0146]
    samples = r.varint()
    require(samples == sum(counts), 146, f"end announces {samples} samples, there are {sum(counts)}")
    if header.flags:
        index = next(block for block in blocks if block.tag == "I")
        check_index(index, chunks, counts, keys if header.content == KEYED else None)
        require(r.number("<Q") == len(data) - index.start, 146, "end has another distance of the index")
    r.close()
    return Decoded(header, samples, tensors, sha.hexdigest(), metadata, keys)


# --- What the program prints
def summary(decoded: Decoded) -> dict[str, Any]:
    """What the program prints."""
    header, tensors = decoded.header, []
    for t in decoded.tensors:
        values = hashlib.sha256()
        for sample in t.samples:
            values.update(sample.tobytes())
        tensor = {"name": t.name, "dtype": t.dtype, "shape": t.shape, "layout": t.layout, "codec": CODEC[t.codec]}
        tensors.append({**tensor, "values_sha256": values.hexdigest()})
    about: dict[str, Any] = {
        "version": "{}.{}".format(*header.version),
        "content": CONTENT[header.content],
        "arch": header.arch,
    }
    about |= {"metadata": decoded.metadata, "keys": decoded.keys}
    return {**about, "samples": decoded.samples, "tensors": tensors, "symbols_sha256": decoded.symbols_sha256}
