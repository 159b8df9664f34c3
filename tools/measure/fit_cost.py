"""How long fits take, beside what they say beforehand.

    python -m tools.measure.fit_cost [--results NAME]

Fits blind profiles to arrays of several sizes and widths, of which the seconds per value in caufc/fit/cost.py follow
by least squares, and task-aware ones to a head on pooled maps. Needs torch.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np

from caufc.encoder.effort import EFFORTS
from caufc.fit.cost import CHOOSE_SECONDS, READ_SECONDS, FitCost
from caufc.fit.profile import fit_profile
from tools.measure.machine import plain_command, write_results

BLIND = ((64, 64, 256), (500, 197, 192), (64, 256, 576), (400, 128, 768), (300, 1, 4096), (3000, 1, 1024))
"""Samples, tokens, channels."""

AWARE = ((64, 12, 6), (200, 48, 8), (200, 64, 14))
"""Samples, channels, side."""

CLASSES = 10


def mixed(shape: tuple[int, ...], axis: int) -> np.ndarray[Any, Any]:
    """Gaussian values whose channels are mixtures."""
    generator = np.random.default_rng(0)
    channels = shape[axis]
    values = generator.standard_normal(shape, dtype=np.float32)
    mixing = generator.standard_normal((channels, channels), dtype=np.float32)
    return np.ascontiguousarray(np.moveaxis(np.moveaxis(values, axis, -1) @ mixing, -1, axis))


def timed(features: Any, **options: Any) -> dict[str, float]:
    """Seconds of a fit, and those that it expected."""
    costs: list[FitCost] = []
    started = time.perf_counter()
    fit_profile(features, announce=costs.append, **options)
    seconds = time.perf_counter() - started
    return {"values": float(features.size), "seconds": seconds, "expected": costs[0].seconds}


def blind() -> list[dict[str, float]]:
    """Blind fits, the first left out: it pays for imports."""
    timed(mixed((20, 50, 64), 2), layout="b n c")
    return [{"channels": shape[2], **timed(mixed(shape, 2), layout="b n c")} for shape in BLIND]


def aware() -> list[dict[str, float]]:
    """Task-aware fits."""
    import torch

    found = []
    for samples, channels, side in AWARE:
        weight = torch.from_numpy(np.random.default_rng(1).standard_normal((channels, CLASSES), dtype=np.float32))

        def resume(features: Any, weight: Any = weight) -> Any:
            return torch.relu(features).mean((2, 3)) @ weight

        maps = mixed((samples, channels, side, side), 1)
        found.append({"channels": channels, **timed(maps, layout="b c h w", resume=resume)})
    return found


def per_value(rows: list[dict[str, float]]) -> tuple[float, float]:
    """Seconds per value read and per value chosen on: least squares of relative errors."""
    values = np.array([row["values"] for row in rows])
    chosen = np.array([min(row["values"], EFFORTS["default"].sample_of(int(row["values"]))) for row in rows])
    seconds = np.array([row["seconds"] for row in rows])
    found = np.linalg.lstsq(np.stack([values, chosen], 1) / seconds[:, None], np.ones(len(rows)), rcond=None)[0]
    return float(found[0]), float(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", metavar="NAME", help="write tools/results/NAME.json and .md")
    options = parser.parse_args()
    figures = {"blind": blind(), "aware": aware()}
    read, choose = per_value(figures["blind"])
    lines = ["| profile | values | channels | took, s | said before, s |", "|---|---|---|---|---|"]
    for kind, rows in figures.items():
        lines += [
            f"| {kind} | {row['values']:,.0f} | {row['channels']:.0f} | {row['seconds']:.2f} | {row['expected']:.2f} |"
            for row in rows
        ]
    lines += [
        "",
        f"Blind fits: {1e9 * read:.0f} ns per value read and {1e9 * choose:.0f} ns per value chosen on fit best; "
        f"caufc counts {1e9 * READ_SECONDS:.0f} and {1e9 * CHOOSE_SECONDS:.0f}.",
    ]
    print("\n".join(lines))
    if options.results is not None:
        fitted = {"read_seconds": read, "choose_seconds": choose}
        write_results(options.results, plain_command(sys.argv), {**figures, **fitted}, "\n".join(lines))


if __name__ == "__main__":
    main()
