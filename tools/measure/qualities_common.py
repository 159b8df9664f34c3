"""What all parts of ``qualities.py`` share: methods, figures with intervals, and points that outlast a stopped run."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import caufc
from caufc.encoder.options import QUALITY_NAMES

__all__ = ["ZSTD_LEVEL", "Figures", "Method", "Points", "caufc_methods", "cell", "closeness", "interval", "table"]

Figures = dict[str, Any]
"""JSON data."""

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
    """

    name: str
    code: Callable[[Any], tuple[int, Any]]


def caufc_methods(layout: str) -> list[Method]:
    """Blind coding, without a profile, at the three named qualities."""

    def at(quality: str) -> Callable[[Any], tuple[int, Any]]:
        def code(features: Any) -> tuple[int, Any]:
            data = caufc.encode(features, layout=layout, quality=quality)
            return len(data), caufc.decode(data)

        return code

    return [Method(name, at(name)) for name in QUALITY_NAMES]


class Points:
    """Figures by name; each is written as soon as it is measured, and a stopped run goes on behind the last.

    Args:
        folder: where they are kept, apart for each state of caufc's sources.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / f"points-{_sources()}"
        self.folder.mkdir(parents=True, exist_ok=True)

    def get(self, name: str, measure: Callable[[], Figures]) -> Figures:
        """The figures of a name, measured if they are not there."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            started = time.perf_counter()
            found = measure()
            print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(found) + "\n", "utf-8")
            partial.replace(path)
        kept: Figures = json.loads(path.read_text("utf-8"))
        return kept


def _sources() -> str:
    """Digest of caufc's files, in hex."""
    root = Path(caufc.__file__).resolve().parent
    sha = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        sha.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return sha.hexdigest()[:12]


def interval(values: NDArray[Any]) -> Figures:
    """Mean of what independent samples show, with the 95 % interval of a bootstrap over them."""
    rng = np.random.default_rng(0)
    count = len(values)
    means = [float(values[rng.integers(0, count, count)].mean()) for _ in range(DRAWS)]
    low, high = np.percentile(means, [2.5, 97.5])
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}


def closeness(before: Iterable[NDArray[Any]], after: Iterable[NDArray[Any]]) -> Figures:
    """SNR in dB of all values, and the median of the SNR of tokens, from matrices of tokens ``[N, C]``."""
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
    return {"snr_db": float(total), "token_snr_db": float(np.median(tokens))}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows as Markdown."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def cell(found: Figures, shown: str) -> str:
    """A mean with its interval, both in a format such as ``.2f`` or ``.1%``."""
    mean, low, high = (format(found[key], shown).replace("%", " %") for key in ("mean", "low", "high"))
    return f"{mean} [{low.removesuffix(' %')}, {high.removesuffix(' %')}]"
