"""What a fit will cost: how much is read, how often a network runs, and about how long that takes."""

from __future__ import annotations

from dataclasses import dataclass

from ..encoder.effort import Effort
from ..text import count, duration, size

__all__ = ["FitCost", "survey_seconds"]

READ_SECONDS = 2e-8
CHOOSE_SECONDS = 7e-7
"""Seconds per value that is read, and per value of the sample on which choices are made, on one core, as
tools/measure/fit_cost.py finds them (tools/results/fit_cost.md)."""


@dataclass(frozen=True)
class FitCost:
    """The cost of a fit.

    Args:
        samples: number of samples.
        values: number of values.
        value_bytes: bytes of the values.
        passes: how often all values are read.
        survey_seconds: that one pass and the choices on it are expected to take.
        gradients: gradients through the network; 0 for a blind profile.
        gradient_seconds: that all of them are expected to take.
        trials: how often a part of the samples is coded and run through the network, at most.
        trial_samples: samples of a trial.
        trial_seconds: that one is expected to take.
    """

    samples: int
    values: int
    value_bytes: int
    passes: int
    survey_seconds: float
    gradients: int = 0
    gradient_seconds: float = 0.0
    trials: int = 0
    trial_samples: int = 0
    trial_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """That all of it is expected to take."""
        return self.passes * self.survey_seconds + self.gradient_seconds + self.trials * self.trial_seconds

    def text(self) -> str:
        """The cost as people read it."""
        parts = [
            f"{count(self.samples, 'sample')} of {count(self.values, 'value')} in all, {size(self.value_bytes)}",
            f"read {'once' if self.passes == 1 else 'twice'}",
        ]
        if self.trials:
            parts += [
                f"{count(self.gradients, 'gradient')} through the network",
                f"at most {count(self.trials, 'trial')} of {count(self.trial_samples, 'sample')}",
            ]
        return f"{', '.join(parts)}; about {duration(self.seconds)}"


def survey_seconds(values: int, effort: Effort) -> float:
    """The seconds that a pass over so many values and the choices on it are expected to take."""
    return READ_SECONDS * values + CHOOSE_SECONDS * min(values, effort.sample_of(values))
