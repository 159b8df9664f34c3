"""Outliers: tokens, channels and values far larger than the rest, told apart by medians, which they cannot move.

The paper's second step truncates them (CAUFC, section 3). Here a token gets a scale of its own, and a single value is
stored exactly, so that neither changes what is kept of the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align.statistics import LARGEST

__all__ = ["CENTRED_TOKENS", "TOKEN_RATIO", "VALUE_RATIO", "Typical", "mask_values", "medians_of", "typical_magnitude"]

VALUE_RATIO = 100.0
"""Values are apart beyond so many times their channel's typical magnitude: the figure by which quality is told."""

REST_MARGIN = 1.25
"""By how much the median of a sample may be below that of all values."""

MOST_APART, FARTHER = 0.02, 10.0
"""Share of a channel's values, of those that are part of the rest, that are apart at most; where more would be, they
are apart beyond so many times what that share exceeds."""

HEAVY_RATIO = 2.0**16
"""Ratio to the typical magnitude from which values of heavy tails are apart: a quantiser codes others in fewer bits."""

TAIL_RATIO, TAIL_SHARE = 10.0, 0.001
"""A tail is heavy if so many values are apart, and yet more lie between these ratios."""

TOKEN_RATIO = 8.0
"""Tokens with values that are apart get a scale if their median is beyond so many times the typical one."""

TINIEST = 1e-300
"""Divisors at least."""

SINK_SHARE = 0.1
"""Tokens that are sinks, of all tokens, at most."""

MOST_SINK = 3.0
"""Times by which tokens may be larger all over, at most, for which more is asked of what they hold."""

SINK_CHANNELS = 64
"""Channels that tokens of language models have at least."""

MANY = 0.25
"""Share of a channel's values from which on they move its median by much."""

MANY_TOKENS = 1 / 3
"""Share of tokens up to which outliers among them say nothing of the rest."""

CENTRED_TOKENS = 8
"""With fewer tokens, a channel's median says nothing; all channels then count as alike."""

Values = NDArray[Any]
Floats = NDArray[np.float64]


def mask_values(sample: Values) -> tuple[float, ...]:
    """Values that stand for nothing, as in masked scores: the lowest or highest, more than once, far from the rest."""
    found: list[float] = []
    rest = sample.ravel()
    for _ in range(2):
        for end in (rest.min(initial=np.inf), rest.max(initial=-np.inf)):
            if not end or np.count_nonzero(rest == end) < 2:
                continue
            others = rest[rest != end]
            magnitudes = np.abs(others[others != 0])
            if magnitudes.size and abs(float(end)) > VALUE_RATIO * float(np.median(magnitudes)):
                found.append(float(end))
                rest = others
    return tuple(found)


