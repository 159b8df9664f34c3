"""Is the learned codec's baseline a straw man? A wide network against the narrow one, trained with the same steps.

    caufc train FIT... -o narrow.caufw --steps 2500
    caufc train FIT... -o wide.caufw --steps 2500 --width 128 --latents 192
    python tools/measure_width.py narrow.caufw wide.caufw TEST... [--layout 'b c h w'] [--samples 200]

FIT and TEST are files of the same tap, as tools/tap_features.py makes them. Seconds are of the processor, one thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import plain_command, write_results
from numpy.typing import NDArray

import caufc
from caufc.evaluate.curves import bd_rate_at_snr
from caufc.weights import find_weights

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
    apart = {} if weights is None else {"embed_weights": False}
    started = time.process_time()
    data = caufc.encode(features, layout=layout, **options, **apart)
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


def curve(features: NDArray[np.float32], layout: str, weights: Path) -> list[Point]:
    """All rates of one set of weights, by ascending BPFP."""
    rates = find_weights(weights).weights.rates
    numbers = np.linspace(0, 100, rates)
    found = [
        point(features, layout, codec="hyperprior", weights=str(weights), quality=float(number)) for number in numbers
    ]
    return sorted(found, key=lambda each: each["bpfp"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("narrow", type=Path)
    parser.add_argument("wide", type=Path)
    parser.add_argument("features", type=Path, nargs="+", metavar="TEST")
    parser.add_argument("--layout", default="b c h w")
    parser.add_argument("--samples", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    figures: dict[str, Any] = {}
    lines = ["| tap | codec | BPFP | SNR dB | BD-rate at equal SNR % | encode MB/s | decode MB/s |", "|---" * 7 + "|"]
    for path in options.features:
        features = np.load(path)[: options.samples]
        point(features[:8], options.layout, codec="hyperprior", weights=str(options.narrow), quality=50.0)
        own = {name: curve(features, options.layout, getattr(options, name)) for name in ("narrow", "wide")}
        own["transform"] = [point(features, options.layout, quality=QUALITY)]
        tap = path.name.partition(".")[0]
        pairs = {name: [(each["bpfp"], each["snr_db"]) for each in found] for name, found in own.items()}
        delta = bd_rate_at_snr(pairs["narrow"], pairs["wide"]).value
        figures[tap] = {"curves": own, "bd_rate_percent": delta}
        for name, found in own.items():
            cells = [" ".join(f"{each[key]:.{digits}f}" for each in found) for key, digits in SHOWN.items()]
            change = f"{delta:+.1f}" if name == "wide" and delta is not None else ""
            speeds = [f"{np.exp(np.mean([np.log(each[key]) for each in found])):.1f}" for key in SPEEDS]
            lines.append(f"| {' | '.join([tap, name, *cells, change, *speeds])} |")
    for name in ("narrow", "wide"):
        weights = find_weights(getattr(options, name)).weights
        lines += ["", f"*{name}*: N = {weights.width}, M = {weights.latents}."]
    lines += ["", f"*transform*: caufc without a profile at quality {QUALITY:g}."]
    write_results("width", plain_command(sys.argv), figures, "\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
