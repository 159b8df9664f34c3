"""What a survey reads: runs of samples as tokens, and of all others that they are finite and have as many channels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import LayoutAligner, Tokens, Turns, positions_of, varying_channels
from ..codec.transform.grids import Geometry
from ..coders.base import Samples
from ..coders.dtypes import to_floats
from ..errors import NonFiniteError
from .source import Source, SourceTensor
from .thinning import spread_places

__all__ = ["Picks", "check_finite", "chunks_of", "count_tokens", "picks_of", "read_tokens", "unturned"]

BLOCK_VALUES = 1 << 18
"""Values that are read at a time, so that they stay in the processor's caches."""

RUN_VALUES = 1 << 15
"""Values of a run of samples, about."""

FEWEST_RUNS = 8
"""Runs that stand for a file, at least; of fewer, all samples are surveyed, and parts of so many kept."""

Values = NDArray[Any]


def chunks_of(samples: int, chunk: int) -> Iterator[tuple[int, int]]:
    """Sample ranges of the chunks."""
    for start in range(0, samples, chunk):
        yield start, min(samples, start + chunk)


@dataclass(frozen=True)
class Picks:
    """Which samples a survey looks at.

    Args:
        blocks: ranges of samples that are read.
        samples: those that are kept as parts of the survey's sample; None for all that are read.
        whole: whether blocks are all samples.
        most: values that are kept of a sample, about.
    """

    blocks: Sequence[tuple[int, int]]
    samples: NDArray[np.intp] | None
    whole: bool
    most: float = math.inf

    @property
    def cut(self) -> bool:
        """Whether only a part of each sample is kept."""
        return math.isfinite(self.most)

    def kept(self, start: int, stop: int) -> NDArray[np.intp]:
        """Which samples of a block are kept, from its first on."""
        if self.samples is None:
            return np.arange(stop - start)
        return self.samples[slice(*np.searchsorted(self.samples, (start, stop)))] - start


def picks_of(source: Source, tensor: SourceTensor, chunk: int, budget: int) -> Picks:
    """Runs of samples, evenly spread, that hold about as many values as the budget; all where those are few.

    Args:
        source: the input.
        tensor: one of its tensors.
        chunk: samples that are read at a time, at most.
        budget: most values that are kept.
    """
    samples = source.samples
    each = max(1, tensor.numel // max(1, samples))
    run = max(1, RUN_VALUES // each)
    count = budget // (run * each)
    if tensor.numel <= budget or count < FEWEST_RUNS:
        kept, most = max(1, min(samples, budget // each)), math.inf
        if kept < min(samples, FEWEST_RUNS):
            kept, most = min(samples, FEWEST_RUNS), budget / min(samples, FEWEST_RUNS)
        blocks = list(chunks_of(samples, min(chunk, max(1, BLOCK_VALUES // each))))
        return Picks(blocks, spread_places(samples, kept), True, most)
    starts = [number * (samples - run) // (count - 1) for number in range(count)]
    if run == 1:
        starts[1:-1] = spread_places(samples, count)[1:-1].tolist()
    return Picks([(start, start + run) for start in starts], None, False)


def read_tokens(
    tensor: SourceTensor, aligner: LayoutAligner, channels: int, samples: tuple[int, int], *, keep_nonfinite: bool
) -> tuple[Tokens, NDArray[np.bool_] | None]:
    """Samples from one number on to another as finite tokens, and which of their values were not; None for none.

    Raises:
        LayoutError: for another number of channels.
        NonFiniteError: for NaN or Inf that may not come.
    """
    start, stop = samples
    tokens = aligner.to_tokens(_floats(tensor.block(start, stop), tensor.dtype))
    found = tokens.matrix.shape[1]
    if found != channels:
        raise varying_channels(aligner.layout, channels, found).locate(tensor=tensor.name)
    if not keep_nonfinite:
        _check(tokens.matrix, tensor, start)
        return tokens, None
    lost = ~np.isfinite(tokens.matrix)
    if not lost.any():
        return tokens, None
    return replace(tokens, matrix=np.where(lost, tokens.matrix.dtype.type(0), tokens.matrix)), lost


def unturned(tokens: Tokens, turns: Turns | None) -> Values:
    """Tokens ``[N, C]`` without the turns of their positions."""
    if turns is None:
        return tokens.matrix
    return turns.undone(tokens.matrix, positions_of(Geometry(tokens.grids, tokens.special).sizes))


def count_tokens(source: Source, tensor: SourceTensor, aligner: LayoutAligner, channels: int) -> int:
    """Tokens of all samples.

    Raises:
        LayoutError: for samples of another number of channels.
    """
    if tensor.stacked:
        return source.samples * aligner.size(tensor.shape(0))[0]
    total = 0
    for shape, count in Counter(map(tensor.shape, range(source.samples))).items():
        tokens, found = aligner.size(shape)
        if found != channels:
            raise varying_channels(aligner.layout, channels, found).locate(tensor=tensor.name)
        total += count * tokens
    return total


def _floats(samples: Samples, dtype: str) -> Values | Sequence[Values]:
    return [to_floats(s, dtype) for s in samples] if isinstance(samples, list) else to_floats(samples, dtype)


def check_finite(tensor: SourceTensor, samples: tuple[int, int]) -> int:
    """Refuse NaN and Inf in samples from one number on to another, and count their values.

    Raises:
        NonFiniteError: if there are any.
    """
    start, stop = samples
    block = tensor.block(start, stop)
    parts = block if isinstance(block, list) else [block]
    for part in parts:
        _check(to_floats(part, tensor.dtype), tensor, start)
    return sum(part.size for part in parts)


def _check(values: Values, tensor: SourceTensor, start: int) -> None:
    finite = np.isfinite(values)
    if finite.all():
        return
    nans = int(np.isnan(values).sum())
    infinite = int(finite.size - finite.sum()) - nans
    raise NonFiniteError(
        f"holds {nans:,} NaN and {infinite:,} Inf in the chunk from sample {start}",
        tensor=tensor.name,
        remedy="use --nonfinite keep to carry them exactly",
    )
