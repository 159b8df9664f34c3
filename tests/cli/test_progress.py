"""The bar on stderr."""

from __future__ import annotations

import io
from collections.abc import Callable

from caufc.cli.progress import Bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def drawn(act: Callable[[Bar, Clock], None], *, quiet: bool = False, terminal: bool = True) -> str:
    stream, clock = Terminal() if terminal else io.StringIO(), Clock()
    with Bar("encode", 100_000_000, quiet=quiet, stream=stream, clock=clock) as bar:
        act(bar, clock)
    return stream.getvalue()


def quarter(bar: Bar, clock: Clock) -> None:
    clock.now = 10
    bar.update(0.25)


def test_percent_speed_and_time_left() -> None:
    line = "encode [######------------------]  25%  2.5 MB/s  0:30 left"
    assert drawn(quarter) == f"\r\x1b[K{line}\r\x1b[K"


def test_nothing_where_nobody_looks() -> None:
    assert drawn(quarter, quiet=True) == ""
    assert drawn(quarter, terminal=False) == ""


def test_it_draws_seldom() -> None:
    def often(bar: Bar, clock: Clock) -> None:
        for step in range(1000):
            clock.now += 0.001
            bar.update(step / 1000)

    assert drawn(often).count("%") <= 10


def test_a_new_stage_begins_again() -> None:
    def two(bar: Bar, clock: Clock) -> None:
        quarter(bar, clock)
        bar.stage("verify")
        clock.now += 3600
        bar.update(0.5)

    assert "verify [############------------]  50%  0.0 MB/s  1:00:00 left" in drawn(two)
