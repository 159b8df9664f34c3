"""Containers taken apart and put together again, checksums right, whatever stands in them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgpack

SIGNATURE = b"\x89CAUF\r\n\x1a"

Blocks = list[tuple[str, bytes]]


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """The integer at a position, and the position behind it."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position


def header_bytes(fields: Any, version: tuple[int, int] = (1, 0), *, packed: bytes | None = None) -> bytes:
    """A header with these fields, or these packed bytes in their place."""
    body = msgpack.packb(fields, use_single_float=True) if packed is None else packed
    head = SIGNATURE + bytes(version) + varint(len(body)) + body
    return head + struct.pack("<I", zlib.crc32(head))


def block(tag: str | int, body: bytes, seed: int) -> bytes:
    """A framed block; ``seed`` is the header's checksum."""
    framed = (tag.encode() if isinstance(tag, str) else bytes([tag])) + varint(len(body)) + body
    return framed + struct.pack("<I", zlib.crc32(framed, seed))


def assemble(header: bytes, blocks: Iterable[tuple[str | int, bytes]]) -> bytes:
    seed = int.from_bytes(header[-4:], "little")
    return header + b"".join(block(tag, body, seed) for tag, body in blocks)


def split(data: bytes) -> tuple[bytes, Blocks]:
    """Header and blocks of a file."""
    length, begin = read_varint(data, 10)
    end = begin + length + 4
    return data[:end], list(_blocks(data, end))


def _blocks(data: bytes, position: int) -> Iterator[tuple[str, bytes]]:
    while position < len(data):
        length, begin = read_varint(data, position + 1)
        yield chr(data[position]), data[begin : begin + length]
        position = begin + length + 4


def fields_of(header: bytes) -> Any:
    """The header's array."""
    return msgpack.unpackb(header[read_varint(header, 10)[1] : -4])


def with_fields(data: bytes, fields: Any) -> bytes:
    """The file with another header; block checksums follow it."""
    return assemble(header_bytes(fields), split(data)[1])
