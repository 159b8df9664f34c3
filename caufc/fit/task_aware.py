"""The fit of a task-aware profile: the candidate that needs the fewest bits while the network's outputs stand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..align import LayoutAligner
from ..codec.buckets import zigzag
from ..codec.transform.codec import TransformCodec
from ..codec.transform.parameters import Parameters
from ..coders.config import TensorConfig
from ..coders.lossy import channels_of, turns_of, value_aligner
from ..encoder.sample_plan import GAIN_SHARE, plan_either
from ..encoder.tensor_draft import TensorDraft
from ..encoder.transform_draft import TransformDraft
from ..errors import InputError
from ..layouts import GRID_LETTERS, Layout
from .candidates import ALIKE, Candidate, CandidateMaker, Evidence, blind_candidate, metric_candidate, scaled_candidate
from .cost import FitCost
from .network_tail import NetworkTail
from .remainder import RemainderMaker
from .sensitivity import measure_sensitivity
from .stages import Stages

__all__ = ["fit_to_network", "judged_samples", "remainders_of", "samples_of", "trials_of"]

FLOORS = (0.3, 0.03, 0.003)
"""Weights of directions without sensitivity, of one candidate each, against the mean of all; chosen by hand."""

ALLOWED_CHANGE = 0.005
"""Share of predictions that may be others at medium quality: half of what an agreement of 99 % allows."""

MARKS = (ALLOWED_CHANGE, 4 * ALLOWED_CHANGE, 16 * ALLOWED_CHANGE)
"""Candidates are compared by the product of their bits where so many predictions are others: one or two marks say
little, for the cheapest where hardly any prediction changes may be dear where some do. Chosen by hand."""

GAIN_SHARES = (0.0, GAIN_SHARE, 1.0)
"""Shares of the energy that reconstruction points keep, tried with the best candidate: none, as blind coding, all."""

CORRECTIONS = 2
LARGEST_OPTIMISM = 16.0
"""Medium quality is corrected so often, and by so much at most, where the estimate of changes is too low; by hand."""

NEAR = 0.03
"""Octaves from an allowed change that are near enough; chosen by hand."""

TRIALS = 8
"""Trials at most for one mark; chosen by hand."""

LEAP = 4.0
"""Octaves between two trials at most: changes that are too small to be seen say little. Chosen by hand."""

MOST_PREDICTIONS = 2048
"""Predictions that candidates are judged by, at most, where samples have many; chosen by hand."""

UNSEEN = 4.0
"""Octaves below what is allowed that a change counts that is too small to be seen."""

SAME_STEP = 1e-3
"""Octaves between steps that are the same."""

FIRST_STEP = 0.25
STEP_RANGE = (-14.0, 12.0)
"""The step where a search begins, in units of the candidate, and the octaves of it that it stays in; by hand."""

CANDIDATE_TRIALS = len(MARKS) * TRIALS
MEDIUM_TRIALS = (len(GAIN_SHARES) - 1) * CANDIDATE_TRIALS + CORRECTIONS
"""Trials of a candidate, and of the best one's reconstruction points and medium quality, at most."""

Values = NDArray[Any]


@dataclass(frozen=True)
class _Trial:
    """A trial: what coding samples at a step did to the network's outputs.

    Args:
        step: in octaves.
        shift: of reconstruction points.
        bits: of all samples.
        expected: change of the outputs, as estimated.
        changed: share of predictions that did become others.
    """

    step: float
    shift: int
    bits: float
    expected: float
    changed: float


_Key = TypeVar("_Key")
_Trials = list[_Trial]
"""One trial per mark."""


def samples_of(features: Any) -> list[Values]:
    """One float32 array per sample.

    Raises:
        InputError: if features are more than one tensor.
    """
    if isinstance(features, dict):
        raise InputError("task-aware profiles are for one tensor", remedy="give the features of one tap alone")
    return [np.asarray(getattr(sample, "float", lambda kept=sample: kept)(), np.float32) for sample in features]


def remainders_of(draft: TensorDraft) -> RemainderMaker:
    """What makes the remainders of samples of a tap.

    Args:
        draft: what features alone lead to.

    Raises:
        InputError: for features that have no layout.
    """
    base = draft.config
    if base.layout is None:
        raise InputError("features without a layout cannot be fitted", tensor=base.name)
    levelled = isinstance(draft, TransformDraft) and draft.survey.levelled
    turns = turns_of(base, channels_of(base))
    return RemainderMaker(LayoutAligner(base.layout), draft.terms.separator, turns, levelled=levelled)


