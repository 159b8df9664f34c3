"""Loss curves of the weights in tools/weights: is training at its end where it stopped?

    python -m tools.measure.training

Reads the losses that tools/make/learned_weights.py kept, and writes tools/results/training.json and .md. From 40 % of
the steps on latents are rounded instead of noisy, and from 60 % on crops are four times as large: losses compare
within such a part.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from tools.measure.machine import ROOT, write_results

WEIGHTS = ROOT / "tools" / "weights"
WINDOW = 1000
"""Steps a mean is of."""

Entry = dict[str, Any]


def windows(curve: list[Entry]) -> list[dict[str, float]]:
    """Means of the loss, and of bits and errors of all rates, over windows of steps."""
    found = []
    for stop in range(WINDOW, int(curve[-1]["step"]) + 1, WINDOW):
        part = [entry for entry in curve if stop - WINDOW < entry["step"] <= stop]
        found.append(
            {
                "step": stop,
                "loss": float(np.mean([entry["loss"] for entry in part])),
                "bpfp": float(np.nanmean([entry["bpfp"] for entry in part])),
                "mse": float(np.nanmean([entry["mse"] for entry in part])),
            }
        )
    return found


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    curves = {path.stem: [json.loads(line) for line in path.open()] for path in sorted(WEIGHTS.glob("*.jsonl"))}
    figures: dict[str, Any] = {name: windows(curve) for name, curve in curves.items()}
    steps = [row["step"] for row in next(iter(figures.values()))]
    lines = [f"| mean loss of {WINDOW:,} steps up to | {' | '.join(f'{step:,}' for step in steps)} | last change |"]
    lines.append("|---" * (len(steps) + 2) + "|")
    for name, rows in figures.items():
        change = 100 * (rows[-1]["loss"] / rows[-2]["loss"] - 1)
        cells = " | ".join(f"{row['loss']:.3f}" for row in rows)
        lines.append(f"| {name} | {cells} | {change:+.1f} % |")
    lines += ["", "| weights | steps | hours on one core |", "|---|---|---|"]
    for name, curve in curves.items():
        lines.append(f"| {name} | {curve[-1]['step']:,} | {curve[-1]['seconds'] / 3600:.2f} |")
    write_results("training", "python -m tools.measure.training", figures, "\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
