"""Codecs that each break a contract, by the contract's name."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import numpy as np
from ideal_codec import Ideal

import caufc
from tools.attack.contract_figures import is_rest
from tools.attack.contract_tensors import as_floats, leaves_of


class Failing(Ideal):
    """Meets an internal error."""

    def level(self, options: dict[str, Any], features: Any) -> float:
        if "bpfp" in options:
            raise ZeroDivisionError
        return super().level(options, features)


class Malformed(Ideal):
    """Writes a file that its decoder refuses, and says so while encoding."""

    def level(self, options: dict[str, Any], features: Any) -> float:
        if "snr" in options:
            raise caufc.MalformedError("gain 0", requirement=221)
        return super().level(options, features)


class Accepting(Ideal):
    """Takes NaN where it must not."""

    def check(self, features: Any, options: dict[str, Any]) -> None:
        with suppress(caufc.NonFiniteError):
            super().check(features, options)


class Unreadable(Ideal):
    def decode(self, data: bytes) -> Any:
        raise caufc.MalformedError(f"{len(data)} bytes", requirement=90)


class Unstructured(Ideal):
    """Gives lists for tuples."""

    def decode(self, data: bytes) -> Any:
        found = super().decode(data)
        return list(found) if isinstance(found, tuple) else found


class Widened(Ideal):
    """Gives fp32 for fp16."""

    def decode(self, data: bytes) -> Any:
        found = super().decode(data)
        return found.astype(np.float32) if getattr(found, "dtype", None) == np.float16 else found


class Restless(Ideal):
    """Writes other bytes each time."""

    count = 0

    def encode(self, features: Any, **options: Any) -> tuple[bytes, Any]:
        data, report = super().encode(features, **options)
        self.count += 1
        other = data[:-8] + self.count.to_bytes(8, "little")
        self.files[other] = self.files[data]
        return other, report


class Forgetful(Ideal):
    """Loses NaN and Inf."""

    def changed(self, leaf: Any, values: Any) -> Any:
        return np.nan_to_num(super().changed(leaf, values)) if isinstance(leaf, np.ndarray) else leaf


class Rounded(Ideal):
    """Loses the lowest bit of integers."""

    def restored(self, features: Any, level: float) -> Any:
        found = super().restored(features, level)
        integer = isinstance(found, np.ndarray) and found.dtype.kind in "iu" and level < math.inf
        return found & ~found.dtype.type(1) if integer else found


class Overflowing(Ideal):
    """Overflows the dtype's range."""

    def changed(self, leaf: Any, values: Any) -> Any:
        with np.errstate(over="ignore"):
            return super().changed(leaf, np.where(np.abs(values) > 1e4, np.inf, values))


class NotLossless(Ideal):
    def level(self, options: dict[str, Any], features: Any) -> float:
        return (
            min(20.0, super().level(options, features)) if options.get("lossless") else super().level(options, features)
        )


class Heavy(Ideal):
    """Spends bytes without loss."""

    def lossless_length(self, features: Any) -> int:
        return 1000 + super().lossless_length(features)


class OverTheBound(Ideal):
    """Goes a little beyond the largest error."""

    def encode(self, features: Any, **options: Any) -> tuple[bytes, Any]:
        self.bound = options.get("max_error", 0.0)
        return super().encode(features, **options)

    def lossy(self, leaf: Any, level: float) -> Any:
        return self.changed(leaf, as_floats(leaf) + 1.01 * self.bound) if self.bound else super().lossy(leaf, level)


class Reporting(Ideal):
    """Reports something else."""

    def __init__(self, name: str, add: float) -> None:
        super().__init__()
        self.name, self.add = name, add

    def report(self, features: Any, restored: Any, length: int, options: dict[str, Any]) -> Any:
        found = super().report(features, restored, length, options)
        setattr(found, self.name, getattr(found, self.name) + self.add)
        return found


class Longer(Ideal):
    """Writes more or fewer bytes than it should.

    Args:
        control: with this control; with any if empty.
        factor, more: of the bytes.
        warning: what is told then.
    """

    def __init__(self, control: str, factor: float, more: int, *, warning: bool = False) -> None:
        super().__init__()
        self.control, self.factor, self.more, self.warning = control, factor, more, warning

    def length(self, features: Any, level: float, options: dict[str, Any]) -> int:
        found = super().length(features, level, options)
        wrong = (self.control in options or not self.control) and "lossless" not in options
        return max(32, int(self.factor * found) + self.more) if wrong else found

    def report(self, features: Any, restored: Any, length: int, options: dict[str, Any]) -> Any:
        found = super().report(features, restored, length, options)
        found.warnings = ("as near as can be",) if self.warning else ()
        return found


