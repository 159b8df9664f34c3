"""The progress bar: a line on stderr that says how far long work is; none where stderr is not a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

__all__ = ["Bar", "EncodeBar"]

REDRAW = 0.1
"""Seconds between two drawings at least."""

WIDTH = 24


class Bar:
    """A progress bar with percent, MB/s and time left, drawn while its body runs; then it leaves no trace.

    Args:
        label: what is being done.
        size: bytes that all of it stands for; 0 if unknown.
        quiet: show nothing.
        stream: where to; stderr when None.
        clock: seconds.
    """

    def __init__(
        self,
        label: str,
        size: int = 0,
        *,
        quiet: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.label, self.size, self.clock = label, size, clock
        self.stream = sys.stderr if stream is None else stream
        self.shown = not quiet and self.stream.isatty()
        self.started = self.drawn = clock()
        self.fraction = 0.0

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def stage(self, label: str) -> None:
        """Begin again under another label: time left is that of the new stage."""
        self.label, self.fraction = label, 0.0
        self.started = self.clock()

    def progress(self, what: str, done: int, total: int, /) -> None:
        """A :class:`caufc.types.Progress` that the bar shows, with what is being done as its label."""
        self.label = what
        self.update(done / max(1, total))

    def update(self, fraction: float) -> None:
        """Show how much is done, 0 to 1."""
        self.fraction = min(max(fraction, 0.0), 1.0)
        now = self.clock()
        if self.shown and now - self.drawn >= REDRAW:
            self.drawn = now
            room = shutil.get_terminal_size().columns - 1
            self.stream.write(f"\r\x1b[K{self.text(now)[:room]}")
            self.stream.flush()

    def clear(self) -> None:
        """Remove the line, so that another can be written in its place."""
        if self.shown:
            self.stream.write("\r\x1b[K")
            self.stream.flush()

    def text(self, now: float) -> str:
        """The bar as it is drawn at a time of its clock."""
        filled = round(WIDTH * self.fraction)
        return f"{self.label} [{'#' * filled}{'-' * (WIDTH - filled)}] {self.ahead(now)}"

    def ahead(self, now: float) -> str:
        """Percent, MB/s and time left at a time of its clock."""
        seconds = max(now - self.started, 1e-9)
        parts = [f"{self.fraction:4.0%}"]
        if self.size:
            parts.append(f"{self.size * self.fraction / seconds / 1e6:.1f} MB/s")
        if self.fraction:
            parts.append(f"{_time(seconds / self.fraction - seconds)} left")
        return "  ".join(parts)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class EncodeBar(Bar):
    """A bar that the encoder can call; every pass over the samples begins it again."""

    def __init__(self, size: int = 0, *, quiet: bool = False) -> None:
        super().__init__("encode", size, quiet=quiet)
        self.doing, self.done, self.passes = "", 0, 0

    def __enter__(self) -> EncodeBar:
        return self

    def __call__(self, what: str, done: int, total: int) -> None:
        if what != self.doing or done < self.done:
            self.passes = self.passes + 1 if what == self.doing else 1
            self.stage(what if self.passes == 1 else f"{what}, pass {self.passes}")
        self.doing, self.done = what, done
        self.update(done / max(1, total))