@dataclass(frozen=True)
class Typical:
    """What is typical of a tensor's values, whatever a few of them are.

    Args:
        centre: the median of each channel ``[C]``; 0 where there are few tokens, and for sparse features.
        magnitude: the median distance from it ``[C]``, over what is not at the centre.
        token: the median root mean square of tokens.
        level: the median magnitude in a token, of the median token, in units of its channels.
        ratio: beyond so many magnitudes, values are apart.
        masks: values that stand for nothing.
        largest: beyond, values are no part of the rest, by which quality is told; a little more.
        sinks: whether a few tokens hold a few values that are apart: so do the attention sinks of language models.
        large: the share of tokens that are large all over, at least that of one of the sample's.
        mean: of each channel's values that are not apart ``[C]``; None for the centre.
        padded: the share of tokens that are zeros which stand for nothing, as in padded batches.
    """

    centre: Floats
    magnitude: Floats
    token: float
    ratio: float
    masks: tuple[float, ...] = ()
    level: float = 1.0
    largest: float = np.inf
    sinks: bool = False
    large: float = 0.0
    mean: Floats | None = None
    padded: float = 0.0

    @classmethod
    def of(cls, sample: Values, firsts: Values | None = None, *, sparse: bool) -> Typical:
        """What is typical of a sample ``[M, C]``; what is not a number in it counts nowhere.

        ``firsts`` are the first tokens of sequences ``[n, C]``, where sinks mostly are, and which say nothing else.
        """
        tokens, channels = sample.shape
        masks = mask_values(sample[~np.isnan(sample)])
        values = sample.astype(np.float64)
        for mask in masks:
            values[sample == mask] = np.nan
        if tokens < CENTRED_TOKENS:
            magnitude = np.full(channels, typical_magnitude(np.abs(values)))
            few = cls(np.zeros(channels), magnitude, _typical_token(values, magnitude), VALUE_RATIO, masks)
            return replace(few, level=_median_present(few.token_levels(values)))
        largest = REST_MARGIN * VALUE_RATIO * typical_magnitude(np.abs(values))
        bounded = _without_many(values, largest)
        typical = cls._measured(bounded, masks, sparse=sparse)
        levels = typical.token_levels(values)
        ordinary = ~(levels > TOKEN_RATIO)
        if not ordinary.all() and np.count_nonzero(ordinary) >= CENTRED_TOKENS:
            typical = cls._measured(bounded[ordinary], masks, sparse=sparse)
            levels = typical.token_levels(values[ordinary])
        distances = np.abs(values - typical.centre)
        few = np.count_nonzero(~ordinary) <= MANY_TOKENS * tokens
        rest = (np.abs(values) <= largest) & (ordinary | ~few)[:, None]
        typical = replace(typical, magnitude=typical._of_many(np.where(rest, distances, np.nan)))
        within = (distances <= VALUE_RATIO * typical.units) & typical.ordinary
        token = _typical_token(np.where(within, values, np.nan), typical.units)
        ratio, sinks = typical._tails(distances, firsts)
        return replace(
            typical,
            token=token,
            ratio=ratio,
            level=_median_present(levels),
            largest=largest,
            sinks=sinks,
            large=max(1, np.count_nonzero(~ordinary)) / tokens,
            mean=None if sparse else np.where(within, values, 0).sum(axis=0) / np.maximum(1, within.sum(axis=0)),
        )

    def token_levels(self, tokens: Values) -> Floats:
        """The median magnitude in each token ``[n, C]``, in units of its channels ``[n]``."""
        with np.errstate(over="ignore"):
            return medians_of((np.abs(tokens) / self._usual).T)

    def are_large(self, tokens: Values) -> NDArray[np.bool_]:
        """Whether the level of each finite token ``[n, C]`` is beyond that of outliers ``[n]``, without sorting any."""
        magnitudes = np.abs(tokens.astype(np.float64))
        bounds = TOKEN_RATIO * self._usual
        above, present = (np.count_nonzero(there, axis=1) for there in (magnitudes > bounds, magnitudes > 0))
        found: NDArray[np.bool_] = (above > 0) & (2 * above >= present)
        return found

    @classmethod
    def _measured(cls, values: Floats, masks: tuple[float, ...], *, sparse: bool) -> Typical:
        """Centre and magnitude of each channel, from tokens ``[M, C]``."""
        centre = np.zeros(values.shape[1]) if sparse else medians_of(values, zeros=True)
        return cls(centre, medians_of(np.abs(values - centre)), 0.0, VALUE_RATIO, masks)

    @cached_property
    def _usual(self) -> Floats:
        """Magnitudes of channels, with their centres' ``[C]``."""
        return np.maximum(self.units + np.abs(self.centre), TINIEST)

    @cached_property
    def common(self) -> float:
        """The median magnitude of channels that have one; 0 if none has."""
        present = self.magnitude[self.magnitude > 0]
        return float(np.median(present)) if present.size else 0.0

    @cached_property
    def ordinary(self) -> NDArray[np.bool_]:
        """Which channels are no outliers themselves ``[C]``; all if none is ordinary."""
        found: NDArray[np.bool_] = np.maximum(self.magnitude, np.abs(self.centre)) <= VALUE_RATIO * self.common
        return found if found.any() else ~found

    @cached_property
    def immoderate(self) -> NDArray[np.bool_]:
        """Which channels, fewer than half, are so large that sums of float32 would not hold them ``[C]``."""
        found: NDArray[np.bool_] = np.maximum(self.magnitude, np.abs(self.centre)) * VALUE_RATIO > LARGEST
        return found if 2 * np.count_nonzero(found) < len(found) else np.zeros_like(found)

    @cached_property
    def units(self) -> Floats:
        """Magnitudes ``[C]``, none below the common one."""
        return np.maximum(self.magnitude, self.common)

    def _of_many(self, distances: Floats) -> Floats:
        """Magnitudes of channels ``[C]`` by which no more than a few distances ``[M, C]`` are apart.

        Where many values are one, as those of a spectrogram's floor, the median distance is next to nothing.
        """
        beyond = distances > VALUE_RATIO * self.units
        many = np.count_nonzero(beyond, axis=0) > MOST_APART * np.count_nonzero(~np.isnan(distances), axis=0)
        if not many.any():
            return self.magnitude
        found = self.magnitude.copy()
        found[many] = FARTHER / VALUE_RATIO * np.nanquantile(distances[:, many], 1 - MOST_APART, axis=0)
        return found

    def _tails(self, distances: Floats, firsts: Values | None) -> tuple[float, bool]:
        """Where values are apart, for distances ``[M, C]`` from the centre, and whether there are sinks."""
        units = self.units
        if not units.any():
            return VALUE_RATIO, False
        with np.errstate(over="ignore"):
            ratios = np.where(np.isnan(distances), 0, distances) / units
        ordinary = ratios[~(medians_of(ratios.T) > TOKEN_RATIO)]
        apart = int(np.count_nonzero(ordinary > VALUE_RATIO))
        near = int(np.count_nonzero(ordinary > TAIL_RATIO)) - apart
        heavy = near > apart > TAIL_SHARE * ordinary.size
        holding, share = _holding(ratios), SINK_SHARE * len(ratios)
        if firsts is not None and not holding:
            with np.errstate(over="ignore"):
                holding = min(_holding(np.abs(firsts.astype(np.float64) - self.centre) / units), share)
        wide = ratios.shape[1] >= SINK_CHANNELS
        sinks = wide and not heavy and not self.masks and 0 < holding <= share
        return HEAVY_RATIO if heavy else VALUE_RATIO, sinks


