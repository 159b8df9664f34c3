"""Where the bytes of a file go: header, sections, payloads, frames, index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..bitstream import Block, BlockParser, parse_section
from ..coders.sections import name_of
from ..decoder.random_access import PART, FileReader
from ..errors import DamagedError

__all__ = ["FILE", "GROUPS", "ByteShare", "byte_shares"]

FILE = None
"""The tensor of what belongs to none."""

GROUPS = ("payload", "profile, tables, bases", "frames of chunks", "header", "index and end", "other blocks")
"""What bytes are for, in the order of a page's colours."""
PAYLOAD, SECTIONS, FRAMES, HEADER, INDEX, OTHER = GROUPS

KINDS = {
    "offset-codes": "statistics of channels",
    "wide-offset-codes": "statistics of channels",
    "scale-codes": "statistics of channels",
    "channel-levels": "classes of symbols",
    "band-levels": "classes of symbols",
    "band-steps": "steps of bands",
    "tables": "tables of symbols",
    "context-map": "tables of symbols",
    "basis": "basis",
    "basis-scales": "basis",
    "analysis": "basis",
    "analysis-scales": "basis",
    "group-ranks": "basis",
    "turns": "turns of positions",
    "metadata": "metadata",
}
"""Name of a section -> what it is; all others are weights of the learned codec."""


@dataclass(frozen=True)
class ByteShare:
    """Bytes of one kind.

    Args:
        group: one of :data:`GROUPS`.
        what: they are, in words.
        tensor: whose they are, by number; None for the file's.
        bytes: how many, with the frames of their blocks.
    """

    group: str
    what: str
    tensor: int | None
    bytes: int


def byte_shares(reader: FileReader, payloads: Sequence[int]) -> list[ByteShare]:
    """All bytes of a file, each in one share; chunks are not read.

    Args:
        reader: of the file.
        payloads: bytes of every tensor's payloads.

    Raises:
        FormatError: if sections are damaged or malformed.
    """
    found = [ByteShare(HEADER, "structure, records of tensors", FILE, reader.prelude.length)]
    found += _sections(reader)
    found += [ByteShare(PAYLOAD, "coded values", number, size) for number, size in enumerate(payloads) if size]
    chunks = sum(length for length, _ in reader.index.chunks)
    found.append(ByteShare(FRAMES, "shapes, lengths, checksums, keys", FILE, chunks - sum(payloads)))
    last = _last(reader)
    found.append(ByteShare(INDEX, "where chunks are, that all is there", FILE, reader.size - last))
    found.append(ByteShare(OTHER, "between chunks", FILE, last - reader.prelude.start - chunks))
    return [share for share in found if share.bytes]


def _last(reader: FileReader) -> int:
    """Offset behind the last chunk."""
    index = reader.index
    return index.end if not index.starts else index.starts[-1] + index.chunks[-1][0]


def _sections(reader: FileReader) -> Iterator[ByteShare]:
    """Shares of what stands between header and chunks: of each tensor one per kind."""
    sums: dict[tuple[str, str, int | None], int] = {}
    for block in _blocks(reader):
        section = parse_section(block.body, block.offset, reader.limits) if block.tag == "S" else None
        key: tuple[str, str, int | None] = (OTHER, "before chunks", FILE)
        if section is not None:
            name = name_of(section)
            own = FILE if name == "metadata" else section.tensor
            key = (SECTIONS, KINDS.get(name, "weights of the learned codec"), own)
        sums[key] = sums.get(key, 0) + block.length
    return (ByteShare(group, what, tensor, size) for (group, what, tensor), size in sums.items())


def _blocks(reader: FileReader) -> Iterator[Block]:
    """The blocks between header and chunks."""
    offset, end = reader.prelude.length, reader.prelude.start
    parser = BlockParser(reader.prelude.seed, offset, reader.limits)
    while parser.offset < end:
        block = parser.cut()
        if block is not None:
            yield block
            continue
        part = reader.read_at(offset, min(PART, end - offset))
        if not part:
            raise DamagedError("the file ends within a section", offset=offset)
        parser.feed(part)
        offset += len(part)
