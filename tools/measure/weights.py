"""Sets of weights of the learned codec side by side: bytes at equal SNR, against the first of them, and speed.

    caufc train FIT... -o short.caufw --steps 2500
    caufc train FIT... -o wide.caufw --steps 2500 --width 128 --latents 192
    python -m tools.measure.weights TEST... --weights long=tools/weights/cifar10_resnet56.caufw \\
        --weights short=short.caufw --weights wide=wide.caufw --weights universal=universal

Is the baseline a straw man: what does a wide network gain? What do more steps, and what does training on all
architectures cost? FIT and TEST are files of the same tap, as tools/measure/tap_features.py makes them.
Seconds are of the processor, one thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import caufc
from caufc.catalog import find_weights
from caufc.evaluate.curves import bd_rate_at_snr
from tools.measure.machine import plain_command, write_results

QUALITY = 43.0
"""Of the transform codec, beside them: about where 99 % of predictions stand on interior taps."""

SHOWN = {"bpfp": 3, "snr_db": 1}
"""What is shown of every point, and with how many digits."""

SPEEDS = ("encode_mb_s", "decode_mb_s")
"""What is shown as a geometric mean of all points."""

Point = dict[str, float]


def point(features: NDArray[np.float32], layout: str, **options: Any) -> Point:
    """One encoding and decoding."""
    weights = options.get("weights")
    started = time.process_time()
    data = caufc.encode(features, layout=layout, embed_weights=weights is None, **options)
    encoded = time.process_time()
    back = caufc.decode(data, weights=weights)
    decoded = time.process_time()
    error = float(np.square(back - features, dtype=np.float64).sum())
    energy, size = float(np.square(features, dtype=np.float64).sum()), features.nbytes / 1e6
    return {
        "bpfp": 8 * len(data) / features.size,
        "snr_db": 10 * float(np.log10(energy / error)),
        "encode_mb_s": size / (encoded - started),
        "decode_mb_s": size / (decoded - encoded),
    }


def curve(features: NDArray[np.float32], layout: str, weights: str) -> list[Point]:
    """All rates of one set of weights, by ascending BPFP."""
    numbers = np.linspace(0, 100, find_weights(weights).weights.rates)
    found = [point(features, layout, codec="hyperprior", weights=weights, quality=float(number)) for number in numbers]
    return sorted(found, key=lambda each: each["bpfp"])


def row(tap: str, name: str, found: Sequence[Point], delta: float | None) -> str:
    """Of the table."""
    cells = [" ".join(f"{each[key]:.{digits}f}" for each in found) for key, digits in SHOWN.items()]
    speeds = [f"{np.exp(np.mean([np.log(each[key]) for each in found])):.1f}" for key in SPEEDS]
    return f"| {' | '.join([tap, name, *cells, '' if delta is None else f'{delta:+.1f}', *speeds])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("features", type=Path, nargs="+", metavar="TEST")
    parser.add_argument("--weights", action="append", required=True, metavar="NAME=FILE")
    parser.add_argument("--layout", default="b c h w")
    parser.add_argument("--samples", type=int, default=200)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    weights = dict(each.split("=", 1) for each in options.weights)
    (first, *_) = weights
    figures: dict[str, Any] = {}
    lines = [
        f"| tap | codec | BPFP | SNR dB | bytes at equal SNR against {first}, BD-rate % | encode MB/s | decode MB/s |"
    ]
    lines.append("|---" * 7 + "|")
    for path in options.features:
        features, tap = np.load(path)[: options.samples], path.name.partition(".")[0]
        point(features[:8], options.layout, codec="hyperprior", weights=weights[first], quality=50.0)
        curves = {name: curve(features, options.layout, file) for name, file in weights.items()}
        pairs = {name: [(each["bpfp"], each["snr_db"]) for each in found] for name, found in curves.items()}
        deltas = {name: bd_rate_at_snr(pairs[first], pairs[name]).value for name in curves if name != first}
        transform = [point(features, options.layout, quality=QUALITY)]
        figures[tap] = {"curves": {**curves, "transform": transform}, "bd_rate_percent": deltas}
        lines += [row(tap, name, found, deltas.get(name)) for name, found in curves.items()]
        lines.append(row(tap, f"transform, quality {QUALITY:g}", transform, None))
        print("\n".join(lines), flush=True)
    lines.append("")
    for name, file in weights.items():
        found = find_weights(file).weights
        lines.append(f"- *{name}*: N = {found.width}, M = {found.latents}")
    write_results("weights", plain_command(sys.argv), figures, "\n".join(lines))


if __name__ == "__main__":
    main()
