"""Measures how far features can be compressed before the rest of the network notices.

For each tap of `tap_features.py`, the test half is encoded at a list of qualities, decoded and resumed:

    python tools/measure_agreement.py --features DIR --quality 20,30,40,50,60

prints rate (BPFP, all bytes of the file), SNR, top-1 agreement with the unquantised predictions and accuracy, beside
the rival that people use, int-k: per-channel affine min-max codes of k bits, zstd -19 over them, a pair of fp32 scales
a channel counted. Codes lie one a byte, or packed where k divides 8 and zstd makes that smaller. A second table gives
the rates at which each reaches the agreements asked for, interpolated in log bytes.

caufc must be importable: installed, or the checkout's root in PYTHONPATH.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zstandard
from machine import plain_command, write_results
from numpy.typing import NDArray
from tap_features import TAPS, load_features, load_predictions, resume

import caufc

WORKERS = 2
RIVAL_BITS = range(2, 9)
ZSTD_LEVEL = 19
SCALES_BYTES = 8
"""A channel's minimum and step, fp32 each."""


@dataclass(frozen=True)
class Point:
    """One row: a tap coded in one way.

    Args:
        tap, method: what was coded and how (``q40``, ``int4``).
        bpfp: bits per feature point, all bytes counted.
        snr_db: 10 log10 of the sum of squares over the sum of squared errors.
        agreement, accuracy: share of top-1 predictions, in %.
    """

    tap: str
    method: str
    bpfp: float
    snr_db: float
    agreement: float
    accuracy: float

    def row(self) -> str:
        """As a line of the table."""
        figures = f"{self.bpfp:.4f} | {self.snr_db:.2f} | {self.agreement:.2f} | {self.accuracy:.2f}"
        return f"| {self.tap} | {self.method} | {figures} |"

    def record(self) -> dict[str, Any]:
        """As JSON data; an infinite SNR is null."""
        return {**asdict(self), "snr_db": self.snr_db if math.isfinite(self.snr_db) else None}


HEADING = "| tap | method | BPFP | SNR dB | agreement % | accuracy % |\n|---|---|---|---|---|---|"


class TapMeasure:
    """A tap's test half with the predictions to compare with.

    Args:
        tap: key of ``TAPS``.
        folder: features, as made by ``tap_features.py``.
        data: data folder, if it has moved.
    """

    def __init__(self, tap: str, folder: Path, data: Path | None) -> None:
        self.tap, self.folder, self.data = tap, folder, data
        self.features = load_features(folder, tap)
        self.predictions, self.labels = load_predictions(folder, tap)
        self.numel = sum(int(np.prod(part.shape)) for part in _parts(self.features))

    def cut(self, samples: int) -> None:
        """Keep only the first samples."""
        self.features, self.predictions = self.features[:samples], self.predictions[:samples]
        self.labels = self.labels[:samples]
        self.numel = sum(int(np.prod(part.shape)) for part in _parts(self.features))

    def point(self, method: str, size: int, decoded: Any) -> Point:
        """Resume from decoded features of ``size`` bytes."""
        top = resume(self.tap, decoded, self.folder, self.data)
        return Point(
            tap=self.tap,
            method=method,
            bpfp=8 * size / self.numel,
            snr_db=snr_db(self.features, decoded),
            agreement=100 * float((top == self.predictions).mean()),
            accuracy=100 * float((top == self.labels).mean()),
        )


def _parts(features: Any) -> list[Any]:
    """A batch as a list of slices, a list as it is: what is converted to float64 at once stays small."""
    return list(features) if isinstance(features, list) else [features[i : i + 50] for i in range(0, len(features), 50)]


def snr_db(features: Any, decoded: Any) -> float:
    """Signal-to-noise ratio over all values; infinite where nothing was lost."""
    signal = noise = 0.0
    for original, copy in zip(_parts(features), _parts(decoded), strict=True):
        x, y = np.asarray(original, np.float64), np.asarray(copy, np.float64)
        signal, noise = signal + float(np.square(x).sum()), noise + float(np.square(x - y).sum())
    return 10 * math.log10(signal / noise) if noise else math.inf


def int_k(features: Any, layout: str, bits: int) -> tuple[int, Any]:
    """The rival: per-channel affine codes and zstd.

    Args:
        features: [B, ...] array or list of [T, C] tensors.
        layout: of one tensor; its last axis is the channels, or axis 1 of ``b c h w``.
        bits: of a code.

    Returns:
        Size in bytes, and the features decoded.
    """
    ragged = isinstance(features, list)
    x = np.concatenate([part.numpy() for part in features]) if ragged else features
    channels = 1 if layout.startswith("b c") else x.ndim - 1
    others = tuple(axis for axis in range(x.ndim) if axis != channels)
    low, high = x.min(others, keepdims=True), x.max(others, keepdims=True)
    step = (high - low) / np.float32(2**bits - 1)
    codes = np.rint((x - low) / np.where(step > 0, step, 1)).astype(np.uint8)
    stored = [codes] if bits not in (2, 4) else [codes, _pack(codes.ravel(), bits)]
    size = min(len(zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(array.tobytes())) for array in stored)
    decoded: Any = codes * step + low
    if ragged:
        decoded = list(torch.from_numpy(decoded).split([len(part) for part in features]))
    return size + SCALES_BYTES * x.shape[channels], decoded


