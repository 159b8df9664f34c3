"""Compares rates at equal agreement: caufc blind and task-aware, and int-k with zstd.

For each tap of `tap_features.py`, profiles are fitted on the fit half and everything is reported on the test half: one
file holds it, all bytes counted but the profile's, which was fitted on other data. Blind files know the layout alone;
of read-out taps, others also know what is read of them (``--reads``). Agreement is top-1 against the
predictions from unquantised features, with 95 % Wilson intervals. Rates at an agreement are interpolated in log bytes
on the isotonic regression of agreement over rate: points of equal weight, averaged where they fall.

    python tools/measure_rates.py --features DIR --work DIR [--taps TAP ...] [--samples N] [--results NAME]

DIR/work keeps what was measured: a run that was stopped goes on, `--results` writes the tables of all that is there.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import plain_command, write_results
from measure_agreement import RIVAL_BITS, Point, TapMeasure, int_k
from scipy.optimize import isotonic_regression
from tap_features import TAPS, data_folder, load_features, load_head, network

import caufc
from caufc.fit import fit_profile

BLIND = (0, 5, 10, 16, 22, 28, 32, 36, 40, 43, 47, 50, 58)
TASK = (18, 26, 32, 36, 40, 43, 46, 50, 54, 62, 78, 90)
READ = (26, 32, 38, 44, 50, 56, 62)
MARKS = (99.0, 95.0)
FIT_SAMPLES = 600
HEAD_SCALE = 10.0
"""Ridge scores to logits: about what makes their softmax as sure as the head is right."""

INTERIOR = ("efficientnet_lite0-block10", "resnet56-layer2", "vit-block3", "minilm-hidden3")
READS = {
    "efficientnet_lite0-last": "mean",
    "resnet56-layer3": "mean",
    "vit-block6": "first",
    "minilm-hidden6": "mean",
}
"""What the rest of the network reads of a read-out tap."""

READ_OUT = ("efficientnet_lite0-last", "resnet56-layer3", "vit-block6", "minilm-hidden6")


def rest_of(tap: str, folder: Path) -> Callable[[Any], Any]:
    """The network behind a tap, differentiable: features ``[B, ...]`` to logits."""
    from tap_features import TEXT_NETWORK, _after_block10

    point = TAPS[tap]
    net = network(point.network, data_folder(folder))
    if point.network == TEXT_NETWORK:
        return _text_rest(net, int(point.place.removeprefix("hidden")), folder)
    if tap == "efficientnet_lite0-block10":
        return lambda features: _after_block10(net, features)
    return lambda features: net.resume(features, point.place)


def _text_rest(net: Any, layers: int, folder: Path) -> Callable[[Any], Any]:
    weight, bias = (torch.tensor(part, dtype=torch.float32) for part in load_head(folder))

    def rest(features: Any) -> Any:
        for layer in net.net.encoder.layer[layers:]:
            features = layer(features)
            features = features[0] if isinstance(features, tuple) else features
        return HEAD_SCALE * (torch.nn.functional.normalize(features.mean(1), dim=1) @ weight + bias)

    return rest


class Bench:
    """Measures one tap, keeping every point in a file.

    Args:
        tap: key of ``TAPS``.
        folder: features.
        work: where points and profiles are kept.
        samples: of the test half at most.
    """

    def __init__(self, tap: str, folder: Path, work: Path, samples: int | None) -> None:
        self.tap, self.folder, self.work = tap, folder, work
        self.measure = TapMeasure(tap, folder, None)
        if samples is not None:
            self.measure.cut(samples)
        self.kept = work / f"{tap}.json"
        self.points: dict[str, Any] = json.loads(self.kept.read_text()) if self.kept.exists() else {}

    def run(self, methods: Sequence[str]) -> None:
        """Measure what is not there yet."""
        for bits in RIVAL_BITS if "rival" in methods else ():
            self._keep(f"int{bits}", lambda bits=bits: int_k(self.measure.features, TAPS[self.tap].layout, bits))
        for quality in BLIND if "blind" in methods else ():
            self._keep(f"blind q{quality}", lambda quality=quality: self._code(quality, None))
        for quality in READ if "read" in methods and self.tap in READS else ():
            self._keep(f"read q{quality}", lambda quality=quality: self._code(quality, None, READS[self.tap]))
        for quality in TASK if "task" in methods else ():
            self._keep(f"task q{quality}", lambda quality=quality: self._code(quality, self._profile()))

    def _keep(self, name: str, code: Callable[[], tuple[int, Any]]) -> None:
        if name in self.points:
            return
        started = time.perf_counter()
        point = self.measure.point(name, *code())
        self.points[name] = {**point.record(), "samples": len(self.measure.predictions)}
        self.kept.write_text(json.dumps(self.points, indent=1) + "\n")
        print(point.row(), f"{time.perf_counter() - started:.0f} s", flush=True)

    def _code(self, quality: float, profile: Path | None, reads: str = "tokens") -> tuple[int, Any]:
        options = {"quality": quality, "layout": TAPS[self.tap].layout, "reads": reads}
        data = caufc.encode(self.measure.features, **options, profile=profile, embed_profile=False)
        return len(data), caufc.decode(data, profile=profile)

    def _profile(self) -> Path:
        path = self.work / f"{self.tap}.caufp"
        if not path.exists():
            started = time.perf_counter()
            features = load_features(self.folder, self.tap, "fit")[:FIT_SAMPLES]
            path.write_bytes(fit_profile(features, layout=TAPS[self.tap].layout, resume=rest_of(self.tap, self.folder)))
            print(f"{self.tap}: fitted in {time.perf_counter() - started:.0f} s", flush=True)
        return path


def interval(agreement: float, samples: int) -> tuple[float, float]:
    """95 % Wilson interval of a share in %."""
    share, z = agreement / 100, 1.96
    middle = (share + z * z / (2 * samples)) / (1 + z * z / samples)
    half = z / (1 + z * z / samples) * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples**2))
    return 100 * (middle - half), 100 * (middle + half)


def rate_at(points: Sequence[dict[str, Any]], agreement: float) -> tuple[float, str]:
    """BPFP at which the isotonic regression of agreement crosses a mark, and whether that is a bound (``<``, ``>``)."""
    ordered = sorted(points, key=lambda point: float(point["bpfp"]))
    rates = [math.log(point["bpfp"]) for point in ordered]
    smooth = isotonic_regression([float(point["agreement"]) for point in ordered]).x
    if smooth[0] >= agreement:
        return math.exp(rates[0]), "<"
    if smooth[-1] < agreement:
        return math.exp(rates[-1]), ">"
    above = int(np.argmax(smooth >= agreement))
    part = (agreement - smooth[above - 1]) / (smooth[above] - smooth[above - 1])
    return math.exp(rates[above - 1] + part * (rates[above] - rates[above - 1])), ""


def report(work: Path) -> tuple[dict[str, Any], str]:
    """Tables and figures of all taps in a folder."""
    kept = {tap: json.loads((work / f"{tap}.json").read_text()) for tap in TAPS if (work / f"{tap}.json").exists()}
    lines, figures = [], {}
    for mark in MARKS:
        lines += [f"## BPFP at {mark:g} % agreement", "", "| tap | int-k + zstd | blind | ratio | task-aware | ratio |"]
        lines += ["|---|---|---|---|---|---|"]
        ratios: dict[str, dict[str, float]] = {}
        for tap, points in kept.items():
            cells, ratios[tap] = _rates(points, mark)
            lines.append(f"| {tap} | {' | '.join(cells)} |")
        for name, group in (("interior", INTERIOR), ("read-out", READ_OUT)):
            means = {
                method: _mean([ratios[tap][method] for tap in group if method in ratios.get(tap, {})])
                for method in ("blind", "task")
            }
            lines.append(f"| **{name}**, geometric mean | | | {means['blind']:.2f} | | {means['task']:.2f} |")
            figures[f"{name} at {mark:g}"] = means
        lines.append("")
    lines += ["## Medium quality, no profile", "", *_medium(kept), ""]
    lines += ["## Points", "", "| tap | method | BPFP | SNR dB | agreement % | 95 % interval | accuracy % |"]
    lines.append("|---|---|---|---|---|---|---|")
    for points in kept.values():
        lines += [_row(point) for point in points.values()]
    return {"ratios": figures, "points": kept}, "\n".join(lines)


def _rates(points: dict[str, Any], mark: float) -> tuple[list[str], dict[str, float]]:
    """Cells of a row, and ratios of int-k's bytes over ours."""
    found = {name: rate_at(chosen, mark) for name, chosen in _methods(points).items() if chosen}
    rates = {name: f"{sign} {rate:.4f}".strip() for name, (rate, sign) in found.items()}
    ratios = {n: found["int"][0] / found[n][0] for n in ("blind", "task") if n in found and "int" in found}
    cells = [rates.get("int", "-")]
    for name in ("blind", "task"):
        cells += [rates.get(name, "-"), f"{ratios[name]:.2f}" if name in ratios else "-"]
    return cells, ratios


