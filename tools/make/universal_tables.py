"""Trains the universal tables: which table codes a symbol in which context, when a file brings no tables of its own.

Counts come from the fit halves of the taps of `tools/measure/tap_features.py`, quantised at steps over eight
octaves, with and without the transform along the grid, with and without a basis along channels. Every run weighs the
same.

    python -m tools.make.universal_tables --features DIR [--taps TAP ...]

writes `caufc/data/tables/universal.tables` and `spec/tables/universal.tables` (the same bytes: the context map
`[48, 40]`, then tables of 64 levels) and prints their SHA-256, which the specification names [CAUF-0233].
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caufc.align import LayoutAligner, align_channels
from caufc.align.statistics import ChannelStatistics
from caufc.codec.buckets import BUCKETS, bucket_of, zigzag
from caufc.codec.tables import levels_of
from caufc.codec.transform.basis import ChannelTransform, principal_basis, quantize_rows
from caufc.codec.transform.contexts import CLASSES, CONTEXTS
from caufc.codec.transform.dct import forward_grid
from caufc.codec.transform.grids import Geometry
from caufc.codec.transform.parameters import Parameters
from caufc.encoder.sample_plan import plan_sample
from caufc.encoder.tables import choose_tables, context_counts
from caufc.layouts import Layout
from tools.measure.tap_features import TAPS, load_features

ROOT = Path(__file__).resolve().parents[2]
TARGETS = (ROOT / "caufc/data/tables/universal.tables", ROOT / "spec/tables/universal.tables")
VALUES = 1 << 21
"""Of a tap, whole samples."""

OCTAVES = (-4, -3, -2, -1, 0, 1, 2, 3)
"""Steps, in octaves about the median deviation of a channel."""

RUN_WEIGHT = 1e6
MOST_TABLES = 96
SPARSE = 0.2
TAIL_SHARE = 2.0**-13
"""Share of a table that is spread over symbols that training never saw."""

Counts = NDArray[np.float64]


def tap_sample(features: Any, layout: Layout) -> tuple[NDArray[Any], Geometry]:
    """Aligned tokens ``[N, C]`` of the first samples, and where they lie."""
    aligner = LayoutAligner(layout)
    if isinstance(features, list):
        samples: Any = [sample.numpy() for sample in features]
        samples = samples[: max(1, VALUES * len(samples) // sum(sample.size for sample in samples))]
    else:
        samples = features[: max(1, VALUES * len(features) // features.size)]
    tokens = aligner.to_tokens(samples)
    matrix = np.ascontiguousarray(tokens.matrix)
    geometry = Geometry(tokens.grids, tokens.special)
    if (matrix == 0).mean() >= SPARSE:
        return matrix, geometry
    statistics = ChannelStatistics(matrix.shape[1])
    statistics.add(matrix)
    return align_channels("mean-deviation", statistics, matrix, 0.5).forward(matrix)[0], geometry


def runs(aligned: NDArray[Any], geometry: Geometry) -> Iterator[Counts]:
    """Counts ``[48, 40, 64]`` of a tap, coded in many ways."""
    spectral = Geometry(geometry.grids, geometry.special, spectral=True)
    basis = quantize_rows(principal_basis(np.asarray(aligned.T @ aligned / len(aligned), np.float64))[0])
    deviation = float(np.median(aligned.std(axis=0)))
    for values in (aligned, ChannelTransform(basis).forward(aligned)):
        for where, coefficients in ((geometry, values), (spectral, forward_grid(values, spectral))):
            for octave in OCTAVES:
                yield _counts(coefficients, where, deviation * 2.0**octave)


def _counts(coefficients: NDArray[Any], geometry: Geometry, step: float) -> Counts:
    steps = np.full(16, step)
    made = plan_sample(coefficients, geometry, steps, Parameters(step), 0.0)
    indices = made.quantizer(coefficients, steps, geometry.bands)
    buckets = bucket_of(np.ascontiguousarray(zigzag(indices)))
    counts = context_counts(buckets, made.levels.classes(), geometry, made.parameters.extents)
    weighed: Counts = counts * (RUN_WEIGHT / max(1, counts.sum()))
    return weighed


def train(counts: Counts, most: int = MOST_TABLES) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Context map ``[48, 40]`` and tables ``[T, 64]`` from counts ``[48, 40, 64]``."""
    whole = np.rint(counts).astype(np.int64)
    table_of, _ = choose_tables(whole, 1.0, most)
    seen: NDArray[np.bool_] = np.asarray(whole.any(axis=2))
    table_of = _filled(table_of, seen)
    totals = np.zeros((int(table_of.max()) + 1, BUCKETS))
    np.add.at(totals, table_of[seen], whole[seen])
    return table_of, np.concatenate([_levels(row) for row in totals])


def _filled(table_of: NDArray[np.uint8], seen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Contexts that training never saw take the table of the nearest class, then of the nearest context."""
    out = table_of.copy()
    columns = np.flatnonzero(seen.any(axis=0))
    for context in range(CONTEXTS):
        column = columns[np.argmin(np.abs(columns - context))]
        known = np.flatnonzero(seen[:, column])
        for kind in range(CLASSES):
            if not seen[kind, context]:
                out[kind, context] = table_of[known[np.argmin(np.abs(known - kind))], column]
    return out


def _levels(row: Counts) -> NDArray[np.uint8]:
    """A table's levels ``[1, 64]``, with a tail on both sides of its most frequent symbol."""
    tail = 2.0 ** (-0.5 * np.abs(np.arange(BUCKETS) - int(row.argmax())))
    return levels_of((row + row.sum() * TAIL_SHARE * tail / tail.sum())[None])


def tap_counts(folder: Path, tap: str, half: str = "fit") -> Counts:
    """Counts over all runs of a tap."""
    aligned, geometry = tap_sample(load_features(folder, tap, half), Layout(TAPS[tap].layout))
    total: Counts = np.sum(list(runs(aligned, geometry)), axis=0)
    return total


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on the taps asked for and write the tables."""
    parser = argparse.ArgumentParser(description="Train the universal tables.")
    parser.add_argument("--features", type=Path, required=True, metavar="DIR", help="of tools.measure.tap_features")
    parser.add_argument("--taps", nargs="+", default=list(TAPS), choices=list(TAPS), metavar="TAP")
    options = parser.parse_args(arguments)
    counts = np.zeros((CLASSES, CONTEXTS, BUCKETS))
    for tap in options.taps:
        counts += tap_counts(options.features, tap)
        print(f"{tap}: counted", file=sys.stderr)
    table_of, levels = train(counts)
    data = table_of.tobytes() + levels.tobytes()
    for target in TARGETS:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    print(f"{len(levels)} tables, {len(data):,} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
