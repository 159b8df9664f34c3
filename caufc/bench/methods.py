"""Several ways to code the same features, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..encoder.effort import Effort
from ..encoder.options import Target
from ..encoder.report import Report
from ..errors import OptionError
from ..evaluate.rivals import (
    Rival,
    TensorPlan,
)
from .features import Subject
from .measure import (
    Row,
    measure_codec,
    measure_rival,
)

__all__ = ["Contest", "Setting", "settings"]

Told = Callable[[str], None]
"""Called with the name of the method that is at work, now and then."""


@dataclass(frozen=True)
class Setting:
    """One way in which caufc codes: the name of its row, and options of :func:`caufc.encode`."""

    name: str
    options: Mapping[str, Any]


def settings(qualities: str, efforts: str, *, lossless: bool) -> list[Setting]:
    """One setting a quality of a list (``20,medium,80``) and effort (``fast,best``), and one without loss if wanted.

    Raises:
        OptionError: for what is no quality or no effort.
    """
    wanted = [_quality(text) for text in qualities.split(",")]
    levels = list(dict.fromkeys(text.strip() for text in efforts.split(",")))
    for level in levels:
        Effort.named(level)
    found = [_setting(quality, level, len(levels) > 1) for quality in dict.fromkeys(wanted) for level in levels]
    return [*found, Setting("caufc lossless", {"lossless": True})] if lossless else found


def _setting(quality: float, effort: str, named: bool) -> Setting:
    name = f"caufc quality {quality:g}" + (f" {effort}" if named else "")
    return Setting(name, {"quality": quality, "effort": effort})


def _quality(text: str) -> float:
    if not text.strip():
        raise OptionError("a quality is missing", remedy="numbers from 0 to 100 with commas, as in --quality 20,50,80")
    return Target.choose(quality=text.strip()).value


class Contest:
    """Measures ways to code the same features.

    Args:
        subject: the features.
        repeat: the fastest of so many runs counts.
        told: called while work goes on.
    """

    def __init__(self, subject: Subject, repeat: int, told: Told = lambda name: None) -> None:
        self.subject, self.repeat, self.told = subject, repeat, told

    def codec(self, setting: Setting, common: Mapping[str, Any]) -> tuple[Row, Report]:
        """Measure caufc in one setting.

        Raises:
            InputError: for features that cannot be encoded as asked.
        """
        self.told(setting.name)
        return measure_codec(
            self.subject,
            setting.name,
            setting.options,
            common=common,
            repeat=self.repeat,
            progress=lambda *_: self.told(setting.name),
        )

    def rival(self, variants: Sequence[Rival], plans: Sequence[TensorPlan]) -> Row:
        """Measure a rival; of its variants, the smallest counts."""
        rows = []
        for variant in variants:
            self.told(variant.name)
            rows.append(measure_rival(self.subject, variant, plans, repeat=self.repeat))
        return min(rows, key=lambda row: row.bytes)

    def refusal(self, rival: Rival, plans: Sequence[TensorPlan]) -> str | None:
        """Why a rival cannot take the features; None if it can."""
        if all(plan.channels is None for plan in plans):
            return "there are no floats with channels"
        for tensor, arrays, plan in zip(self.subject.source.tensors, self.subject.arrays, plans, strict=True):
            told = None if plan.channels is None else rival.refusal(arrays, plan)
            if told:
                return f"tensor '{tensor.name}' {told}" if tensor.name else f"the tensor {told}"
        return None