def _methods(points: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    starts = ("int", "blind", "read", "task")
    return {start: [point for name, point in points.items() if name.startswith(start)] for start in starts}


def _medium(kept: dict[str, Any]) -> list[str]:
    """What the default costs beside the smallest file that keeps 99 %: blind, and where it is known what is read."""
    lines = ["| tap | reads | BPFP | agreement % | over the smallest at 99 % |", "|---|---|---|---|---|"]
    over: dict[str, list[float]] = {"blind": [], "read": []}
    for tap, points in kept.items():
        for method in ("blind", "read"):
            point, coded = points.get(f"{method} q50"), _methods(points)[method]
            if point is None:
                continue
            share = point["bpfp"] / rate_at(coded, 99.0)[0]
            over[method].append(share)
            if method == "blind" and tap in INTERIOR:
                over["read"].append(share)
            reads = READS[tap] if method == "read" else "tokens"
            lines.append(f"| {tap} | {reads} | {point['bpfp']:.4f} | {point['agreement']:.2f} | {share:.2f} |")
    lines.append(f"| geometric mean | tokens, all taps | | | {_mean(over['blind']):.2f} |")
    return [*lines, f"| geometric mean | as the tap is read | | | {_mean(over['read']):.2f} |"]


def _mean(ratios: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else math.nan


def _row(point: dict[str, Any]) -> str:
    low, high = interval(point["agreement"], point["samples"])
    plain = Point(**{name: value for name, value in point.items() if name != "samples"})
    snr = "-" if plain.snr_db is None else f"{plain.snr_db:.2f}"
    return (
        f"| {plain.tap} | {plain.method} | {plain.bpfp:.4f} | {snr} | {plain.agreement:.2f} |"
        f" {low:.2f} to {high:.2f} | {plain.accuracy:.2f} |"
    )


def main() -> None:
    """Measure the taps asked for and print the tables."""
    parser = argparse.ArgumentParser(description="Rates at equal agreement, beside int-k with zstd.")
    parser.add_argument("--features", type=Path, required=True, metavar="DIR", help="made by tap_features.py")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="keeps points and profiles")
    parser.add_argument("--taps", nargs="+", default=list(TAPS), choices=list(TAPS), metavar="TAP")
    parser.add_argument("--methods", nargs="+", default=["rival", "blind", "read", "task"], metavar="METHOD")
    parser.add_argument("--samples", type=int, help="of the test half at most")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--results", metavar="NAME", help="also write tools/results/NAME.json and .md")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    for tap in options.taps:
        Bench(tap, options.features, options.work, options.samples).run(options.methods)
    figures, text = report(options.work)
    print(text)
    if options.results:
        write_results(options.results, plain_command(sys.argv), figures, text)


if __name__ == "__main__":
    main()
