"""The stages of a fit as one progress: each takes a share of the whole, and advances in parts."""

from __future__ import annotations

from ..types import Progress

__all__ = ["Stages"]

UNITS = 1000
"""Units of a progress per second that a stage is expected to take."""


class Stages:
    """Long work in stages of which each is expected to take so many seconds.

    Args:
        progress: called with the stage and how far all of the work is, in milliseconds that were expected.
        seconds: that all stages are expected to take.
    """

    def __init__(self, progress: Progress, seconds: float) -> None:
        self.progress, self.seconds = progress, max(seconds, 1e-3)
        self.what, self.before, self.expected, self.spent = "", 0.0, 0.0, 0.0

    def begin(self, what: str, seconds: float) -> None:
        """Begin a stage; the one before is over, however long it took."""
        self.what, self.before = what, self.before + self.expected
        self.expected, self.spent = seconds, 0.0
        self._report()

    def advance(self, seconds: float) -> None:
        """Count a part of the stage, by the time it was expected to take."""
        self.spent = min(self.spent + seconds, self.expected)
        self._report()

    def within(self, what: str, done: int, total: int, /) -> None:  # noqa: ARG002
        """The stage's own progress, as a :class:`caufc.types.Progress`."""
        self.spent = self.expected * done / max(1, total)
        self._report()

    def _report(self) -> None:
        done = min(self.before + self.spent, self.seconds)
        self.progress(self.what, int(UNITS * done), int(UNITS * self.seconds))
