"""Tables of a profile: they serve its own steps and others, whose symbols have classes of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec.buckets import BUCKETS, buckets_of
from ..codec.tables import TableLevels, code_lengths, frequencies_of
from ..codec.transform.codec import TransformCodec
from ..codec.transform.contexts import CLASSES, CONTEXTS, EXTRA_BITS
from ..codec.transform.grids import Geometry
from ..codec.transform.parameters import BAND_LEVELS, CHANNEL_LEVELS, CONTEXT_MAP, MAX_LEVEL, TABLES
from ..codec.transform.token_order import BANDS
from ..codec.transform.trellis import STEP_RATIO
from ..types import Arrays
from .levels import ClassLevels
from .sample_plan import DEPENDENT_BITS, QuantizerKind, estimate, quantize_sample
from .tables import choose_tables, context_counts
from .thinning import thinned_rows

__all__ = ["LevelCosts", "StepSample", "tables_of_steps"]

Ratios = tuple[float, ...]

SETS: tuple[Ratios, ...] = (
    (1.0,),
    (8.0, 1.0),
    (1.0, 1 / 8),
    (8.0, 1.0, 1 / 8),
    (8.0, 2.0**1.5, 1.0),
    (8.0, 2.0**1.5, 1.0, 1 / 8),
    (8.0, 2.0**1.5, 1.0, 2.0**-1.5, 1 / 8),
    (64.0, 8.0, 2.0**1.5, 1.0, 2.0**-1.5, 1 / 8),
)
"""Steps that may have classes of their own, in those of the profile: 24 qualities make them 8 times as large."""

JUDGED: Ratios = (1.0, 1.0, 8.0, 1 / 8, 2.0**1.5, 2.0**-1.5, 1 / 64)
"""Steps by which a set is chosen, those of the profile twice."""

FINER = (1 / 8, 1 / 64)
LARGER_CLASSES = 12
"""Above the classes of the finest steps of a set, others go on as far, for those so many times finer: large symbols are
alike whatever their step."""

FILES = 16.0
"""Files as large as what it was made from that a profile is taken to serve."""

MOST_TABLES, SEEDS = 64, 400
"""Tables at most, and the groups of contexts with which their choice begins."""

THIN_VALUES = 1 << 19
"""Values of the sample that other steps than the profile's are tried on, where samples are not larger."""

Values = NDArray[Any]
Counts = NDArray[np.int64]
Map = NDArray[np.uint8]


def tables_of_steps(sample: StepSample, scale: float) -> tuple[Arrays, int]:
    """Tables for a profile's steps and for others, as far as there are classes: sections, and the level of its own.

    Args:
        sample: of what the profile is made from.
        scale: how many times more values there are than in the sample.
    """
    made = [sample.tables(ratios, FILES * scale) for ratios in SETS if len(ratios) * sample.span <= CLASSES]
    best = min(made, key=sample.cost)
    return {TABLES: best.tables.ravel(), CONTEXT_MAP: best.table_of.ravel()}, best.level


@dataclass(frozen=True)
class _Tables:
    """Tables ``[T, 64]`` of classes and contexts ``[K, 40]``, and the level of the profile's own steps."""

    table_of: Map
    tables: TableLevels
    level: int


class StepSample:
    """A sample's symbols at any steps.

    Args:
        codec: with the profile's steps.
        arrays: its sections.
        coefficients: sample ``[N, K]``.
        geometry: of the sample.
        gain: on the steps.
        kind: of the quantiser.
    """

    def __init__(
        self,
        codec: TransformCodec,
        arrays: Arrays,
        coefficients: Values,
        geometry: Geometry,
        gain: float,
        kind: QuantizerKind,
    ) -> None:
        self.codec, self.kind, self.steps = codec, kind, codec.steps(gain).astype(np.float64)
        self.whole = self.thin = coefficients, geometry
        if max(geometry.sizes, default=0) * codec.coded <= THIN_VALUES:
            rows, thin = thinned_rows(geometry, codec.coded, THIN_VALUES)
            self.thin = coefficients[rows], thin
        self.levels, self.span = _from_class_0(arrays, codec.coded)
        self._buckets: dict[float, NDArray[np.uint8]] = {}

    def tables(self, ratios: Ratios, scale: float) -> _Tables:
        """Tables with classes of their own for each of these steps, the finest last."""
        larger = min(LARGER_CLASSES, CLASSES - self.span * len(ratios))
        finer = sum(self._counts(ratios[-1] * ratio, round(-2 * math.log2(ratio))) for ratio in FINER)
        found = [self._counts(ratio)[: self.span] for ratio in ratios]
        found[-1] = np.concatenate([found[-1], np.asarray(finer)[self.span : self.span + larger]])
        table_of, tables = choose_tables(np.concatenate(found), scale, MOST_TABLES, SEEDS)
        parts = zip(np.split(table_of, self.span * np.arange(1, len(found))), found, strict=True)
        whole = np.concatenate([_for_all_contexts(part, there) for part, there in parts])
        return _Tables(whole, tables, self.levels.level + self.span * ratios.index(1.0))

    def cost(self, made: _Tables) -> float:
        """How many bits symbols take with tables, over all steps: a sum of logarithms."""
        lowest = self.levels.level
        costs = [LevelCosts(self._counts(ratio), lowest, made.level, made.tables, made.table_of) for ratio in JUDGED]
        return sum(math.log(max(1.0, of_step.cheapest(0.0)[1])) for of_step in costs)

    def _counts(self, ratio: float, shift: int = 0) -> Counts:
        """Counts of buckets by class and context at so many times the profile's steps, with a level added."""
        coefficients, geometry = self.whole if ratio == 1 else self.thin
        buckets = self._buckets.get(ratio)
        if buckets is None:
            indices = _indices(coefficients, geometry, self.steps * ratio, self.kind)
            buckets = self._buckets[ratio] = buckets_of(indices)
        classes = replace(self.levels, level=self.levels.level + shift).classes()
        return context_counts(buckets, classes, geometry, self.codec.parameters.extents)


