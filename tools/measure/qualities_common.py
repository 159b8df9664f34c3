"""What all parts of ``qualities.py`` share: the qualities, methods, and figures with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import caufc
from caufc.encoder.options import QUALITY_NAMES
from tools.measure.point_log import PointLog, codec_state, rivals_state

__all__ = ["ZSTD_LEVEL", "Figures", "Method", "caufc_methods", "cell", "closeness", "interval", "measured", "table"]

Figures = dict[str, Any]
"""JSON data."""

BETWEEN = (33, 42, 56, 62, 69)
"""Qualities between low, medium and high: in thirds and in quarters of the way, as whole numbers."""

ZSTD_LEVEL = 19
DRAWS = 2000
"""Of the bootstrap."""

ROWS = 1 << 14
"""Tokens whose errors are computed at once."""


@dataclass(frozen=True)
class Method:
    """A way to store features.

    Args:
        name: as tables show it.
        code: features -> (bytes of all that is stored, what comes back).
        own: whether it is caufc's.
    """

    name: str
    code: Callable[[Any], tuple[int, Any]]
    own: bool = False


def measured(log: PointLog, subject: str, methods: Iterable[Method], measure: Callable[[Method], Figures]) -> Figures:
    """Figures of every method by its name, from the log or measured.

    Args:
        log: of points.
        subject: that the methods code, in words that tell it from others.
        measure: gives a method's figures.
    """
    found = {}
    for method in methods:
        state = codec_state() if method.own else rivals_state()
        found[method.name] = log.get(f"{subject} {method.name}", state, partial(measure, method))
    return found


def caufc_methods(layout: str) -> list[Method]:
    """Blind coding, without a profile, at the three named qualities and five between them."""

    def at(quality: float) -> Callable[[Any], tuple[int, Any]]:
        def code(features: Any) -> tuple[int, Any]:
            data = caufc.encode(features, layout=layout, quality=quality)
            return len(data), caufc.decode(data)

        return code

    names: dict[float, str] = {quality: str(quality) for quality in BETWEEN}
    names |= {quality: name for name, quality in QUALITY_NAMES.items()}
    return [Method(names[quality], at(quality), own=True) for quality in sorted(names)]


def interval(values: NDArray[Any]) -> Figures:
    """Mean of what independent samples show, with the 95 % interval of a bootstrap over them."""
    rng = np.random.default_rng(0)
    count = len(values)
    means = [float(values[rng.integers(0, count, count)].mean()) for _ in range(DRAWS)]
    low, high = np.percentile(means, [2.5, 97.5])
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}


def closeness(before: Iterable[NDArray[Any]], after: Iterable[NDArray[Any]]) -> Figures:
    """SNR in dB of all values, and that which 99 % of tokens reach, from matrices of tokens ``[N, C]``."""
    powers, errors = [], []
    for given, found in zip(before, after, strict=True):
        for start in range(0, len(given), ROWS):
            rows = given[start : start + ROWS].astype(np.float64)
            powers.append(np.square(rows).sum(1))
            errors.append(np.square(rows - found[start : start + ROWS]).sum(1))
    power, error = np.concatenate(powers), np.concatenate(errors)
    some = power > 0
    tokens = 10 * np.log10(power[some] / np.maximum(error[some], 1e-300))
    total = 10 * np.log10(power.sum() / max(float(error.sum()), 1e-300))
    return {"snr_db": float(total), "token_snr_db": float(np.percentile(tokens, 1))}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows as Markdown."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def cell(found: Figures, shown: str) -> str:
    """A mean with its interval, both in a format such as ``.2f`` or ``.1%``."""
    mean, low, high = (format(found[key], shown).replace("%", " %") for key in ("mean", "low", "high"))
    return f"{mean} [{low.removesuffix(' %')}, {high.removesuffix(' %')}]"
