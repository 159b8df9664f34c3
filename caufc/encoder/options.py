"""What an encoder is asked for: exactly one rate control, and where features come from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..coders.registry import TRANSFORM, Codec
from ..coders.side_files import ProfileFile, WeightsFile
from ..descriptors import Alignment
from ..errors import OptionError
from ..layouts import Layout
from ..limits import DEFAULT_LIMITS, Limits
from ..tensor_patterns import for_tensor
from .effort import EFFORTS, Effort

__all__ = ["LEAST_RATE", "QUALITY_NAMES", "EncodeOptions", "Target", "TensorOptions"]

LEAST_RATE = 1e-6
"""BPFP below those of all files."""

QUALITY_NAMES = {"low": 25.0, "medium": 50.0, "high": 75.0}

TargetKind = Literal["quality", "snr", "bpfp", "max_error", "lossless"]


@dataclass(frozen=True)
class Target:
    """One rate control.

    Args:
        kind: ``quality`` (0 to 100), ``snr`` (dB of every tensor), ``bpfp`` (bits per feature point),
            ``max_error`` (absolute, after the cast to the output dtype), or ``lossless``.
        value: its number; none for ``lossless``.
        by_token: whether an SNR is that of every token.

    Raises:
        OptionError: for a number out of range.
    """

    kind: TargetKind = "quality"
    value: float = 50.0
    by_token: bool = False

    def __post_init__(self) -> None:
        ranges = {
            "quality": (0.0, 100.0),
            "snr": (-20.0, 300.0),
            "bpfp": (LEAST_RATE, 64.0),
            "max_error": (1e-30, 1e30),
        }
        if self.kind == "lossless":
            return
        low, high = ranges[self.kind]
        if not (math.isfinite(self.value) and low <= self.value <= high):
            name = self.kind.replace("_", "-")
            raise OptionError(f"{name} is {low:g} to {high:g}, not {self.value:g}")

    @property
    def bounded(self) -> bool:
        """Whether every value comes back within a bound."""
        return self.kind in ("max_error", "lossless")

    @property
    def by_tensor(self) -> bool:
        """Whether it is an SNR of every tensor."""
        return self.kind == "snr" and not self.by_token

    @property
    def unequal(self) -> bool:
        """Whether values may be weighed unequally."""
        return self.kind in ("quality", "bpfp")

    @classmethod
    def choose(
        cls,
        quality: float | str | None = None,
        snr: float | str | None = None,
        bpfp: float | None = None,
        max_error: float | None = None,
        lossless: bool = False,
    ) -> Target:
        """The one control that is given; medium quality if none is.

        Raises:
            OptionError: if there are two, or a quality has no such name.
        """
        given: dict[TargetKind, float] = {}
        by_token = False
        if quality is not None:
            given["quality"] = _quality(quality)
        if snr is not None:
            given["snr"], by_token = _snr(snr)
        if bpfp is not None:
            given["bpfp"] = _number("bpfp", bpfp)
        if max_error is not None:
            given["max_error"] = _number("max-error", max_error)
        if lossless:
            given["lossless"] = 0.0
        if len(given) > 1:
            names = " and ".join("--" + kind.replace("_", "-") for kind in given)
            raise OptionError(f"{names} are two rate controls", remedy="give one")
        for kind, value in given.items():
            return cls(kind, value, by_token)
        return cls()


def _snr(snr: float | str) -> tuple[float, bool]:
    """Decibels, and whether every token is to have them: ``30`` or ``30/token``."""
    number, slash, scope = str(snr).partition("/")
    try:
        value = float(number)
    except ValueError:
        value = None
    if value is None or (slash and scope != "token"):
        raise OptionError(f"snr '{snr}'", remedy="dB, such as 30, or 30/token for every token")
    return value, bool(slash)


def _quality(quality: float | str) -> float:
    if isinstance(quality, str):
        if quality in QUALITY_NAMES:
            return QUALITY_NAMES[quality]
        try:
            return float(quality)
        except ValueError:
            names = ", ".join(QUALITY_NAMES)
            raise OptionError(f"quality '{quality}'", remedy=f"a number from 0 to 100, or one of {names}") from None
    return _number("quality", quality)


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise OptionError(f"{name} {value!r}", remedy="give a number") from None


@dataclass(frozen=True)
class TensorOptions:
    """What is known of one tensor beyond its values; None leaves the choice to the encoder.

    Args:
        layout: meaning of its axes.
        tap: where it was taken.
        channels: how many channels the tap has, as its plugin says.
        alignment: value alignment.
        reads: what will be read as the user says: ``tokens``, ``mean`` (nothing else) or ``first`` (nothing else).
        tap_reads: what is read of the tap, as its plugin says.
    """

    layout: Layout | None = None
    tap: str | None = None
    channels: int | None = None
    alignment: Alignment | None = None
    reads: str | None = None
    tap_reads: str = "tokens"


@dataclass(frozen=True)
class EncodeOptions:
    """All that an encoder is told.

    Args:
        target: the rate control.
        arch: architecture ID.
        tensors: options by tensor name; ``*`` for all others.
        keep_nonfinite: carry NaN and Inf exactly instead of refusing them.
        chunk: samples per chunk; None for as many as make a few million values.
        index: whether to write an index; None writes one when there are several chunks.
        effort: how much time to take.
        embed_profile: copy a profile that does not ship with the package into the file.
        codec: for what may lose something.
        weights: of the learned codec; None for the transform codec.
        embed_weights: copy weights that do not ship with the package into the file.
        outliers: whether the learned codec stores values beyond its range exactly; None does unless
            the range was given.
        limits: of the decoders that are to read the file.
        threads: that code chunks; None for one per processor that the process may use.
        software: whether the file names its encoder.
        warnings: what the options themselves give reason to say, a sentence each.
    """

    target: Target = field(default_factory=Target)
    arch: str | None = None
    tensors: Mapping[str, TensorOptions] = field(default_factory=dict)
    keep_nonfinite: bool = False
    chunk: int | None = None
    index: bool | None = None
    effort: Effort = EFFORTS["default"]
    embed_profile: bool = True
    codec: Codec = TRANSFORM
    weights: WeightsFile | None = None
    embed_weights: bool = True
    outliers: bool | None = None
    limits: Limits = DEFAULT_LIMITS
    threads: int | None = None
    software: bool = False
    warnings: tuple[str, ...] = ()

    def relies_on(self, profile: ProfileFile | None) -> bool:
        """Whether the file will need a profile, rather than embed it."""
        return profile is not None and (profile.shipped or not self.embed_profile)

    @property
    def carried_weights(self) -> WeightsFile | None:
        """Weights that a file of the learned codec will hold; None where it names them, or needs none."""
        weights = self.weights
        return None if weights is None or not self.embed_weights or weights.shipped else weights

    def of(self, name: str) -> TensorOptions:
        """Options of a tensor."""
        return for_tensor(self.tensors, name) or TensorOptions()