def fit_to_network(
    base: TensorConfig,
    remainders: RemainderMaker,
    samples: Sequence[Values],
    tail: NetworkTail,
    stages: Stages,
    cost: FitCost,
) -> TensorConfig:
    """The configuration whose transforms, steps and step at medium quality suit a network.

    Every candidate is made from one half of the samples and judged on the other; the best is made anew from all.

    Args:
        base: what features alone lead to: layout, dtype, and the candidate to beat.
        remainders: tell what is coded of samples.
        samples: one array per sample.
        tail: the network behind the tap.
        stages: told what is being done.
        cost: how long stages are expected to take.
    """
    makers, trials = _candidate_makers(base, remainders), dict[str, _Trials]()
    halves = samples[::2], samples[1::2]
    stages.begin("gradients", cost.gradient_seconds)
    share = cost.gradient_seconds / len(samples)

    def evidence(half: Sequence[Values]) -> Evidence:
        found = measure_sensitivity(tail, half, remainders, lambda through: stages.advance(share * through))
        return Evidence(remainders(half).tokens, found)

    seen, judged = map(evidence, halves)
    few = judged_samples(tail, halves[1])
    judge = OutputJudge(base, remainders, tail, few, lambda: stages.advance(cost.trial_seconds))
    for number, (name, make) in enumerate(makers.items(), 1):
        stages.begin(f"candidate {number} of {len(makers)}: {name}", CANDIDATE_TRIALS * cost.trial_seconds)
        trials[name] = judge.trials(make(seen, 0.0))
    best = _cheapest(trials)
    stages.begin(f"reconstruction points and medium quality: {best}", MEDIUM_TRIALS * cost.trial_seconds)
    found = judge.medium(makers[best](seen, 0.0), trials[best])
    everything = Evidence(remainders(samples).tokens, seen.sensitivity + judged.sensitivity)
    step = math.exp2(found.step)
    return makers[best](everything, step).config(base, step, found.shift)


def trials_of(base: TensorConfig, remainders: RemainderMaker) -> int:
    """How many trials a fit has, at most."""
    return len(_candidate_makers(base, remainders)) * CANDIDATE_TRIALS + MEDIUM_TRIALS


def _candidate_makers(base: TensorConfig, remainders: RemainderMaker) -> dict[str, CandidateMaker]:
    """All candidates by name, as what makes them; those of language models' tokens have no frequencies."""
    makers: dict[str, CandidateMaker] = {}
    if base.layout is not None and _is_sequence(base.layout):
        makers |= {f"metric {floor:g}, plain": metric_candidate(floor, spectral=False) for floor in FLOORS}
    if remainders.levelled:
        return makers | {"blind": blind_candidate(base)}
    makers |= {f"metric {floor:g}": metric_candidate(floor) for floor in FLOORS}
    makers |= {"bands": scaled_candidate(True, ALIKE), "scaled, spectral": scaled_candidate(True)}
    return makers | {"scaled, spatial": scaled_candidate(False), "blind": blind_candidate(base)}


def _is_sequence(layout: Layout) -> bool:
    """Whether tokens are in a line."""
    return sum(len(term) for term in layout.unbatched().terms if term[0] in GRID_LETTERS) == 1