def _pack(codes: NDArray[Any], bits: int) -> NDArray[Any]:
    """Codes of 2 or 4 bits, several a byte."""
    a_byte = 8 // bits
    rows = np.pad(codes, (0, -len(codes) % a_byte)).reshape(-1, a_byte)
    packed = np.zeros(len(rows), np.uint8)
    for place in range(a_byte):
        packed |= rows[:, place] << np.uint8(place * bits)
    return packed


def measure_caufc(
    measure: TapMeasure, qualities: Sequence[float], align: str | None, layout: str | None
) -> list[Point]:
    """Encode, decode and resume at each quality."""
    points = []
    for quality in qualities:
        started = time.perf_counter()
        data = caufc.encode(measure.features, quality=quality, align=align, layout=layout)
        encoded = time.perf_counter()
        decoded = caufc.decode(data)
        done = time.perf_counter()
        points.append(measure.point(f"q{quality:g}", len(data), decoded))
        print(f"  encode {encoded - started:.1f} s, decode {done - encoded:.1f} s", file=sys.stderr)
        print(points[-1].row(), flush=True)
    return points


def measure_rival(measure: TapMeasure) -> list[Point]:
    """int2 to int8; zstd runs on several of them at once."""
    layout, points = TAPS[measure.tap].layout, []
    with ThreadPoolExecutor(WORKERS) as pool:
        jobs = {bits: pool.submit(int_k, measure.features, layout, bits) for bits in RIVAL_BITS}
        for bits in RIVAL_BITS:
            size, decoded = jobs.pop(bits).result()
            points.append(measure.point(f"int{bits}", size, decoded))
            print(points[-1].row(), flush=True)
    return points


def rate_at(points: Sequence[Point], agreement: float) -> str:
    """BPFP from which on the agreement holds at every higher rate too, log bytes linear between neighbours."""
    ordered = sorted(points, key=lambda point: point.bpfp)
    below = [i for i, point in enumerate(ordered) if point.agreement < agreement]
    if not below:
        return f"< {ordered[0].bpfp:.4f}"
    if below[-1] == len(ordered) - 1:
        return f"> {ordered[-1].bpfp:.4f}"
    left, right = ordered[below[-1]], ordered[below[-1] + 1]
    part = (agreement - left.agreement) / (right.agreement - left.agreement)
    return f"{left.bpfp * (right.bpfp / left.bpfp) ** part:.4f}"


def main() -> None:
    """Measure the taps asked for and print both tables."""
    parser = argparse.ArgumentParser(description="Rate against top-1 agreement, caufc and int-k with zstd.")
    parser.add_argument("--features", type=Path, required=True, metavar="DIR", help="made by tap_features.py")
    parser.add_argument("--data", type=Path, metavar="DIR", help="data folder, if it has moved since")
    parser.add_argument("--quality", default="20,30,40,50,60", metavar="Q,Q,...", help="0 to 100 each")
    parser.add_argument("--align", metavar="ALIGN", help="value alignment for all taps, as caufc.encode takes it")
    parser.add_argument("--guess-layout", action="store_true", help="do not tell caufc the taps' layouts")
    parser.add_argument("--taps", nargs="+", default=list(TAPS), choices=list(TAPS), metavar="TAP")
    parser.add_argument("--no-rival", action="store_true", help="leave int-k out")
    parser.add_argument("--at", default="99,97", metavar="A,A,...", help="agreements in %% at which rates are compared")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--results", metavar="NAME", help="also write tools/results/NAME.json and .md")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    qualities = [float(word) for word in options.quality.split(",")]

    points: list[Point] = []
    marks = [float(word) for word in options.at.split(",")]
    heads = [f"caufc BPFP at {mark:g} % | int-k + zstd at {mark:g} %" for mark in marks]
    rates = [f"| tap | {' | '.join(heads)} |", "|---" * (1 + 2 * len(marks)) + "|"]
    print(HEADING, flush=True)
    for tap in options.taps:
        measure = TapMeasure(tap, options.features, options.data)
        layout = None if options.guess_layout else TAPS[tap].layout
        ours = measure_caufc(measure, qualities, options.align, layout)
        rival = [] if options.no_rival else measure_rival(measure)
        points += ours + rival
        cells = [rate_at(coded, mark) if coded else "-" for mark in marks for coded in (ours, rival)]
        rates.append(f"| {tap} | {' | '.join(cells)} |")
    print("\n" + "\n".join(rates))
    if options.results:
        table = "\n".join([*rates, "", HEADING, *(point.row() for point in points)])
        figures = {"at": marks, "points": [point.record() for point in points]}
        write_results(options.results, plain_command(sys.argv), figures, table)


if __name__ == "__main__":
    main()
