"""Which value alignment a tensor gets: what was asked for, or what suits its values (CAUFC, section 3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import ChannelAligner, GlobalAligner, TokenAligner, ValueAligner, align_channels, align_globally
from ..align.value import LARGEST_ALIGNED
from ..bitstream import AlignmentRecord
from ..coders.config import TensorConfig
from ..coders.lossy import statistics_arrays
from ..descriptors import ALIGNMENT_KINDS, ALIGNMENT_SCOPES, Alignment
from .options import Target
from .outliers import CENTRED_TOKENS
from .survey import TensorSurvey
from .thinning import spread_tokens

__all__ = ["choose_alignment", "choose_range", "typical_range"]

CHANNEL_TOKENS = 48
"""With fewer tokens, a channel's statistics take more bytes than they save."""

STRENGTH, LANGUAGE_STRENGTH = 0.5, 0.25
"""How far channels get scales of their own: what makes errors least harmful, by trials at equal divergence of scores;
the second for tokens of language models."""

OUTLYING = 64.0
"""Channels so many times larger than the typical one, in deviation or mean, need scales of their own."""

UNLIKE_GROUPS = 1.5
"""How many times larger one group is than another where each needs a scale of its own."""

Aligned = tuple[TensorConfig, ValueAligner]

OUTSIDE_PERCENT = 0.01
"""Share of values at either end, in percent, that may lie outside of the learned codec's range."""

CROWDED, MEDIAN_VALUES = 0.15, 1 << 16
"""Where the median distance from the median is such a share of the deviation, most values are next to it; and how many
values tell so."""

WHOLE_RANGE = 4 / 3
"""Where all values lie within a range so much wider, none is outside."""


def _automatic(survey: TensorSurvey) -> Alignment:
    """The alignment of features that nothing is known of: per channel, zeros kept as zeros where there are many."""
    if survey.sparse:
        return Alignment("none")
    return Alignment("mean-deviation", "channel", strength=LANGUAGE_STRENGTH if survey.levelled else STRENGTH)


def _settled(alignment: Alignment, tokens: int) -> Alignment:
    """A default alignment for so many tokens: per channel only where statistics pay for their bytes."""
    if alignment.scope == "channel" and alignment.strength < 1 and tokens < CHANNEL_TOKENS:
        return replace(alignment, scope="global")
    return alignment


def _outlying(survey: TensorSurvey) -> NDArray[np.bool_] | None:
    """Channels ``[C]`` so far above the typical one that a common scale would not do; None where there is none."""
    if survey.total < CENTRED_TOKENS:
        return None
    sizes = np.maximum(survey.statistics.deviation, np.abs(survey.statistics.mean))
    present = sizes[sizes > 0]
    found = sizes > OUTLYING * float(np.median(present)) if present.size else np.zeros(0, np.bool_)
    return found if found.any() else None


def _around_outliers(base: TensorConfig, survey: TensorSurvey, outlying: NDArray[np.bool_]) -> Aligned:
    """Channels far above the typical one get scales and offsets of their own, all others common ones."""
    statistics, sparse = survey.statistics, survey.sparse
    common = 0.0 if sparse else float(np.mean(statistics.mean[~outlying]))
    typical = float(np.sqrt(np.mean(statistics.deviation[~outlying] ** 2))) or 1.0
    own = np.maximum(typical, statistics.deviation / LARGEST_ALIGNED)
    aligner = ChannelAligner.of(
        np.where(outlying, statistics.mean, common) * (not sparse), np.where(outlying, own, typical)
    )
    return _by_channel(base, aligner, ALIGNMENT_KINDS.index("robust"), None)


