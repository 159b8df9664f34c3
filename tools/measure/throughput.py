"""MB/s of one core on every kind of features: compiled kernels and numpy, and an earlier state of the code beside them.

    python -m tools.measure.throughput --features DIR [--array NAME=LAYOUT=FILE.npy ...] [--before CHECKOUT]
        [--results throughput]

Features of the eight taps, and other arrays, each repeated to 64 MB of fp32, are encoded and decoded in memory at
medium with one thread. Each state runs in a process of its own, by turns; the earlier one must have its kernels built,
if it has any. zstd -3 of the same values as fp16 is the machine's yardstick. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from tools.measure.machine import ROOT, plain_command, write_results
from tools.measure.tap_features import TAPS, load_features

SIZE = 64e6
YARDSTICK_LEVEL = 3
MB = 1e6

Samples = list[NDArray[np.float32]]


def repeated(samples: Samples) -> Samples:
    """Samples, over and over, until they are large enough."""
    size = sum(sample.nbytes for sample in samples)
    return samples * max(1, round(SIZE / size))


def inputs(folder: Path, arrays: list[str]) -> Iterator[tuple[str, str, Samples]]:
    """Name, layout and samples."""
    for tap, point in TAPS.items():
        samples = [np.ascontiguousarray(sample, np.float32) for sample in load_features(folder, tap, "test")]
        yield tap, point.layout, repeated(samples)
    for given in arrays:
        name, layout, path = given.split("=", 2)
        yield name, layout, repeated(list(np.load(path).astype(np.float32)))


def states(before: Path | None) -> dict[str, tuple[Path, dict[str, str]]]:
    """Name -> where the code is, and what the environment adds."""
    found = {"kernels": (ROOT, {}), "numpy": (ROOT, {"CAUFC_KERNELS": "0"})}
    return found if before is None else {"before": (before.resolve(), {}), **found}


def run(state: tuple[Path, dict[str, str]], features: Path, layout: str) -> dict[str, Any]:
    """What a state needs for features."""
    root, variables = state
    child = Path(__file__).with_name("throughput_child.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root), **variables}
    command = [sys.executable, str(child), str(features), "--layout", layout]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{root}: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def yardstick(samples: Samples) -> tuple[float, float]:
    """Seconds of zstd for the samples as fp16, both ways."""
    half = b"".join(sample.astype("<f2").tobytes() for sample in samples)
    started = time.process_time()
    packed = zstandard.ZstdCompressor(YARDSTICK_LEVEL).compress(half)
    between = time.process_time()
    zstandard.ZstdDecompressor().decompress(packed)
    return between - started, time.process_time() - between


def measure(folder: Path, arrays: list[str], before: Path | None) -> list[dict[str, Any]]:
    """A row for each of the features."""
    rows = []
    with tempfile.TemporaryDirectory() as work:
        for name, layout, samples in inputs(folder, arrays):
            path, alike = Path(work, "features.npz"), len({sample.shape for sample in samples}) == 1
            parts: Any = {"all": np.stack(samples)} if alike else {f"{n:06}": s for n, s in enumerate(samples)}
            np.savez(path, **parts)
            layout = layout if alike else layout.removeprefix("b ")
            values = sum(sample.size for sample in samples)
            found = {key: run(state, path, layout) for key, state in states(before).items()}
            rows.append({"features": name, "values": values, "zstd": yardstick(samples), **found})
            print(name, {key: round(4 * values / MB / own["encode"]) for key, own in found.items()}, flush=True)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """All as Markdown."""
    lines = [
        f"MB of fp32 a second of one core, repeated to {SIZE / MB:.0f} MB, medium, `threads=1`. *Planning* is what",
        "choices take that do not grow with the file, in ms; *survey* the first pass over all values, in ns a value.",
        "",
        "| features | state | BPFP | encode | effort fast | decode | planning, ms | survey, ns | zstd -3 of fp16 |",
        "|" + "---|" * 9,
    ]
    for row in rows:
        size = 4 * row["values"] / MB
        for state in ("before", "numpy", "kernels"):
            if (own := row.get(state)) is None:
                continue
            plan = (
                f"{1e3 * own['planning']:.0f} | {1e9 * own['survey'] / row['values']:.1f}"
                if "planning" in own
                else "- | -"
            )
            pack, unpack = (size / seconds for seconds in row["zstd"])
            lines.append(
                f"| {row['features']} | {state} | {8 * own['bytes'] / row['values']:.3f} | {size / own['encode']:.0f} |"
                f" {size / own['fast']:.0f} | {size / own['decode']:.0f} | {plan} | {pack:.0f}, {unpack:.0f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=Path, required=True, metavar="DIR", help="of tools.measure.tap_features")
    parser.add_argument(
        "--array", action="append", default=[], metavar="NAME=LAYOUT=FILE", help="an .npy, samples first"
    )
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="an earlier state of the code")
    parser.add_argument("--results", metavar="NAME", help="also write tools/results/NAME.json and .md")
    options = parser.parse_args()
    rows = measure(options.features.resolve(), options.array, options.before)
    text = table(rows)
    print(text)
    if options.results:
        write_results(options.results, plain_command(sys.argv), {"rows": rows}, text)


if __name__ == "__main__":
    main()
