"""Random access: any sample of a seekable file, by decoding its chunk alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial

import numpy as np

from ..bitstream import (
    DISTANCE_BYTES,
    TAIL_BYTES,
    Block,
    BlockParser,
    Chunk,
    Index,
    Key,
    parse_end,
    parse_index,
)
from ..coders.config import TensorConfig
from ..coders.prelude import BlockStream, Prelude, read_prelude
from ..coders.work import WorkMeter
from ..errors import CaufError, DamagedError, LimitError, MalformedError
from ..limits import Limits
from ..types import AnyArray
from .call_meter import CallMeter
from .chunk_cache import CACHE_BYTES, ChunkCache
from .file_decoder import ChunkDecoder, DecodedChunk, FileDecoder, Settle, as_it_is
from .lookup import Lookup

__all__ = ["HEAD", "PART", "TAIL", "FileReader", "ReadAt", "stored_index"]

ReadAt = Callable[[int, int], bytes]
"""(offset, length) -> that many bytes, fewer only at the end of the file."""

HEAD, PART = 1 << 14, 1 << 16
"""Bytes that are read at first, and then at once, of what stands before the chunks."""

TAIL = 1 << 14
"""Bytes from the end that are read at once: mostly they hold the whole index."""


class FileReader:
    """Reads samples of one file in any order; chunks that were decoded last are kept.

    What limits bound of a file, they bound here of each call, and of each chunk, which is decoded as a whole; only the
    number of samples of a list is the file's.

    Args:
        read_at: reads bytes of the file.
        size: of the file, in bytes.
        lookup: finds profiles.
        limits: checked before anything is allocated.
        only: names, prefixes or patterns of the tensors to decode; None for all.
        cache_bytes: of decoded chunks that are kept; that of the last one is, whatever its size.

    Attributes:
        file: number of the file, where several share a cache.
        settle: what becomes of a decoded chunk before it is kept.
        charged: configurations of the tensors that are decoded, with dtypes as large as they become.

    Raises:
        FormatError: if header, sections or index are damaged or malformed.
        InputError: if ``only`` names a tensor that there is not.
        LimitError: if header, sections, index or the number of samples are over a limit.
    """

    file = 0

    def __init__(
        self,
        read_at: ReadAt,
        size: int,
        lookup: Lookup,
        limits: Limits,
        *,
        only: Collection[str] | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.read_at, self.size, self.limits = read_at, size, limits
        self.settle: Settle = as_it_is
        self.prelude: Prelude = read_prelude(self._parts(0, HEAD), limits)
        self.chunks = ChunkDecoder(self.prelude.header, self.prelude.sections, lookup, limits, only)
        self.charged: tuple[TensorConfig, ...] = self.chunks.selection.configs
        self.index = self._stored_index() if self.prelude.header.indexed else self._scanned_index()
        if self._listed:
            limits.check("list_samples", self.index.samples)
        self.cache = ChunkCache(cache_bytes)

    def __len__(self) -> int:
        return self.index.samples

    @property
    def _listed(self) -> bool:
        """Whether samples cost something though they hold no value."""
        configs = self.chunks.selection.configs
        return self.chunks.structure.kind != "batch" or all(0 in config.template for config in configs)

    @cached_property
    def numbers(self) -> Mapping[Key, int]:
        """Number of the sample of every key, in order; empty where samples have none."""
        return {key: number for number, key in enumerate(self.index.keys or ())}

    def in_order(self) -> FileDecoder:
        """A decoder of the whole file, from its first chunk on; header and sections are not read again."""
        seed, offset = self.prelude.seed, self.prelude.start
        stream = BlockStream(self._parts(offset), self.limits, BlockParser(seed, offset, self.limits))
        return FileDecoder(replace(self.prelude, stream=stream), self.chunks, self.limits)

    def _parts(self, offset: int, length: int = PART) -> Iterator[bytes]:
        while part := self.read_at(offset, length):
            offset, length = offset + len(part), PART
            yield part

    def _block(self, offset: int, length: int) -> Block:
        parser = BlockParser(self.prelude.seed, offset, self.limits)
        parser.feed(self.read_at(offset, length))
        block = parser.next()
        if block is None or block.length != length:
            raise DamagedError(f"no block of {length} bytes", offset=offset)
        return block

    def _stored_index(self) -> Index:
        seed = self.prelude.seed
        keyed = self.chunks.keyed
        index = stored_index(self.read_at, self.size, self.prelude.length, seed, self.limits, keyed=keyed)
        if index.first != self.prelude.start:
            raise MalformedError("the index differs from the chunks", requirement=142, offset=index.end)
        return index

    def _scanned_index(self) -> Index:
        """Without an index, block after block is read."""
        first = block = self.prelude.first
        chunks: list[tuple[int, int]] = []
        starts: list[int] = []
        keys: list[Key] = []
        while block.tag == "C":
            chunk = self.chunks.parse(block)
            keys += chunk.keys or ()
            chunks.append((block.length, chunk.count))
            starts.append(block.offset)
            block = self.prelude.stream.block()
        if block.tag != "E" or parse_end(block.body, False, block.offset).samples != sum(n for _, n in chunks):
            raise MalformedError("the end differs from the chunks", requirement=146, offset=block.offset)
        self.prelude.stream.finish()
        if len(set(keys)) != len(keys):
            raise MalformedError("a key stands twice", requirement=505, offset=first.offset)
        return Index(first.offset, tuple(chunks), tuple(starts), tuple(keys) if self.chunks.keyed else None)

    def sample(self, number: int) -> list[AnyArray]:
        """One sample, an array per tensor that is decoded.

        Raises:
            FormatError: if its chunk is damaged or malformed.
            IndexError: if there is no such sample.
        """
        return self.samples([number])[0]

    def samples(self, numbers: Sequence[int], meter: CallMeter | None = None) -> list[list[AnyArray]]:
        """Samples by number, in that order; each of their chunks is decoded once at most.

        Args:
            numbers: of the samples.
            meter: of a call that reads other files too.

        Raises:
            FormatError: if a chunk is damaged or malformed.
            IndexError: if there is no such sample.
            LimitError: if a chunk, or all samples, are over a limit.
        """
        meter = meter or CallMeter(self.limits)
        if self._listed:
            meter.asked(len(numbers))
        by_chunk: dict[int, list[int]] = {}
        for place, number in enumerate(numbers):
            by_chunk.setdefault(self.index.find(number)[2], []).append(place)
        found: list[list[AnyArray]] = [[]] * len(numbers)
        missing = [first for first in by_chunk if not self.cache.holds((self.file, first))]
        beside = dict(itertools.pairwise(missing)) if self.chunks.together > 1 else {}
        ahead: dict[int, DecodedChunk] = {}
        for first, places in by_chunk.items():
            chunk = self.cache.get((self.file, first), partial(self._decode, first, beside.get(first), ahead))
            for place in places:
                arrays = [samples[numbers[place] - first] for samples in chunk.tensors]
                meter.add(arrays, self.charged)
                found[place] = [np.array(array) for array in arrays]
        return found

    def told_first(self, first: int) -> int:
        """What a chunk says of its first sample's number."""
        return first

    def chunk(self, number: int) -> Chunk:
        """The chunk that holds a sample, checked and not decoded.

        Raises:
            FormatError: if it is damaged or malformed.
            IndexError: if there is no such sample.
            LimitError: if decoding it is more work than a chunk may be, or it gives more than a file may.
        """
        offset, length, first = self.index.find(number)
        block = self._block(offset, length)
        chunk = self.chunks.parse(block)
        if block.tag != "C" or chunk.first != self.told_first(first) or number >= first + chunk.count:
            raise MalformedError("the index differs from the chunks", requirement=142, offset=offset)
        work = self.chunks.work(chunk)
        batch = self.chunks.structure.kind == "batch"
        WorkMeter(self.charged, batch, self.limits).add(self.chunks.shapes(chunk), chunk.count, work)
        return chunk

    def _decode(self, number: int, beside: int | None, ahead: dict[int, DecodedChunk]) -> DecodedChunk:
        """The chunk that holds a sample.

        Args:
            number: of the sample.
            beside: a sample of another chunk that will be wanted, which is decoded beside it.
            ahead: such chunks, by sample.
        """
        if number in ahead:
            return ahead.pop(number)
        if beside is not None:
            with suppress(CaufError):  # whose turn will come
                one, other = self.chunks.samples_of([self.chunk(number), self.chunk(beside)])
                ahead[beside] = self.settle(other)
                return self.settle(one)
        return self.settle(self.chunks.samples(self.chunk(number)))


