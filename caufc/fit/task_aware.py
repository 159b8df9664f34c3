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
from ..codec import (
    ANALYSIS,
    ANALYSIS_SCALES,
    BAND_STEPS,
    BASIS,
    BASIS_SCALES,
    Arrays,
    Parameters,
    TransformCodec,
    estimate,
    quantize_rows,
)
from ..errors import InputError
from ..pipeline.setup import OFFSETS, SCALES, TRANSFORM, TensorSetup
from ..types import ALIGNMENT_KINDS, Layout
from .sensitivity import Metric, Sensitivity, measure_sensitivity
from .task import Task

__all__ = ["fit_task", "samples_of"]

FLOORS = (0.3, 0.03, 0.003)
"""What insensitive directions may count; the one that needs the fewest bits is taken."""

KEPT = 0.993
"""Share of outputs that must stand at medium quality."""

SMALLEST_WEIGHT = 2.0**-20
STEP_RANGE = (-10.0, 8.0)
BISECTIONS = 7
DROPPED_SHARE = 0.25
"""Coordinates whose deviation is below this share of a step carry nothing."""

ANALYSIS_BITS = 16

Values = NDArray[Any]
Told = Callable[[str], None]


@dataclass(frozen=True)
class _Candidate:
    """One way to code a tap, its step such that the task's outputs stand."""

    arrays: Arrays
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
    told("gradients")
    sensitivity = measure_sensitivity(task, samples, base.layout)
    search = _Search(base.layout, samples, task, told)
    best = min((search.candidate(sensitivity, floor) for floor in FLOORS), key=lambda found: found.bits)
    parameters = Parameters(float(np.float32(best.step)), spectral=True)
    aligned = replace(base, codec=TRANSFORM, alignment=search.alignment, parameters=parameters.to_fields())
    return replace(aligned, arrays=best.arrays)


class _Search:
    """Finds the step at which outputs stand, for one metric after the other."""

    def __init__(self, layout: Layout, samples: Sequence[Values], task: Task, told: Told) -> None:
        from ..bitstream import AlignmentRecord

        self.task, self.told, self.samples = task, told, samples
        self.format = LayoutAligner(layout)
        stacked = len({sample.shape for sample in samples}) == 1
        self.tokens = self.format.to_tokens(np.stack(samples) if stacked else list(samples))
        matrix = np.ascontiguousarray(self.tokens.matrix)
        statistics = ChannelStatistics(matrix.shape[1])
        statistics.add(matrix)
        channels = align_channels("mean-deviation", statistics, matrix, 0.0)
        self.aligner: ValueAligner = channels
        self.alignment = AlignmentRecord(ALIGNMENT_KINDS.index("mean-deviation"), 1)
        self.arrays: Arrays = {OFFSETS: channels.offset_codes, SCALES: channels.scale_codes}
        self.aligned = channels.forward(matrix)[0]
        self.covariance = np.asarray(self.aligned.T @ self.aligned / len(self.aligned), np.float64)
        self.before = task.run(samples)

    def candidate(self, sensitivity: Sensitivity, floor: float) -> _Candidate:
        """The largest step at which outputs stand, and the bits that the samples then take."""
        metric = sensitivity.metric(self.covariance, floor)
        whole = self._arrays(metric, len(metric.variances))
        step = self._step(whole, math.sqrt(float(np.median(metric.variances[metric.variances > 0]))), floor)
        kept = max(1, int(np.count_nonzero(metric.variances > (DROPPED_SHARE * step) ** 2)))
        arrays = self._arrays(metric, kept) if 2 * kept < len(metric.variances) else whole
        codec = self._codec(arrays, step)
        geometry = codec.geometry(self.tokens.grids, self.tokens.special)
        bits = estimate(codec.transform(self.aligned, geometry), geometry.bands, codec.steps(1.0).astype(np.float64), 1.0)
        return _Candidate({**self.arrays, **arrays}, step, bits)

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
