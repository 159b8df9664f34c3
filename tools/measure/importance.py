"""What blind importance and reconstruction points rest on: which errors networks react to, and what that saves.

For each tap of `tools/measure/tap_features.py`, on features of the half that constants were chosen on:

1. noise of one energy in each eighth of the principal directions of tokens, the eighth of the largest variances first.
   Figures are how much further scores are from the unquantised ones (Kullback-Leibler divergence) than with as much
   noise in all directions alike;
2. bytes at equal divergence with other exponents of importance or reconstruction points, against what ships;
3. the same on the test half, for what ships against none of it. Results hold all curves.

    python -m tools.measure.importance --data DIR --features DIR [--results NAME]

The whole takes 40 minutes. docs/evaluate.md says what the data folder holds.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

import caufc
from caufc import Layout
from caufc.align import LayoutAligner
from caufc.codec.transform.basis import principal_basis
from caufc.encoder import importance, transform_draft
from tools.measure.machine import plain_command, write_results
from tools.measure.scores import Scores
from tools.measure.tap_features import TAPS, load_features

EIGHTHS = 8
NOISE_SNR = 16.0
READ_RATES, INTERIOR_RATES = (0.015, 0.03, 0.06, 0.12, 0.25), (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
DIVERGENCES = (0.01, 0.003)
SHIPS = "as it ships"
Change = dict[str, Any]
"""Constants of ``importance`` or ``transform_draft``, and their other values."""

CHANGES: dict[str, Change] = {
    "variance^0": {"VARIANCE_EXPONENT": 0.0},
    "variance^0.6": {"VARIANCE_EXPONENT": 0.6},
    "frequencies of the other kind": {"CONVOLUTION_EXPONENT": 0.25, "ATTENTION_EXPONENT": 0.5},
    "points at centroids": {"GAIN_SHARE": 0.0},
    "points that keep all energy": {"GAIN_SHARE": 1.0},
}
TESTED: dict[str, Change] = {
    "variance^0, all frequencies^0.5": {
        "VARIANCE_EXPONENT": 0.0,
        "CONVOLUTION_EXPONENT": 0.5,
        "ATTENTION_EXPONENT": 0.5,
    },
    "points at centroids": {"GAIN_SHARE": 0.0},
}

Floats = NDArray[Any]
Curve = list[tuple[float, float]]
"""(BPFP, divergence) of points."""


class Bench:
    """A tap's features of one half, and the network behind it."""

    def __init__(self, data: Path, folder: Path, tap: str, half: str) -> None:
        point = TAPS[tap]
        self.layout = point.layout
        self.rates = INTERIOR_RATES if point.reads == "tokens" else READ_RATES
        self.features = load_features(folder, tap, half)
        self.numel = sum(math.prod(sample.shape) for sample in self.features)
        self.scores = Scores(data, tap, self.features)

    def divergence(self, features: Any) -> float:
        """Mean Kullback-Leibler divergence of scores, in nats."""
        return float(self.scores.divergences(features).mean())

    def curve(self, change: Change) -> Curve:
        """Points of blind coding with other constants."""
        points = []
        with constants(change):
            for rate in self.rates:
                coded = caufc.encode(self.features, layout=self.layout, bpfp=rate)
                points.append((8 * len(coded) / self.numel, self.divergence(caufc.decode(coded))))
        return points

    def reactions(self) -> tuple[list[float], list[float]]:
        """Of every eighth of directions: divergence against that of white noise, and deviation of features."""
        form = LayoutAligner(Layout(self.layout).unbatched())
        samples = [np.asarray(sample) for sample in self.features]
        alike = len({sample.shape for sample in samples}) == 1
        tokens = form.to_tokens(np.stack(samples) if alike else samples)
        matrix = tokens.matrix.astype(np.float64)
        rows, variances = principal_basis(np.cov(matrix.T))
        rng = np.random.default_rng(0)
        deviation = math.sqrt(float(np.square(matrix).mean()) * 10 ** (-NOISE_SNR / 10))

        def noisy(directions: Floats) -> float:
            noise = rng.standard_normal((len(matrix), len(directions))) * deviation
            noise *= math.sqrt(matrix.shape[1] / len(directions))
            moved = (matrix + noise @ directions).astype(np.float32)
            return self.divergence(list(form.from_tokens(replace(tokens, matrix=moved))))

        white = noisy(rows)
        parts = np.array_split(np.arange(len(rows)), EIGHTHS)
        deviations = [float(np.sqrt(variances[part].mean())) for part in parts]
        return [noisy(rows[part]) / white for part in parts], deviations


