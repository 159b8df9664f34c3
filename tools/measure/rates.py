"""Rates at equal agreement, from what ``caufc evaluate`` found: caufc blind and task-aware, and int-k with zstd.

    caufc evaluate --data DIR --samples 1000 --fit-samples 800 --codecs blind,reads,task --rivals int -o paper/
    caufc evaluate --data DIR --task 'imagenet-sample/*' --both-halves --codecs blind,reads,task --rivals int -o both/
    python -m tools.measure.rates paper/results.json both/results.json

Of a tap that several evaluations hold, the last one counts: ImageNet's sample has 300 images a half, so each half is
tested in turn, with a profile that the other one fitted. Writes tools/results/rates.json and .md.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tools.measure.machine import write_results

MARKS = ("0.99", "0.95")
MEDIUM = "50"
METHODS = ("int", "blind", "reads", "task")

Tap = dict[str, Any]


def taps_of(paths: Iterable[Path]) -> dict[str, Tap]:
    """Taps by name, with the methods that are of interest by key."""
    found: dict[str, Tap] = {}
    for path in paths:
        for tap in json.loads(path.read_text("utf-8"))["taps"]:
            methods = {own["key"]: own for own in tap["methods"] if own["key"] in METHODS and own["points"]}
            found[f"{tap['task'].partition('/')[2]}-{tap['tap']}"] = {**tap, "methods": methods}
    return found


def rate(tap: Tap, method: str, mark: str) -> str:
    """``0.0731 [0.06, 0.09]``."""
    if method not in tap["methods"]:
        return "-"
    at = tap["methods"][method]["at"][mark]
    return f"{at['bound']} {at['bpfp']:.4f} [{at['low']:.3g}, {at['high']:.3g}]".strip()


def ratio(tap: Tap, method: str, mark: str) -> float | None:
    """How many times fewer bytes than int-k."""
    if method not in tap["methods"]:
        return None
    return float(tap["methods"]["int"]["at"][mark]["bpfp"] / tap["methods"][method]["at"][mark]["bpfp"])


def mean(values: Iterable[float | None]) -> float:
    """The geometric mean of what is known."""
    known = [math.log(value) for value in values if value is not None]
    return math.exp(sum(known) / len(known)) if known else math.nan


def rates_table(taps: dict[str, Tap], mark: str) -> tuple[list[str], dict[str, Any]]:
    """Rows by tap, and geometric means by place."""
    lines = ["| tap | int-k + zstd | blind | ratio | task-aware | ratio |", "|---|---|---|---|---|---|"]
    for name, tap in taps.items():
        cells = [rate(tap, "int", mark)]
        for method in ("blind", "task"):
            times = ratio(tap, method, mark)
            cells += [rate(tap, method, mark), "-" if times is None else f"{times:.2f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    figures = {}
    for place in ("interior", "read-out"):
        chosen = [tap for tap in taps.values() if tap["place"] == place]
        blind, task = (mean(ratio(tap, method, mark) for tap in chosen) for method in ("blind", "task"))
        figures[place] = {"blind": blind, "task": task}
        lines.append(f"| **{place}**, geometric mean | | | {blind:.2f} | | {task:.2f} |")
    return lines, figures


def medium_table(taps: dict[str, Tap]) -> tuple[list[str], dict[str, float]]:
    """What medium quality costs beside the smallest file that keeps 99 %."""
    lines = ["| tap | reads | BPFP | agreement % | over the smallest at 99 % |", "|---|---|---|---|---|"]
    over: dict[str, list[float]] = {"tokens": [], "told": []}
    for name, tap in taps.items():
        told = "reads" in tap["methods"]
        for method in ("blind", "reads") if told else ("blind",):
            own = tap["methods"][method]
            point = next(p for p in own["points"] if f"{p['setting'].get('quality', -1):g}" == MEDIUM)
            share = point["bpfp"] / own["at"]["0.99"]["bpfp"]
            over["tokens"] += [share] if method == "blind" else []
            over["told"] += [share] if method == "reads" or not told else []
            agreement, part = point["agreement"]["value"], "a part" if method == "reads" else "tokens"
            lines.append(f"| {name} | {part} | {point['bpfp']:.4f} | {100 * agreement:.2f} | {share:.2f} |")
    figures = {key: mean(shares) for key, shares in over.items()}
    lines.append(f"| geometric mean | tokens, all taps | | | {figures['tokens']:.2f} |")
    return [*lines, f"| geometric mean | as the tap is read | | | {figures['told']:.2f} |"], figures


def points_table(taps: dict[str, Tap]) -> list[str]:
    """All points."""
    lines = [
        "| tap | method | BPFP | SNR dB | agreement % | 95 % interval | accuracy % |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, tap in taps.items():
        for key in METHODS:
            for point in tap["methods"].get(key, {"points": []})["points"]:
                setting = ", ".join(f"{option} {value:g}" for option, value in point["setting"].items())
                snr = "-" if point["snr_db"] is None else f"{point['snr_db']:.2f}"
                share, right = point["agreement"], point["accuracy"]
                shown = [f"{100 * share['value']:.2f}", f"{100 * share['low']:.2f} to {100 * share['high']:.2f}"]
                cells = [name, f"{key} {setting}", f"{point['bpfp']:.4f}", snr, *shown, f"{100 * right['value']:.2f}"]
                lines.append(f"| {' | '.join(cells)} |")
    return lines


def report(paths: Sequence[Path]) -> tuple[dict[str, Any], str]:
    """Figures, and the page."""
    taps = taps_of(paths)
    lines: list[str] = []
    figures: dict[str, Any] = {"samples": {name: tap["samples"] for name, tap in taps.items()}}
    for mark in MARKS:
        table, figures[f"ratios at {mark}"] = rates_table(taps, mark)
        lines += [f"## BPFP at {100 * float(mark):g} % agreement", "", *table, ""]
    table, figures["medium over smallest"] = medium_table(taps)
    lines += ["## Medium quality, no profile", "", *table, "", "## Points", "", *points_table(taps)]
    lines += ["", "## Evaluations", ""]
    for path in paths:
        made = json.loads(path.read_text("utf-8"))
        lines.append(f"- `{made['command']}`, {made['date']}, {made['seconds']:,} s of the last run")
    return {**figures, "taps": taps}, "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULTS.JSON")
    paths = parser.parse_args().results
    figures, text = report(paths)
    names = " ".join(f"{path.parent.name}/{path.name}" for path in paths)
    write_results("rates", f"python -m tools.measure.rates {names}", figures, text)
    print(text.partition("## Points")[0])


if __name__ == "__main__":
    main()
