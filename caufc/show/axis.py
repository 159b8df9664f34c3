"""Axes of charts: values to pixels, and the values that are written beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Axis", "number_text", "percent"]

MOST_TICKS = 5


def number_text(value: float) -> str:
    """A number with three significant digits: ``0.0123``, ``1,230``, ``1.23e+06``."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if 1000 <= abs(value) < 1_000_000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def percent(share: float) -> str:
    """A share: ``12.3 %``."""
    return f"{100 * share:.1f} %"


@dataclass(frozen=True)
class Axis:
    """An axis.

    Args:
        label: what its values are, with their unit.
        low, high: its ends; high above low.
        start, stop: pixels of the ends.
        log: whether equal ratios are equal lengths; low is then above 0.
        whole: whether values are whole numbers.
    """

    label: str
    low: float
    high: float
    start: float
    stop: float
    log: bool = False
    whole: bool = False

    def place(self, value: float) -> float:
        """The pixel of a value; beyond the ends, that of the end."""
        value = min(max(value, self.low), self.high)
        part = (value - self.low) / (self.high - self.low)
        if self.log:
            part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + part * (self.stop - self.start)

    @property
    def ticks(self) -> list[float]:
        """Values that are written, round ones."""
        return self._decades() if self.log else self._steps()

    def _steps(self) -> list[float]:
        rough = max((self.high - self.low) / MOST_TICKS, 1.0 if self.whole else 0.0)
        power = 10.0 ** math.floor(math.log10(rough))
        step = next((power * factor for factor in (1, 2, 5, 10) if power * factor >= rough), 10 * power)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]

    def _decades(self) -> list[float]:
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        every = max(1, math.ceil((last - first + 1) / MOST_TICKS))
        found = [10.0**power for power in range(first, last + 1, every)]
        return found if len(found) > 1 else [self.low, self.high]
