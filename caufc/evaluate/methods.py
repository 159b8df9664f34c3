"""The methods that an evaluation compares: caufc's codecs, and the families of rivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from ..coders.registry import TRANSFORM, codec_named
from ..descriptors import Tap
from ..errors import OptionError, UnknownNameError
from .rivals.base import RivalFamily
from .rivals.registry import FAMILIES, find_families
from .sweep import Setting, Sweep

__all__ = [
    "CODEC_METHODS",
    "CodecMethod",
    "Method",
    "find_codec_methods",
    "find_methods",
    "hyperprior",
    "setting_text",
]

Fitted = Literal["none", "statistics", "task"]
"""The profile of a method: none, a blind one, or a task-aware one."""


@dataclass(frozen=True)
class CodecMethod:
    """A way to code with caufc, over a sweep of its rate.

    Args:
        key: its name on the command line and in files.
        name: as tables show it.
        sweep: the option that is swept, and its values.
        options: of :func:`caufc.encode`, at all settings.
        fitted: the profile that it uses, made from the fit half: ``none``, from ``statistics``, or ``task``-aware.
        module: the module of caufc that it needs; None if any caufc has it.
        weights: files of weights by task ID, ``*`` for all others; None for those that ship, or a codec without.
        layouts: the features' own layout -> the layout that is given instead.
        passes_reads: whether the option ``reads`` is given; the method is left out where every token is read.
        cost: seconds per MB, a rough figure set by hand: progress tells with it how much is left.
    """

    key: str
    name: str
    sweep: Sweep
    options: Mapping[str, Any] = field(default_factory=dict)
    fitted: Fitted = "none"
    module: str | None = None
    weights: Mapping[str, Path] | None = None
    layouts: Mapping[str, str] = field(default_factory=dict)
    passes_reads: bool = False
    cost: float = 0.3

    @property
    def weighted(self) -> bool:
        """Whether its codec has the few rates of a learned model, rather than any."""
        codec = codec_named(self.options.get("codec", TRANSFORM.name))
        return codec is not None and codec.weighted

    def missing(self) -> str | None:
        """The reason why it cannot run; None if it can."""
        if self.module is not None and not _importable(self.module):
            return "this version of caufc does not have it"
        return None

    def suits(self, tap: Tap) -> bool:
        """Whether the method is one of its own on a tap: with ``reads`` it is, if not every token is read."""
        return tap.reads != "tokens" or not self.passes_reads

    def options_for_tap(self, tap: Tap) -> dict[str, str]:
        """Options of :func:`caufc.encode` that depend on the tap."""
        return {"reads": tap.reads} if self.passes_reads else {}

    def options_for_task(self, task: str) -> Mapping[str, Any] | None:
        """Options of :func:`caufc.encode` for a task; None if there are no weights for it."""
        if self.weights is None:
            return self.options
        path = self.weights.get(task, self.weights.get("*"))
        return None if path is None else {**self.options, "weights": str(path)}


Method = CodecMethod | RivalFamily
"""A method, of which a run draws one curve per tap."""

# Qualities of the points that are measured first: chosen by hand, closest where the curves of tools/results/paper.json
# bend.
QUALITY = Sweep(
    "quality", (0.0, 5.0, 10.0, 16.0, 22.0, 28.0, 36.0, 43.0, 50.0, 58.0), divisible=True, low=0.0, high=100.0
)
READ_QUALITY = Sweep(
    "quality", (0.0, 7.0, 14.0, 22.0, 28.0, 34.0, 40.0, 45.0, 50.0, 58.0), divisible=True, low=0.0, high=100.0
)
TASK_QUALITY = Sweep(
    "quality",
    (0.0, 8.0, 15.0, 22.0, 27.0, 32.0, 38.0, 42.0, 46.0, 50.0, 56.0, 66.0),
    divisible=True,
    low=0.0,
    high=100.0,
)
RATES = Sweep("quality", (0.0, 25.0, 50.0, 75.0, 100.0))
"""The learned codec has five rates unless trained otherwise; of points of one size, curves keep one."""


def hyperprior(key: str, name: str, weights: Mapping[str, Path] | None, **options: Any) -> CodecMethod:
    """The learned codec as a method, with weights by task; None takes those that ship with caufc."""
    options = {"codec": "hyperprior", **options}
    return CodecMethod(key, name, RATES, options, module="caufc.codec.hyperprior", weights=weights, cost=1.0)


CODEC_METHODS = (
    CodecMethod("blind", "caufc, blind", QUALITY),
    CodecMethod("reads", "caufc, blind, told what is read", READ_QUALITY, passes_reads=True),
    CodecMethod("task", "caufc, task-aware", TASK_QUALITY, fitted="task"),
    hyperprior("hyperprior", "hyperprior, universal", None),
)


def find_codec_methods(keys: Sequence[str], known: Sequence[CodecMethod] = CODEC_METHODS) -> list[CodecMethod]:
    """Codecs of caufc by their keys.

    Raises:
        UnknownNameError: for an unknown key.
        OptionError: for a key that stands twice.
    """
    by_key = {codec.key: codec for codec in known}
    for key in keys:
        if key not in by_key:
            raise UnknownNameError("codec", key, by_key)
        if keys.count(key) > 1:
            raise OptionError(f"codec '{key}' is named twice", remedy="name it once")
    return [by_key[key] for key in keys]


def find_methods(
    codecs: Sequence[str] | None, rivals: Sequence[str] | None, known: Sequence[CodecMethod] = CODEC_METHODS
) -> tuple[list[Method], dict[str, str]]:
    """Methods by their keys, and what is left out: key -> reason.

    Args:
        codecs, rivals: keys; None for all that can run.
        known: codecs to choose from.

    Raises:
        UnknownNameError: for an unknown name.
    """
    chosen: list[Method] = [*(known if codecs is None else find_codec_methods(codecs, known))]
    chosen += FAMILIES if rivals is None else find_families(rivals)
    missing = {method.key: reason for method in chosen if (reason := method.missing()) is not None}
    return [method for method in chosen if method.key not in missing], missing


def _importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def setting_text(setting: Setting) -> str:
    """A setting as text, as in ``quality 20``; stored points have it as their key."""
    return ", ".join(f"{key} {value:g}" for key, value in setting.items())
