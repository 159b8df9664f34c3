"""What medium quality keeps of the worst tokens, against the width of tokens and the size of outliers.

    python -m tools.measure.widths [--before tools/results/widths_before.json] [--results widths]

Figures are the SNR in dB that 99 % of the tokens reach, and BPFP, of random features in fp32 whose statistics do not
depend on the width: independent values, values with a heavier tail, and up to 32 directions with noise. Files
that come back exactly have no SNR. Outliers are one token, channel or value of 128 tokens of 256 channels, so many
times larger; the figure is that of everything else. ``--before`` adds the figures of an older state of the code, which
the same program gave.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import caufc
from tools.attack.contract_figures import worst_token_snr_db
from tools.attack.contract_outliers import with_outliers
from tools.attack.contract_values import KINDS, Extent
from tools.measure.machine import plain_command, write_results

WIDTHS = (1, 2, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 131072)
KINDS_OF_WIDTHS = ("gaussian", "laplace", "low rank")
TOKENS = 128
LARGEST = 1 << 19
"""Values of an input; wide tokens are fewer."""

PLACES = ("token", "channel", "value")
FACTORS = (0, 1e2, 1e4, 1e6, 1e20, 1e38)
"""0 for no outlier; the largest is as large as fp32 allows."""

OUTLYING = Extent(1, (TOKENS,), 256)
MOST = 3e38


@dataclass(frozen=True)
class Point:
    """What medium keeps of one input.

    Args:
        snr_db: that 99 % of the tokens reach; None if nothing was lost.
        bpfp: of the file.
    """

    snr_db: float | None
    bpfp: float

    def __str__(self) -> str:
        return f"{'exact' if self.snr_db is None else f'{self.snr_db:.1f}'} ({self.bpfp:.2f})"


def measure(features: NDArray[np.float32], others: NDArray[np.bool_] | None = None) -> Point:
    """Encode ``[B, N, C]`` at medium.

    Args:
        features: the input.
        others: what counts; None for everything.
    """
    data = caufc.encode(features, layout="b n c", quality="medium")
    original = features.astype(np.float64).reshape(-1, features.shape[2])
    error = caufc.decode(data).astype(np.float64).reshape(original.shape) - original
    counts = np.ones(original.shape, bool) if others is None else others.reshape(original.shape)
    level = worst_token_snr_db(np.where(counts, original, 0), np.where(counts, error, 0))
    return Point(level if math.isfinite(level) else None, 8 * len(data) / original.size)


def by_width(kind: str, width: int, tokens: int) -> Point:
    """Medium at a width, of one sample."""
    rng = np.random.default_rng([width, tokens])
    return measure(KINDS[kind](rng, Extent(1, (tokens,), width)).astype(np.float32))


def by_outlier(place: str, factor: float) -> Point:
    """Medium beside an outlier; the same features for all."""
    values = KINDS["gaussian"](np.random.default_rng(0), OUTLYING)
    outlying, without, others = with_outliers(np.random.default_rng(1), values, place, factor or 1.0)
    return measure(np.clip(outlying if factor else without, -MOST, MOST).astype(np.float32), others)


def measure_all() -> dict[str, dict[str, Point]]:
    """Points by the name of their row, then of their column."""
    rows: dict[str, dict[str, Point]] = {}
    for width in WIDTHS:
        tokens = max(1, min(TOKENS, LARGEST // width))
        row = rows.setdefault(f"width {width}", {})
        for kind in KINDS_OF_WIDTHS:
            row[kind] = by_width(kind, width, tokens)
        row["one token"] = by_width("gaussian", width, 1)
        print(f"width {width}", file=sys.stderr)
    for factor in FACTORS:
        rows[f"outlier {factor:g}"] = {place: by_outlier(place, factor) for place in PLACES}
    return rows


Rows = Mapping[str, Mapping[str, Point]]


def table(rows: Rows, before: Rows, group: str, title: str) -> list[str]:
    """The rows of a group as Markdown, each figure beside what it was before."""
    chosen = {name.partition(" ")[2]: row for name, row in rows.items() if name.startswith(group)}
    columns = list(next(iter(chosen.values())))
    heads = [f"{column}{when}" for column in columns for when in ((", before", ", now") if before else ("",))]
    out = [f"| {title} | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name, row in chosen.items():
        cells = []
        for column in columns:
            older = before.get(f"{group} {name}", {}).get(column)
            cells += [str(older or "")] if before else []
            cells += [str(row[column])]
        label = f"{float(name):,.0f}" if group == "width" else _power(float(name))
        out.append(f"| {label} | {' | '.join(cells)} |")
    return out


def _power(factor: float) -> str:
    return f"10^{math.log10(factor):.0f}" if factor else "none"


def read_points(path: Path) -> dict[str, dict[str, Point]]:
    """Points that an earlier run kept."""
    kept = json.loads(path.read_text("utf-8"))["figures"]
    return {name: {column: Point(**point) for column, point in row.items()} for name, row in kept.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", type=Path, help="JSON that this program wrote with an older caufc")
    parser.add_argument("--results", help="name of the files under tools/results")
    chosen = parser.parse_args()
    before = read_points(chosen.before) if chosen.before else {}
    rows = measure_all()
    page = [
        "SNR in dB that 99 % of the tokens reach at medium quality, and BPFP in parentheses.",
        "",
        "Inputs have 128 tokens, or as many as make 2^19 values; *one token* is a gaussian input of one.",
        "",
        *table(rows, before, "width", "channels"),
        "",
        "One outlier among 128 tokens of 256 channels, in times of the rest; figures are of everything else.",
        "",
        *table(rows, before, "outlier", "outlier"),
    ]
    print("\n".join(page))
    if chosen.results:
        figures: dict[str, Any] = {
            name: {column: asdict(point) for column, point in row.items()} for name, row in rows.items()
        }
        write_results(chosen.results, plain_command(sys.argv), figures, "\n".join(page))
    return 0


if __name__ == "__main__":
    sys.exit(main())