@contextmanager
def constants(change: Change) -> Iterator[None]:
    """Other constants for a while, where they are looked up."""
    with ExitStack() as stack:
        for name, value in change.items():
            module = importance if hasattr(importance, name) else transform_draft
            stack.enter_context(mock.patch.object(module, name, value))
        yield


def bytes_at(curve: Curve, divergence: float) -> float:
    """BPFP of a curve at a divergence, both in logarithms."""
    ordered = sorted((math.log(max(change, 1e-12)), math.log(rate)) for rate, change in curve)
    changes, rates = zip(*ordered, strict=True)
    return math.exp(float(np.interp(math.log(divergence), changes, rates)))


def saving(curve: Curve, against: Curve) -> float:
    """Per cent more bytes than another curve takes, a geometric mean over divergences."""
    ratios = [math.log(bytes_at(curve, change) / bytes_at(against, change)) for change in DIVERGENCES]
    return 100 * math.expm1(sum(ratios) / len(ratios))


def measure(data: Path, folder: Path, told: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """Figures of every tap."""
    found: dict[str, dict[str, Any]] = {}
    for tap in TAPS:
        told(tap)
        bench = Bench(data, folder, tap, "fit")
        reactions, deviations = bench.reactions()
        slope = float(np.polyfit(2 * np.log(deviations), np.log(reactions), 1)[0])
        found[tap] = {"reactions": reactions, "deviations": deviations, "exponent": slope}
        found[tap] |= {"fit": _curves(bench, CHANGES), "test": _curves(Bench(data, folder, tap, "test"), TESTED)}
    return found


def _curves(bench: Bench, changes: dict[str, Change]) -> dict[str, Curve]:
    """What ships, and with each change."""
    return {name: bench.curve(change) for name, change in {SHIPS: {}, **changes}.items()}


def table(found: dict[str, dict[str, Any]]) -> str:
    """Both parts as Markdown."""
    names = " | ".join(found)
    lines = ["## Reaction to noise in eighths of the principal directions", "", f"| eighth | {names} |"]
    lines.append("|---" * (len(found) + 1) + "|")
    for number in range(EIGHTHS):
        cells = (f"{own['reactions'][number]:.2f}" for own in found.values())
        lines.append(f"| {number + 1} | {' | '.join(cells)} |")
    exponents = (f"{own['exponent']:+.2f}" for own in found.values())
    lines.append(f"| **grows with variance to the power** | {' | '.join(exponents)} |")
    lines += ["", "## % more bytes at equal divergence", "", f"| constants | {names} | geometric mean |"]
    lines.append("|---" * (len(found) + 2) + "|")
    lines += [_row(name, [saving(own["fit"][name], own["fit"][SHIPS]) for own in found.values()]) for name in CHANGES]
    for name in TESTED:
        column = [saving(own["test"][name], own["test"][SHIPS]) for own in found.values()]
        lines.append(_row(f"**test half: {name}**", column))
    return "\n".join(lines)


def _row(label: str, column: Sequence[float]) -> str:
    mean = 100 * math.expm1(sum(math.log1p(value / 100) for value in column) / len(column))
    return f"| {label} | {' | '.join(f'{value:+.1f}' for value in (*column, mean))} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of images, texts and weights")
    parser.add_argument("--features", type=Path, required=True, help="of tools.measure.tap_features")
    parser.add_argument("--results", help="write tools/results/NAME.*")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    found = measure(options.data, options.features, lambda text: print(text, file=sys.stderr, flush=True))
    print(table(found))
    if options.results:
        command = plain_command(sys.argv)
        write_results(options.results, command, {"taps": found, "divergences": DIVERGENCES}, table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