def stored_index(read_at: ReadAt, size: int, begin: int, seed: int, limits: Limits, *, keyed: bool = False) -> Index:
    """The index to which the last bytes of a file lead.

    Args:
        read_at: reads bytes of the file.
        size: of the file, in bytes.
        begin: length of the header, in bytes.
        seed: the header's checksum.
        limits: checked before anything is read.
        keyed: whether samples have keys.

    Raises:
        FormatError: if index or end are damaged or malformed, or the index cannot be one of these bytes.
        LimitError: if one of them is longer than it may be.
    """
    tail = read_at(max(0, size - TAIL), TAIL)
    distance = int.from_bytes(tail[-TAIL_BYTES:][:DISTANCE_BYTES], "little")
    start = size - distance
    if len(tail) < TAIL_BYTES or start < begin:
        raise DamagedError("the end does not lead to the index", offset=size)
    limits.check("index_bytes", distance)
    parser = BlockParser(seed, start, limits)
    parser.feed(tail[-distance:] if distance <= len(tail) else read_at(start, distance))
    try:
        index_block, end_block = parser.next(), parser.next()
    except LimitError as err:
        if err.value <= distance:
            raise
        raise DamagedError("no index where the last bytes point", offset=start) from err
    if index_block is None or end_block is None or (index_block.tag, end_block.tag) != ("I", "E"):
        raise DamagedError("no index and end where the last bytes point", offset=start)
    index = parse_index(index_block.body, start, limits, keyed=keyed)
    end = parse_end(end_block.body, True, end_block.offset)
    if end.samples != index.samples or parser.pending:
        raise MalformedError("index and end differ", requirement=146, offset=start)
    if index.first < begin:
        raise MalformedError("the index differs from the chunks", requirement=142, offset=start)
    _check_between(read_at, index.end, start, seed, limits)
    return index


def _check_between(read_at: ReadAt, end: int, start: int, seed: int, limits: Limits) -> None:
    """Between the end of the chunks and the start of the index stand ancillary blocks, if anything [CAUF-0022]."""
    parser = BlockParser(seed, end, limits)
    while end < start:
        part = read_at(end, min(PART, start - end))
        parser.feed(part)
        if not part or parser.next() is not None:
            break
        end += len(part)
    if end != start or parser.pending:
        raise MalformedError("the index differs from the chunks", requirement=142, offset=start)
