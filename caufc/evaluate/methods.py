"""Ways to code features, as descriptors: caufc's codecs, and the families of rivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from ..descriptors import Tap
from ..errors import (
    OptionError,
    UnknownNameError,
)
from .rivals import (
    FAMILIES,
    Family,
    find_families,
)
from .sweep import (
    Axis,
    Setting,
)

__all__ = ["CODECS", "Codec", "Method", "find_codecs", "find_methods", "hyperprior", "setting_text"]

Fitted = Literal["none", "statistics", "task"]


@dataclass(frozen=True)
class Codec:
    """A codec of caufc over a sweep of its rate.

    Args:
        key: its name on the command line and in files.
        name: as tables show it.
        axis: what is turned.
        options: of :func:`caufc.encode`, beside the axis.
        fitted: the profile that it has, made from the fit half: ``none``, from ``statistics``, or ``task``-aware.
        module: what it needs to be there; None if nothing.
        weights: files of weights by task ID, ``*`` for all others; None for a codec without.
        layouts: layouts that the codec is told instead of the features' own.
        told_reads: whether the codec is told what is read of a tap; on taps whose every token is, it is left out.
        cost: seconds a MB, about.
    """

    key: str
    name: str
    axis: Axis
    options: Mapping[str, Any] = field(default_factory=dict)
    fitted: Fitted = "none"
    module: str | None = None
    weights: Mapping[str, Path] | None = None
    layouts: Mapping[str, str] = field(default_factory=dict)
    told_reads: bool = False
    cost: float = 0.3

    def missing(self) -> str | None:
        """What keeps it from running; None if nothing does."""
        if self.module is not None and not _importable(self.module):
            return "this version of caufc does not have it"
        return None

    def suits(self, tap: Tap) -> bool:
        """Whether there is something to tell of a tap, for a codec that is to be told."""
        return tap.reads != "tokens" or not self.told_reads

    def told(self, tap: Tap) -> dict[str, str]:
        """Options of :func:`caufc.encode` that a tap makes."""
        return {"reads": tap.reads} if self.told_reads else {}

    def options_for(self, task: str) -> Mapping[str, Any] | None:
        """Options of :func:`caufc.encode` for a task; None if there are no weights for it."""
        if self.weights is None:
            return self.options
        path = self.weights.get(task, self.weights.get("*"))
        return None if path is None else {**self.options, "weights": str(path)}


Method = Codec | Family

QUALITY = Axis(
    "quality", (0.0, 5.0, 10.0, 16.0, 22.0, 28.0, 36.0, 43.0, 50.0, 58.0), divisible=True, low=0.0, high=100.0
)
READ_QUALITY = Axis(
    "quality", (0.0, 7.0, 14.0, 22.0, 28.0, 34.0, 40.0, 45.0, 50.0, 58.0), divisible=True, low=0.0, high=100.0
)
TASK_QUALITY = Axis(
    "quality",
    (0.0, 8.0, 15.0, 22.0, 27.0, 32.0, 38.0, 42.0, 46.0, 50.0, 56.0, 66.0),
    divisible=True,
    low=0.0,
    high=100.0,
)
RATES = Axis("quality", (0.0, 25.0, 50.0, 75.0, 100.0))
"""The learned codec has five rates unless trained otherwise; of points of one size, curves keep one."""


def hyperprior(key: str, name: str, weights: Mapping[str, Path] | None, **options: Any) -> Codec:
    """The learned codec with weights by task; None takes those that ship with caufc."""
    options = {"codec": "hyperprior", **options}
    return Codec(key, name, RATES, options, module="caufc.codec.hyperprior", weights=weights, cost=1.0)


CODECS = (
    Codec("blind", "caufc, blind", QUALITY),
    Codec("reads", "caufc, blind, told what is read", READ_QUALITY, told_reads=True),
    Codec("task", "caufc, task-aware", TASK_QUALITY, fitted="task"),
    hyperprior("hyperprior", "hyperprior, universal", None),
)


def find_codecs(keys: Sequence[str], known: Sequence[Codec] = CODECS) -> list[Codec]:
    """Codecs by name.

    Raises:
        UnknownNameError: for an unknown name.
        OptionError: for a name that stands twice.
    """
    by_key = {codec.key: codec for codec in known}
    for key in keys:
        if key not in by_key:
            raise UnknownNameError("codec", key, by_key)
        if keys.count(key) > 1:
            raise OptionError(f"codec '{key}' is named twice", remedy="name it once")
    return [by_key[key] for key in keys]


def find_methods(
    codecs: Sequence[str] | None, rivals: Sequence[str] | None, known: Sequence[Codec] = CODECS
) -> tuple[list[Method], dict[str, str]]:
    """Methods by name, and what is left out: name -> reason.

    Args:
        codecs, rivals: names; None for all that can run.
        known: codecs to choose from.

    Raises:
        UnknownNameError: for an unknown name.
    """
    chosen: list[Method] = [*(known if codecs is None else find_codecs(codecs, known))]
    chosen += FAMILIES if rivals is None else find_families(rivals)
    missing = {method.key: reason for method in chosen if (reason := method.missing()) is not None}
    return [method for method in chosen if method.key not in missing], missing


def _importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def setting_text(setting: Setting) -> str:
    """``quality 20``."""
    return ", ".join(f"{key} {value:g}" for key, value in setting.items())
