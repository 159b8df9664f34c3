"""What universal tables cost: per-file tables switched off, tables trained on one set of taps and used on another.

Tables are trained on the fit halves of taps and used on the test halves, both coded in the many ways of
`tools/make/universal_tables.py`. *Own* tables are trained on the tap alone. Figures are % more bits than with own
tables.

    python -m tools.measure.tables --features DIR [--results NAME]
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caufc.codec.buckets import BUCKETS
from caufc.encoder.tables import table_bits
from tools.make.universal_tables import tap_counts, train
from tools.measure.machine import plain_command, write_results
from tools.measure.tap_features import TAPS

CNNS = ("efficientnet_lite0", "resnet56")
WAYS = ("all taps", "without the tap", "CNNs", "transformers")


def bits(trained: NDArray[np.float64], used: NDArray[np.float64]) -> float:
    """Bits of counts ``[48, 40, 64]`` with tables trained on others."""
    table_of, levels = train(trained)
    return table_bits(np.rint(used).astype(np.int64).reshape(-1, BUCKETS), table_of.ravel(), levels)


def main() -> None:
    """Count, train and compare."""
    parser = argparse.ArgumentParser(description="What universal tables cost.")
    parser.add_argument("--features", type=Path, required=True, metavar="DIR", help="of tools.measure.tap_features")
    parser.add_argument("--results", metavar="NAME", help="also write tools/results/NAME.json and .md")
    options = parser.parse_args()
    fit, test = {}, {}
    for tap in TAPS:
        fit[tap], test[tap] = (tap_counts(options.features, tap, half) for half in ("fit", "test"))
        print(f"{tap}: counted", file=sys.stderr)
    cnn = {tap for tap in TAPS if TAPS[tap].network in CNNS}
    figures = {}
    for tap in TAPS:
        own = bits(fit[tap], test[tap])
        sets = (set(TAPS), set(TAPS) - {tap}, cnn, set(TAPS) - cnn)
        costs = [bits(np.sum([fit[t] for t in chosen], axis=0), test[tap]) / own - 1 for chosen in sets]
        figures[tap] = dict(zip(WAYS, (100 * cost for cost in costs), strict=True))
    crossed = {tap: figures[tap]["transformers" if tap in cnn else "CNNs"] for tap in TAPS}
    lines = [f"| tap | {' | '.join(WAYS)} | the other kind |", "|---" * (len(WAYS) + 2) + "|"]
    for tap, row in figures.items():
        lines.append(f"| {tap} | {' | '.join(f'{row[way]:+.2f} %' for way in WAYS)} | {crossed[tap]:+.2f} % |")
    means = [_mean([row[way] for row in figures.values()]) for way in WAYS]
    lines.append(
        f"| geometric mean | {' | '.join(f'{m:+.2f} %' for m in means)} | {_mean(list(crossed.values())):+.2f} % |"
    )
    text = "\n".join(lines)
    print(text)
    if options.results:
        write_results(options.results, plain_command(sys.argv), {"taps": figures, "crossed": crossed}, text)


def _mean(percents: list[float]) -> float:
    return 100 * (math.exp(sum(math.log1p(p / 100) for p in percents) / len(percents)) - 1)


if __name__ == "__main__":
    main()
