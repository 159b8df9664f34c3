"""The first pass: what the values are like, and a sample of them for choices."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import ChannelStatistics, LayoutAligner, Tokens, Turns, positions_of, truncate, varying_channels
from ..codec.transform.grids import Geometry
from ..coders.base import Apart, Samples
from ..coders.config import MAX_CHANNELS
from ..coders.dtypes import to_floats
from ..coders.patches import Patches
from ..errors import LayoutError, NonFiniteError
from ..layouts import Layout
from .counting import Counting, JointCounting
from .outliers import Typical
from .separator import OutlierSeparator
from .source import Source, SourceTensor
from .thinning import thinned_rows

__all__ = ["TensorSurvey", "check_finite", "chunks_of", "is_sparse", "survey_tensor"]

SPARSE_SHARE = 0.2
"""Share of exact zeros from which features count as sparse: zero must then stay a reconstruction point."""

BLOCK_VALUES = 1 << 18
"""Values that are read at a time, so that they stay in the processor's caches."""

COUNTED_VALUES = 1 << 16
SHIFT = 7
"""By how much the tokens that are picked move from sample to sample: the first ones are not like the others."""

FEWEST_TYPICAL, MOST_TYPICAL, TYPICAL_VALUES = 32, 1024, 1 << 16
"""Samples, and values of them, that tell what is typical."""

Advance = Callable[[int], None]
"""Called with how many values were read since the last call."""


