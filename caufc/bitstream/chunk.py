"""Chunks: the coded samples, and what is needed to know their shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import MalformedError
from ..limits import Limits
from .keys import Key, keys_bytes, parse_keys
from .record import Shape
from .varint import Cursor, varint

__all__ = ["MAX_SAMPLES", "Chunk", "ChunkHead", "chunk_bytes", "parse_chunk", "parse_chunk_head", "work_of"]

MAX_SAMPLES = 65_536
"""Most samples a chunk may hold."""


@dataclass(frozen=True)
class Chunk:
    """Coded samples ``[first, first + count)``.

    Args:
        first: number of the first sample.
        count: number of samples, 1 to :data:`MAX_SAMPLES`.
        shapes: for every tensor, the shape of every sample, without a sample axis.
        payloads: for every tensor, the codec's bytes.
        symbols_checksum: CRC-32 over the symbols of all tensors.
        keys: of keyed samples; None for others.
    """

    first: int
    count: int
    shapes: tuple[tuple[tuple[int, ...], ...], ...]
    payloads: tuple[bytes | memoryview, ...]
    symbols_checksum: int
    keys: tuple[Key, ...] | None = None


def chunk_bytes(chunk: Chunk, templates: Sequence[Shape]) -> bytes:
    """The body of a chunk block [CAUF-0110]; ``templates`` are the header's shapes."""
    out = bytearray(varint(chunk.first) + varint(chunk.count))
    for template, shapes in zip(templates, chunk.shapes, strict=True):
        for shape in shapes if None in template else ():
            out += b"".join(varint(size) for size, fixed in zip(shape, template, strict=True) if fixed is None)
    for payload in chunk.payloads:
        out += varint(len(payload))
    out += chunk.symbols_checksum.to_bytes(4, "little")
    keys = b"" if chunk.keys is None else keys_bytes(chunk.keys)
    return bytes(out) + b"".join(chunk.payloads) + keys


@dataclass(frozen=True)
class ChunkHead:
    """What stands before the payloads of a chunk.

    Args:
        first: number of the first sample.
        count: number of samples.
        shapes: for every tensor, the shape of every sample.
        lengths: bytes of each payload.
        symbols_checksum: CRC-32 over the symbols of all tensors.
    """

    first: int
    count: int
    shapes: tuple[tuple[tuple[int, ...], ...], ...]
    lengths: tuple[int, ...]
    symbols_checksum: int


def parse_chunk(
    body: memoryview, templates: Sequence[Shape], offset: int, limits: Limits, *, keyed: bool = False
) -> Chunk:
    """Read the body of a chunk block; that of a keyed file ends with keys.

    Raises:
        LimitError: if its samples have too many values, or there are too many arrays.
        MalformedError: if it breaks the specification.
    """
    cursor = Cursor(body, offset)
    head = parse_chunk_head(cursor, templates, limits)
    payloads = tuple(cursor.take(length) for length in head.lengths)
    keys = parse_keys(cursor, head.count, limits) if keyed else None
    cursor.end()
    return Chunk(head.first, head.count, head.shapes, payloads, head.symbols_checksum, keys)


def parse_chunk_head(cursor: Cursor, templates: Sequence[Shape], limits: Limits) -> ChunkHead:
    """Read what stands before the payloads of a chunk.

    Raises:
        LimitError: if its samples have too many values, or there are too many arrays.
        MalformedError: if it breaks the specification, or goes on behind the cursor's bytes.
    """
    first, count = cursor.varint(), cursor.varint()
    if not 1 <= count <= MAX_SAMPLES:
        raise MalformedError(f"a chunk of {count} samples", requirement=111, offset=cursor.offset)
    limits.check("chunk_arrays", count * len(templates))
    elements = 0
    shapes = []
    for template in templates:
        shapes.append(_parse_shapes(cursor, template, count))
        elements += sum(work_of(shape) for shape in shapes[-1]) if None in template else count * work_of(shapes[-1][0])
        limits.check("chunk_elements", elements)
    lengths = tuple(cursor.varint() for _ in templates)
    return ChunkHead(first, count, tuple(shapes), lengths, int.from_bytes(cursor.take(4), "little"))


def work_of(shape: Sequence[int]) -> int:
    """Number of values of a shape, exact; axes of size 0 count as 1, for what they enclose costs work too."""
    product = 1
    for size in shape:
        product *= max(1, size)
    return product


def _parse_shapes(cursor: Cursor, template: Shape, count: int) -> tuple[tuple[int, ...], ...]:
    if None not in template:
        fixed = tuple(size for size in template if size is not None)
        return (fixed,) * count
    if count > cursor.left:
        raise MalformedError(f"{count} samples in {cursor.left} bytes", requirement=112, offset=cursor.offset)
    return tuple(tuple(cursor.varint() if size is None else size for size in template) for _ in range(count))
