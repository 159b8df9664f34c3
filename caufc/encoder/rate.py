"""Rate control: one gain on the steps of all tensors, from a model on samples, verified by passes over the file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec.transform.grids import Geometry
from ..codec.transform.token_order import BANDS
from .options import Target
from .sample_plan import estimate, quantization_error

__all__ = ["RateModel", "Search", "bits_model", "gain_of_quality", "provisional_step", "slope_of", "snr_model", "solve"]

MODEL_VALUES = 1 << 18
PROVISIONAL_VALUES = 1 << 15
"""Values of a sample from which rates and errors are estimated, about."""

MIN_LOG_GAIN, MAX_LOG_GAIN = -40.0, 30.0
"""log2 of gains among which a target is looked for."""

QUALITY_OCTAVE = 8.0
MEDIUM = 50.0
"""Steps double every 8 qualities below medium, and halve above."""


def gain_of_quality(quality: float) -> float:
    """The gain of a quality: 1 at medium, double every 8 below."""
    return float(np.float32(2.0 ** ((MEDIUM - quality) / QUALITY_OCTAVE)))


@dataclass(frozen=True)
class RateModel:
    """What one tensor's sample tells of rate and distortion.

    Args:
        coefficients: sample ``[M, K]``.
        bands: of its tokens ``[M]``.
        steps: of every band at gain 1 ``[16]``.
        scale: features' units per aligned unit.
        weight: how many times more values the file has than the sample.
    """

    coefficients: NDArray[Any]
    bands: NDArray[np.uint8]
    steps: NDArray[np.float64]
    scale: float
    weight: float

    @classmethod
    def thinned(
        cls, coefficients: NDArray[Any], geometry: Geometry, steps: NDArray[np.float64], scale: float, weight: float
    ) -> RateModel:
        """A model on about a quarter of a million values: every so-many-th sample."""
        stride = max(1, min(len(geometry.grids), coefficients.size // MODEL_VALUES))
        ends = np.cumsum([0, *geometry.sizes])
        rows = [np.arange(ends[n], ends[n + 1]) for n in range(0, len(geometry.grids), stride)]
        picked = np.concatenate([np.empty(0, np.intp), *rows])
        share = len(coefficients) / max(1, len(picked))
        return cls(coefficients[picked], geometry.bands[picked], steps, scale, weight * share)

    def error(self, log_gain: float) -> float:
        """Sum of squared errors over the file."""
        errors = quantization_error(self.coefficients, self.bands, self.steps * 2.0**log_gain)
        return float(np.sum(np.square(errors), dtype=np.float64)) * self.scale**2 * self.weight

    def bits(self, log_gain: float) -> float:
        """Payload bits over the file."""
        return estimate(self.coefficients, self.bands, self.steps * 2.0**log_gain, self.weight)


def provisional_step(aligned: NDArray[Any], step: float, energy: float, target: Target) -> float:
    """The step at which transforms are compared: about the one that the target will need.

    Args:
        aligned: sample ``[M, C]``.
        step: at gain 1.
        energy: mean square of the features, in aligned units.
        target: the rate control.
    """
    if target.kind == "quality":
        return step * gain_of_quality(target.value)
    if target.kind == "snr":
        return max(math.sqrt(12 * energy * 10 ** (-target.value / 10)), 2.0**-90)
    few = np.ascontiguousarray(aligned[:: max(1, aligned.size // PROVISIONAL_VALUES)])
    bands, ones = np.zeros(len(few), np.uint8), np.ones(BANDS)
    wanted = target.value * few.size

    def bits(log_gain: float) -> float:
        return estimate(few, bands, ones * step * 2.0**log_gain, 1.0)

    return step * 2.0 ** solve(bits, wanted, steps=10) if few.size else step


def solve(measure: Callable[[float], float], wanted: float, *, steps: int = 24) -> float:
    """The log2 gain at which a falling function of it crosses ``wanted``, by bisection."""
    low, high = MIN_LOG_GAIN, MAX_LOG_GAIN
    for _ in range(steps):
        middle = (low + high) / 2
        if measure(middle) > wanted:
            low = middle
        else:
            high = middle
    return high


def snr_model(models: Sequence[RateModel], energy: float) -> Callable[[float], float]:
    """SNR in dB by log2 gain."""

    def measure(log_gain: float) -> float:
        error = sum(model.error(log_gain) for model in models)
        return 10 * math.log10(energy / error) if error > 0 and energy > 0 else math.inf

    return measure


def bits_model(models: Sequence[RateModel]) -> Callable[[float], float]:
    """Payload bits by log2 gain."""
    return lambda log_gain: sum(model.bits(log_gain) for model in models)


def slope_of(measure: Callable[[float], float], log_gain: float) -> float:
    """How fast a function falls there, per unit of log2 gain; never flat."""
    low, high = measure(log_gain - 0.25), measure(log_gain + 0.25)
    slope = 2 * (high - low) if math.isfinite(high) and math.isfinite(low) else -1.0
    return min(slope, -1e-6 * abs(low + high) - 1e-12)


class Search:
    """Finds the largest gain whose measured value stays on the right side of a target, by passes over the file.

    Args:
        wanted: the target.
        tolerance: how far beyond it a value may lie and still be good enough.
        slope: how the value changes per unit of log2 gain, as a first guess; its sign tells on which side of the
            target values must lie: SNR falls with the gain and must not be below, bits fall and must not be above.
        log_gain: where to start.
    """

    MOST_PASSES = 6

    def __init__(self, wanted: float, tolerance: float, slope: float, *, above: bool, log_gain: float) -> None:
        self.wanted, self.tolerance, self.slope, self.above = wanted, tolerance, slope, above
        self.log_gain = log_gain
        self.seen: list[tuple[float, float]] = []
        self.best: tuple[float, float] | None = None

    @property
    def settled(self) -> tuple[float, float]:
        """The best (log2 gain, value) so far; the last one if none was on the right side."""
        return self.best or self.seen[-1]

    @property
    def straddles(self) -> bool:
        """Whether the search ended short of its target though there are values on both sides of it."""
        return self.best is not None and not self.good(self.best[1]) and any(not self.kept(v) for _, v in self.seen)

    def refined(self) -> Search:
        """A search that goes on from the best gain alone."""
        gain, value = self.settled
        ahead = gain + (self.wanted - value) / self.slope * 0.5
        return Search(self.wanted, self.tolerance, self.slope, above=self.above, log_gain=ahead)

    def nearer_than(self, other: Search) -> bool:
        """Whether the best value lies on the right side and nearer to the target than another search's."""
        if self.best is None:
            return False
        return other.best is None or abs(self.best[1] - self.wanted) < abs(other.best[1] - self.wanted)

    def good(self, value: float) -> bool:
        """Whether a value is on the right side and near enough."""
        return self.kept(value) and abs(value - self.wanted) <= self.tolerance

    def kept(self, value: float) -> bool:
        """Whether a value is on the right side."""
        return value >= self.wanted if self.above else value <= self.wanted

    def record(self, value: float) -> bool:
        """Take what a pass at :attr:`log_gain` measured and move on; true when the search is over."""
        self.seen.append((self.log_gain, value))
        if self.kept(value) and (self.best is None or abs(value - self.wanted) < abs(self.best[1] - self.wanted)):
            self.best = (self.log_gain, value)
        if self.good(value) or len(self.seen) >= self.MOST_PASSES:
            return True
        following = self._next()
        if any(abs(following - gain) < 1e-6 for gain, _ in self.seen):
            return True
        self.log_gain = following
        return False

    def _next(self) -> float:
        """Where the value should be just on the right side: between the nearest on both sides, or along the slope."""
        aim = self.wanted + (0.4 if self.above else -0.4) * self.tolerance
        higher = [(g, v) for g, v in self.seen if v > aim and math.isfinite(v)]
        lower = [(g, v) for g, v in self.seen if v <= aim and math.isfinite(v)]
        if higher and lower:
            (g1, v1), (g0, v0) = max(higher), min(lower)
            if len(self.seen) > 4 or v1 == v0:
                return (g1 + g0) / 2
            return g1 + (g0 - g1) * (v1 - aim) / (v1 - v0)
        gain, value = self.seen[-1]
        if not math.isfinite(value):
            return gain + 1
        return min(MAX_LOG_GAIN, max(MIN_LOG_GAIN, gain + (aim - value) / self.slope))
