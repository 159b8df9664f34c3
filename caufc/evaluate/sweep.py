"""A sweep: the option of a method that is varied to draw its curve, and its values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Setting", "Sweep"]

Setting = Mapping[str, Any]
"""The options of one point, as JSON holds them: ``{"quality": 20.0}``."""


@dataclass(frozen=True)
class Sweep:
    """An option and its values, from few bytes to many.

    Args:
        option: its name.
        values: where points are measured first.
        divisible: whether there are settings between the values, and beyond them.
        low, high: where a divisible sweep ends.
        grain: settings that lie closer than this are the same.
    """

    option: str
    values: tuple[float, ...]
    divisible: bool = False
    low: float = float("-inf")
    high: float = float("inf")
    grain: float = 0.0

    def settings(self) -> list[Setting]:
        """The settings that are measured first, one per value."""
        return [{self.option: value} for value in self.values]

    def between(self, first: Setting, second: Setting) -> Setting | None:
        """The setting in the middle of two; None if there is none."""
        if not self.divisible or self.option not in first or self.option not in second:
            return None
        if abs(first[self.option] - second[self.option]) / 2 < self.grain:
            return None
        return {self.option: (first[self.option] + second[self.option]) / 2}

    def below(self, lowest: Setting) -> Setting | None:
        """A setting that needs fewer bytes than the lowest; None where the sweep ends."""
        return self._beyond(lowest, self.values[0] - self.values[1], lambda value: value >= self.low)

    def above(self, highest: Setting) -> Setting | None:
        """A setting that needs more bytes than the highest; None where the sweep ends."""
        return self._beyond(highest, self.values[-1] - self.values[-2], lambda value: value <= self.high)

    def _beyond(self, setting: Setting, stride: float, inside: Any) -> Setting | None:
        if not self.divisible or self.option not in setting:
            return None
        value = setting[self.option] + stride
        return {self.option: value} if inside(value) else None
