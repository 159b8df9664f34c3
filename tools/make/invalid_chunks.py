"""Chunks, indexes, ends and stacks that decoders refuse, a file for each clause of sections 3.4 and 8."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from caufc.bitstream import varint
from tools.make.file_parts import (
    Case,
    Parts,
    chunk,
    framed,
    lossless,
    malformed,
    record,
    with_record,
)

__all__ = ["chunk_clauses", "indexed"]


def chunk_clauses() -> Iterator[Case]:
    """All of them."""
    yield from chunks()
    yield from indexes()
    yield from stacks()
    yield from limits()


def indexed(
    parts: Parts,
    entries: Sequence[tuple[int, int]] | None = None,
    offset: int = 0,
    distance: int = 0,
    behind: bytes = b"",
) -> Parts:
    """With an index and its distance, right unless there are other entries, or additions to offset and distance."""
    flagged = replace(parts, fields=[*parts.fields[:2], 1, *parts.fields[3:]], index=b"")
    bare = flagged.to_bytes()
    bodies = parts.chunks if entries is None else []
    found = [(len(framed("C", body, 0)), body[1]) for body in bodies] if entries is None else entries
    blocks = b"".join(framed("C", body, 0) for body in parts.chunks)
    first = len(bare) - len(framed("I", b"", 0)) - len(framed("E", parts.end, 0)) - len(blocks)
    index = varint(first + offset) + varint(len(found))
    index += b"".join(varint(length) + varint(count) for length, count in found) + behind
    away = len(framed("I", index, 0)) + len(framed("E", parts.end + bytes(8), 0))
    return replace(flagged, index=index, end=parts.end + (away + distance).to_bytes(8, "little"))


def chunks() -> Iterator[Case]:
    """0110 to 0114, 0004."""
    two = [chunk(), chunk(first=2)]
    yield malformed("chunk-left", 4, Parts(chunks=[chunk() + b"\x00"]))
    yield malformed("chunk-cut", 3, Parts(chunks=[b"\x00"]))
    yield malformed("chunk-large", 111, Parts(chunks=[chunk(count=65_537)], end=varint(65_537)))
    long = chunk()
    yield malformed("payload-cut", 3, Parts(chunks=[long[:2] + b"\x7f" + long[3:]]))
    single: dict[str, Any] = {"fields": [3, *Parts().fields[1:]]}
    yield malformed("single-of-two-chunks", 113, Parts(**single, chunks=[chunk(count=1), chunk(1, 1)], end=b"\x02"))
    yield malformed("single-of-none", 113, Parts(**single, chunks=[], end=b"\x00"))
    yield malformed("chunk-gap-behind", 114, Parts(chunks=[two[0], chunk(first=3)], end=b"\x05"))
    yield malformed("chunk-again", 114, Parts(chunks=[two[0], two[0]], end=b"\x04"))
    yield malformed(
        "end-cut", 3, indexed(Parts()).to_bytes()[: -len(framed("E", bytes(9), 0))] + _sealed(b"\x02" + bytes(7))
    )


def _sealed(end: bytes) -> bytes:
    """An end block of an indexed file of the usual chunk."""
    head = indexed(Parts()).to_bytes()
    length = 10 + 1 + head[10]
    return framed("E", end, int.from_bytes(head[length : length + 4], "little"))


def indexes() -> Iterator[Case]:
    """0140 to 0146."""
    two = Parts(chunks=[chunk(), chunk(first=2)], end=b"\x04")
    length = len(framed("C", two.chunks[0], 0))
    cases: tuple[tuple[str, list[tuple[int, int]]], ...] = (
        ("counts", [(length, 1), (length, 3)]), ("lengths", [(length - 1, 2), (length + 1, 2)]),
        ("bodies", [(length - 6, 2), (length - 6, 2)]), ("short-of-one", [(length, 2)]),
        ("joined", [(2 * length, 4)]), ("swapped", [(2, length), (2, length)]),
        ("more", [(length, 2), (length, 2), (0, 0)]),
    )  # fmt: skip
    for name, entries in cases:
        yield malformed(f"index-{name}", 142, indexed(two, entries))
    yield malformed("index-offset", 142, indexed(two, offset=-1))
    yield malformed("index-offset-late", 142, indexed(two, offset=length))
    yield malformed("index-left", 4, indexed(two, behind=b"\x00"))
    empty = Parts(chunks=[], end=b"\x00")
    yield malformed("index-of-none-offset", 142, indexed(empty, offset=1))
    yield malformed("index-of-none-zero", 142, indexed(empty, offset=-empty.to_bytes().index(b"E\x01\x00")))
    yield malformed("index-distance", 146, indexed(two, distance=1))
    yield malformed("index-distance-of-end", 146, indexed(two, distance=-len(framed("I", bytes(8), 0))))
    yield malformed("index-distance-high", 146, indexed(two, distance=1 << 32))
    right = indexed(two)
    gap = replace(right, extra=[("C", two.chunks[0]), ("x", b"gap")], chunks=two.chunks[1:])
    yield malformed("index-gap", 142, gap)


def stacks() -> Iterator[Case]:
    """0562 to 0564."""

    def stacked(*records: list[Any]) -> Parts:
        tree = [1, [], list(range(len(records)))]
        return Parts(fields=[0, None, 0, None, tree, list(records)], chunks=[], end=b"\x00")

    first = record()
    yield malformed("stack-itself-later", 562, stacked(first, record(leader=2), record(leader=2)))
    yield malformed("stack-of-hyperprior", 562, stacked(first, record(codec=2, parameters=[0], leader=0)))


def limits() -> Iterator[Case]:
    """0370, of chunks."""
    yield "limit-values-lossless", 370, "LimitError", _of_values((1 << 28) + 1).to_bytes()
    none = lossless(b"\x00", dtype=8)
    none.fields[5] = [record(dtype=8, shape=[0, 1 << 29], layout=None, codec=0, parameters=None)]
    none.chunks, none.end = [chunk(count=1, payload=b"\x00", symbols=b"")], b"\x01"
    yield "limit-empty-axes-lossless", 370, "LimitError", none.to_bytes()
    pairs = sorted(((a, b) for a in range(128) for b in range(128)), key=lambda pair: (pair[0] * pair[1], pair))[:1640]
    tensors = 40
    shapes = bytes(size for pair in pairs for size in pair) * tensors
    parts = with_record(shape=[1, None, None])
    parts.fields[:5] = [1, None, 0, None, [1, [], list(range(tensors))]]
    parts.fields[5] = parts.fields[5] * tensors
    parts.sections = []
    symbols = bytes(4 * tensors * sum(a * b for a, b in pairs))
    body = varint(0) + varint(len(pairs)) + shapes + b"\x01" * tensors + zlib.crc32(symbols).to_bytes(4, "little")
    parts.chunks, parts.end = [body + bytes(tensors)], varint(len(pairs))
    yield "limit-grids", 370, "LimitError", parts.to_bytes()


def _of_values(count: int) -> Parts:
    parts = lossless(b"\x01\x00", dtype=8)
    parts.fields[5] = [record(dtype=8, shape=[count], layout=None, codec=0, parameters=None)]
    parts.chunks = [chunk(count=1, payload=b"\x01\x00", symbols=b"")]
    parts.end = b"\x01"
    return parts
