"""Trials: what a quantiser at some step does to a thin sample, measured on values as they will be decoded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import SideArray, ValueAligner
from ..codec.buckets import zigzag
from ..codec.transform.codec import TransformCodec
from ..codec.transform.grids import Geometry
from ..coders.dtypes import cast_floats, to_floats
from ..coders.error_transfer import ErrorTransfer
from ..coders.row_sums import row_squares
from .gain_ladder import Figures
from .goal import OCTAVE_DB, Goal
from .root import place_of
from .sample_plan import QuantizerKind, quantize_sample

__all__ = ["FEW_VALUES", "WORST_SHARE", "StackTrial", "Trial", "worst_energy"]

NEAR = 0.03
"""dB from a goal that are near enough."""

MOST_TRIALS = 12
FINER, COARSER = 10.0, 6.0
"""Octaves from the gain where a search begins that are tried.

What finer steps do not meet is beyond the arithmetic; what far coarser ones seem to meet, they meet by chance.
"""

FEW_VALUES = 1 << 12
"""Samples of at most so many values have gains that meet a goal closely."""

TOLD_VALUES = 1 << 15
"""Smaller samples do not show how errors of coefficients become those of features."""

PLACE, MOST_PLACES, CLOSE = 1 / 32, 64, 0.6
"""Octaves between gains that are tried, how many are, and the dB above a goal that are close."""

BELOW = 1000.0
"""dB that count more than any excess."""

WORST_SHARE = 0.01
"""The share of tokens that may be worse than what is told of tokens."""

Values = NDArray[Any]


@dataclass(frozen=True)
class Trial:
    """A thin sample of a tensor, as its transforms have it.

    Args:
        codec: transforms and quantiser, whose step is that at gain 1.
        aligner: value alignment.
        side: statistics of the sample's tokens, where alignment has them.
        features: of the sample ``[n, C]``, in working floats.
        counted: which of them count ``[n, C]``; None for all.
        coefficients: of the sample ``[n, K]``.
        geometry: of the coefficients.
        dtype: of the features.
        gain_share: of reconstruction points.
        units: squared features' units per unit of the sample ``[n, 1]``; None for the same.
        in_units: whether a goal's noise is in features' units.
        judged: which of them a token's SNR is told by ``[n, C]``; None for those that count.
    """

    codec: TransformCodec
    aligner: ValueAligner
    side: SideArray | None
    features: Values
    counted: NDArray[np.bool_] | None
    coefficients: Values
    geometry: Geometry
    dtype: str
    gain_share: float
    units: NDArray[np.float64] | None = None
    in_units: bool = False
    judged: NDArray[np.bool_] | None = None

    @classmethod
    def of(
        cls,
        codec: TransformCodec,
        aligner: ValueAligner,
        features: Values,
        counted: NDArray[np.bool_] | None,
        geometry: Geometry,
        dtype: str,
        gain_share: float,
    ) -> Trial:
        """The trial of features ``[n, C]`` with a geometry that is not spectral."""
        aligned, side = aligner.forward(features)
        placed = codec.geometry(geometry.grids, geometry.special)
        coefficients = np.ascontiguousarray(codec.transform(aligned, placed))
        return cls(codec, aligner, side, features, counted, coefficients, placed, dtype, gain_share)

    def gain_for(self, goal: Goal, kind: QuantizerKind, gain: float) -> float:
        """The largest gain that meets a goal, about; ``gain`` is where to begin.

        What few values keep moves by leaps: theirs is the gain that meets the goal most closely.
        """
        if not self.features.size or not goal.noise > 0:
            return gain
        if self.features.size > FEW_VALUES:
            return self._gain_for(goal, kind, gain)
        return self._closest_gain(goal, kind, self._gain_for(goal, kind, gain))

    def meets(self, goal: Goal, kind: QuantizerKind, gain: float, slack: float = NEAR) -> bool:
        """Whether a gain meets a goal, but for so many dB."""
        return not self.features.size or self._spare(goal, kind, gain) >= -slack

    def figures(self, kind: QuantizerKind, gain: float) -> Figures:
        """What a gain keeps."""
        error = self._error(kind, gain)
        noise = float(np.mean(error))
        own = noise if self.units is None else float(np.mean(error * self.units))
        return Figures(noise, own, _token_snr(self._counting(self.features), error))

    def _closest_gain(self, goal: Goal, kind: QuantizerKind, near: float) -> float:
        """Of gains near one, the first that meets a goal closely; else that which exceeds it least."""
        best = near, self._spare(goal, kind, near)
        for place in range(1, MOST_PLACES):
            if -NEAR <= best[1] <= CLOSE:
                break
            gain = near * 2.0 ** (PLACE * ((place + 1) // 2) * (-1) ** place)
            best = min(best, (gain, self._spare(goal, kind, gain)), key=_closeness)
        return best[0]

    def _gain_for(self, goal: Goal, kind: QuantizerKind, gain: float) -> float:
        first = math.log2(gain)
        place = place_of(
            lambda octave: -self._spare(goal, kind, 2.0**octave),
            NEAR,
            first=first,
            slope=OCTAVE_DB,
            near=2 * NEAR,
            bounds=(first - FINER, first + COARSER),
            most=MOST_TRIALS,
        )
        return float(2.0**place)

    def transfer(self, kind: QuantizerKind, gain: float, tokens: float) -> ErrorTransfer | None:
        """What tells errors of a file of so many tokens from those of coefficients; None where these do not."""
        found = ErrorTransfer.of(self.codec, self.aligner, self.features.shape[1], self.dtype)
        if found is None or self.features.size < TOLD_VALUES:
            return None
        points, decoded = self._decoded(kind, gain)
        directions, points = (self.codec.from_grid(values, self.geometry) for values in (self.coefficients, points))
        told = found.sums(self.features, directions, points, None)
        squares = row_squares(decoded - self.features)
        precision = float(np.finfo(self.features.dtype).epsneg)
        return found.checked(told.squares, squares, float(told.energies.sum()), tokens, precision)

    def _spare(self, goal: Goal, kind: QuantizerKind, gain: float) -> float:
        """By how many dB a gain does better than its goal, the stricter part of it."""
        errors = self._errors(kind, gain)
        squares = np.square(_where(self.counted, errors), dtype=np.float64)
        noise = float(np.mean(squares if self.units is None or not self.in_units else squares * self.units))
        spare = 10 * (_log10(goal.noise) - _log10(noise)) if noise > 0 else math.inf
        if goal.token_snr == -math.inf:
            return spare
        judged = self.counted if self.judged is None else self.judged
        if self.judged is not None:
            squares = np.square(_where(judged, errors), dtype=np.float64)
        return min(spare, _token_snr(_where(judged, self.features), squares) - goal.token_snr)

    def _error(self, kind: QuantizerKind, gain: float) -> Values:
        """Squared errors of what counts ``[n, C]``."""
        return np.square(_where(self.counted, self._errors(kind, gain)), dtype=np.float64)

    def _errors(self, kind: QuantizerKind, gain: float) -> Values:
        """Errors of all features ``[n, C]``."""
        return self._decoded(kind, gain)[1] - self.features

    def _decoded(self, kind: QuantizerKind, gain: float) -> tuple[Values, Values]:
        """What indices stand for ``[n, K]``, and the features that are decoded from them ``[n, C]``."""
        steps = self.codec.steps(gain).astype(np.float64)
        made = quantize_sample(self.coefficients, self.geometry, steps, kind, self.gain_share)
        codec = self.codec.with_quantizer(kind == "dependent", made.shift)
        points = codec.points(zigzag(made.indices), self.geometry, gain, self.features.dtype)
        aligned = codec.inverse(points, self.geometry)
        with np.errstate(over="ignore", invalid="ignore"):
            return points, to_floats(cast_floats(self.aligner.inverse(aligned, self.side), self.dtype), self.dtype)

    def _counting(self, values: Values) -> Values:
        return _where(self.counted, values)


def _where(mask: NDArray[np.bool_] | None, values: Values) -> Values:
    """Values with zeros where a mask is not set; None for everywhere."""
    return values if mask is None else np.where(mask, values, values.dtype.type(0))


@dataclass(frozen=True, kw_only=True)
class StackTrial(Trial):
    """A trial of tensors behind each other, each of which has a goal of its own.

    Their errors are to be as large as their goals on average, and the tokens of each reach theirs.

    Args:
        goals: of the tensors.
    """

    goals: tuple[Goal, ...]

    def _spare(self, goal: Goal, kind: QuantizerKind, gain: float) -> float:  # noqa: ARG002
        members = len(self.goals)
        parts = (np.split(part, members, axis=1) for part in (self._counting(self.features), self._error(kind, gain)))
        pairs = list(zip(*parts, strict=True))
        tokens = min(_token_snr(*pair) - own.token_snr for own, pair in zip(self.goals, pairs, strict=True))
        shares = [
            np.mean(error) / own.noise for own, (_, error) in zip(self.goals, pairs, strict=True) if own.noise > 0
        ]
        return min(-10 * _log10(float(np.mean(shares))), tokens) if shares else tokens


def worst_energy(features: Values) -> float:
    """The energy that 99 % of the tokens ``[n, C]`` reach that are not all 0; 0 without any."""
    energy = np.square(features, dtype=np.float64).sum(axis=1)
    present = np.sort(energy[energy > 0])
    return float(present[int(WORST_SHARE * len(present))]) if len(present) else 0.0


def _token_snr(features: Values, error: Values) -> float:
    """dB that 99 % of the tokens ``[n, C]`` reach that are not all 0, of squared errors."""
    energy = np.square(features.astype(np.float64)).sum(axis=1)
    present = energy > 0
    if not present.any():
        return math.inf
    noise = np.maximum(error.sum(axis=1)[present], energy[present] * 1e-30)
    ratios = np.sort(energy[present] / noise)
    reached = float(ratios[int(WORST_SHARE * len(ratios))])
    return 10 * math.log10(reached) if reached > 0 else -math.inf


def _closeness(tried: tuple[float, float]) -> float:
    """How far above a goal a gain is; of those below, the nearest comes last but before none."""
    _, spare = tried
    return spare if spare >= -NEAR else BELOW - spare


def _log10(value: float) -> float:
    """The logarithm, -inf of 0: quotients of such numbers may leave the range of float64."""
    return math.log10(value) if value > 0 else -math.inf
