"""The rate of a small file: found by trying, which costs little there, while the errors of a model are large."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .file_writer import FilePass
from .goal import GRID, MEDIUM
from .plan import TensorPlan
from .rate_range import RateRange
from .rate_search import HIGHEST, LOWEST

__all__ = ["RatedFile", "SmallRate", "with_steps"]

OCTAVES, HALVINGS, MOST_HALVINGS = 4.0, 7, 12
"""How much finer or coarser than planned steps are tried, how closely, and how closely where no file is near enough."""

MOST_OCTAVES = 4
"""So many times that far where no file is near enough."""

LEAP = 4
"""Places of the grid of qualities between the first tries."""

AROUND = 2
"""Places below and above the highest whose file fits with whose plans it is tried to keep more."""

SHARES = (0.25, 0.5, 0.75)
"""Of the way from that place to the next: qualities whose plans are tried too."""

NEAR = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Octaves by which steps of these plans are finer or coarser."""

NOTHING_DB, LITTLE_DB = 0.05, 3.0
"""What plans keep that code nothing, whose tables are the shortest; and a file that is as bad as a far smaller one."""

MOST_DB = 200.0
"""That a tensor counts for keeping: more is exact."""

Plans = Sequence[TensorPlan]


@dataclass(frozen=True)
class RatedFile:
    """A file that was tried: the quality of its plans, the plans with its steps, its bytes, and what it keeps in dB."""

    setting: float
    plans: Plans
    size: int
    kept: float


@dataclass
class SmallRate:
    """The file of at most so many bytes that keeps most, of plans at a grid of qualities and of other steps in these.

    Files that are near enough come before those that are not, of which the largest is found.

    Args:
        range: bytes that are near enough.
        planned: plans at a quality.
        tried: the file with plans of a quality.
        thorough: whether all is tried that may keep more; else the first file is taken that is near enough.
    """

    range: RateRange
    planned: Callable[[float], Plans]
    tried: Callable[[Plans, float], FilePass]
    thorough: bool = True
    known: dict[float, RatedFile] = field(default_factory=dict)

    def find(self) -> RatedFile:
        """The file, or the smallest if even that takes more bytes."""
        place, best = self._place()
        if not self._fits(best):
            return best
        for other in (place, *(place + sign * away for away in range(1, AROUND + 1) for sign in (-1, 1))):
            if not self.thorough and self._is_good(best):
                return best
            found = self._at(other)
            best = max(best, self._near(found), key=self.worth)
            best = self._between(found, best, *((-OCTAVES, 0.0) if self._fits(found) else (0.0, OCTAVES)))
        for share in SHARES:
            best = max(best, self._near(self._at(place + share)), key=self.worth)
        return self._farther(place, best)

    def _farther(self, place: int, best: RatedFile) -> RatedFile:
        """The best file, or a better one with steps yet finer or coarser, where plans leap by more octaves."""
        empty = [known for known, found in self.known.items() if known < place and found.kept < NOTHING_DB]
        for other, sign in ((place, -1), (place + 1, 1), *((known, -1) for known in empty[-1:])):
            for number in range(1, MOST_OCTAVES):
                planned, first = self._at(other), sign * OCTAVES * number
                if self._is_good(best) or self._fits(planned) != self._fits(self._stepped(planned, first)):
                    break
                best = self._between(planned, best, *sorted((first, first + sign * OCTAVES)))
        return best

    def _is_good(self, found: RatedFile) -> bool:
        return not self._lacking(found) and found.kept >= LITTLE_DB

    def _near(self, planned: RatedFile) -> RatedFile:
        """The file with the finest steps near those of plans that fits; that of the plans if none does."""
        signs, places = (-1, NEAR[::-1]) if self._fits(planned) else (1, NEAR)
        for octave in places:
            found = self._stepped(planned, signs * octave)
            if self._fits(found):
                return found
        return planned

    def _place(self) -> tuple[int, RatedFile]:
        """The highest quality whose file fits, and that file; or the smallest of all."""
        lowest, highest = (round((end - MEDIUM) / GRID) for end in (LOWEST, HIGHEST))
        tried: dict[int, RatedFile] = {}
        place, leap = 0, LEAP
        while True:
            tried[place] = self._at(place)
            below = max((one for one, found in tried.items() if found.size <= self.range.wanted), default=None)
            above = min((one for one in tried if below is None or one > below), default=None)
            if below is None:
                if place == lowest:
                    return min(tried.items(), key=lambda one: one[1].size)
                place, leap = max(lowest, place - leap), 2 * leap
            elif above is None:
                if place == highest:
                    return below, tried[below]
                place, leap = min(highest, place + leap), 2 * leap
            elif above - below == 1:
                return below, tried[below]
            else:
                place = (below + above) // 2

    def _at(self, place: float) -> RatedFile:
        if place not in self.known:
            setting = min(HIGHEST, max(LOWEST, MEDIUM + GRID * place))
            self.known[place] = self._found(setting, self.planned(setting))
        return self.known[place]

    def _stepped(self, planned: RatedFile, octave: float) -> RatedFile:
        """The file of plans with steps so many octaves coarser."""
        return self._found(planned.setting, with_steps(planned.plans, 2.0**octave))

    def _fits(self, found: RatedFile) -> bool:
        return found.size <= self.range.wanted

    def _found(self, setting: float, plans: Plans) -> RatedFile:
        done = self.tried(plans, setting)
        levels = [MOST_DB if one.snr_db is None else min(MOST_DB, one.snr_db) for one in done.distortions]
        return RatedFile(setting, plans, done.bytes_out, sum(levels))

    def worth(self, found: RatedFile) -> tuple[float, float]:
        """By which files compare: those that fit by what they keep, before the others, by their bytes."""
        return (-self._lacking(found), found.kept) if self._fits(found) else (-math.inf, -found.size)

    def _lacking(self, found: RatedFile) -> float:
        """Bytes by which a file is not near enough."""
        return max(0.0, self.range.wanted - self.range.tolerance - found.size)

    def _between(self, planned: RatedFile, best: RatedFile, finest: float, coarsest: float) -> RatedFile:
        """The best file that fits, of one and of plans with steps between so many octaves."""
        for number in range(MOST_HALVINGS):
            if number >= HALVINGS and not self._lacking(best):
                break
            octave = (finest + coarsest) / 2
            found = self._stepped(planned, octave)
            if not self._fits(found):
                finest = octave
                continue
            coarsest = octave
            best = max(best, found, key=self.worth)
        return best


def with_steps(plans: Plans, factor: float) -> list[TensorPlan]:
    """Plans whose steps of the transform codec are so many times as large."""
    return [plan.with_step(factor) if plan.terms.quantizer is not None else plan for plan in plans]
