"""What each tool of the transform codec buys, switched off one at a time.

For each tap of `tools/measure/tap_features.py`, a sample of the test half is coded with all tools that pay there (the
grid transform does not for all), then without each of them: at medium quality, and with steps eight times as large.
Figures are bytes more at the same weighted distortion (squared error in the frequency domain, in units of the steps
that importance gives), interpolated between steps. What importance buys only shows in agreement, and is not here.

    python -m tools.measure.tools --features DIR [--results NAME]
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

import caufc
from caufc.codec.buckets import BUCKETS, bucket_of, zigzag
from caufc.codec.transform.basis import ChannelTransform, principal_basis, quantize_rows
from caufc.codec.transform.contexts import CONTEXTS
from caufc.codec.transform.dct import forward_grid
from caufc.codec.transform.grids import Geometry
from caufc.codec.transform.quantize import dequantize
from caufc.codec.transform.trellis import STEP_RATIO, halves_of
from caufc.codec.transform.universal_tables import universal_tables
from caufc.encoder import sample_plan
from caufc.encoder.importance import blind_importance
from caufc.encoder.levels import ClassLevels, index_costs, levels_for
from caufc.encoder.quantize import DEAD_ZONE_ROUNDING, best_shift, dead_zones, quantize
from caufc.encoder.sample_plan import DEPENDENT_BITS
from caufc.encoder.step import MEDIUM_STEP
from caufc.encoder.tables import choose_tables, context_counts, table_bits
from caufc.encoder.trellis_search import dependent_quantize
from caufc.layouts import Layout
from tools.make.universal_tables import SPARSE, tap_sample
from tools.measure.machine import plain_command, write_results
from tools.measure.speed import fastest
from tools.measure.tap_features import TAPS, load_features

OCTAVES = (-0.75, -0.25, 0.25, 0.75)
LOW_QUALITY = 16.0
COARSER = {"medium quality": 0, "steps eight times as large": 3}


@dataclass(frozen=True)
class Tools:
    """Which tools are on."""

    grid_transform: bool = True
    basis: bool = True
    costs: bool = True
    dependence: bool = True
    reconstruction_points: bool = True
    extents: bool = True
    neighbours: bool = True
    channel_levels: bool = True
    band_levels: bool = True
    own_tables: bool = True


class Bench:
    """A tap's sample, to be coded with any tools."""

    def __init__(self, folder: Path, tap: str, coarser: int) -> None:
        self.aligned, self.geometry = tap_sample(load_features(folder, tap, "test"), Layout(TAPS[tap].layout))
        deviations = self.aligned.std(axis=0, dtype=np.float64)
        self.step = 2.0**coarser * MEDIUM_STEP * float(np.median(deviations[deviations > 0]))
        self.sparse = float((self.aligned == 0).mean()) >= SPARSE
        self.spectral = replace(self.geometry, spectral=True)
        self.weights = np.exp2(blind_importance(self.spectral).steps / 8)
        self.basis = quantize_rows(
            principal_basis(np.asarray(self.aligned.T @ self.aligned / len(self.aligned), np.float64))[0]
        )

    def curve(self, tools: Tools) -> list[tuple[float, float]]:
        """(weighted distortion, bits) at steps about medium quality's."""
        values = self.aligned
        if tools.basis and not self.sparse:
            values = ChannelTransform(self.basis).forward(values)
        geometry = self.spectral if tools.grid_transform else self.geometry
        coefficients = forward_grid(values, geometry) if geometry.spectral else values
        weights = self.weights.copy()
        if not geometry.spectral:
            weights[:14] = 0.5
        return [self._point(coefficients, geometry, weights * self.step * 2.0**o, tools) for o in OCTAVES]

    def _point(
        self, coefficients: NDArray[Any], geometry: Geometry, steps: NDArray[Any], tools: Tools
    ) -> tuple[float, float]:
        inverse = (1 / steps)[geometry.bands][:, None]
        indices = quantize(coefficients, inverse, DEAD_ZONE_ROUNDING)
        levels = levels_for(indices, geometry.bands)
        shape = (2, *levels.classes().shape)
        costs = index_costs(indices, levels, geometry.bands) if tools.costs else np.zeros(shape)
        halves = None
        if tools.costs:
            indices = quantize(coefficients, inverse, DEAD_ZONE_ROUNDING, dead_zones(costs)[geometry.bands])
        if tools.dependence and self._bits(indices, geometry, tools) >= DEPENDENT_BITS * indices.size:
            inverse, steps = inverse / STEP_RATIO, steps * STEP_RATIO
            indices = dependent_quantize(coefficients, inverse, geometry.bands, costs / STEP_RATIO**2)
            halves = halves_of(zigzag(indices))
        points = dequantize(indices, 1.0, 0, coefficients.dtype, halves)
        scaled = coefficients * inverse.astype(coefficients.dtype)
        shift = best_shift(scaled, points) if tools.reconstruction_points else 0
        error = dequantize(indices, steps[geometry.bands][:, None], shift, coefficients.dtype, halves) - coefficients
        if not geometry.spectral:
            error = forward_grid(error, self.spectral)
        unit = self.weights[self.spectral.bands][:, None]
        return float(np.square(error / unit).sum(dtype=np.float64)), self._bits(indices, geometry, tools)

    def _bits(self, indices: NDArray[np.int32], geometry: Geometry, tools: Tools) -> float:
        levels = levels_for(indices, geometry.bands)
        levels = ClassLevels(
            levels.level,
            levels.channels if tools.channel_levels else np.zeros_like(levels.channels),
            levels.bands if tools.band_levels else np.zeros_like(levels.bands),
        )
        buckets = bucket_of(np.ascontiguousarray(zigzag(indices)))
        counts = context_counts(buckets, levels.classes(), geometry, tools.extents)
        if not tools.neighbours:
            counts[:, 0], counts[:, 1:27] = counts[:, :27].sum(axis=1), 0
        side = 8.0 * (levels.channels.size + 16)
        if not tools.own_tables:
            table_of, tables = universal_tables()
            return table_bits(counts.reshape(-1, BUCKETS), table_of.ravel(), tables) + side
        table_of, tables = choose_tables(counts.reshape(-1, CONTEXTS, BUCKETS), 1.0)
        side += 8.0 * np.count_nonzero(tables) + 2.0 * np.count_nonzero(counts.any(axis=2))
        return table_bits(counts.reshape(-1, BUCKETS), table_of.ravel(), tables) + side