def _holding(ratios: Floats) -> float:
    """How many tokens ``[M, C]``, in typical magnitudes, hold a few values that are apart from the rest of them."""
    own = np.clip(medians_of(ratios.T), 1.0, MOST_SINK)
    beyond = np.count_nonzero(ratios > VALUE_RATIO * own[:, None], axis=1)
    return float(np.count_nonzero((beyond > 0) & (2 * beyond < ratios.shape[1])))


def _without_many(values: Floats, largest: float) -> Floats:
    """Values ``[M, C]`` without those beyond a bound, in channels where they are so many that they move the median."""
    beyond = np.abs(values) > largest
    held, present = np.count_nonzero(beyond, axis=0), np.count_nonzero(values, axis=0)
    moved = (MANY * present < held) & (2 * held <= present)
    return np.where(beyond & moved, np.nan, values) if moved.any() else values


def _typical_token(values: Floats, units: Floats) -> float:
    """The median root mean square of tokens ``[M, C]``, of what is no NaN."""
    if not values.size or not units.any():
        return 0.0
    known = ~np.isnan(values)
    present = np.where(known, values, 0)
    largest = float(np.abs(present).max()) or 1.0
    sizes = np.square(present / largest).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return largest * math.sqrt(_median_present(sizes))


def _median_present(values: Floats) -> float:
    """The median of what is above 0; 0 if nothing is."""
    present = values[values > 0]
    return float(np.median(present)) if present.size else 0.0


def typical_magnitude(magnitudes: Values) -> float:
    """The median of what is above 0, or of what is far larger than that, where many are; 0 without any."""
    present = magnitudes[magnitudes > 0]
    if not present.size:
        return 0.0
    median = float(np.median(present))
    beyond = present[present > VALUE_RATIO * median]
    return median if len(beyond) <= MANY_TOKENS * len(present) else float(np.median(beyond))


def medians_of(columns: Floats, *, zeros: bool = False) -> Floats:
    """The median of every column ``[M, C]``, of what is no NaN and, unless ``zeros``, not 0; 0 if nothing is left."""
    ordered = np.sort(columns, axis=0)
    known = np.count_nonzero(~np.isnan(ordered), axis=0)
    first = np.zeros_like(known) if zeros else np.count_nonzero(ordered == 0, axis=0)
    middle = np.minimum(first + (known - first) // 2, np.maximum(known - 1, 0))
    found = np.take_along_axis(ordered, middle[None], axis=0)[0] if len(ordered) else np.zeros(columns.shape[1])
    return np.where(known > first, found, 0.0)
