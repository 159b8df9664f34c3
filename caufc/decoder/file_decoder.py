"""Decoding: a container in, chunks of samples out, every checksum and count checked on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from ..bitstream import (
    Block,
    Chunk,
    Header,
    Index,
    Key,
    Section,
    checksum,
    metadata_of,
    parse_chunk,
    parse_end,
    parse_index,
)
from ..coders.base import DecodedSymbols, Samples, Shapes, Work
from ..coders.config import TensorConfig
from ..coders.file_coders import coders_of
from ..coders.prelude import Prelude, read_prelude
from ..coders.resolve import resolve
from ..coders.stack import shares_out, stacks_of
from ..coders.work import WorkMeter, chunk_work
from ..errors import CaufError, DamagedError, MalformedError
from ..limits import Limits
from ..threads import in_order, one_blas_thread
from ..types import Structure
from .lookup import Lookup
from .selection import Selection

__all__ = ["ChunkDecoder", "DecodedChunk", "FileDecoder", "Settle", "as_it_is"]


@dataclass(frozen=True)
class DecodedChunk:
    """Samples ``[first, first + count)`` of every tensor that is decoded, stacked or as lists."""

    first: int
    count: int
    tensors: tuple[Samples, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        tensors = (samples if isinstance(samples, list) else [samples] for samples in self.tensors)
        return sum(sample.nbytes for of_tensor in tensors for sample in of_tensor)

    @property
    def stop(self) -> int:
        """Number of the sample behind the last."""
        return self.first + self.count


Item = TypeVar("Item")

SINGLE = 8
"""So many of the first chunks a thread are decoded one by one, not two at a time."""

Settle = Callable[[DecodedChunk], DecodedChunk]
"""What becomes of a chunk in the thread that has decoded it."""


def as_it_is(chunk: DecodedChunk) -> DecodedChunk:
    """The chunk."""
    return chunk


class ChunkDecoder:
    """Decodes chunks of one file, each on its own.

    Args:
        header: of the file.
        sections: of the file.
        lookup: finds the profile and the weights that the header names.
        limits: checked before anything is allocated.
        only: names, prefixes or patterns of the tensors to decode; None for all. Of the others nothing is decoded, so
            the checksum over all symbols is not checked; that over bytes is.

    Attributes:
        structure, configs: of the file.
        selection: what is decoded.

    Raises:
        InputError: if ``only`` names a tensor that there is not.
        MalformedError: if header or sections break the specification.
        MissingProfileError: if the file needs a profile that is not here.
        MissingWeightsError: if it needs weights that are not here.
        UnsupportedError: for registry numbers that this version does not know.
    """

    def __init__(
        self,
        header: Header,
        sections: Sequence[Section],
        lookup: Lookup,
        limits: Limits,
        only: Collection[str] | None = None,
    ) -> None:
        if header.content in ("profile", "weights"):
            raise MalformedError(
                f"holds {'a profile' if header.content == 'profile' else 'weights'} and no samples",
                requirement=164,
                remedy=f"encode with it: --{header.content} FILE",
            )
        profile = lookup(header.profile) if header.profile is not None else None
        base = None if profile is None else (profile.header, profile.sections)
        weights = () if header.weights is None else lookup.weights(header.weights).sections
        self.limits = limits
        self.structure: Structure
        self.configs: tuple[TensorConfig, ...]
        self.structure, self.configs, self.arch = resolve(header, sections, base, weights)
        self.metadata = metadata_of(sections)
        self.gain = 1.0 if header.gain is None else header.gain
        self.templates = [config.template for config in self.configs]
        self.selection = Selection.of(self.structure, self.configs, only)
        stacks = stacks_of(self.configs)
        self.stacks = [stack for stack in stacks if not set(self.selection.numbers).isdisjoint(stack.members)]
        self.whole = len(self.stacks) == len(stacks)
        self.coders = coders_of(self.stacks, self.gain, limits)
        self._work: tuple[tuple[Shapes, ...], Work] | None = None

    @property
    def keyed(self) -> bool:
        """Whether samples have keys."""
        return self.structure.kind == "keyed"

    @property
    def together(self) -> int:
        """How many chunks should be decoded side by side."""
        return max((coder.together for coder in self.coders), default=1)

    def parse(self, block: Block) -> Chunk:
        """Read a chunk block.

        Raises:
            LimitError: if it has too many values or arrays.
            MalformedError: if it breaks the specification.
        """
        chunk = parse_chunk(block.body, self.templates, block.offset, self.limits, keyed=self.keyed)
        if self.structure.kind == "single" and (chunk.first, chunk.count) != (0, 1):
            raise MalformedError("more than one sample in a single", requirement=113, offset=block.offset)
        return chunk

    def work(self, chunk: Chunk) -> Work:
        """What decoding a chunk costs.

        Raises:
            LimitError: if it is more than a chunk may cost.
            MalformedError: for shapes that a layout does not fit.
        """
        known = self._work
        if known is None or known[0] != chunk.shapes:
            found = chunk_work(self.coders, [stack.shapes(chunk.shapes) for stack in self.stacks], self.limits)
            known = self._work = chunk.shapes, found  # threads may do so side by side
        return known[1]

    def symbols(self, chunk: Chunk, threads: int = 1) -> list[DecodedSymbols]:
        """Decode the integers of a chunk, by stack.

        Args:
            chunk: as it was parsed.
            threads: that work, each on a stack.

        Raises:
            DamagedError: if their checksum differs.
            MalformedError: if a payload breaks the specification.
        """

        return self._symbols_of([chunk], threads)[0]

    def _symbols_of(self, chunks: Sequence[Chunk], threads: int = 1) -> list[list[DecodedSymbols]]:
        """Integers of chunks, by chunk and stack."""

        def decoded(number: int) -> list[DecodedSymbols]:
            stack, coder = self.stacks[number], self.coders[number]
            given = [(memoryview(stack.payload(chunk.payloads)), stack.shapes(chunk.shapes)) for chunk in chunks]
            try:
                return coder.decode_symbols_of(given)
            except CaufError as err:
                raise err.locate(tensor=stack.config.name) from err

        by_stack = self._by_stack(decoded, threads)
        found = [[of_stack[number] for of_stack in by_stack] for number in range(len(chunks))]
        for chunk, of_chunk in zip(chunks, found, strict=True):
            self._check(chunk, of_chunk)
        return found

    def _by_stack(self, function: Callable[[int], Item], threads: int) -> list[Item]:
        """What a function gives for every stack, by number."""
        numbers = range(len(self.stacks))
        if threads == 1:
            return [function(number) for number in numbers]
        with closing(in_order(function, numbers, threads)) as by_stack:
            return [*by_stack]

    def _check(self, chunk: Chunk, by_stack: Sequence[DecodedSymbols]) -> None:
        """Integers against their checksum, which is over those of all tensors."""
        computed = 0
        for symbols in by_stack:
            for part in symbols.covered:
                computed = checksum(part, computed)
        if self.whole and computed != chunk.symbols_checksum:
            raise DamagedError(f"checksum of the symbols from sample {chunk.first} differs")

    def samples(self, chunk: Chunk, threads: int = 1) -> DecodedChunk:
        """Decode a chunk to samples, with so many threads, each on a stack."""
        return self.samples_of([chunk], threads)[0]

    def samples_of(self, chunks: Sequence[Chunk], threads: int = 1) -> list[DecodedChunk]:
        """The same for several chunks, whose integers are decoded side by side."""
        with one_blas_thread():
            by_chunk = zip(chunks, self._symbols_of(chunks, threads), strict=True)
            return [self._reconstructed(chunk, symbols, threads) for chunk, symbols in by_chunk]

    def _reconstructed(self, chunk: Chunk, by_stack: Sequence[DecodedSymbols], threads: int) -> DecodedChunk:
        """Integers to samples."""

        def reconstructed(number: int) -> list[Samples]:
            stack, coder = self.stacks[number], self.coders[number]
            parts = stack.parted(coder.reconstruct(by_stack[number], stack.shapes(chunk.shapes)))
            return parts if wanted.issuperset(stack.members) else [_owned(part) for part in parts]

        wanted = frozenset(self.selection.numbers)
        found: dict[int, Samples] = {}
        for stack, parts in zip(self.stacks, self._by_stack(reconstructed, threads), strict=True):
            found |= zip(stack.members, parts, strict=True)
        return DecodedChunk(chunk.first, chunk.count, tuple(found[number] for number in self.selection.numbers))

    def shapes(self, chunk: Chunk) -> list[Shapes]:
        """Shapes of a chunk's samples, by tensor that is decoded."""
        return [chunk.shapes[number] for number in self.selection.numbers]


