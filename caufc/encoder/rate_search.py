"""The search for the file that a rate allows: plans by a model on samples first, then other steps in these plans.

New plans make the bytes jump, as tables, classes and quantiser are chosen anew; in plans that stay they move smoothly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from .rate_range import RateRange
from .root import place_of

__all__ = ["RateSearch"]

LOWEST, HIGHEST = -200.0, 210.0
"""Qualities among which a rate is looked for; beyond, indices would be too large."""

MODEL_STEPS = 16
MODEL_SHARE = 0.1
"""How near a model's bytes come, in shares of the tolerance."""

FIRST = 50.0
OCTAVE_QUALITIES = 16.0
"""Qualities by which a file of a typical rate doubles."""

FAR = 1.04
"""Files so many times too large or small get new plans."""

PLANS = 3
"""How often plans are made, and once more where steps alone do not help."""

SHARE_PER_OCTAVE = 0.5
"""The share of a file of a low rate that steps of twice the size save; at high rates it is a bit per value."""

FLATTER = 1.2
"""So many times farther than a line through two files says: the coarser steps are, the less they save."""

LEAP = 2.0
"""A model that at no quality is nearer than so many times what is wanted leaps over it."""

STALLED = 0.4
"""Files that move by less than this share of what is expected need new plans."""

LONGEST = 2.0
"""Octaves of steps between two files at most."""

SMALL_BYTES = 2048
"""Bytes below which a file is small."""

NEAREST = 0.02
"""Qualities that are the same for a search."""


@dataclass
class _Family:
    """Files of the same plans with several steps: octaves of their steps, and bytes."""

    setting: float
    files: list[tuple[float, int]] = field(default_factory=list)


class RateSearch:
    """Finds the file with the finest steps that has at most so many bytes.

    Args:
        wanted: bytes.
        numel: values of the file.
        expected: bytes at a quality by a model, rising.
    """

    def __init__(self, wanted: float, numel: int, expected: Callable[[float], float]) -> None:
        self.wanted, self.numel, self.expected = wanted, numel, expected
        self.known: dict[float, float] = {}
        self.families: list[_Family] = []
        self.range = RateRange(wanted)
        self.aim = self.range.aim
        self.setting, self.family, self.octave = self._solved(self.aim), 0, 0.0

    def record(self, found: int) -> bool:
        """Take the bytes of the file that was due and say what is next; true when the search is over.

        Next are the plans of :attr:`family`, made for the quality :attr:`setting`, with steps that are coarser by
        :attr:`octave`.
        """
        if self.family == len(self.families):
            self.families.append(_Family(self.setting))
        self.families[self.family].files.append((self.octave, found))
        if self.range.holds(found):
            return True
        if self.setting <= LOWEST and found > self.wanted:
            return True
        if self._plans_are_due(found) and self._plan_anew():
            return False
        self.family = min(range(len(self.families)), key=lambda number: self._distance(self.families[number]))
        family = self.families[self.family]
        self.setting, self.octave = family.setting, self._octave(family)
        return any(abs(self.octave - tried) * OCTAVE_QUALITIES < NEAREST for tried, _ in family.files)

    def _plans_are_due(self, found: float) -> bool:
        """Whether plans are far from what is wanted, or tables that stay no longer suit the steps."""
        family = self.families[self.family]
        if len(family.files) == 1:
            return len(self.families) < PLANS and not 1 / FAR <= found / self.aim <= FAR
        moved = abs(found - family.files[-2][1])
        octaves = abs(self.octave - family.files[-2][0])
        return len(self.families) <= PLANS and moved < STALLED * octaves * self._guess(found)

    def _plan_anew(self) -> bool:
        """Whether new plans may have what is wanted, by the model corrected by its error here."""
        family = self.families[self.family]
        wanted = self._corrected(family.files[0][1], self._expected(family.setting))
        setting = self._solved(wanted)
        if any(abs(setting - tried.setting) < NEAREST for tried in self.families):
            beyond = [place for place, size in self.known.items() if size > wanted and place > setting]
            setting = min(beyond, default=setting)
        if any(setting == tried.setting for tried in self.families) or self._leaps(setting, family.setting, wanted):
            return False
        self.setting, self.family, self.octave = setting, len(self.families), 0.0
        return True

    def _leaps(self, setting: float, known: float, wanted: float) -> bool:
        """Whether the model leaps over what is wanted, so that new plans would be farther from it than known ones."""
        there, here = (abs(math.log(max(1.0, self._expected(one)) / max(1.0, wanted))) for one in (setting, known))
        return there > max(here, math.log(LEAP))

    def _distance(self, family: _Family) -> float:
        """How many times too large or small the nearest file is; files that are too large are nearer."""
        ratios = [found / self.aim for _, found in family.files]
        return min(ratio if ratio >= 1 else FAR / ratio for ratio in ratios)

    def _octave(self, family: _Family) -> float:
        """Where files of the same plans have what is wanted."""
        above = max((file for file in family.files if file[1] > self.wanted), default=None)
        below = min((file for file in family.files if file[1] <= self.wanted), default=None)
        if above is not None and below is not None:
            (fine, most), (coarse, least) = above, below
            if fine < coarse:
                return fine + (coarse - fine) * min(0.95, max(0.05, (most - self.aim) / max(most - least, 1e-9)))
        octave, found = above or below or family.files[-1]
        ahead = (found - self.aim) / self._per_octave(family, found)
        if found > self.wanted and len(family.files) > 1:
            ahead *= FLATTER
        return octave + min(LONGEST, max(-LONGEST, ahead))

    def _per_octave(self, family: _Family, found: float) -> float:
        """Bytes that steps of twice the size save: what two files say, or about."""
        guess = self._guess(found)
        if len(family.files) < 2:
            return guess
        (first, most), (last, least) = sorted(family.files)[:: len(family.files) - 1]
        slope = (most - least) / (last - first) if last > first else guess
        return min(4 * guess, max(guess / 4, slope))

    def _guess(self, found: float) -> float:
        return max(1.0, min(self.numel / 8, found * SHARE_PER_OCTAVE))

    def _corrected(self, found: float, expected: float) -> float:
        """What the model should say where a file has what is wanted: errors of small files are headers."""
        if found < SMALL_BYTES or expected <= 0:
            return self.aim - (found - expected)
        return self.aim * expected / found

    def _solved(self, wanted: float) -> float:
        """The quality at which the model has so many bytes."""
        return place_of(
            self._expected,
            wanted,
            first=FIRST,
            slope=max(self.wanted, 1.0) / OCTAVE_QUALITIES,
            near=self.range.tolerance * MODEL_SHARE,
            bounds=(LOWEST, HIGHEST),
            most=MODEL_STEPS,
        )

    def _expected(self, setting: float) -> float:
        if setting not in self.known:
            self.known[setting] = self.expected(setting)
        return self.known[setting]
