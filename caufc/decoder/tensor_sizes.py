"""How large each tensor of a file is, from what stands before the payloads of its chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..bitstream import ChunkHead, Cursor, parse_chunk_head
from ..coders.stack import stacks_of
from ..errors import DamagedError, MalformedError
from .random_access import FileReader

__all__ = ["TensorSize", "tensor_sizes"]

HEAD = 1 << 14
"""Bytes of a chunk that are read at first; most need fewer."""

CHECKSUM = 4


@dataclass
class TensorSize:
    """How large one tensor is.

    Args:
        numel: number of values.
        payload_bytes: of its payloads; those of a stack are shared out equally.
    """

    numel: int = 0
    payload_bytes: int = 0


def tensor_sizes(reader: FileReader) -> list[TensorSize]:
    """The sizes of a file's tensors; payloads are not read, so their checksums are not checked.

    Raises:
        DamagedError: if a chunk is not what the index says.
        LimitError: if a chunk has too many values or arrays.
        MalformedError: if a chunk breaks the specification.
    """
    configs = reader.chunks.configs
    sizes, stacks = [TensorSize() for _ in configs], stacks_of(configs)
    for head in _heads(reader):
        for config, size, shapes in zip(configs, sizes, head.shapes, strict=True):
            alike = None not in config.template
            size.numel += head.count * config.size(shapes[0]) if alike else sum(map(config.size, shapes))
        for stack in stacks:
            for number, share in zip(stack.members, stack.shared_out(head.lengths[stack.leader]), strict=True):
                sizes[number].payload_bytes += share
    return sizes


def _heads(reader: FileReader) -> Iterator[ChunkHead]:
    first = 0
    for number, (length, count) in enumerate(reader.index.chunks):
        head = _head(reader, reader.index.offset(number), length)
        if (head.first, head.count) != (reader.told_first(first), count):
            raise DamagedError("a chunk is not what the index says", offset=reader.index.offset(number))
        first += count
        yield head


def _head(reader: FileReader, offset: int, length: int) -> ChunkHead:
    """What stands before the payloads of the chunk block at an offset."""
    try:
        return _parsed(reader, offset, length, min(length, HEAD))
    except MalformedError:
        if length <= HEAD:
            raise
        return _parsed(reader, offset, length, length)


def _parsed(reader: FileReader, offset: int, length: int, read: int) -> ChunkHead:
    cursor = Cursor(reader.read_at(offset, read), offset)
    tag, body = cursor.byte(), cursor.varint()
    start = cursor.position
    head = parse_chunk_head(cursor, reader.chunks.templates, reader.limits)
    end = start + body
    keys = end - cursor.position - sum(head.lengths)
    fits = keys >= 0 if reader.chunks.keyed else keys == 0
    if tag != ord("C") or not fits or end + CHECKSUM != length:
        raise DamagedError("no chunk of this length", offset=offset)
    return head
