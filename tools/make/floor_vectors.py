"""Valid files at the floor of the limits of section 12, which every decoder has to support [CAUF-0370]."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import msgpack

from caufc.bitstream import varint
from tools.make.file_parts import Parts, chunk, lossless, record, with_record
from tools.make.invalid_learned import learned_file
from tools.make.plain_weights import plain_arrays

__all__ = ["floor_files"]

HEADER, TENSORS, CHANNELS, SAMPLES = 1 << 16, 1 << 12, 1 << 20, 1 << 20
VALUES, GRIDS, SECTIONS = 1 << 24, 1 << 12, 1 << 26


def floor_files() -> Iterator[tuple[str, str, Parts]]:
    """Name, what it is, and file."""
    yield "floor-tensors", "4,096 tensors, and a header of 64 KiB", tensors()
    yield "floor-channels", "2^20 channels of transform tensors", channels()
    yield "floor-samples", "2^20 samples of no value", samples()
    yield "floor-values", "2^24 values in a chunk", values()
    yield "floor-grids", "2^12 grids in a chunk", grids()
    yield "floor-sections", "64 MiB of sections, inflated", sections()
    yield "floor-latents", "nearly 2^22 latents and hyper-latents in a chunk", latents()


def tensors() -> Parts:
    """Of one value each; names and an architecture fill the header."""
    records = [record(dtype=8, shape=[], layout=None, codec=0, parameters=None) for _ in range(TENSORS)]
    names = [f"{number:05x}" for number in range(TENSORS)]
    parts = lossless(b"\x01\x07", dtype=8)
    parts.fields[4:] = [[0, names, [*range(TENSORS)]], records, "a" * 256]
    parts.fields[6] += "a" * (HEADER - len(msgpack.packb(parts.fields)))
    lengths = b"\x02" * TENSORS
    covered = zlib.crc32(b"\x07" * TENSORS).to_bytes(4, "little")
    parts.chunks = [varint(0) + varint(1) + lengths + covered + b"\x01\x07" * TENSORS]
    parts.end = b"\x01"
    return parts


def channels() -> Parts:
    """One sample of two tensors with half of them each; all symbols are 0."""
    half = CHANNELS // 2
    parts = with_record(shape=[half], layout="c")
    parts.fields[4], parts.fields[5] = [1, [], [0, 1]], parts.fields[5] * 2
    parts.sections = []
    crc = zlib.crc32(bytes(4 * CHANNELS)).to_bytes(4, "little")
    parts.chunks, parts.end = [varint(0) + varint(1) + b"\x01\x01" + crc + bytes(2)], b"\x01"
    return parts


def samples() -> Parts:
    """Sixteen chunks."""
    none = Parts(fields=[1, None, 0, None, [1, [], []], []], sections=[], end=varint(SAMPLES))
    each = 1 << 16
    none.chunks = [varint(first) + varint(each) + bytes(4) for first in range(0, SAMPLES, each)]
    return none


def values() -> Parts:
    """Two tensors, of constants."""
    parts = lossless(b"\x01\x07", dtype=8)
    parts.fields[4] = [1, [], [0, 1]]
    parts.fields[5] = [record(dtype=8, shape=[VALUES // 2], layout=None, codec=0, parameters=None)] * 2
    crc = zlib.crc32(b"\x07" * VALUES).to_bytes(4, "little")
    parts.chunks, parts.end = [varint(0) + varint(1) + b"\x02\x02" + crc + b"\x01\x07" * 2], b"\x01"
    return parts


def grids() -> Parts:
    """The 256 smallest grids, in 16 tensors."""
    count = 16
    each = GRIDS // count
    pairs = sorted(((a, b) for a in range(64) for b in range(64)), key=lambda pair: (pair[0] * pair[1], pair))[:each]
    parts = with_record(shape=[1, None, None])
    parts.fields[:5] = [1, None, 0, None, [1, [], list(range(count))]]
    parts.fields[5] = parts.fields[5] * count
    parts.sections = []
    shapes = bytes(size for pair in pairs for size in pair) * count
    crc = zlib.crc32(bytes(4 * count * sum(a * b for a, b in pairs))).to_bytes(4, "little")
    parts.chunks = [varint(0) + varint(each) + shapes + b"\x01" * count + crc + bytes(count)]
    parts.end = varint(each)
    return parts


def sections() -> Parts:
    """Channel levels of a lossless tensor, which has no use for them, in two sections."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    half = packer.compress(bytes(SECTIONS // 2)) + packer.flush()
    parts = lossless(b"\x01\x07", dtype=8)
    parts.sections = [b"\x03\x00\x00\x01" + half, b"\x06\x00\x00\x01" + half]
    parts.chunks = [chunk(payload=b"\x01\x07", symbols=b"\x07" * 40)]
    return parts


def latents() -> Parts:
    """Of a plane of 512 x 4,096: 511 latents a block, and 1 hyper-latent for 16 blocks, 0.2 % below the floor."""
    rows, columns, count = 512, 4096, 511
    found = count * rows * columns // 16**2 + rows * columns // 64**2
    parts = learned_file(plain_arrays(n=1, m=count), shape=[rows, columns], layout="n c", alignment=[1, 0, 1.0, 1.0])
    parts.chunks, parts.end = [chunk(count=1, symbols=bytes(4 * found))], b"\x01"
    return parts
