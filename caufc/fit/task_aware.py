"""Task-aware profiles: the draft that needs the fewest bits while the outputs of the rest of a network stand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..align import (
    LayoutAligner,
    Tokens,
)
from ..codec.buckets import zigzag
from ..codec.transform.codec import TransformCodec
from ..codec.transform.parameters import Parameters
from ..coders.config import TensorConfig
from ..coders.lossy import value_aligner
from ..encoder.sample_plan import GAIN_SHARE, plan_sample
from ..errors import InputError
from .candidates import (
    ALIKE,
    Draft,
    Drawn,
    Evidence,
    blind_draft,
    metric_draft,
    scaled_draft,
)
from .network_tail import Task
from .sensitivity import measure_sensitivity

__all__ = ["fit_task", "samples_of"]

FLOORS = (0.3, 0.03, 0.003)
"""What insensitive directions may count."""

ALLOWED_CHANGE = 0.005
"""Share of predictions that may be others at medium quality."""

MARKS = (ALLOWED_CHANGE, 4 * ALLOWED_CHANGE, 16 * ALLOWED_CHANGE)
"""Drafts are compared by the product of their bits where so many predictions are others."""

GAIN_SHARES = (0.0, GAIN_SHARE, 1.0)
"""Of reconstruction points, tried with the best draft."""

CORRECTIONS = 2
LARGEST_OPTIMISM = 16.0

NEAR = 0.03
"""How near to a change, in octaves, is near enough."""

TRIALS = 8
LEAP = 4.0
"""Octaves between two trials at most: changes that are too small to be seen say little."""

FIRST_STEP = 0.25
STEP_RANGE = (-14.0, 12.0)

Values = NDArray[Any]
Told = Callable[[str], None]


@dataclass(frozen=True)
class _Trial:
    """What came out at a step.

    Args:
        step: in octaves.
        shift: of reconstruction points.
        bits: of the samples.
        change: of the outputs, as estimated.
        fallen: share of predictions that did become others.
    """

    step: float
    shift: int
    bits: float
    change: float
    fallen: float


_Key = TypeVar("_Key")
_Trials = list[_Trial]
"""One at each mark."""


def samples_of(features: Any) -> list[Values]:
    """One float32 array a sample.

    Raises:
        InputError: if features are more than one tensor.
    """
    if isinstance(features, dict):
        raise InputError("task-aware profiles are for one tensor", remedy="give the features of one tap alone")
    return [np.asarray(getattr(sample, "float", lambda kept=sample: kept)(), np.float32) for sample in features]


def fit_task(base: TensorConfig, samples: Sequence[Values], task: Task, told: Told) -> TensorConfig:
    """A setup whose transforms, steps and step at medium quality are the task's.

    Every draft is made from one half of the samples and judged on the other; the best is made anew from all.

    Args:
        base: what features alone say: layout, dtype, and the draft to beat.
        samples: one array a sample.
        task: the rest of the network.
        told: what is being done.

    Raises:
        InputError: for features that have no layout.
    """
    if base.layout is None:
        raise InputError("features without a layout cannot be fitted", tensor=base.name)
    form = LayoutAligner(base.layout)
    told("gradients")
    halves = samples[::2], samples[1::2]
    seen, judged = (Evidence(_tokens(form, half), measure_sensitivity(task, half, base.layout)) for half in halves)
    judge = _Judge(base, form, judged.tokens, task, halves[1])
    ways, tried = _ways(base), dict[str, _Trials]()
    for number, (name, draw) in enumerate(ways.items()):
        told(f"draft {number + 1} of {len(ways)}: {name}")
        tried[name] = judge.trials(draw(seen, 0.0))
    best = _cheapest(tried)
    told(f"reconstruction points and medium quality: {best}")
    found = judge.medium(ways[best](seen, 0.0), tried[best])
    everything = Evidence(_tokens(form, samples), seen.sensitivity + judged.sensitivity)
    step = math.exp2(found.step)
    return ways[best](everything, step).config(base, step, found.shift)


def _ways(base: TensorConfig) -> dict[str, Drawn]:
    """What is tried, by name."""
    ways: dict[str, Drawn] = {f"metric {floor:g}": metric_draft(floor) for floor in FLOORS}
    ways |= {"bands": scaled_draft(True, ALIKE), "scaled, spectral": scaled_draft(True)}
    return ways | {"scaled, spatial": scaled_draft(False), "blind": blind_draft(base)}


def _tokens(form: LayoutAligner, samples: Sequence[Values]) -> Tokens:
    alike = len({sample.shape for sample in samples}) == 1
    return form.to_tokens(np.stack(samples) if alike else list(samples))


class _Judge:
    """Codes samples with drafts and runs the rest of the network on what comes back."""

    def __init__(
        self, base: TensorConfig, form: LayoutAligner, tokens: Tokens, task: Task, samples: Sequence[Values]
    ) -> None:
        self.base, self.form, self.tokens, self.task = base, form, tokens, task
        self.before = task.run(samples)

    def medium(self, draft: Draft, trials: _Trials) -> _Trial:
        """Medium quality with the reconstruction points that need the fewest bits.

        Args:
            draft: the best one.
            trials: of it with the usual points.
        """
        by_share = {share: self.trials(draft, share) for share in GAIN_SHARES if share != GAIN_SHARE}
        by_share[GAIN_SHARE] = trials
        share = _cheapest(by_share)
        return self._corrected(draft, share, by_share[share][0])

    def _corrected(self, draft: Draft, share: float, trial: _Trial) -> _Trial:
        """The trial at which no more predictions fall than may, where the estimate says too few."""
        for _ in range(CORRECTIONS):
            seen = len(self.before)
            optimism = (trial.fallen * seen + 1) / (trial.change * seen + 1)
            if optimism <= 1:
                break
            trial = self._trial(draft, share, ALLOWED_CHANGE / min(optimism, LARGEST_OPTIMISM), trial.step)
        return trial

    def trials(self, draft: Draft, share: float = GAIN_SHARE) -> _Trials:
        """The trials at the marks."""
        found: _Trials = []
        for mark in MARKS:
            found.append(self._trial(draft, share, mark, found[-1].step if found else None))
        return found

    def _trial(self, draft: Draft, share: float, allowed: float, start: float | None) -> _Trial:
        """The trial at which outputs change as much as allowed."""
        found = [self._try(draft, share, math.log2(FIRST_STEP * draft.unit) if start is None else start)]
        while len(found) < TRIALS and abs(_octaves(found[-1], allowed)) > NEAR:
            step = found[-1].step - float(np.clip(_octaves(found[-1], allowed) / _slope(found), -LEAP, LEAP))
            low, high = (math.log2(draft.unit) + end for end in STEP_RANGE)
            if not low <= step <= high:
                break
            found.append(self._try(draft, share, step))
        return min(found, key=lambda trial: abs(_octaves(trial, allowed)))

    def _try(self, draft: Draft, share: float, step: float) -> _Trial:
        config = draft.config(self.base, math.exp2(step))
        channels = self.tokens.matrix.shape[1]
        aligner, parameters = value_aligner(config, channels), Parameters.from_fields(config.parameters)
        aligned = aligner.forward(np.ascontiguousarray(self.tokens.matrix))[0]
        plain = TransformCodec(parameters, draft.arrays, channels)
        geometry = plain.geometry(self.tokens.grids, self.tokens.special)
        coefficients = plain.transform(aligned, geometry)
        steps = plain.steps(1.0).astype(np.float64)
        made = plan_sample(coefficients, geometry, steps, parameters, 1.0, bounded=False, gain_share=share)
        shift = made.parameters.shift
        codec = TransformCodec(made.parameters, draft.arrays, channels)
        steps = codec.steps(1.0).astype(np.float64)
        symbols = zigzag(made.quantizer(coefficients, steps, geometry.bands))
        matrix = aligner.inverse(codec.reconstruct(symbols, geometry, 1.0, np.dtype(np.float32)), None)
        after = self.task.run(list(self.form.from_tokens(replace(self.tokens, matrix=matrix))))
        return _Trial(
            step, shift, made.bits, self.task.change(self.before, after), self.task.fallen(self.before, after)
        )


def _cheapest(tried: dict[_Key, _Trials]) -> _Key:
    """What needs the smallest product of bits at the marks."""
    return min(tried, key=lambda key: math.prod(trial.bits for trial in tried[key]))


def _octaves(trial: _Trial, allowed: float) -> float:
    """How far a trial's change is above what is allowed."""
    return math.log2(max(trial.change, 1e-9) / allowed)


def _slope(found: Sequence[_Trial]) -> float:
    """Octaves of change an octave of step, as the last trials have it."""
    if len(found) < 2 or found[-1].step == found[-2].step:
        return 1.0
    return float(
        np.clip(_octaves(found[-1], max(found[-2].change, 1e-9)) / (found[-1].step - found[-2].step), 0.4, 2.5)
    )
