"""The search for the quality that a rate allows: by a model on samples first, corrected by what passes measure."""

from __future__ import annotations

from collections.abc import Callable

from .root import place_of

__all__ = ["RATE_BYTES", "RATE_TOLERANCE", "RateSearch"]

RATE_TOLERANCE, RATE_BYTES = 0.02, 64
"""Share of a rate, and bytes of a file, of which the larger is how far below it a file may lie."""

AIM = 0.5
"""Where in that range a search aims, from the rate on."""

LOWEST, HIGHEST = -200.0, 300.0
"""Qualities among which a rate is looked for."""

MODEL_STEPS = 16
MODEL_SHARE = 0.1
"""How near a model's bytes come, in shares of the tolerance."""

FIRST = 50.0
OCTAVE_QUALITIES = 16.0
"""Qualities by which a file of a typical rate doubles."""

FAR = 1.12
"""Files so many times too large or small need new plans."""

SHARE_PER_OCTAVE = 0.5
"""The share of a file of a low rate that steps of twice the size save; at high rates it is a bit per value."""

LONGEST = 1.0
"""Octaves of steps between two files at most."""

SMALL_BYTES = 2048
"""Bytes below which a file is small."""

NEAREST = 0.02
"""Qualities that are the same for a search."""


class RateSearch:
    """Finds the highest quality whose file has at most so many bytes.

    Args:
        wanted: bytes.
        expected: bytes at a quality by a model, rising.
    """

    def __init__(self, wanted: float, expected: Callable[[float], float]) -> None:
        self.wanted, self.expected = wanted, expected
        self.known: dict[float, float] = {}
        self.tried: list[tuple[float, float]] = []
        self.octave = 0.0
        self.tolerance = max(RATE_TOLERANCE * wanted, RATE_BYTES)
        self.aim = wanted - AIM * self.tolerance
        self.low: tuple[float, float] | None = None
        self.high: tuple[float, float] | None = None
        self.setting = self._solved(self.aim)

    def better(self, found: float, best: float) -> bool:
        """Whether a file's bytes are nearer to what is wanted than the best file's so far."""
        if best > self.wanted:
            return found < best
        return best < found <= self.wanted

    def record(self, found: float) -> bool:
        """Take the bytes of a file at :attr:`setting` and move on; true when the search is over."""
        if self.wanted - self.tolerance <= found <= self.wanted:
            return True
        here = (self.setting, found)
        if found <= self.wanted:
            self.low = here if self.low is None else max(self.low, here)
        else:
            self.high = here if self.high is None else min(self.high, here)
        before, self.setting = self.setting, self._next(found)
        return abs(self.setting - before) < NEAREST or not LOWEST < self.setting < HIGHEST

    def fine_factor(self, found: float, numel: int) -> float | None:
        """How many times larger steps meet the rate with plans that stay; None where new plans are due.

        New plans make the rate jump, as tables and costs are chosen anew; with plans that stay it moves smoothly.

        Args:
            found: bytes with the plans as they are.
            numel: values of the file.
        """
        if not 1 / FAR <= found / self.aim <= FAR:
            self.tried.clear()
            return None
        self.tried.append((self.octave, found))
        ahead = (found - self.aim) / self._per_octave(numel)
        ahead = min(LONGEST, max(-LONGEST, ahead))
        self.octave += ahead
        return float(2.0**ahead)

    def _per_octave(self, numel: int) -> float:
        """Bytes that steps of twice the size save: what the last two files say, or about."""
        octave, found = self.tried[-1]
        guess = min(numel / 8, found * SHARE_PER_OCTAVE)
        if len(self.tried) < 2 or self.tried[-2][0] == octave:
            return guess
        before, had = self.tried[-2]
        return min(4 * guess, max(guess / 4, (had - found) / (octave - before)))

    def _next(self, found: float) -> float:
        """Where the model, corrected by its error here, has what is wanted; between the nearest on both sides."""
        expected = self._expected(self.setting)
        setting = self._solved(self._corrected(found, expected))
        if self.low is None or self.high is None:
            return setting
        (low, below), (high, above) = self.low, self.high
        if low < setting < high:
            return setting
        return low + (high - low) * min(0.9, max(0.1, (self.aim - below) / max(above - below, 1e-9)))

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
            near=self.tolerance * MODEL_SHARE,
            bounds=(LOWEST, HIGHEST),
            most=MODEL_STEPS,
        )

    def _expected(self, setting: float) -> float:
        if setting not in self.known:
            self.known[setting] = self.expected(setting)
        return self.known[setting]