def _by_need(base: TensorConfig, survey: TensorSurvey, target: Target) -> Aligned | None:
    """What tokens too few for statistics by channel need all the same: groups or channels with scales of their own."""
    scales = None if target.kind == "snr" or survey.sparse else _group_scales(survey)
    if scales is not None:
        means = [float(np.mean(part)) for part in np.split(survey.statistics.mean, survey.groups)]
        own = np.maximum(scales, survey.statistics.deviation / LARGEST_ALIGNED)
        aligner = ChannelAligner.of(np.repeat(means, len(scales) // survey.groups), own)
        return _by_channel(base, aligner, ALIGNMENT_KINDS.index("mean-deviation"), None)
    outlying = _outlying(survey)
    return None if outlying is None else _around_outliers(base, survey, outlying)


def _group_scales(survey: TensorSurvey) -> NDArray[np.float64] | None:
    """The scale of each channel's group ``[C]``; None where a common one does."""
    if survey.groups < 2 or survey.total < 2:
        return None
    parts = np.split(np.hypot(survey.statistics.deviation, survey.statistics.mean), survey.groups)
    sizes = np.array([float(np.median(part[part > 0])) if (part > 0).any() else 0.0 for part in parts])
    present = sizes[sizes > 0]
    if not present.size or present.max() < UNLIKE_GROUPS * present.min():
        return None
    return np.repeat(np.where(sizes > 0, sizes, present.min()), len(parts[0]))


def _by_channel(
    base: TensorConfig, aligner: ChannelAligner, kind: int, truncate: tuple[float, float] | None
) -> Aligned:
    record = AlignmentRecord(kind, ALIGNMENT_SCOPES.index("channel"), truncate=truncate)
    return replace(base, alignment=record, arrays={**base.arrays, **statistics_arrays(aligner)}), aligner


def choose_alignment(base: TensorConfig, survey: TensorSurvey, wanted: Alignment | None, target: Target) -> Aligned:
    """Add value alignment to a configuration.

    Args:
        base: the configuration so far.
        survey: of the tensor.
        wanted: what option, plugin or profile say; None leaves the choice.
        target: under an error bound there is no alignment; for an SNR, channels get equal scales.
    """
    if target.kind == "max_error":
        return base, GlobalAligner(0.0, 1.0)
    alignment = _settled(wanted or _automatic(survey), survey.total)
    if wanted is None and alignment.scope == "global":
        found = _by_need(base, survey, target)
        if found is not None:
            return found
    kind, scope = ALIGNMENT_KINDS.index(alignment.kind), ALIGNMENT_SCOPES.index(alignment.scope)
    if alignment.scope == "token" and alignment.kind != "none":
        record = AlignmentRecord(kind, scope, truncate=alignment.truncate)
        return replace(base, alignment=record), TokenAligner(alignment.kind)
    if alignment.scope == "channel" and alignment.kind != "none":
        strength = 0.0 if target.kind == "snr" else alignment.strength
        groups = 1 if target.kind == "snr" else survey.groups
        aligner = align_channels(alignment.kind, survey.statistics, survey.sample, strength, groups)
        aligner = _around_most(aligner, survey) if wanted is None else aligner
        return _by_channel(base, aligner, kind, alignment.truncate)
    if alignment.statistics is not None:
        globally = GlobalAligner(*alignment.statistics)
    else:
        globally = align_globally(alignment.kind, survey.statistics, survey.sample)
    if alignment.kind == "none" and alignment.truncate is None:
        return base, globally
    record = AlignmentRecord(kind, 0, globally.offset, globally.scale, alignment.truncate)
    return replace(base, alignment=record), globally


def _around_most(aligner: ChannelAligner, survey: TensorSurvey) -> ChannelAligner:
    """The aligner with the median as the offset of channels nearly all of whose values are there, as probabilities are.

    Their mean is where hardly any are, and steps of other sizes then round most values to other multiples.
    """
    few = spread_tokens(survey.sample, MEDIAN_VALUES)
    if len(few) < CENTRED_TOKENS:
        return aligner
    medians = np.median(few, axis=0)
    spreads = np.median(np.abs(few - medians), axis=0)
    crowded = spreads < CROWDED * survey.statistics.deviation
    if not crowded.any():
        return aligner
    return ChannelAligner.of(np.where(crowded, medians, aligner.offset), np.asarray(aligner.scales(None), np.float64))


def typical_range(sample: NDArray[Any]) -> tuple[float, float]:
    """The range of nearly all values of a sample, or of all if that is not much wider; never empty."""
    if not sample.size:
        return 0.0, 1.0
    lowest, low, high, highest = np.percentile(sample, [0, OUTSIDE_PERCENT, 100 - OUTSIDE_PERCENT, 100])
    if highest - lowest <= WHOLE_RANGE * (high - low) or high <= low:
        low, high = lowest, highest
    low, high = float(np.float32(low)), float(np.float32(high))
    return (low, high) if high > low else (low, low + max(1.0, abs(low)))


def _rest(survey: TensorSurvey) -> NDArray[Any]:
    """Values of the survey's sample that are not apart; all if nothing else is there."""
    rest = survey.sample if survey.apart is None else survey.sample[~survey.apart]
    return rest if rest.size else survey.sample


def choose_range(
    base: TensorConfig, survey: TensorSurvey, wanted: Alignment | None
) -> tuple[TensorConfig, ValueAligner, tuple[float, float] | None]:
    """Value alignment as the paper has it: truncation to a range, whose values become [0, 1] (CAUFC, section 3).

    Args:
        base: the configuration so far.
        survey: of the tensor.
        wanted: what options say; None chooses a range. Without a kind, its truncation is the range; an alignment
            that is ``none`` altogether leaves values as they are.

    Returns:
        the configuration with its alignment, the aligner, and the range to which values are truncated before.
    """
    if wanted is None or (wanted.kind == "none" and wanted.truncate is not None):
        low, high = typical_range(_rest(survey)) if wanted is None or wanted.truncate is None else wanted.truncate
        aligner = GlobalAligner(low, high - low)
        kind = ALIGNMENT_KINDS.index("min-max")
        record = AlignmentRecord(kind, 0, aligner.offset, aligner.scale, (low, high))
        return replace(base, alignment=record), aligner, (low, high)
    config, chosen = choose_alignment(base, survey, wanted, Target())
    return config, chosen, wanted.truncate
