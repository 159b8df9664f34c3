"""Surveying: reads a small tensor whole, runs of the samples of a large one, and of its rest whether it is finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
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
from .separator import OutlierSeparator, Separation
from .source import Source, SourceTensor
from .survey import TensorSurvey, is_sparse
from .survey_reading import check_finite, chunks_of, count_tokens, picks_of, read_tokens, unturned
from .thinning import cut_rows, lines_differ_in_size, spread_places, spread_tokens

__all__ = ["survey_tensor"]

PADDED_SHARE = 0.01
"""Share of tokens of zeros from which they stand for nothing, where others are dense."""

COUNTED_VALUES = 1 << 16
"""Values that tell which of them count, about."""

FEWEST_TYPICAL, MOST_TYPICAL, TYPICAL_VALUES = 32, 1024, 1 << 16
"""Samples, and values of them, that tell what is typical."""

Advance = Callable[[int], None]
"""Called with how many values were read since the last call."""

Mask = NDArray[np.bool_]


def survey_tensor(
    source: Source,
    tensor: SourceTensor,
    layout: Layout,
    *,
    chunk: int,
    budget: int,
    keep_nonfinite: bool,
    progress: Advance,
    truncated: tuple[float, float] | None = None,
    separation: Separation | None = None,
    members: int = 1,
    turns: Turns | None = None,
) -> TensorSurvey:
    """Survey a tensor.

    Args:
        source: the input.
        tensor: one of its tensors, of floats.
        layout: meaning of its axes.
        chunk: samples to read at a time.
        budget: most values of the sample, about.
        keep_nonfinite: whether NaN and Inf may come; they count as zeros.
        progress: called for every chunk.
        truncated: range to which values are clipped first; nothing is coded apart then.
        separation: how outliers are coded apart; None for not at all.
        members: how many tensors the tensor is a stack of.
        turns: that positions are undone by.

    Raises:
        LayoutError: if the layout does not fit, or makes too many channels.
        NonFiniteError: for NaN or Inf that may not come.
    """
    aligner = LayoutAligner(layout)
    channels = _channels(source, tensor, layout, aligner)
    picks = picks_of(source, tensor, chunk, budget)
    if not picks.whole:
        _look_at_all(source, tensor, chunk, keep_nonfinite, progress)
    apart = separation is not None and truncated is None
    typical = _typical(source, tensor, aligner, channels, turns) if apart else None
    found = _Gathered(channels, _separator(typical, separation))
    for start, stop in picks.blocks:
        tokens, lost = read_tokens(tensor, aligner, channels, (start, stop), keep_nonfinite=keep_nonfinite)
        whole, block = unturned(tokens, turns), Geometry(tokens.grids, layout.special)
        clipped = whole if truncated is None else truncate(whole, *truncated)[0]
        cut_apart = picks.cut and lines_differ_in_size(tokens.matrix, block)
        rows, kept = cut_rows(block, channels, picks.most, picks.kept(start, stop), apart=cut_apart)
        found.add(tokens.matrix, clipped, lost if turns is None else None, rows, kept.grids)
        if picks.whole:
            progress(clipped.size)
    total = round(source.repeats * count_tokens(source, tensor, aligner, channels))
    groups = max(members, aligner.groups(tensor.shape(0))) if source.samples else 1
    return found.survey(total, layout.special, members, groups)


def _channels(source: Source, tensor: SourceTensor, layout: Layout, aligner: LayoutAligner) -> int:
    channels = aligner.size(tensor.shape(0))[1] if source.samples else 0
    if channels > MAX_CHANNELS:
        raise LayoutError(
            f"layout '{layout}' makes {channels:,} channels, more than {MAX_CHANNELS:,}",
            tensor=tensor.name,
            remedy="name token axes with --layout, or use --lossless",
        )
    return channels


def _separator(typical: Typical | None, separation: Separation | None) -> OutlierSeparator | None:
    """What finds outliers; only tokens among which there are sinks are levelled."""
    if typical is None or separation is None:
        return None
    return OutlierSeparator(typical, replace(separation, levelled=separation.levelled and typical.sinks))


class _Gathered:
    """What was found in the tokens so far.

    Args:
        channels: of them.
        separator: finds what is coded apart; None for nothing.
    """

    def __init__(self, channels: int, separator: OutlierSeparator | None) -> None:
        self.channels, self.separator = channels, separator
        self.statistics, self.exact_bytes, self.seen, self.masked = ChannelStatistics(channels), 0.0, 0, False
        self.parts: list[NDArray[Any]] = []
        self.wholes: list[NDArray[Any]] = []
        self.uncounted: list[Mask] = []
        self.absent: list[Mask] = []
        self.grids: list[tuple[int, ...]] = []

    def add(
        self,
        features: NDArray[Any],
        tokens: NDArray[Any],
        lost: Mask | None,
        rows: NDArray[np.intp],
        grids: Sequence[tuple[int, ...]],
    ) -> None:
        """Add tokens.

        Args:
            features: as they came ``[n, C]``.
            tokens: as they are coded, turns undone ``[n, C]``.
            lost: which of them only stand for what is not finite ``[n, C]``; None for none.
            rows: which of them are part of the sample.
            grids: of these.
        """
        apart = Apart() if self.separator is None else self.separator(tokens, lost)
        if apart.values is not None:
            self.exact_bytes += len(Patches.where(apart.values.ravel(), tokens.ravel()).to_bytes())
        rest = apart.without(lost, apart.rest(tokens))
        _add_to(self.statistics, rest, apart, lost)
        self.parts.append(_picked(rest, rows))
        self.wholes.append(self.parts[-1] if features is rest else _picked(features, rows))
        self.uncounted.append(_picked(self._uncounted_of(rest, apart, lost), rows))
        absent = either(apart.values, lost)
        self.absent.append(_picked(np.zeros(rest.shape, np.bool_) if absent is None else absent, rows))
        self.grids += grids
        self.masked |= lost is not None
        self.seen += len(rest)

    def _uncounted_of(self, rest: NDArray[Any], apart: Apart, lost: Mask | None) -> Mask:
        uncounted = apart.uncounted(rest) if lost is None else apart.uncounted(rest) | lost
        if self.separator is None or self.separator.ordinary.all():
            return uncounted
        return uncounted | ~self.separator.ordinary

    def survey(self, total: int, special: int, members: int, groups: int) -> TensorSurvey:
        """The survey of so many tokens, the special ones of a sample first, of a stack and groups of channels."""
        sample, geometry = _joined(self.parts, self.channels), Geometry(tuple(self.grids), special)
        same = all(part is whole for part, whole in zip(self.parts, self.wholes, strict=True))
        features = sample if same else _joined(self.wholes, self.channels)
        typical = None if self.separator is None else self.separator.typical
        counting = _counting(features, members)
        return TensorSurvey(
            self.channels,
            self.statistics,
            sample,
            features,
            geometry,
            counting,
            self.separator,
            apart=_uncounted(counting if same else _counting(sample, members), self.parts, self.uncounted),
            exact_bytes=self.exact_bytes * total / max(1, self.seen),
            groups=groups,
            total=total,
            absent=np.concatenate(self.absent) if any(part.any() for part in self.absent) else None,
            masked=self.masked or (typical is not None and bool(typical.padded or typical.masks)),
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
    thin = spread_tokens(sample, COUNTED_VALUES * members)
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


def _typical(
    source: Source, tensor: SourceTensor, aligner: LayoutAligner, channels: int, turns: Turns | None
) -> Typical | None:
    """What is typical, from some tokens of some samples; None without values."""
    wanted = min(MOST_TYPICAL, max(FEWEST_TYPICAL, TYPICAL_VALUES * source.samples // max(1, tensor.numel)))
    numbers = spread_places(source.samples, wanted).tolist()
    seen = 0
    parts: list[NDArray[Any]] = []
    firsts: list[NDArray[Any]] = []
    for number in numbers:
        tokens, lost = read_tokens(tensor, aligner, channels, (number, number + 1), keep_nonfinite=True)
        matrix = unturned(tokens, turns)
        if lost is not None and turns is None:
            matrix = np.where(lost, matrix.dtype.type(np.nan), matrix)
        most = max(1, math.ceil(TYPICAL_VALUES / len(numbers) / max(1, channels)))
        parts.append(matrix[spread_places(len(matrix), most, seen)])
        seen += most
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
