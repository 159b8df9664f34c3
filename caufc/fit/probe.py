"""The probe of a task-aware fit: times a network and a trial on a few samples, so that the cost of all is known."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..coders.config import TensorConfig
from .candidates import Candidate, Evidence, metric_candidate
from .network_tail import NetworkTail
from .remainder import RemainderMaker
from .sensitivity import measure_sensitivity
from .task_aware import FLOORS, OutputJudge, Values, judged_samples

__all__ = ["ProbedTimes", "probe"]

ENOUGH = 0.5
"""Seconds of a trial that is long enough to tell how long larger ones take."""

FEWEST = 2


@dataclass(frozen=True)
class ProbedTimes:
    """The seconds of one size of probe.

    Args:
        samples: how many.
        gradients: of the gradients of all of them.
        trial: of coding them once and running the network on what comes back.
    """

    samples: int
    gradients: float
    trial: float

    def for_trial_of(self, samples: int, smaller: ProbedTimes | None) -> float:
        """The seconds that a trial of so many samples is expected to take: linear, as two sizes tell."""
        slope = self.trial / self.samples
        if smaller is not None:
            slope = min(slope, max(0.0, self.trial - smaller.trial) / (self.samples - smaller.samples))
        return self.trial + slope * (samples - self.samples)


def probe(
    base: TensorConfig, remainders: RemainderMaker, samples: Sequence[Values], tail: NetworkTail
) -> tuple[float, float]:
    """The seconds that all gradients, and one trial of half the samples, are expected to take.

    Args:
        base: what features alone lead to.
        remainders: tell what is coded of samples.
        samples: one array per sample.
        tail: the network behind the tap.
    """
    half = max(1, len(judged_samples(tail, samples[: max(1, len(samples) // 2)])))
    smaller, times = None, _timed(base, remainders, samples[: min(FEWEST, half)], tail)
    while times.trial < ENOUGH and times.samples < half:
        smaller, times = times, _timed(base, remainders, samples[: min(2 * times.samples, half)], tail)
    return times.gradients * len(samples) / times.samples, times.for_trial_of(half, smaller)


def _timed(base: TensorConfig, remainders: RemainderMaker, samples: Sequence[Values], tail: NetworkTail) -> ProbedTimes:
    started = time.perf_counter()
    evidence = Evidence(remainders(samples).tokens, measure_sensitivity(tail, samples, remainders))
    gradients = time.perf_counter() - started
    judge = OutputJudge(base, remainders, tail, samples)
    candidate = metric_candidate(FLOORS[0])(evidence, 0.0)
    return ProbedTimes(len(samples), gradients, min(_seconds(judge, candidate), _seconds(judge, candidate)))


def _seconds(judge: OutputJudge, candidate: Candidate) -> float:
    started = time.perf_counter()
    judge.first_trial(candidate)
    return time.perf_counter() - started
