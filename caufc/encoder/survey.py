"""The first pass: what the values are like, and a sample of them for choices."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import ChannelStatistics, LayoutAligner, Tokens, truncate, varying_channels
from ..codec.transform.grids import Geometry
from ..coders.base import Samples
from ..coders.config import MAX_CHANNELS
from ..coders.dtypes import to_floats
from ..errors import LayoutError, NonFiniteError
from ..layouts import Layout
from .source import Source, SourceTensor

__all__ = ["TensorSurvey", "check_finite", "chunks_of", "survey_tensor"]

Advance = Callable[[int], None]
"""Called with how many values were read since the last call."""


@dataclass
class TensorSurvey:
    """What the first pass learned of one tensor.

    Args:
        channels: C.
        statistics: per channel.
        sample: tokens ``[M, C]`` of whole samples, evenly taken; all of them if they are few.
        geometry: of the sample.
        total: number of tokens in the file.
        clipped: values outside the truncation range.
    """

    channels: int
    statistics: ChannelStatistics
    sample: NDArray[Any]
    geometry: Geometry
    total: int = 0
    clipped: int = 0

    @property
    def constant(self) -> bool:
        """Whether all values are the same."""
        return bool(self.statistics.low.min(initial=np.inf) == self.statistics.high.max(initial=-np.inf))

    @property
    def energy(self) -> float:
        """Sum of the squares of all values."""
        return self.statistics.energy

    @property
    def scale(self) -> float:
        """How many times more tokens the file has than the sample."""
        return self.total / max(1, len(self.sample))


def chunks_of(samples: int, chunk: int) -> Iterator[tuple[int, int]]:
    """Sample ranges of the chunks."""
    for start in range(0, samples, chunk):
        yield start, min(samples, start + chunk)


def survey_tensor(
    source: Source,
    tensor: SourceTensor,
    layout: Layout,
    limits: tuple[float, float] | None,
    *,
    chunk: int,
    budget: int,
    keep_nonfinite: bool,
    progress: Advance,
) -> TensorSurvey:
    """Read a tensor once.

    Args:
        source: the input.
        tensor: one of its tensors, of floats.
        layout: meaning of its axes.
        limits: truncation range, applied first.
        chunk: samples to read at a time.
        budget: most values of the sample.
        keep_nonfinite: whether NaN and Inf may come; they count as zeros.
        progress: called for every chunk.

    Raises:
        LayoutError: if the layout does not fit, or makes too many channels.
        NonFiniteError: for NaN or Inf that may not come.
    """
    aligner = LayoutAligner(layout)
    channels = aligner.size(tensor.shape(0))[1] if source.samples else 0
    if channels > MAX_CHANNELS:
        raise LayoutError(
            f"layout '{layout}' makes {channels:,} channels, more than {MAX_CHANNELS:,}",
            tensor=tensor.name,
            remedy="name token axes with --layout, or use --lossless",
        )
    statistics, total, clipped = ChannelStatistics(channels), 0, 0
    parts: list[NDArray[Any]] = []
    grids: list[tuple[int, ...]] = []
    stride = _stride(source, tensor, budget)
    for start, stop in chunks_of(source.samples, chunk):
        tokens = aligner.to_tokens(_floats(tensor.block(start, stop), tensor.dtype))
        if tokens.matrix.shape[1] != channels:
            raise varying_channels(layout, channels, tokens.matrix.shape[1]).locate(tensor=tensor.name)
        matrix = _finite(tokens.matrix, tensor, start, keep_nonfinite)
        if limits is not None:
            matrix, count = truncate(matrix, *limits)
            clipped += count
        statistics.add(matrix)
        picked = range(-start % stride, stop - start, stride)
        grids += [tokens.grids[number] for number in picked]
        parts.append(_picked(matrix, tokens, layout.special, picked))
        total += len(matrix)
        progress(matrix.size)
    sample = np.concatenate(parts) if parts else np.empty((0, channels), np.float32)
    return TensorSurvey(channels, statistics, sample, Geometry(tuple(grids), layout.special), total, clipped)


def _picked(matrix: NDArray[Any], tokens: Tokens, special: int, picked: range) -> NDArray[Any]:
    """The tokens of some samples; copied unless they are all, so that chunks do not stay in memory."""
    if len(picked) == len(tokens.grids):
        return matrix
    ends = np.cumsum([0, *Geometry(tokens.grids, special).sizes])
    parts = [matrix[ends[number] : ends[number + 1]] for number in picked]
    return np.concatenate(parts) if parts else np.empty((0, matrix.shape[1]), matrix.dtype)


def _stride(source: Source, tensor: SourceTensor, budget: int) -> int:
    """Every how-many-th sample goes into the survey's."""
    return max(1, min(source.samples, math.ceil(tensor.numel / budget)))


def _floats(samples: Samples, dtype: str) -> NDArray[Any] | Sequence[NDArray[Any]]:
    return [to_floats(s, dtype) for s in samples] if isinstance(samples, list) else to_floats(samples, dtype)


def _finite(matrix: NDArray[Any], tensor: SourceTensor, start: int, keep: bool) -> NDArray[Any]:
    if keep:
        finite = np.isfinite(matrix)
        return matrix if finite.all() else np.where(finite, matrix, matrix.dtype.type(0))
    check_finite(matrix, tensor, start)
    return matrix


def check_finite(values: NDArray[Any], tensor: SourceTensor, start: int) -> None:
    """Refuse NaN and Inf in the chunk from sample ``start`` on.

    Raises:
        NonFiniteError: if there are any.
    """
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