class Lossy(Ideal):
    """Keeps less at high rates than a file without loss."""

    def level(self, options: dict[str, Any], features: Any) -> float:
        return 14.0 if options.get("bpfp", 0) > 4 else super().level(options, features)


class Lower(Ideal):
    """Keeps less of the last tensor than an SNR says."""

    def encode(self, features: Any, **options: Any) -> tuple[bytes, Any]:
        *_, (_, self.last) = [((), None), *leaves_of(features)]
        self.asked = "snr" in options
        return super().encode(features, **options)

    def lossy(self, leaf: Any, level: float) -> Any:
        return super().lossy(leaf, level - 1 if self.asked and leaf is self.last else level)


class Levelled(Ideal):
    """Adds the same noise to all values, by the largest of them."""

    def lossy(self, leaf: Any, level: float) -> Any:
        values = as_floats(leaf)
        finite = values[np.isfinite(values)]
        if level > 60 or not finite.size:
            return super().lossy(leaf, level)
        unit = float(np.abs(finite).max()) * 10 ** (-level / 20)
        return self.changed(leaf, values - np.copysign(np.minimum(unit, np.abs(values)), values))


class LostOutliers(Ideal):
    """Keeps the rest, and loses half of each outlier."""

    def lossy(self, leaf: Any, level: float) -> Any:
        found = super().lossy(leaf, level)
        values = np.where(np.isfinite(as_floats(leaf)), as_floats(leaf), 0)
        rest = is_rest(values.reshape(-1, 1)).reshape(values.shape)
        return found if rest.all() else self.changed(found, np.where(rest, as_floats(found), values / 2))


class At(Ideal):
    """Keeps a level that depends on what is asked and on the features.

    Args:
        of: from the right level, the options and the features.
    """

    def __init__(self, of: Any) -> None:
        super().__init__()
        self.of = of

    def level(self, options: dict[str, Any], features: Any) -> float:
        return float(self.of(super().level(options, features), options, features))


def narrow(features: Any) -> bool:
    return isinstance(features, np.ndarray) and features.ndim == 3 and features.shape[2] < 200


def spread(features: Any) -> bool:
    """Whether there are outliers."""
    values = np.abs(as_floats(features)) if isinstance(features, np.ndarray) else np.ones(1)
    return bool(values.max(initial=0) > 100 * np.median(values))


BROKEN: list[tuple[str, Any]] = [
    ("no-error", Failing),
    ("no-error", Malformed),
    ("no-error", Accepting),
    ("decodes", Unreadable),
    ("decodes", Unstructured),
    ("decodes", Widened),
    ("deterministic", Restless),
    ("exact", Forgetful),
    ("exact", Rounded),
    ("exact", Overflowing),
    ("lossless", NotLossless),
    ("lossless", Heavy),
    ("max-error", OverTheBound),
    ("report", lambda: Reporting("snr_db", 0.5)),
    ("report", lambda: Reporting("bytes_out", 1)),
    ("report", lambda: Reporting("max_abs_error", 0.1)),
    ("size", lambda: Longer("quality", 3, 0)),
    ("rate-above", Lossy),
    ("bpfp", lambda: Longer("bpfp", 1.03, 64)),
    ("bpfp", lambda: Longer("bpfp", 0.9, 0)),
    ("bpfp", lambda: Longer("bpfp", 1.5, 0, warning=True)),
    ("bpfp-reach", lambda: Longer("bpfp", 0.9, 0, warning=True)),
    ("passes", lambda: Reporting("passes", 4)),
    ("snr", Lower),
    ("snr", Levelled),
    ("snr", LostOutliers),
    ("snr-token", Lower),
    ("medium", lambda: At(lambda level, options, features: level - 6)),
    ("width", lambda: At(lambda level, options, features: level - 3.5 * narrow(features))),
    ("width-excess", lambda: At(lambda level, options, features: level + 3.5 * narrow(features))),
    ("outlier", Levelled),
    ("outlier-excess", lambda: At(lambda level, options, features: level + 2 * spread(features))),
    ("monotone", lambda: At(lambda level, options, features: level - 5 * (math.fmod(level, 8) > 4))),
    ("warns", lambda: At(lambda level, options, features: min(level, 9))),
]