def _indices(coefficients: Values, geometry: Geometry, steps: Values, kind: QuantizerKind) -> NDArray[np.int32]:
    """Indices of a sample at steps of a kind of quantiser, or of the plain one where the dependent one does not pay."""
    if kind == "dependent":
        plain = steps / STEP_RATIO
        if estimate(coefficients, geometry.bands, plain, 1.0) < DEPENDENT_BITS * coefficients.size:
            return quantize_sample(coefficients, geometry, plain, "plain").indices
    return quantize_sample(coefficients, geometry, steps, kind).indices


def _from_class_0(arrays: Arrays, coded: int) -> tuple[ClassLevels, int]:
    """A profile's levels with the lowest class at 0, and how many classes there are from there on."""
    channels, bands = (
        arrays.get(name, np.zeros(size, np.int8)) for name, size in ((CHANNEL_LEVELS, coded), (BAND_LEVELS, BANDS))
    )
    low, high = (int(end(channels)) + int(end(bands)) for end in (np.min, np.max))
    return ClassLevels(-low, channels, bands), min(CLASSES, high - low + 1)


def _for_all_contexts(table_of: Map, counts: Counts) -> Map:
    """Tables of contexts ``[K, 40]``; those that no symbol had have the one of the nearest class that had some."""
    filled, seen = table_of.copy(), np.any(counts, axis=2)
    for context in range(CONTEXTS):
        known = np.flatnonzero(seen[:, context])
        if known.size:
            nearest = known[np.abs(np.arange(len(seen))[:, None] - known).argmin(axis=1)]
            filled[:, context] = table_of[nearest, context]
    return filled


class LevelCosts:
    """What a sample's symbols take with a codec's tables, whatever part of every class its level is.

    Args:
        counts: of buckets by class from 0 on and context ``[48, 40, 64]``.
        lowest: the level that makes the lowest class 0.
        own: the codec's level.
        tables: of the codec ``[T, 64]``.
        table_of: the tables of classes and contexts ``[K, 40]``.
    """

    def __init__(self, counts: Counts, lowest: int, own: int, tables: TableLevels, table_of: Map) -> None:
        self.lowest, self.own, self.table_of = lowest, own, table_of
        self.used = np.flatnonzero(counts.any(axis=(1, 2)))
        bits = code_lengths(frequencies_of(tables)) + EXTRA_BITS
        self.costs = counts[self.used].reshape(-1, BUCKETS).astype(np.float64) @ bits.T

    @classmethod
    def of(cls, codec: TransformCodec, arrays: Arrays, symbols: NDArray[np.int32], geometry: Geometry) -> LevelCosts:
        """Of indices ``[N, K]``."""
        levels, _ = _from_class_0(arrays, codec.coded)
        coder = codec.coder
        counts = context_counts(buckets_of(symbols), levels.classes(), geometry, coder.extents)
        return cls(counts, levels.level, codec.parameters.level, coder.levels, coder.table_of.reshape(-1, CONTEXTS))

    def at(self, level: int) -> float:
        """Bits with a level."""
        classes = np.clip(self.used + level - self.lowest, 0, len(self.table_of) - 1)
        return float(
            np.take_along_axis(self.costs, self.table_of[classes].reshape(-1, 1).astype(np.intp), axis=1).sum()
        )

    def cheapest(self, worth: float) -> tuple[int, float]:
        """The level that takes the fewest bits, unless it saves no more than it is ``worth``, and these bits."""
        levels = range(max(-MAX_LEVEL, self.lowest - CLASSES), min(MAX_LEVEL, self.lowest + len(self.table_of)) + 1)
        own, by_level = self.at(self.own), {level: self.at(level) for level in levels}
        best = min(by_level, key=lambda level: by_level[level])
        return (best, by_level[best]) if own - by_level[best] > worth else (self.own, own)