def grouped(chunks: Iterator[Item], single: int, together: int) -> Iterator[list[Item]]:
    """Chunks in groups, but for the first: where there are few, each thread should have one.

    Args:
        chunks: may end in an error, which comes behind the chunks before it.
        single: how many of the first stand alone.
        together: how many make a group.
    """
    for number, chunk in enumerate(chunks):
        group = [chunk]
        if number >= single:
            try:
                for other in islice(chunks, together - 1):
                    group.append(other)
            except CaufError:
                yield group
                raise
        yield group


def _owned(samples: Samples) -> Samples:
    """Samples that keep nothing alive but themselves: the other members of their stack, for one."""
    return [sample.copy() for sample in samples] if isinstance(samples, list) else samples.copy()


class FileDecoder:
    """Decodes a file from front to back.

    Args:
        prelude: header and sections, and the blocks behind them.
        chunks: decodes the chunks of such a file.
        limits: checked before anything is allocated.
    """

    def __init__(self, prelude: Prelude, chunks: ChunkDecoder, limits: Limits) -> None:
        self.prelude, self.chunks_decoder, self.limits = prelude, chunks, limits
        self.meter = WorkMeter(self.configs, self.structure.kind == "batch", limits)
        self.chunk_count = 0
        self.bytes_in = 0
        self.keys: dict[Key, None] = {}

    @property
    def count(self) -> int:
        """Samples so far."""
        return self.meter.samples

    @property
    def numel(self) -> int:
        """Values so far, notes not counted."""
        return self.meter.values - self.meter.noted

    @classmethod
    def of(
        cls, data: Iterator[bytes], lookup: Lookup, limits: Limits, only: Collection[str] | None = None
    ) -> FileDecoder:
        """The decoder of a file's bytes.

        Args:
            data: the bytes, in parts of any size.
            lookup: finds profiles and weights.
            limits: checked before anything is allocated.
            only: names, prefixes or patterns of the tensors to decode; None for all.

        Raises:
            FormatError: if header or sections are damaged or malformed.
            InputError: if ``only`` names a tensor that there is not.
            UnsupportedError: for what this version does not know, missing profiles, and over limits.
        """
        prelude = read_prelude(data, limits)
        return cls(prelude, ChunkDecoder(prelude.header, prelude.sections, lookup, limits, only), limits)

    @property
    def bytes_out(self) -> int:
        """Bytes of these values."""
        return self.meter.value_bytes

    @property
    def structure(self) -> Structure:
        """Of what is decoded."""
        return self.chunks_decoder.selection.structure

    @property
    def configs(self) -> tuple[TensorConfig, ...]:
        """Of the tensors that are decoded."""
        return self.chunks_decoder.selection.configs

    def chunks(self) -> Iterator[Chunk]:
        """The chunks, bytes and counts checked; the end of the file is checked behind the last.

        Raises:
            FormatError: for damage and for what breaks the specification.
        """
        block = self.prelude.first
        lengths: list[tuple[int, int]] = []
        start = block.offset
        while block.tag == "C":
            chunk = self.chunks_decoder.parse(block)
            if chunk.first != self.count:
                raise MalformedError(
                    f"chunk from sample {chunk.first}, expected {self.count}", requirement=114, offset=block.offset
                )
            self.meter.add(self.chunks_decoder.shapes(chunk), chunk.count, self.chunks_decoder.work(chunk))
            self.keys |= dict.fromkeys(chunk.keys or ())
            if self.chunks_decoder.keyed and len(self.keys) != self.count:
                raise MalformedError("a key stands twice", requirement=505, offset=block.offset)
            self.chunk_count += 1
            lengths.append((block.length, chunk.count))
            yield chunk
            following = self.prelude.stream.block()
            self._check_gap(block, following)
            block = following
        keys = tuple(self.keys) if self.chunks_decoder.keyed else None
        self._close(block, Index(start, tuple(lengths), keys=keys))

    def _check_gap(self, block: Block, following: Block) -> None:
        """An index can only hold if nothing stands between chunks."""
        if self.prelude.header.indexed and following.tag == "C" and following.offset != block.offset + block.length:
            raise MalformedError("a gap between chunks", requirement=142, offset=block.offset + block.length)

    def _close(self, block: Block, index: Index) -> None:
        indexed = self.prelude.header.indexed
        distance = None
        if indexed:
            if block.tag != "I":
                raise MalformedError("no index", requirement=22, offset=block.offset)
            found = parse_index(block.body, block.offset, self.limits, keyed=self.chunks_decoder.keyed)
            if found.keys != index.keys and found.samples == index.samples:
                raise MalformedError(
                    "keys in the index are not those of the chunks", requirement=507, offset=block.offset
                )
            if found != index:
                raise MalformedError("the index differs from the chunks", requirement=142, offset=block.offset)
            begin = block.offset
            block = self.prelude.stream.block()
            distance = block.offset + block.length - begin
        if block.tag != "E":
            raise MalformedError(f"block '{block.tag}' out of place", requirement=22, offset=block.offset)
        end = parse_end(block.body, indexed, block.offset)
        if end.samples != self.count or end.index_distance != distance:
            raise MalformedError(
                f"the end announces {end.samples} samples, there are {self.count}", requirement=146, offset=block.offset
            )
        self._check_single()
        self.prelude.stream.finish()
        self.bytes_in = block.offset + block.length

    def _check_single(self) -> None:
        if self.structure.kind == "single" and self.count != 1:
            raise MalformedError(f"{self.count} samples in a single", requirement=113)

    def samples(self, threads: int = 1, settle: Settle = as_it_is) -> Generator[DecodedChunk, None, None]:
        """The chunks, decoded to samples, in order.

        Args:
            threads: that decode them, each with two chunks in memory; a lone chunk is shared out by tensor.
            settle: is called by these threads with what they have decoded; what it returns comes out.
        """

        chunks = self.chunks_decoder

        def decoded(group: list[Chunk]) -> Iterable[DecodedChunk]:
            try:
                return [settle(chunk) for chunk in chunks.samples_of(group)]
            except CaufError:
                return (settle(chunks.samples(chunk)) for chunk in group)

        def alone(group: list[Chunk]) -> Iterable[DecodedChunk]:
            return [settle(chunk) for chunk in chunks.samples_of(group, threads)]

        threads = threads if shares_out(chunks.stacks) else 1
        single = 0 if threads == 1 else SINGLE * threads
        with closing(in_order(decoded, grouped(self.chunks(), single, chunks.together), threads, alone)) as groups:
            for group in groups:
                yield from group

    def symbols_sha256(self) -> str:
        """SHA-256 in hex over all symbols, in file order; decodes the integers of every chunk [CAUF-0119]."""
        digest = hashlib.sha256()
        for chunk in self.chunks():
            for symbols in self.chunks_decoder.symbols(chunk):
                for part in symbols.covered:
                    digest.update(part)
        return digest.hexdigest()
