"""What stands before the samples: header and sections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..bitstream import Block, BlockParser, Header, HeaderParser, Section, parse_section
from ..errors import DamagedError
from ..limits import Limits

__all__ = ["BlockStream", "Prelude", "read_prelude"]


class BlockStream:
    """Blocks from an iterator of byte strings; pulls only as much as the next block needs.

    Args:
        data: the file's bytes in parts of any size.
        limits: lengths are checked against them.
        parser: where the data begin behind the header; None where they begin with it.
    """

    def __init__(self, data: Iterator[bytes], limits: Limits, parser: BlockParser | None = None) -> None:
        self.data, self.limits, self.parser = data, limits, parser

    def header(self) -> tuple[Header, int]:
        """The header, and its length in bytes.

        Raises:
            DamagedError: if the file ends first.
        """
        parser = HeaderParser(self.limits)
        while (found := parser.next()) is None:
            part = next(self.data, b"")
            if not part:
                raise DamagedError("the file ends within the header", offset=len(parser.buffer))
            parser.feed(part)
        header, seed, length = found
        self.parser = BlockParser(seed, length, self.limits)
        self.parser.feed(parser.buffer[length:])
        return header, length

    def block(self) -> Block:
        """The next block.

        Raises:
            DamagedError: if the file ends first.
        """
        parser = self.started()
        while (block := parser.next()) is None:
            part = next(self.data, b"")
            if not part:
                raise DamagedError("the file ends within a block", offset=parser.offset + parser.pending)
            parser.feed(part)
        return block

    def finish(self) -> None:
        """Check that nothing follows.

        Raises:
            DamagedError: if bytes follow the end.
        """
        parser = self.started()
        if parser.pending or next(self.data, b""):
            raise DamagedError("bytes follow the end", offset=parser.offset)

    def started(self) -> BlockParser:
        """The parser behind the header."""
        if self.parser is None:
            self.header()
        if self.parser is None:
            raise DamagedError("no header", offset=0)
        return self.parser


@dataclass(frozen=True)
class Prelude:
    """Header and sections.

    Args:
        header: of the file.
        length: of the header, in bytes.
        sections: of the file.
        first: the first block that is no section.
        stream: the blocks behind it.
    """

    header: Header
    length: int
    sections: tuple[Section, ...]
    first: Block
    stream: BlockStream


def read_prelude(data: Iterator[bytes], limits: Limits) -> Prelude:
    """Read up to the first block that is no section.

    Raises:
        FormatError: if the bytes are damaged or malformed.
        UnsupportedError: for what this version does not know, and over limits.
    """
    stream = BlockStream(data, limits)
    header, length = stream.header()
    sections: list[Section] = []
    total = 0
    while True:
        block = stream.block()
        if block.tag != "S":
            return Prelude(header, length, tuple(sections), block, stream)
        sections.append(parse_section(block.body, block.offset, limits))
        total = limits.check("section_bytes", total + len(sections[-1].data))
