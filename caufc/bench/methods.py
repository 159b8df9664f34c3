"""The settings of caufc that a bench compares: qualities times efforts, and coding without loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..encoder.effort import Effort
from ..encoder.options import Target
from ..errors import OptionError

__all__ = ["QUALITIES", "EncodeSetting", "encode_settings"]

QUALITIES = (20, 35, 50, 65, 80)
"""The qualities of the sweep by default: evenly spaced around medium, chosen by hand."""


@dataclass(frozen=True)
class EncodeSetting:
    """One way in which caufc encodes.

    Args:
        name: of its row.
        options: of :func:`caufc.encode`.
    """

    name: str
    options: Mapping[str, Any]


def encode_settings(
    qualities: Sequence[float | str] = QUALITIES, efforts: Sequence[str] = ("default",), *, lossless: bool = True
) -> list[EncodeSetting]:
    """One setting per quality and effort, and one without loss if wanted; what is named twice counts once.

    Args:
        qualities: 0 to 100 each, or ``low``, ``medium``, ``high``.
        efforts: ``fast``, ``default``, ``best``; rows name them where there are several.
        lossless: whether coding without loss is one of the settings.

    Raises:
        OptionError: for what is no quality or no effort.
    """
    numbers = [_quality(quality) for quality in qualities]
    levels = list(dict.fromkeys(effort.strip() for effort in efforts))
    for level in levels:
        Effort.named(level)
    found = [_setting(number, level, len(levels) > 1) for number in dict.fromkeys(numbers) for level in levels]
    return [*found, EncodeSetting("caufc lossless", {"lossless": True})] if lossless else found


def _setting(quality: float, effort: str, named: bool) -> EncodeSetting:
    name = f"caufc quality {quality:g}" + (f" {effort}" if named else "")
    return EncodeSetting(name, {"quality": quality, "effort": effort})


def _quality(quality: float | str) -> float:
    asked = quality.strip() if isinstance(quality, str) else quality
    if asked == "":
        raise OptionError("a quality is missing", remedy="numbers from 0 to 100 with commas, as in --quality 20,50,80")
    return Target.choose(quality=asked).value
