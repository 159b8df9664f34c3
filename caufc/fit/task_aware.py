"""Task-aware profiles: bases and steps by what the rest of a network reacts to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import LayoutAligner, Tokens, ValueAligner, align_channels
from ..align.statistics import ChannelStatistics
from ..bitstream import AlignmentRecord
from ..codec import (
    ANALYSIS,
    ANALYSIS_SCALES,
    BAND_STEPS,
    BASIS,
    BASIS_SCALES,
    Arrays,
    Geometry,
    Parameters,
    TransformCodec,
    estimate,
    quantize_rows,
)
from ..errors import InputError
from ..pipeline.setup import OFFSETS, SCALES, TRANSFORM, TensorSetup
from ..types import ALIGNMENT_KINDS, Layout
from .sensitivity import Metric, Sensitivity, measure_sensitivity, second_moments
from .task import Task

__all__ = ["fit_task", "samples_of"]

FLOORS = (0.3, 0.03, 0.003)
"""What insensitive directions may count; the one that needs the fewest bits is taken."""

KEPT = 0.993
"""Share of outputs that must stand at medium quality."""

SMALLEST_WEIGHT = 2.0**-20
STEP_RANGE = (-10.0, 8.0)
BISECTIONS = 7
DROPPED_SHARE = 1 / 32
"""Coordinates whose deviation is below this share of medium quality's step are never coded."""

ANALYSIS_BITS = 16

Values = NDArray[Any]
Told = Callable[[str], None]


@dataclass(frozen=True)
class _Candidate:
    """One way to code a tap, its step such that the task's outputs stand."""

    step: float
    bits: float


def samples_of(features: Any) -> list[Values]:
    """One float32 array a sample.

    Raises:
        InputError: if features are more than one tensor.
    """
    if isinstance(features, dict):
        raise InputError("task-aware profiles are for one tensor", remedy="give the features of one tap alone")
    return [np.asarray(sample, np.float32) for sample in features]


def fit_task(base: TensorSetup, samples: Sequence[Values], task: Task, told: Told) -> TensorSetup:
    """A setup whose basis, steps and step at medium quality are the task's.

    Args:
        base: layout and dtype.
        samples: one array a sample.
        task: the rest of the network.
        told: what is being done.

    Raises:
        InputError: for features that have no layout.
    """
    if base.layout is None:
        raise InputError("features without a layout cannot be fitted", tensor=base.name)
    halves = samples[::2], samples[1::2]
    told("gradients")
    first, second = (measure_sensitivity(task, half, base.layout) for half in halves)
    search = _Search(base.layout, halves, task, told)
    tried = [search.candidate(first, floor) for floor in FLOORS]
    best = min(tried, key=lambda found: found.bits)
    floor = FLOORS[tried.index(best)]
    parameters = Parameters(float(np.float32(best.step)), spectral=True)
    aligned = replace(base, codec=TRANSFORM, alignment=search.alignment, parameters=parameters.to_fields())
    return replace(aligned, arrays=search.arrays_for(first + second, floor, best.step))


