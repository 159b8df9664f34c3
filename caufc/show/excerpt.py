"""What is looked at of a file: some samples of its tensors, decoded chunk by chunk and tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..coders.base import TensorCoder
from ..coders.config import TensorConfig
from ..coders.stack import Stack
from ..decoder.call_meter import CallMeter
from ..decoder.random_access import FileReader
from ..errors import CaufError
from ..threads import one_blas_thread
from ..types import AnyArray, Progress
from .coded_bits import CodedBits
from .sample_choice import SampleChoice

__all__ = ["MOST_VALUES", "Excerpt", "read_excerpts"]

MOST_VALUES = 1 << 25
"""That are decoded at once; they take up to 40 bytes each meanwhile."""


@dataclass
class Excerpt:
    """What is looked at of a tensor.

    Args:
        number: of the tensor.
        config: of the tensor.
        samples: in the numpy form of its dtype, in the order of the choice; empty where they are too large.
        coded: sums over the decoded chunks, over all tensors of the stack.
        stacked: how many tensors are coded as one with it, itself among them.
        too_large: values of the chunk that would have been too much to decode; 0 for none.
    """

    number: int
    config: TensorConfig
    samples: list[AnyArray] = field(default_factory=list)
    coded: CodedBits = field(default_factory=CodedBits)
    stacked: int = 1
    too_large: int = 0


def read_excerpts(
    reader: FileReader, choice: SampleChoice, tensors: Sequence[int], progress: Progress
) -> dict[int, Excerpt]:
    """Excerpts of some tensors by number; one tensor of a chunk is in memory at a time.

    Raises:
        FormatError: if a chunk is damaged or malformed.
        LimitError: if a chunk, or all that is looked at, is over the reader's limits.
    """
    meter = CallMeter(reader.limits)
    found = {number: Excerpt(number, reader.chunks.configs[number]) for number in tensors}
    counts = [count for _, count in reader.index.chunks]
    done = 0
    with one_blas_thread():
        for first, inside in choice.by_chunk(counts):
            chunk = reader.chunk(first)
            for stack, coder in _wanted(reader, found):
                shapes, config = stack.shapes(chunk.shapes), stack.config
                members = [found[number] for number in stack.members if number in found]
                size = config.values(shapes)
                if size > MOST_VALUES or members[0].too_large:
                    for excerpt in members:
                        excerpt.too_large, excerpt.samples = max(size, excerpt.too_large), []
                    continue
                payload = memoryview(stack.payload(chunk.payloads))
                try:
                    symbols = coder.decode_symbols(payload, shapes)
                    parts = stack.parted(coder.reconstruct(symbols, shapes))
                    members[0].coded.add(coder, symbols, payload)
                except CaufError as err:
                    raise err.locate(tensor=config.name) from err
                for excerpt in members:
                    excerpt.coded, excerpt.stacked = members[0].coded, len(stack.members)
                    part = parts[stack.members.index(excerpt.number)]
                    for place in inside:
                        meter.add([part[place]], [excerpt.config])
                        excerpt.samples.append(np.array(part[place]))  # a copy keeps nothing else alive
            done += len(inside)
            progress("show", done, len(choice.numbers))
    return found


def _wanted(reader: FileReader, found: dict[int, Excerpt]) -> Iterator[tuple[Stack, TensorCoder]]:
    """Stacks that hold a wanted tensor, and their coders."""
    for stack, coder in zip(reader.chunks.stacks, reader.chunks.coders, strict=True):
        if not found.keys().isdisjoint(stack.members):
            yield stack, coder
