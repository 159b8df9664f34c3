"""The first pass: what the values are like, and a sample of them for choices."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import ChannelStatistics, LayoutAligner, Turns, truncate
from ..codec.transform.grids import Geometry
from ..coders.base import Apart
from ..coders.blocks import either
from ..coders.config import MAX_CHANNELS
from ..coders.patches import Patches
from ..errors import LayoutError
from ..layouts import Layout
from .counting import Counting, JointCounting
from .outliers import Typical
from .separator import OutlierSeparator
from .source import Source, SourceTensor
from .survey_reading import check_finite, chunks_of, count_tokens, picks_of, read_tokens, unturned
from .thinning import cut_rows, lines_differ_in_size

__all__ = ["TensorSurvey", "is_sparse", "survey_tensor"]

SPARSE_SHARE = 0.2
"""Share of exact zeros from which features count as sparse: zero must then stay a reconstruction point."""

PADDED_SHARE = 0.01
"""Share of tokens of zeros from which they stand for nothing, where others are dense."""

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
            it: scaled tokens are divided by their scales, something stands in the place of exact values.
        features: the sample as it came in ``[M, C]``.
        geometry: of the sample.
        separator: finds what is apart; None where nothing may be.
        counting: which features tell how much is kept of the tensor.
        apart: which values of the sample say nothing of the rest ``[M, C]``: exact ones, and outliers; None for none.
        exact_bytes: what values take in the whole file that are stored exactly, about.
        groups: of channels.
        total: number of tokens in the file.
        planned: values of the sample that classes and tables are made from, about.
        absent: where the sample has something in the place of exact values, and of what is not finite ``[M, C]``.
        masked: whether there are masks, or values that are not finite, which may be many.
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
    planned: int = sys.maxsize
    absent: NDArray[np.bool_] | None = None
    masked: bool = False

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
        scales = separator.raised_scales(self.sample, self.absent)
        if scales is None:
            return self
        sample = scales.divide(self.sample)
        if self.absent is not None:
            sample = np.where(self.absent, self.sample, sample)
        return replace(self, sample=sample, separator=separator)

    def standing_at(self, offset: NDArray[Any] | float) -> TensorSurvey:
        """The survey with an alignment's offset ``[C]`` in the place of masks, which then take next to no bits."""
        if self.separator is None or self.absent is None or not self.masked:
            return self
        separator = self.separator.standing_at(offset)
        sample = np.where(self.absent, separator.stand_in.astype(self.sample.dtype), self.sample)
        return replace(self, sample=sample, separator=separator)

    @property
    def padded(self) -> float:
        """The share of tokens that are padding."""
        return 0.0 if self.separator is None else self.separator.typical.padded

    @property
    def scale(self) -> float:
        """How many times more tokens the file has than the sample."""
        return self.total / max(1, len(self.sample))


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
    evenly: bool = False,
    members: int = 1,
    turns: Turns | None = None,
) -> TensorSurvey:
    """Read a tensor once: all of it where it is small, else runs of its samples, and of the rest whether it is finite.

    Args:
        source: the input.
        tensor: one of its tensors, of floats.
        layout: meaning of its axes.
        limits: truncation range, applied first.
        chunk: samples to read at a time.
        budget: most values of the sample, about.
        keep_nonfinite: whether NaN and Inf may come; they count as zeros.
        separated: whether outliers are coded apart.
        turns: that positions are undone by.
        levelled: whether tokens are made equally large if they are those of a language model.
        by_token: whether they are in any case.
        by_channel: whether channels have scales of their own.
        evenly: whether the errors of all tokens that count are promised to be small together.
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
    statistics, exact_bytes, seen = ChannelStatistics(channels), 0.0, 0
    parts: list[NDArray[Any]] = []
    wholes: list[NDArray[Any]] = []
    masks: list[NDArray[np.bool_]] = []
    grids: list[tuple[int, ...]] = []
    missing: list[NDArray[np.bool_]] = []
    masked = False
    picks = picks_of(source, tensor, chunk, budget)
    if not picks.whole:
        _look_at_all(source, tensor, chunk, keep_nonfinite, progress)
    separator = None
    if separated and limits is None:
        typical = _typical(source, tensor, aligner, channels, turns)
        if typical is not None:
            levelled = levelled and typical.sinks
            separator = OutlierSeparator(
                typical, levelled=levelled, by_token=by_token, by_channel=by_channel, evenly=evenly
            )
    for start, stop in picks.blocks:
        tokens, lost = read_tokens(tensor, aligner, channels, (start, stop), keep_nonfinite=keep_nonfinite)
        lost = lost if turns is None else None
        matrix = unturned(tokens, turns)
        if limits is not None:
            matrix, _ = truncate(matrix, *limits)
        apart = Apart() if separator is None else separator(matrix, lost)
        if apart.values is not None:
            exact_bytes += len(Patches.where(apart.values.ravel(), matrix.ravel()).to_bytes())
        whole, matrix = tokens.matrix, apart.without(lost, apart.rest(matrix))
        _add_to(statistics, matrix, apart, lost)
        block = Geometry(tokens.grids, layout.special)
        cut_apart = picks.cut and lines_differ_in_size(whole, block)
        rows, kept = cut_rows(block, channels, picks.most, picks.kept(start, stop), apart=cut_apart)
        grids += kept.grids
        parts.append(_picked(matrix, rows))
        wholes.append(parts[-1] if whole is matrix else _picked(whole, rows))
        uncounted = apart.uncounted(matrix) if lost is None else apart.uncounted(matrix) | lost
        if separator is not None and not separator.ordinary.all():
            uncounted = uncounted | ~separator.ordinary
        masks.append(_picked(uncounted, rows))
        absent = either(apart.values, lost)
        absent = np.zeros(matrix.shape, np.bool_) if absent is None else absent
        missing.append(_picked(absent, rows))
        masked |= lost is not None
        seen += len(matrix)
        if picks.whole:
            progress(matrix.size)
    total = round(source.repeats * count_tokens(source, tensor, aligner, channels))
    sample, geometry = _joined(parts, channels), Geometry(tuple(grids), layout.special)
    same = all(part is whole for part, whole in zip(parts, wholes, strict=True))
    features = sample if same else _joined(wholes, channels)
    counting = _counting(features, members)
    return TensorSurvey(
        channels,
        statistics,
        sample,
        features,
        geometry,
        counting,
        separator,
        apart=_uncounted(_counting(sample, members), parts, masks),
        exact_bytes=exact_bytes * total / max(1, seen),
        groups=groups,
        total=total,
        absent=np.concatenate(missing) if any(part.any() for part in missing) else None,
        masked=masked or (separator is not None and bool(separator.typical.padded or separator.typical.masks)),
    )


def _look_at_all(source: Source, tensor: SourceTensor, chunk: int, keep_nonfinite: bool, progress: Advance) -> None:
    """Look at values that may be no part of the survey: whether all are finite."""
    if keep_nonfinite:
        progress(tensor.numel)
        return
    for samples in chunks_of(source.samples, chunk):
        progress(check_finite(tensor, samples))


def _add_to(statistics: ChannelStatistics, matrix: NDArray[Any], apart: Apart, lost: NDArray[np.bool_] | None) -> None:
    """Add tokens ``[n, C]``; those with scales of their own, which stay larger than others, to the ranges alone.

    So are what stands in the place of exact values.
    """
    absent = either(apart.values, lost)
    if apart.scales is None or apart.levelled:
        statistics.add(matrix, absent)
        return
    scaled = apart.scales.codes != 0
    statistics.add(matrix[~scaled], None if absent is None else absent[~scaled])
    statistics.widen(matrix[scaled])


def _joined(parts: Sequence[NDArray[Any]], channels: int) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty((0, channels), np.float32)


def _counting(sample: NDArray[Any], members: int) -> Counting | JointCounting:
    """What counts, from tokens ``[M, C]`` of all samples, of each member of a stack by itself."""
    wanted = max(1, COUNTED_VALUES * members // max(1, sample.shape[1]))
    thin = sample if wanted >= len(sample) else sample[np.arange(wanted) * len(sample) // wanted]
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
    """Whether zero must stay a reconstruction point; channels of nothing else are not counted, unless all are."""
    held = int(np.count_nonzero(matrix))
    if held >= (1 - SPARSE_SHARE) * matrix.size:
        return False
    present = np.count_nonzero(matrix.any(axis=0)) if len(matrix) > 1 else matrix.shape[1]
    return not held or held < (1 - SPARSE_SHARE) * len(matrix) * int(present)


def _typical(
    source: Source, tensor: SourceTensor, aligner: LayoutAligner, channels: int, turns: Turns | None
) -> Typical | None:
    """What is typical, from some tokens of some samples; None without values."""
    wanted = min(MOST_TYPICAL, max(FEWEST_TYPICAL, TYPICAL_VALUES * source.samples // max(1, tensor.numel)))
    numbers = range(0, source.samples, max(1, math.ceil(source.samples / wanted)))
    parts: list[NDArray[Any]] = []
    firsts: list[NDArray[Any]] = []
    for number in numbers:
        tokens, lost = read_tokens(tensor, aligner, channels, (number, number + 1), keep_nonfinite=True)
        matrix = unturned(tokens, turns)
        if lost is not None and turns is None:
            matrix = np.where(lost, matrix.dtype.type(np.nan), matrix)
        every = max(1, matrix.size * len(numbers) // TYPICAL_VALUES)
        parts.append(matrix[SHIFT * len(parts) % min(every, max(1, len(matrix))) :: every])
        firsts.append(matrix[: int(len(matrix) > 1)])
    sample = np.concatenate(parts)
    if not sample.size:
        return None
    held = sample.any(axis=1)
    present = sample[held] if 0 < np.count_nonzero(held) < (1 - PADDED_SHARE) * len(sample) else sample
    measured = sample if is_sparse(present) else present
    typical = Typical.of(measured, np.concatenate(firsts), sparse=is_sparse(measured))
    return replace(typical, padded=1 - len(measured) / len(sample))


def _picked(matrix: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
    """Some rows; copied unless they are all, so that chunks do not stay in memory."""
    return matrix if len(rows) == len(matrix) else matrix[rows]