@dataclass
class TensorSurvey:
    """What the first pass learned of one tensor.

    Args:
        channels: C.
        statistics: per channel, of what is not apart.
        sample: tokens ``[M, C]`` of whole samples, evenly taken; all of them if they are few. What is apart is not in
            it: scaled tokens are divided by their scales, exact values stand at their channel's centre.
        features: the sample as it came in ``[M, C]``.
        geometry: of the sample.
        separator: finds what is apart; None where nothing may be.
        counting: which features tell how much is kept of the tensor.
        apart: which values of the sample say nothing of the rest ``[M, C]``: exact ones, and outliers; None for none.
        exact_bytes: what values take in the whole file that are stored exactly, about.
        groups: of channels.
        total: number of tokens in the file.
        clipped: values outside the truncation range.
        planned: values of the sample that classes and tables are made from, about.
    """

    channels: int
    statistics: ChannelStatistics
    sample: NDArray[Any]
    features: NDArray[Any]
    geometry: Geometry
    counting: Counting | JointCounting
    separator: OutlierSeparator | None = None
    apart: NDArray[np.bool_] | None = None
    exact_bytes: float = 0.0
    groups: int = 1
    total: int = 0
    clipped: int = 0
    planned: int = sys.maxsize

    @property
    def constant(self) -> bool:
        """Whether all values are the same."""
        return bool(self.statistics.low.min(initial=np.inf) == self.statistics.high.max(initial=-np.inf))

    @property
    def energy(self) -> float:
        """Sum of the squares of all values."""
        return self.statistics.energy

    @property
    def levelled(self) -> bool:
        """Whether all tokens are divided by scales of their own."""
        return self.separator is not None and self.separator.levelled

    def raised(self, least: float) -> TensorSurvey:
        """The survey with tokens below a root mean square raised to it, if there are any."""
        if self.separator is None:
            return self
        separator = self.separator.raising(least)
        scales = separator.raised_scales(self.sample)
        if scales is None:
            return self
        return replace(self, sample=scales.divide(self.sample), separator=separator)

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
    separated: bool = True,
    levelled: bool = False,
    by_token: bool = False,
    by_channel: bool = True,
    members: int = 1,
    turns: Turns | None = None,
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
        separated: whether outliers are coded apart.
        turns: that positions are undone by.
        levelled: whether tokens are made equally large if they are those of a language model.
        by_token: whether they are in any case.
        by_channel: whether channels have scales of their own.
        members: how many tensors the tensor is a stack of.
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
    groups = max(members, aligner.groups(tensor.shape(0))) if source.samples else 1
    statistics, total, clipped, exact_bytes = ChannelStatistics(channels), 0, 0, 0.0
    parts: list[NDArray[Any]] = []
    wholes: list[NDArray[Any]] = []
    masks: list[NDArray[np.bool_]] = []
    grids: list[tuple[int, ...]] = []
    stride = _stride(source, tensor, budget)
    separator = None
    if separated and limits is None:
        typical = _typical(source, tensor, aligner, channels, turns)
        if typical is not None:
            levelled = levelled and typical.sinks
            separator = OutlierSeparator(typical, levelled=levelled, by_token=by_token, by_channel=by_channel)
    each = max(1, tensor.numel // max(1, source.samples))
    for start, stop in chunks_of(source.samples, min(chunk, max(1, BLOCK_VALUES // each))):
        tokens = _tokens(tensor, aligner, channels, (start, stop), keep_nonfinite=keep_nonfinite)
        matrix = _unturned(tokens, turns)
        if limits is not None:
            matrix, count = truncate(matrix, *limits)
            clipped += count
        apart = Apart() if separator is None else separator(matrix)
        if apart.values is not None:
            exact_bytes += len(Patches.where(apart.values.ravel(), matrix.ravel()).to_bytes())
        whole, matrix = tokens.matrix, apart.rest(matrix)
        _add_to(statistics, matrix, apart)
        picked = range(-start % stride, stop - start, stride)
        grids += [tokens.grids[number] for number in picked]
        parts.append(_picked(matrix, tokens, layout.special, picked))
        wholes.append(parts[-1] if whole is matrix else _picked(whole, tokens, layout.special, picked))
        uncounted = apart.uncounted(matrix)
        if separator is not None and not separator.ordinary.all():
            uncounted = uncounted | ~separator.ordinary
        masks.append(_picked(uncounted, tokens, layout.special, picked))
        total += len(matrix)
        progress(matrix.size)
    sample, geometry = _joined(parts, channels), Geometry(tuple(grids), layout.special)
    same = all(part is whole for part, whole in zip(parts, wholes, strict=True))
    features = sample if same else _joined(wholes, channels)
    counting = _counting(features, geometry, members)
    return TensorSurvey(
        channels,
        statistics,
        sample,
        features,
        geometry,
        counting,
        separator,
        apart=_uncounted(_counting(sample, geometry, members), parts, masks),
        exact_bytes=exact_bytes,
        groups=groups,
        total=total,
        clipped=clipped,
    )


def _add_to(statistics: ChannelStatistics, matrix: NDArray[Any], apart: Apart) -> None:
    """Add tokens ``[n, C]``; those with scales of their own, which stay larger than others, to the ranges alone."""
    if apart.scales is None or apart.levelled:
        statistics.add(matrix)
        return
    scaled = apart.scales.codes != 0
    statistics.add(matrix[~scaled])
    statistics.widen(matrix[scaled])


def _joined(parts: Sequence[NDArray[Any]], channels: int) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty((0, channels), np.float32)


def _counting(sample: NDArray[Any], geometry: Geometry, members: int) -> Counting | JointCounting:
    """What counts, from tokens ``[M, C]`` of whole samples, of each member of a stack by itself."""
    rows, _ = thinned_rows(geometry, sample.shape[1], COUNTED_VALUES * members)
    thin = sample if len(rows) == len(sample) else sample[rows]
    return Counting.of(thin) if members == 1 else JointCounting.of(thin, members)


def _uncounted(
    counting: Counting | JointCounting, parts: Sequence[NDArray[Any]], masks: Sequence[NDArray[np.bool_]]
) -> NDArray[np.bool_] | None:
    """Which values are coded apart, or are outliers in what is not; None for none."""
    found = []
    for part, mask in zip(parts, masks, strict=True):
        counted = counting(part)
        found.append(np.broadcast_to(mask, part.shape) if counted is None else mask | ~counted)
    return np.concatenate(found) if any(part.any() for part in found) else None


def is_sparse(matrix: NDArray[Any]) -> bool:
    """Whether zero must stay a reconstruction point."""
    return int(np.count_nonzero(matrix)) < (1 - SPARSE_SHARE) * matrix.size


def _tokens(
    tensor: SourceTensor, aligner: LayoutAligner, channels: int, samples: tuple[int, int], *, keep_nonfinite: bool
) -> Tokens:
    """Samples from one number on to another as finite tokens."""
    start, stop = samples
    tokens = aligner.to_tokens(_floats(tensor.block(start, stop), tensor.dtype))
    found = tokens.matrix.shape[1]
    if found != channels:
        raise varying_channels(aligner.layout, channels, found).locate(tensor=tensor.name)
    return replace(tokens, matrix=_finite(tokens.matrix, tensor, start, keep_nonfinite))


def _unturned(tokens: Tokens, turns: Turns | None) -> NDArray[Any]:
    """Tokens ``[N, C]`` without the turns of their positions."""
    if turns is None:
        return tokens.matrix
    return turns.undone(tokens.matrix, positions_of(Geometry(tokens.grids, tokens.special).sizes))


def _typical(
    source: Source, tensor: SourceTensor, aligner: LayoutAligner, channels: int, turns: Turns | None
) -> Typical | None:
    """What is typical, from some tokens of some samples; None without values."""
    wanted = min(MOST_TYPICAL, max(FEWEST_TYPICAL, TYPICAL_VALUES * source.samples // max(1, tensor.numel)))
    numbers = range(0, source.samples, max(1, math.ceil(source.samples / wanted)))
    parts: list[NDArray[Any]] = []
    for number in numbers:
        matrix = _unturned(_tokens(tensor, aligner, channels, (number, number + 1), keep_nonfinite=True), turns)
        every = max(1, matrix.size * len(numbers) // TYPICAL_VALUES)
        parts.append(matrix[SHIFT * len(parts) % min(every, max(1, len(matrix))) :: every])
    sample = np.concatenate(parts)
    return Typical.of(sample, sparse=is_sparse(sample)) if sample.size else None


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
