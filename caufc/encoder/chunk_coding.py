"""Chunks, coded in threads: what they share is made before, and what comes of them comes in their order."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from ..bitstream import Chunk, checksum, chunk_bytes
from ..coders.base import EncodedPayload, Samples, TensorCoder
from ..coders.stack import Stack
from ..threads import in_order
from .plan import TensorPlan
from .source import Source

__all__ = ["ChunkCoding"]

PART_VALUES = 1 << 19
"""Values that one thread codes at a time, at least: larger chunks of several tensors are shared out by tensor."""

Taken = Callable[[Stack, EncodedPayload, int], None]
"""Called with a stack, its payload of a chunk, and how many values that holds."""


@dataclass(frozen=True)
class _Part:
    """Some of a chunk's stacks.

    Args:
        samples: of the chunk: the first, and the one behind the last.
        stacks: their numbers.
        blocks: samples of every member of each.
    """

    samples: tuple[int, int]
    stacks: range
    blocks: list[list[Samples]]


@dataclass(frozen=True)
class _CodedPart:
    """A part with the payloads of its stacks, and the checksum over its symbols if it is a chunk's first."""

    samples: tuple[int, int]
    stacks: range
    payloads: list[EncodedPayload]
    symbols: int | None


@dataclass(frozen=True)
class ChunkCoding:
    """Codes the chunks of a file.

    Args:
        source: the samples.
        plans: one per tensor.
        stacks: what is coded as one.
        coders: one per stack.
        threads: that work.
    """

    source: Source
    plans: Sequence[TensorPlan]
    stacks: Sequence[Stack]
    coders: Sequence[TensorCoder]
    threads: int

    def bodies(
        self, ranges: Iterable[tuple[int, int]], taken: Taken, first: int = 0
    ) -> Generator[tuple[bytes, int], None, None]:
        """The body of every chunk, in order, and how many samples it has.

        Args:
            ranges: samples of the chunks.
            taken: is told of every stack, in order.
            first: number of the source's first sample in the file.
        """
        templates = [plan.config.template for plan in self.plans]
        payloads, symbols = [b""] * len(self.plans), 0
        with closing(in_order(self._coded, self._parts(ranges), self.threads)) as parts:
            for part in parts:
                start, stop = part.samples
                shapes = self.shapes(start, stop)
                symbols = _checksum(part.payloads, symbols) if part.symbols is None else part.symbols
                for number, encoded in zip(part.stacks, part.payloads, strict=True):
                    stack = self.stacks[number]
                    payloads[stack.leader] = encoded.payload
                    taken(stack, encoded, stack.config.values(stack.shapes(shapes)))
                if part.stacks.stop < len(self.stacks):
                    continue
                keys = None if self.source.keys is None else self.source.keys[start:stop]
                chunk = Chunk(first + start, stop - start, tuple(shapes), tuple(payloads), symbols, keys)
                yield chunk_bytes(chunk, templates), stop - start
                payloads, symbols = [b""] * len(self.plans), 0

    def shapes(self, start: int, stop: int) -> list[tuple[tuple[int, ...], ...]]:
        """Shapes of samples ``[start, stop)`` of every tensor."""
        return [
            (tensor.shape(start),) * (stop - start) if tensor.stacked else tensor.shapes[start:stop]
            for tensor in self.source.tensors
        ]

    def _parts(self, ranges: Iterable[tuple[int, int]]) -> Iterator[_Part]:
        """What threads take; samples are read here, one after the other, as some inputs can only be read so."""
        for start, stop in ranges:
            shapes = self.shapes(start, stop)
            first = values = 0
            for number, stack in enumerate(self.stacks):
                values += stack.config.values(stack.shapes(shapes))
                if values >= PART_VALUES or number + 1 == len(self.stacks):
                    stacks = range(first, number + 1)
                    yield _Part((start, stop), stacks, [self._blocks(self.stacks[n], start, stop) for n in stacks])
                    first, values = number + 1, 0
            if not self.stacks:
                yield _Part((start, stop), range(0), [])

    def _blocks(self, stack: Stack, start: int, stop: int) -> list[Samples]:
        return [self.source.tensors[number].block(start, stop) for number in stack.members]

    def _coded(self, part: _Part) -> _CodedPart:
        """Runs in several threads at once."""
        found = []
        for number, blocks in zip(part.stacks, part.blocks, strict=True):
            stack = self.stacks[number]
            found.append(self.coders[number].encode(stack.joined(blocks), self.plans[stack.leader].terms))
        if part.stacks.start:
            return _CodedPart(part.samples, part.stacks, found, None)
        symbols = _checksum(found, 0)
        return _CodedPart(part.samples, part.stacks, [replace(encoded, covered=()) for encoded in found], symbols)


def _checksum(payloads: Iterable[EncodedPayload], before: int) -> int:
    for encoded in payloads:
        for symbols in encoded.covered:
            before = checksum(symbols, before)
    return before
