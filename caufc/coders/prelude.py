"""What stands before the samples: header and sections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ..bitstream import KNOWN_TAGS, Block, BlockParser, Header, HeaderParser, Section, parse_section
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
            self._feed(parser)
        return block

    def _feed(self, parser: BlockParser) -> None:
        part = next(self.data, b"")
        if not part:
            raise DamagedError("the file ends within a block", offset=parser.offset + parser.pending)
        parser.feed(part)

    def tag(self) -> str:
        """The tag of the next block, of which no more is read; ancillary blocks before it are checked and skipped.

        Raises:
            DamagedError: if the file ends first.
            MalformedError: if there is no block.
            UnsupportedError: for a critical block of an unknown kind.
        """
        parser = self.started()
        while not parser.pending or parser.buffer[0] not in KNOWN_TAGS:
            if not parser.pending or parser.cut() is None:
                self._feed(parser)
        return chr(parser.buffer[0])

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
        start: where the first block is that is no section, in bytes.
        stream: the blocks from there on.
    """

    header: Header
    length: int
    sections: tuple[Section, ...]
    start: int
    stream: BlockStream

    @property
    def seed(self) -> int:
        """What the checksums of blocks begin with."""
        return self.stream.started().seed

    @cached_property
    def first(self) -> Block:
        """The first block that is no section, read when it is asked for.

        Raises:
            FormatError: if it is damaged or malformed.
            UnsupportedError: if it is of a critical kind that this version does not know, or over limits.
        """
        return self.stream.block()


def read_prelude(data: Iterator[bytes], limits: Limits) -> Prelude:
    """Read header and sections, and nothing of the block behind them but what came along.

    Raises:
        FormatError: if the bytes are damaged or malformed.
        UnsupportedError: for what this version does not know, and over limits.
    """
    stream = BlockStream(data, limits)
    header, length = stream.header()
    sections: list[Section] = []
    total = 0
    while True:
        if stream.tag() != "S":
            return Prelude(header, length, tuple(sections), stream.started().offset, stream)
        block = stream.block()
        section = parse_section(block.body, block.offset, limits)
        if section is not None:
            sections.append(section)
            total = limits.check("section_bytes", total + len(section.data))
