"""What a damaged file still holds: every chunk whose bytes and symbols are whole."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ..bitstream import Block, BlockParser, Cursor, Header, Key, Section, parse_end, parse_index, parse_section
from ..coders.prelude import BlockStream, Prelude
from ..coders.work import WorkMeter
from ..errors import DamagedError, FormatError, LimitError
from ..limits import Limits
from .file_decoder import ChunkDecoder, DecodedChunk
from .lookup import Lookup
from .random_access import PART, ReadAt, stored_index

__all__ = ["Recovery", "WholeChunk"]

HEAD = 1 << 10
TAGS = b"CIE"
"""What a search behind damage looks for."""

SEARCHED = 8
"""How many times the file's length a search may read, so that it ends."""


@dataclass(frozen=True)
class _Place:
    tag: str
    offset: int
    length: int


@dataclass(frozen=True)
class WholeChunk:
    """A whole chunk: a block of so many bytes at an offset, with samples ``[first, first + count)`` and their keys."""

    offset: int
    length: int
    first: int
    count: int
    keys: tuple[Key, ...] | None


class Recovery:
    """Finds and decodes the whole chunks of a file whose header and sections are whole.

    Args:
        read_at: reads bytes of the file.
        size: of the file, in bytes.
        lookup: finds profiles and weights.
        limits: checked before anything is allocated.
        only: names, prefixes or patterns of the tensors to decode; None for all.
        deep: decode the symbols of every chunk too, and leave out those whose checksum differs; without, only the
            checksums over bytes are checked.

    Raises:
        FormatError: if header or sections are damaged, or may be (samples could then decode to other values), or if
            no chunk is whole.
    """

    def __init__(
        self,
        read_at: ReadAt,
        size: int,
        lookup: Lookup,
        limits: Limits,
        only: Collection[str] | None = None,
        *,
        deep: bool = True,
    ) -> None:
        self.read_at, self.size, self.limits, self.deep = read_at, size, limits, deep
        stream = BlockStream(iter([read_at(0, limits.header_bytes + HEAD)]), limits)
        header, self.begin = stream.header()
        self.seed = stream.started().seed
        self.total: int | None = None
        self.budget = SEARCHED * size
        places, sections = self._places(header)
        self.prelude = Prelude(header, self.begin, tuple(sections), min(places, default=self.begin), stream)
        self.chunks = ChunkDecoder(header, sections, lookup, limits, only)
        self.whole = tuple(self._decodable(places))
        if not self.whole:
            raise DamagedError("no chunk is whole, so nothing can be recovered", offset=self.begin)

    @property
    def samples(self) -> int:
        """How many samples are there."""
        return sum(chunk.count for chunk in self.whole)

    @property
    def keys(self) -> list[Key]:
        """Keys of the samples that are there, if they have some."""
        return [key for chunk in self.whole for key in chunk.keys or ()]

    @property
    def lost(self) -> list[tuple[int, int | None]]:
        """Ranges ``[first, stop)`` of samples that are not; no stop where nobody knows how many there were."""
        gaps: list[tuple[int, int | None]] = []
        expected = 0
        for chunk in self.whole:
            if chunk.first > expected:
                gaps.append((expected, chunk.first))
            expected = chunk.first + chunk.count
        if self.total is None or self.total > expected:
            gaps.append((expected, self.total))
        return gaps

    def decode(self) -> Iterator[DecodedChunk]:
        """What is there, in order; samples are numbered anew, without gaps."""
        done = 0
        for whole in self.whole:
            block = self._block(whole.offset)
            if block is None:
                raise DamagedError("changed while it was read", offset=whole.offset)
            decoded = self.chunks.samples(self.chunks.parse(block))
            yield DecodedChunk(done, decoded.count, decoded.tensors)
            done += decoded.count

    def _places(self, header: Header) -> tuple[list[int], list[Section]]:
        """Where chunks may be, and the sections before them: as the index says if it is whole, else by a walk."""
        if header.indexed:
            try:
                keyed = header.content == "keyed"
                index = stored_index(self.read_at, self.size, self.begin, self.seed, self.limits, keyed=keyed)
            except (FormatError, LimitError):
                return self._walked(header)
            self.total = index.samples
            return index.offsets, self._sections(index.first)
        return self._walked(header)

    def _walked(self, header: Header) -> tuple[list[int], list[Section]]:
        places, damage = self._walk()
        chunks = [place for place in places if place.tag == "C"]
        for place in places:
            if place.tag == "I":
                self.total = self._indexed_samples(place.offset, keyed=header.content == "keyed")
            elif place.tag == "E":
                self.total = self._announced_samples(place.offset) or self.total
        if not chunks:
            raise DamagedError("no chunk is whole, so nothing can be recovered", offset=self.begin)
        before = [offset for offset in damage if offset < chunks[0].offset]
        if before and not self._is_one_chunk(before, chunks[0].offset):
            raise DamagedError("a section may be damaged, so no sample can be trusted", offset=before[0])
        return [place.offset for place in chunks], self._sections(before[0] if before else chunks[0].offset)

    def _walk(self) -> tuple[list[_Place], list[int]]:
        """All whole blocks, and where damage begins."""
        places: list[_Place] = []
        damage: list[int] = []
        offset = self.begin
        while offset < self.size:
            block = self._block(offset)
            if block is None:
                damage.append(offset)
                offset = self._search(offset)
                continue
            places.append(_Place(block.tag, offset, block.length))
            offset += block.length
        return places, damage

    def _is_one_chunk(self, damage: list[int], following: int) -> bool:
        """Whether one block alone is damaged between the sections and a chunk that is not the first."""
        length = self._announced_length(damage[0])
        block = self._block(following)
        if len(damage) > 1 or length is None or block is None or damage[0] + length != following:
            return False
        return Cursor(block.body, following).varint() > 0

    def _sections(self, end: int) -> list[Section]:
        """All sections before a place, between which nothing is damaged."""
        sections: list[Section] = []
        offset = self.begin
        while offset < end:
            block = self._block(offset)
            if block is None:
                raise DamagedError("a section is damaged, so no sample can be trusted", offset=offset)
            if block.tag == "S":
                section = parse_section(block.body, offset, self.limits)
                sections += [] if section is None else [section]
                self.limits.check("section_bytes", sum(len(section.data) for section in sections))
            offset += block.length
        return sections

    def _decodable(self, places: list[int]) -> Iterator[WholeChunk]:
        """Chunks whose bytes, counts and symbols are right."""
        meter = WorkMeter(self.chunks.selection.configs, self.chunks.structure.kind == "batch", self.limits)
        expected = 0
        for offset in places:
            block = self._block(offset)
            if block is None or block.tag != "C":
                continue
            try:
                chunk = self.chunks.parse(block)
                work = self.chunks.work(chunk)
                if self.deep:
                    self.chunks.samples(chunk)
            except FormatError:
                continue
            if chunk.first >= expected and (self.total is None or chunk.first + chunk.count <= self.total):
                meter.add(self.chunks.shapes(chunk), chunk.count, work)
                yield WholeChunk(offset, block.length, chunk.first, chunk.count, chunk.keys)
                expected = chunk.first + chunk.count

    def _indexed_samples(self, offset: int, *, keyed: bool) -> int | None:
        """Samples of an index that is whole, though the end behind it may not be."""
        block = self._block(offset)
        try:
            return None if block is None else parse_index(block.body, offset, self.limits, keyed=keyed).samples
        except (FormatError, LimitError):
            return None

    def _announced_samples(self, offset: int) -> int | None:
        block = self._block(offset)
        try:
            return None if block is None else parse_end(block.body, len(block.body) > 4, offset).samples
        except FormatError:
            return None

    def _announced_length(self, offset: int) -> int | None:
        """Length of a block as its frame tells, if that is within the file."""
        parser = BlockParser(self.seed, offset, self.limits)
        parser.feed(self.read_at(offset, HEAD))
        try:
            length = parser.length()
        except (FormatError, LimitError):
            return None
        return length if length is not None and offset + length <= self.size else None

    def _block(self, offset: int) -> Block | None:
        """The block at an offset, None if it is not whole."""
        length = self._announced_length(offset)
        if length is None:
            return None
        parser = BlockParser(self.seed, offset, self.limits)
        parser.feed(self.read_at(offset, length))
        try:
            return parser.cut()
        except FormatError:
            return None

    def _search(self, damage: int) -> int:
        """Where the next whole block is: where the damaged one says that it ends, or anywhere behind."""
        length = self._announced_length(damage)
        if length is not None and self._block(damage + length) is not None:
            return damage + length
        offset = damage + 1
        while offset < self.size and self.budget > 0:
            part = self.read_at(offset, PART)
            for at in (at for at, byte in enumerate(part) if byte in TAGS):
                length = self._announced_length(offset + at)
                if length is None or self.budget <= 0:
                    continue
                self.budget -= length
                if self._block(offset + at) is not None:
                    return offset + at
            self.budget -= len(part)
            offset += len(part)
        return self.size