def bits_at(curve: list[tuple[float, float]], distortion: float) -> float:
    """Bits of a curve at a distortion, both in logarithms."""
    ordered = sorted(curve)
    x, y = np.log([point[0] for point in ordered]), np.log([point[1] for point in ordered])
    at = math.log(distortion)
    if at < x[0] or at > x[-1]:
        ends = (0, 1) if at < x[0] else (-2, -1)
        slope = (y[ends[1]] - y[ends[0]]) / (x[ends[1]] - x[ends[0]])
        return math.exp(y[ends[0]] + slope * (at - x[ends[0]]))
    return math.exp(float(np.interp(at, x, y)))


def costs(bench: Bench) -> Iterator[tuple[str, float]]:
    """(tool, % more bytes without it)."""
    curves = {on: bench.curve(Tools(grid_transform=on)) for on in (True, False)}
    middle = math.exp(float(np.mean(np.log([point[0] for point in curves[True]]))))
    chosen = min(curves, key=lambda on: bits_at(curves[on], middle))
    base, best = Tools(grid_transform=chosen), bits_at(curves[chosen], middle)
    for name in vars(base):
        without = curves[False] if name == "grid_transform" else bench.curve(replace(base, **{name: False}))
        yield name, 100 * (bits_at(without, middle) / best - 1)


def table(figures: dict[str, dict[str, float]]) -> Iterator[str]:
    """Lines of a table by tool and tap, with geometric means."""
    yield f"| % more bytes without | {' | '.join(figures)} | mean |"
    yield "|---" * (len(figures) + 2) + "|"
    for name in vars(Tools()):
        mean = 100 * (math.exp(np.mean([math.log1p(found[name] / 100) for found in figures.values()])) - 1)
        cells = " | ".join(f"{found[name]:+.1f}" for found in figures.values())
        yield f"| {name.replace('_', ' ')} | {cells} | {mean:+.1f} |"


def extents_speed(folder: Path, taps: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Bytes and speed of whole files at a low quality, where extents are chosen and where they are kept from it."""
    for tap in taps:
        batch = load_features(folder, tap, "test")[:64]
        size = sum(np.asarray(part).nbytes for part in batch) / 1e6
        for on in (True, False):
            with mock.patch.object(sample_plan, "_extents_pay", sample_plan._extents_pay if on else lambda *_: False):
                coding = partial(caufc.encode, batch, layout=TAPS[tap].layout, quality=LOW_QUALITY)
                data = coding()
                encode, decode = fastest(coding), fastest(partial(caufc.decode, data))
            yield {"tap": tap, "extents": on, "bytes": len(data), "encode": size / encode, "decode": size / decode}


def speed_table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Lines of a table by tap."""
    yield "| tap | extents | bytes | encode MB/s | decode MB/s |"
    yield "|---|---|---|---|---|"
    for row in rows:
        speeds = f"{row['encode']:.0f} | {row['decode']:.0f}"
        yield f"| {row['tap']} | {'yes' if row['extents'] else 'no'} | {row['bytes']:,} | {speeds} |"


def main() -> None:
    """Measure all taps."""
    parser = argparse.ArgumentParser(description="What each tool of the codec buys.")
    parser.add_argument("--features", type=Path, required=True, metavar="DIR", help="of tools.measure.tap_features")
    parser.add_argument("--taps", nargs="+", default=list(TAPS), choices=list(TAPS), metavar="TAP")
    parser.add_argument("--results", metavar="NAME", help="also write tools/results/NAME.json and .md")
    options = parser.parse_args()
    parts: list[str] = []
    figures: dict[str, Any] = {}
    for name, coarser in COARSER.items():
        figures[name] = {tap: dict(costs(Bench(options.features, tap, coarser))) for tap in options.taps}
        parts += [f"## {name[0].upper()}{name[1:]}", "", *table(figures[name]), ""]
    figures["extents"] = list(extents_speed(options.features, options.taps))
    parts += [f"## What extents do for speed, quality {LOW_QUALITY:g}", "", *speed_table(figures["extents"]), ""]
    text = "\n".join(parts)
    print(text)
    if options.results:
        write_results(options.results, plain_command(sys.argv), figures, text)


if __name__ == "__main__":
    main()
