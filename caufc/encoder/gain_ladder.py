"""Gains of small files, on fixed rungs: more of a control keeps no less, though what few values keep moves by leaps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from .goal import OCTAVE_DB, Goal
from .root import place_of
from .sample_plan import QuantizerKind

__all__ = ["Figures", "GainLadder"]

RUNGS = 16
"""In an octave of gains."""

NEAR = 0.03
"""dB from a goal that are near enough."""

LOWER = 0.05
"""dB by which a finer rung may keep less than a coarser one."""

MOST_TRIALS = 12
FINER, COARSER = 10.0, 6.0
"""Octaves from the gain where a search begins that are tried."""

COARSEST, FINEST = 24, 64
"""Rungs above and below the one where a goal is about met among which the gain is."""

FARTHEST = 12 * RUNGS
"""The same above, where all that keep anything are tried."""


@dataclass(frozen=True)
class Figures:
    """What a gain keeps.

    Args:
        noise: mean squared error of a value, in the units of goals.
        error: the same in those of the features, of which tokens with scales have other ones.
        token_snr: dB that 99 % of tokens reach.
    """

    noise: float
    error: float
    token_snr: float

    def spare(self, goal: Goal) -> float:
        """By how many dB that is better than a goal, the stricter part of it."""
        if not self.noise > 0:
            return math.inf
        spare = 10 * (math.log10(goal.noise) - math.log10(self.noise))
        return spare if goal.token_snr == -math.inf else min(spare, self.token_snr - goal.token_snr)

    def keeps(self, other: Figures) -> bool:
        """Whether that is what another gain keeps, but for little; of tokens below 0 dB nothing is kept."""
        error = other.error * 10 ** (LOWER / 10)
        return self.error <= error and max(0.0, self.token_snr) >= max(0.0, other.token_snr) - LOWER

    def better(self, other: Figures) -> Figures:
        """The better figure of each kind."""
        return Figures(self.noise, min(self.error, other.error), max(self.token_snr, other.token_snr))


@dataclass
class GainLadder:
    """The coarsest gain that meets a goal, of those that keep all that coarser ones keep.

    As rungs stay where they are, each with its kind of quantiser, a stricter goal has the same rung, or a finer one
    that keeps no less.

    Args:
        kind: of quantiser at a gain: plain from some gain on.
        figures: of a gain with a kind of quantiser, which are measured once.
        whole: whether all gains that keep anything are tried, as leaps may be of any size.
    """

    kind: Callable[[float], QuantizerKind]
    figures: Callable[[QuantizerKind, float], Figures]
    whole: bool = False
    known: dict[tuple[QuantizerKind, int], Figures] = field(default_factory=dict)
    kinds: dict[int, QuantizerKind] = field(default_factory=dict)

    def gain_for(self, goal: Goal, gain: float) -> tuple[float, QuantizerKind]:
        """The gain for a goal, and its kind of quantiser; ``gain`` is where to begin."""
        near = self._near(goal, gain)
        coarsest = self._coarsest(goal, near)
        self._settle(near, coarsest)
        kept: Figures | None = None
        for rung in range(coarsest, near - FINEST, -1):
            kind = self._kind(rung)
            found = self._at(kind, rung)
            if kept is not None and not found.keeps(kept):
                continue
            kept = found if kept is None else found.better(kept)
            if found.spare(goal) >= -NEAR:
                return _gain(rung), kind
        return _gain(near), self._kind(near)

    def _coarsest(self, goal: Goal, near: int) -> int:
        """The rung to begin with, which does not meet the goal if any of those tried does not."""
        rung, last = near + COARSEST, near + FARTHEST
        while self.whole and rung < last and self._at("plain", rung) != self._at("plain", last):
            rung += RUNGS
        while rung < last and self._at(self._kind(rung), rung).spare(goal) >= -NEAR:
            rung += RUNGS
        return rung

    def _near(self, goal: Goal, gain: float) -> int:
        """A rung where a goal is about met."""
        first, kind = math.log2(gain), self._kind(round(RUNGS * math.log2(gain)))
        octave = place_of(
            lambda octave: -self._at(kind, round(RUNGS * octave)).spare(goal),
            NEAR,
            first=first,
            slope=OCTAVE_DB,
            near=OCTAVE_DB / RUNGS,
            bounds=(first - FINER, first + COARSER),
            most=MOST_TRIALS,
        )
        return round(RUNGS * octave)

    def _settle(self, fine: int, coarse: int) -> None:
        """Learn the kinds of quantiser between two rungs."""
        while coarse - fine > 1 and self._kind(fine) != self._kind(coarse):
            middle = (fine + coarse) // 2
            fine, coarse = (middle, coarse) if self._kind(middle) == self._kind(fine) else (fine, middle)

    def _kind(self, rung: int) -> QuantizerKind:
        if rung not in self.kinds:
            plain = any(kind == "plain" and other <= rung for other, kind in self.kinds.items())
            other_kind = next((kind for other, kind in self.kinds.items() if kind != "plain" and other >= rung), None)
            self.kinds[rung] = "plain" if plain else other_kind or self.kind(_gain(rung))
        return self.kinds[rung]

    def _at(self, kind: QuantizerKind, rung: int) -> Figures:
        if (kind, rung) not in self.known:
            self.known[kind, rung] = self.figures(kind, _gain(rung))
        return self.known[kind, rung]


def _gain(rung: int) -> float:
    return float(2.0 ** (rung / RUNGS))