def judged_samples(tail: NetworkTail, samples: Sequence[Values]) -> Sequence[Values]:
    """As many samples as have enough predictions to judge by."""
    predictions = max(1, int(np.prod(tail.run(samples[:1])[0].shape[:-1])))
    return samples[: max(1, MOST_PREDICTIONS // predictions)]


class OutputJudge:
    """The judge of candidates: codes samples with them, and runs the network on what comes back.

    Args:
        base: the configuration that candidates change.
        remainders: tell what is coded of samples.
        tail: the network behind the tap.
        samples: one array per sample.
        advance: called after every trial.
    """

    def __init__(
        self,
        base: TensorConfig,
        remainders: RemainderMaker,
        tail: NetworkTail,
        samples: Sequence[Values],
        advance: Callable[[], None] = lambda: None,
    ) -> None:
        self.base, self.form, self.tail, self.advance = base, remainders.form, tail, advance
        self.rest = remainders(samples)
        self.before = tail.outcome(samples)

    def medium(self, candidate: Candidate, trials: _Trials) -> _Trial:
        """The trial at medium quality, with the reconstruction points that need the fewest bits.

        Args:
            candidate: the best one.
            trials: its own with the usual points.
        """
        by_share = {share: self.trials(candidate, share) for share in GAIN_SHARES if share != GAIN_SHARE}
        by_share[GAIN_SHARE] = trials
        share = _cheapest(by_share)
        return self._corrected(candidate, share, by_share[share][0])

    def _corrected(self, candidate: Candidate, share: float, trial: _Trial) -> _Trial:
        """The trial at which no more predictions change than may, where the estimate is too low."""
        for _ in range(CORRECTIONS):
            seen = self.before.predictions
            optimism = (trial.changed * seen + 1) / (trial.expected * seen + 1)
            if optimism <= 1:
                break
            trial = self._trial(candidate, share, ALLOWED_CHANGE / min(optimism, LARGEST_OPTIMISM), trial.step)
        return trial

    def trials(self, candidate: Candidate, share: float = GAIN_SHARE) -> _Trials:
        """The trials of a candidate at the marks."""
        found: _Trials = []
        for mark in MARKS:
            found.append(self._trial(candidate, share, mark, found[-1].step if found else None))
        return found

    def _trial(self, candidate: Candidate, share: float, allowed: float, start: float | None) -> _Trial:
        """The trial at which outputs change as much as allowed, of those made."""
        found = [self.first_trial(candidate, share) if start is None else self._try(candidate, share, start)]
        low, high = (math.log2(candidate.unit) + end for end in STEP_RANGE)
        while len(found) < TRIALS and abs(_octaves(found[-1], allowed)) > NEAR:
            step = _next_step(found, allowed)
            if not low <= step <= high or any(abs(step - trial.step) < SAME_STEP for trial in found):
                break
            found.append(self._try(candidate, share, step))
        return min(found, key=lambda trial: abs(_octaves(trial, allowed)))

    def first_trial(self, candidate: Candidate, share: float = GAIN_SHARE) -> _Trial:
        """The trial with which a search begins."""
        return self._try(candidate, share, math.log2(FIRST_STEP * candidate.unit))

    def _try(self, candidate: Candidate, share: float, step: float) -> _Trial:
        config = candidate.config(self.base, math.exp2(step))
        tokens = self.rest.tokens
        channels = tokens.matrix.shape[1]
        aligner, parameters = value_aligner(config, channels), Parameters.from_fields(config.parameters)
        aligned = aligner.forward(np.ascontiguousarray(tokens.matrix))[0]
        plain = TransformCodec(parameters, candidate.arrays, channels)
        geometry = plain.geometry(tokens.grids, tokens.special)
        coefficients = plain.transform(aligned, geometry)
        steps = plain.steps(1.0).astype(np.float64)
        made = plan_either(coefficients, geometry, steps, parameters, 1.0, gain_share=share)
        shift = made.parameters.shift
        codec = TransformCodec(made.parameters, candidate.arrays, channels)
        steps = codec.steps(1.0).astype(np.float64)
        symbols = zigzag(made.quantizer(coefficients, steps, geometry.bands))
        matrix = aligner.inverse(codec.reconstruct(symbols, geometry, 1.0, np.dtype(np.float32)), None)
        after = self.tail.run(list(self.form.from_tokens(replace(tokens, matrix=self.rest.restored(matrix)))))
        self.advance()
        return _Trial(step, shift, made.bits, self.before.expected_change(after), self.before.changed(after))


def _cheapest(trials: dict[_Key, _Trials]) -> _Key:
    """The key of the trials with the smallest product of bits at the marks."""
    return min(trials, key=lambda key: math.prod(trial.bits for trial in trials[key]))


def _next_step(found: Sequence[_Trial], allowed: float) -> float:
    """Where to try next: as the slope says, but between trials on both sides, if there are any."""
    step = found[-1].step - float(np.clip(_octaves(found[-1], allowed) / _slope(found), -LEAP, LEAP))
    below = max((trial.step for trial in found if _octaves(trial, allowed) < 0), default=-math.inf)
    above = min((trial.step for trial in found if _octaves(trial, allowed) > 0), default=math.inf)
    if below < step < above or not -math.inf < below < above < math.inf:
        return step
    return (below + above) / 2


def _octaves(trial: _Trial, allowed: float) -> float:
    """How far a trial's change is above what is allowed, in octaves; none seen is far below."""
    return max(math.log2(max(trial.expected, 1e-9) / allowed), -UNSEEN)


def _slope(found: Sequence[_Trial]) -> float:
    """Octaves of change per octave of step, as the last trials have it."""
    if len(found) < 2 or found[-1].step == found[-2].step:
        return 1.0
    return float(
        np.clip(_octaves(found[-1], max(found[-2].expected, 1e-9)) / (found[-1].step - found[-2].step), 0.4, 2.5)
    )
