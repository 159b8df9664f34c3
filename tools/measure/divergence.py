"""How far apart codecs are where agreement is too coarse to tell: rate against the divergence of scores.

A thousand samples tell an agreement of 99 % to within 0.6 points, and curves are flat there. The Kullback-Leibler
divergence of a network's scores from the unquantised ones is a mean over all samples, not a count of the few that
change. On the test half of each tap of `tools/measure/tap_features.py`, per codec: a parabola through log rate over log
divergence of points that lie in a range of rates; then the mean distance of these curves where they overlap, with the
95 % interval of a bootstrap over samples.

    python -m tools.measure.divergence --data DIR --features DIR [--results NAME]

The whole takes half an hour. docs/evaluate.md says what the data folder holds.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import caufc
from caufc.evaluate.feature_file import FeatureFile
from caufc.evaluate.rivals.base import RivalFamily, RivalInputs
from caufc.evaluate.rivals.registry import find_families
from tools.measure.machine import plain_command, write_results
from tools.measure.scores import Scores
from tools.measure.tap_features import TAPS, load_features

INTERIOR, READ_OUT = (0.7, 5.0), (0.02, 2.0)
"""BPFP between which points count."""

POINTS, DRAWS = 12, 500
FINEST, STRIDE = 4.0, 0.5
"""Octaves of NNCodec's steps below the deviation."""
RIVALS = ("nncodec", "int")
BLIND = "caufc, blind"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """BPFP of a setting, and the divergence of every sample's scores in nats ``[B]``."""

    bpfp: float
    divergences: Floats


class Bench:
    """A tap's features of the test half, and the network behind it."""

    def __init__(self, data: Path, folder: Path, tap: str) -> None:
        point, self.tap = TAPS[tap], tap
        self.range = INTERIOR if point.reads == "tokens" else READ_OUT
        self.stored = FeatureFile.of(load_features(folder, tap, "test"), point.layout)
        self.scores = Scores(data, tap, self.stored.samples)

    def point(self, size: int, features: FeatureFile) -> Point:
        """What coded features do to scores."""
        return Point(8 * size / self.stored.numel, self.scores.divergences(features.samples))

    def blind(self) -> Iterator[Point]:
        """Points at evenly spaced rates."""
        for rate in np.geomspace(*self.range, POINTS):
            coded = caufc.encode(self.stored.samples, layout=self.stored.layout, bpfp=float(rate))
            yield self.point(len(coded), self.stored.like(caufc.decode(coded)))

    def rival(self, family: RivalFamily) -> Iterator[Point]:
        """Points of a rival, from many bytes to few, until the range of rates is left."""
        sweep, inputs = family.sweep, RivalInputs(self.stored.tokens)
        values = sweep.values[::-1] if sweep.option == "bits" else np.arange(FINEST, sweep.low, -STRIDE)
        for value in values:
            variants = (self._with(rival) for rival in family.make({sweep.option: float(value)}, inputs))
            size, back = min(variants, key=lambda pair: pair[0])
            if 8 * size < self.range[0] * self.stored.numel:
                return
            if 8 * size <= self.range[1] * self.stored.numel:
                yield self.point(size, back)

    def _with(self, rival: Any) -> tuple[int, FeatureFile]:
        data = rival.encode(self.stored.arrays, self.stored.spec)
        arrays = rival.decode(data, self.stored.spec, np.dtype("<f4"))
        return len(data), self.stored.like(arrays[0] if self.stored.batch else arrays)

    def curves(self, told: Callable[[str], None]) -> dict[str, list[Point]]:
        """Points of every codec."""
        found = {BLIND: list(self.blind())}
        for family in find_families(RIVALS):
            told(f"{self.tap} {family.name}")
            found[family.name] = list(self.rival(family))
        return found


def distance(points: list[Point], against: list[Point], samples: NDArray[np.intp]) -> float:
    """Mean log of how many times the bytes one codec takes of another at equal divergence, where both have points."""
    fits = [_fit(curve, samples) for curve in (points, against)]
    low, high = max(ends[0] for _, ends in fits), min(ends[1] for _, ends in fits)
    if high <= low:
        return math.nan
    places = np.linspace(low, high, 50)
    return float(np.mean(np.polyval(fits[0][0], places) - np.polyval(fits[1][0], places)))


def _fit(points: list[Point], samples: NDArray[np.intp]) -> tuple[Floats, tuple[float, float]]:
    """Log rate as a parabola of log divergence, and between which divergences."""
    changes = np.log([max(float(point.divergences[samples].mean()), 1e-12) for point in points])
    return np.polyfit(changes, np.log([point.bpfp for point in points]), min(2, len(points) - 1)), (
        float(changes.min()),
        float(changes.max()),
    )


def compared(curves: dict[str, list[Point]]) -> dict[str, tuple[float, float, float]]:
    """How many times the bytes of blind coding each rival takes at equal divergence, with its interval."""
    rng = np.random.default_rng(0)
    count = len(curves[BLIND][0].divergences)
    draws = [rng.integers(0, count, count) for _ in range(DRAWS)]
    found = {}
    for name, points in curves.items():
        if name == BLIND or len(points) < 2:
            continue
        ratios = [math.exp(distance(points, curves[BLIND], drawn)) for drawn in (np.arange(count), *draws)]
        low, high = np.nanpercentile(ratios[1:], [2.5, 97.5])
        found[name] = (ratios[0], float(low), float(high))
    return found


def table(found: dict[str, dict[str, Any]]) -> str:
    """Ratios as Markdown."""
    rivals = [family.name for family in find_families(RIVALS)]
    lines = [f"| tap | BPFP | {' | '.join(rivals)} |", "|---" * (len(rivals) + 2) + "|"]
    for tap, own in found.items():
        low, high = own["range"]
        cells = (_cell(own["ratios"].get(name)) for name in rivals)
        lines.append(f"| {tap} | {low:g} to {high:g} | {' | '.join(cells)} |")
    return "\n".join(["How many times the bytes of blind coding at equal divergence of scores.", "", *lines])


def _cell(ratio: tuple[float, float, float] | None) -> str:
    return "-" if ratio is None else f"{ratio[0]:.2f} [{ratio[1]:.2f}, {ratio[2]:.2f}]"


def measure(data: Path, folder: Path, told: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """Figures of every tap."""
    found = {}
    for tap in TAPS:
        bench = Bench(data, folder, tap)
        curves = bench.curves(told)
        means = {name: [(p.bpfp, float(p.divergences.mean())) for p in points] for name, points in curves.items()}
        found[tap] = {"range": bench.range, "curves": means, "ratios": compared(curves)}
    return found


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
        write_results(options.results, command, {"taps": found}, table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
