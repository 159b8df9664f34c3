"""Annotate a small .cauf file byte by byte, as a Markdown block for the specification.

python -m tools.make.listing spec/vectors/1.0/valid/tiny.cauf
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import msgpack

from caufc.bitstream import SIGNATURE, Cursor

HEADER_FIELDS = ("content", "profile", "flags", "gain", "tree", "tensors", "arch")


def lines(data: bytes) -> Iterator[tuple[int, bytes, str]]:
    """(offset, bytes, what they are) of a whole file of one tensor of fixed shape."""
    cursor = Cursor(data)

    def took(start: int, what: str) -> tuple[int, bytes, str]:
        return start, data[start : cursor.position], what

    cursor.take(len(SIGNATURE))
    yield took(0, "signature")
    cursor.take(2)
    yield took(8, "version 1.0")
    start = cursor.position
    length = cursor.varint()
    yield took(start, f"header: {length} bytes")
    yield from header_lines(data, cursor.position, length)
    cursor.take(length)
    start = cursor.position
    cursor.take(4)
    yield took(start, "checksum of all bytes before")
    while cursor.left:
        start = cursor.position
        tag, length = chr(cursor.byte()), cursor.varint()
        yield took(start, f"block '{tag}', {length} byte{'' if length == 1 else 's'}")
        body = cursor.position
        yield from body_lines(tag, data[body : body + length], body)
        cursor.take(length)
        start = cursor.position
        cursor.take(4)
        yield took(start, "checksum of the block, continued from the header's")


def header_lines(data: bytes, start: int, length: int) -> Iterator[tuple[int, bytes, str]]:
    """The fields of the header's array."""
    unpacker = msgpack.Unpacker()
    unpacker.feed(data[start : start + length])
    count = unpacker.read_array_header()
    yield start, data[start : start + unpacker.tell()], f"array of {count} fields"
    for name in HEADER_FIELDS[:count]:
        begin = unpacker.tell()
        value = unpacker.unpack()
        yield start + begin, data[start + begin : start + unpacker.tell()], f"{name}: {value}"


def body_lines(tag: str, body: bytes, offset: int) -> Iterator[tuple[int, bytes, str]]:
    """The parts of a block's body."""
    cursor = Cursor(body)

    def took(start: int, what: str) -> tuple[int, bytes, str]:
        return offset + start, body[start : cursor.position], what

    if tag == "S":
        kind, tensor, element, packing = cursor.varint(), cursor.varint(), cursor.byte(), cursor.byte()
        yield took(0, f"type {kind}, tensor {tensor}, element {element}, packing {packing}")
        start = cursor.position
        cursor.take(cursor.left)
        yield took(start, "deflated data" if packing else "data")
    elif tag == "C":
        first, count = cursor.varint(), cursor.varint()
        yield took(0, f"samples from {first}: {count}")
        start = cursor.position
        yield (lambda size: took(start, f"payload: {size} bytes"))(cursor.varint())
        start = cursor.position
        cursor.take(4)
        yield took(start, "checksum of the symbols")
        start = cursor.position
        cursor.take(1)
        yield took(start, "payload: flags")
        start = cursor.position
        cursor.take(cursor.left)
        yield took(start, "payload: words")
    else:
        cursor.take(cursor.left)
        yield took(0, f"samples: {body[0]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, help="of one tensor of fixed shape")
    data = parser.parse_args().file.read_bytes()
    print("```")
    for offset, part, what in lines(data):
        for start in range(0, len(part), 12):
            shown = part[start : start + 12].hex(" ").upper()
            print(f"{offset + start:04X}  {shown:<36} {what if not start else ''}".rstrip())
    print("```")


if __name__ == "__main__":
    main()