class _Search:
    """Finds the step at which outputs stand, for one metric after the other."""

    def __init__(self, layout: Layout, halves: tuple[Sequence[Values], Sequence[Values]], task: Task, told: Told) -> None:
        self.task, self.told = task, told
        self.format = LayoutAligner(layout)
        seen, self.tokens = (self._tokens(half) for half in halves)
        both = np.concatenate([seen.matrix, self.tokens.matrix])
        statistics = ChannelStatistics(both.shape[1])
        statistics.add(both)
        channels = align_channels("mean-deviation", statistics, both, 0.0)
        self.aligner: ValueAligner = channels
        self.alignment = AlignmentRecord(ALIGNMENT_KINDS.index("mean-deviation"), 1)
        self.aligned_arrays: Arrays = {OFFSETS: channels.offset_codes, SCALES: channels.scale_codes}
        self.aligned = channels.forward(np.ascontiguousarray(self.tokens.matrix))[0]
        ours = second_moments(self.aligned, self._spectral(self.tokens))
        theirs = second_moments(channels.forward(np.ascontiguousarray(seen.matrix))[0], self._spectral(seen))
        self.seen, self.all = theirs.covariances(), (ours + theirs).covariances()
        self.before = task.run(halves[1])

    def _tokens(self, samples: Sequence[Values]) -> Tokens:
        alike = len({sample.shape for sample in samples}) == 1
        return self.format.to_tokens(np.stack(samples) if alike else list(samples))

    @staticmethod
    def _spectral(tokens: Tokens) -> Geometry:
        return Geometry(tokens.grids, tokens.special, spectral=True)

    def candidate(self, sensitivity: Sensitivity, floor: float) -> _Candidate:
        """The largest step at which the other half's outputs stand, and the bits that it then takes."""
        metric = sensitivity.metric(self.seen, floor)
        arrays = self._arrays(metric, len(metric.variances))
        step = self._step(arrays, math.sqrt(float(np.median(metric.variances[metric.variances > 0]))), floor)
        codec = self._codec(arrays, step)
        geometry = codec.geometry(self.tokens.grids, self.tokens.special)
        steps = codec.steps(1.0).astype(np.float64)
        return _Candidate(step, estimate(codec.transform(self.aligned, geometry), geometry.bands, steps, 1.0))

    def arrays_for(self, sensitivity: Sensitivity, floor: float, step: float) -> Arrays:
        """Sections for all samples; coordinates that even the highest qualities do not code are left out."""
        metric = sensitivity.metric(self.all, floor)
        kept = max(1, int(np.count_nonzero(metric.variances > (DROPPED_SHARE * step) ** 2)))
        whole = len(metric.variances)
        return {**self.aligned_arrays, **self._arrays(metric, kept if 2 * kept < whole else whole)}

    def _arrays(self, metric: Metric, kept: int) -> Arrays:
        """Sections of a metric's first coordinates; a whole basis is inverted, a cut one needs its analysis."""
        synthesis = quantize_rows(metric.synthesis[:kept])
        steps = np.rint(-4 * np.log2(np.maximum(metric.weights, SMALLEST_WEIGHT)))
        arrays: dict[int, Values] = {
            BAND_STEPS: np.clip(steps, -127, 127).astype(np.int8),
            BASIS: synthesis.codes.ravel(),
            BASIS_SCALES: synthesis.scales,
        }
        if kept < len(metric.synthesis):
            analysis = quantize_rows(metric.analysis[:kept], ANALYSIS_BITS)
            arrays |= {ANALYSIS: analysis.codes.ravel(), ANALYSIS_SCALES: analysis.scales}
        return arrays

    def _codec(self, arrays: Arrays, step: float) -> TransformCodec:
        return TransformCodec(Parameters(float(np.float32(step)), spectral=True), arrays, self.aligned.shape[1])

    def _step(self, arrays: Arrays, unit: float, floor: float) -> float:
        low, high = STEP_RANGE
        for number in range(BISECTIONS):
            middle = (low + high) / 2
            self.told(f"step {number + 1} of {BISECTIONS}, floor {floor:g}")
            if self._stands(self._codec(arrays, unit * 2.0**middle)):
                low = middle
            else:
                high = middle
        return unit * math.exp2(low)

    def _stands(self, codec: TransformCodec) -> bool:
        """Whether outputs stand when features are coded with this codec."""
        geometry = codec.geometry(self.tokens.grids, self.tokens.special)
        symbols = codec.symbols(codec.transform(self.aligned, geometry), geometry.bands, 1.0)
        decoded = codec.reconstruct(symbols, geometry, 1.0, np.dtype(np.float32))
        matrix = self.aligner.inverse(decoded, None)
        tokens = self.tokens
        samples = self.format.from_tokens(Tokens(matrix, tokens.shapes, tokens.grids, tokens.special, tokens.stacked))
        return self.task.kept(self.before, self.task.run(list(samples))) >= KEPT
