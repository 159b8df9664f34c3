"""A container as parts that can be changed, and bytes again with lengths, checksums, index and end made right."""

from __future__ import annotations

import copy
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

from tools.attack.container import Blocks, block, fields_of, header_bytes, read_varint, split, varint

__all__ = ["ChunkParts", "Parts", "SectionParts", "take_apart"]


ANCILLARY = 256
"""The first type of sections that decoders skip."""


@dataclass
class SectionParts:
    """A section; ``packing`` 1 deflates the data when the file is made."""

    type: int
    tensor: int
    element: int
    packing: int
    data: bytes

    def body(self) -> bytes:
        data = self.data
        if self.packing == 1:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            data = packer.compress(data) + packer.flush()
        return varint(self.type) + varint(self.tensor) + bytes([self.element & 255, self.packing & 255]) + data


@dataclass
class ChunkParts:
    """A chunk; ``first`` None is counted when the file is made, and a length of None is the payload's own."""

    count: int
    sizes: list[int]
    payloads: list[bytes]
    symbols: int
    first: int | None = None
    lengths: list[int | None] = field(default_factory=list)

    def body(self, first: int) -> bytes:
        out = varint(first if self.first is None else self.first) + varint(self.count)
        out += b"".join(varint(size) for size in self.sizes)
        for number, payload in enumerate(self.payloads):
            given = self.lengths[number] if number < len(self.lengths) else None
            out += varint(len(payload) if given is None else given)
        return out + struct.pack("<I", self.symbols & 0xFFFFFFFF) + b"".join(self.payloads)


@dataclass
class Parts:
    """A file.

    Args:
        fields: of the header.
        sections, chunks: in order.
        extra: (place among the blocks, tag, body) of further blocks.
        index, end: bodies in place of right ones.
        order: of all blocks, in place of theirs.
        version: major and minor.
    """

    fields: list[Any]
    sections: list[SectionParts] = field(default_factory=list)
    chunks: list[ChunkParts] = field(default_factory=list)
    extra: list[tuple[int, str, bytes]] = field(default_factory=list)
    index: bytes | None = None
    end: bytes | None = None
    order: list[int] | None = None
    version: tuple[int, int] = (1, 0)

    def copy(self) -> Parts:
        return copy.deepcopy(self)

    def with_symbol_sums(self, sums: list[int]) -> Parts:
        out = self.copy()
        for chunk, value in zip(out.chunks, sums, strict=False):
            chunk.symbols = value
        return out

    def to_bytes(self) -> bytes:
        header = header_bytes(self.fields, self.version)
        seed = int.from_bytes(header[-4:], "little")
        blocks: list[tuple[str, bytes]] = [("S", section.body()) for section in self.sections]
        done, counts = 0, []
        for chunk in self.chunks:
            blocks.append(("C", chunk.body(done)))
            done += chunk.count
            counts.append(chunk.count)
        for place, tag, body in self.extra:
            blocks.insert(place % (len(blocks) + 1), (tag, body))
        if self.order is not None:
            blocks = [blocks[number % len(blocks)] for number in self.order] if blocks else []
        framed = [block(tag, body, seed) for tag, body in blocks]
        out = header + b"".join(framed)
        indexed = len(self.fields) > 2 and self.fields[2] == 1
        if not indexed:
            return out + block("E", varint(done) if self.end is None else self.end, seed)
        lengths = [len(data) for (tag, _), data in zip(blocks, framed, strict=True) if tag == "C"]
        first = len(out) - sum(lengths)
        right = varint(first) + varint(len(lengths))
        right += b"".join(varint(length) + varint(count) for length, count in zip(lengths, counts, strict=False))
        index = block("I", right if self.index is None else self.index, seed)
        end = varint(done) if self.end is None else self.end
        distance = len(index) + len(block("E", end + bytes(8), seed))
        return out + index + block("E", end + struct.pack("<Q", distance), seed)


def take_apart(data: bytes) -> Parts:
    """A valid file as parts; one that relies on a profile keeps its chunks as single payloads where shapes vary."""
    header, blocks = split(data)
    fields = fields_of(header)
    parts = Parts(fields, version=(header[8], header[9]))
    records = fields[5] if len(fields) > 5 and fields[5] is not None else None
    tensors = len(records) if records is not None else 1
    varying = sum(size is None for record in records or [] for size in (record[2] if len(record) > 2 else None) or [])
    for place, (tag, body) in enumerate(_numbered(blocks)):
        if tag == "S" and read_varint(body, 0)[0] < ANCILLARY:
            parts.sections.append(_section(body))
        elif tag == "C":
            parts.chunks.append(_chunk(body, tensors, varying, records is None))
        elif tag == "S" or tag.islower():
            parts.extra.append((place, tag, body))
    return parts


def _numbered(blocks: Blocks) -> Blocks:
    return blocks


def _section(body: bytes) -> SectionParts:
    kind, at = read_varint(body, 0)
    tensor, at = read_varint(body, at)
    element, packing, data = body[at], body[at + 1], body[at + 2 :]
    return SectionParts(kind, tensor, element, packing, zlib.decompress(data, -15) if packing else data)


def _chunk(body: bytes, tensors: int, varying: int, guess: bool) -> ChunkParts:
    first, at = read_varint(body, 0)
    count, at = read_varint(body, at)
    del first
    sizes = []
    for _ in range(count * (1 if guess else varying)):
        size, at = read_varint(body, at)
        sizes.append(size)
    lengths = []
    for _ in range(tensors):
        length, at = read_varint(body, at)
        lengths.append(length)
    symbols = int.from_bytes(body[at : at + 4], "little")
    at += 4
    payloads = []
    for length in lengths:
        payloads.append(body[at : at + length])
        at += length
    return ChunkParts(count, sizes, payloads, symbols)
