"""Train the weights of the learned codec: universal ones, one set for each architecture, and the ablation's, all alike.

    python -m tools.make.learned_weights --out FOLDER [--only universal,cifar10_resnet56] [--steps N] [--ship] FEATURES

FEATURES holds ``ARCH-TAP.fit.*``, as tools/measure/tap_features.py makes them. Every set is trained with the same
number of steps and writes a checkpoint about once a minute: run the same command again, and it goes on where it was.
Sets that are there are left alone. ``--ship`` copies the universal weights into the package. Losses go to
FOLDER/NAME.jsonl. FOLDER is what ``caufc evaluate paper --weights`` takes; tools/weights holds those that are trained,
with their losses.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

SETS = {
    "universal": "*-*.fit.*",
    "cifar10_resnet56": "resnet56-*.fit.*",
    "cifar10_vit": "vit-*.fit.*",
    "imagenet-sample_efficientnet_lite0": "efficientnet_lite0-*.fit.*",
    "agnews_minilm": "minilm-*.fit.*",
    "ablation-format": "*-*.fit.*",
    "ablation-none": "*-*.fit.*",
}
"""Name of weights -> what they are trained on."""

UNALIGNED = {"ablation-format", "ablation-none"}
"""Trained without value alignment."""

UNALIGNED_LAMBDAS = "0.00002,0.00008,0.0003,0.0012,0.005"
"""A hundredth of the usual: values that are not aligned to [0, 1] span about 10, and squared errors go with it."""

UNSHAPED = {"ablation-none"}
"""Trained on maps as they are, channels as rows of the plane."""

SHIPPED = Path(__file__).resolve().parents[2] / "caufc" / "data" / "weights"

KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "1000000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000000"}
"""Tensors of a step are given back and asked for again: kept by the process, they cost no page faults."""


def train(name: str, sources: list[Path], out: Path, options: argparse.Namespace) -> None:
    """Train one set, unless it is there."""
    weights = out / f"{name}.caufw"
    if weights.exists():
        print(f"{weights} is there")
        return
    if name in UNSHAPED:
        sources = [flattened(source, out) for source in sources]
    command = [sys.executable, "-m", "caufc.cli.main", "train", *map(str, sources), "-o", str(weights)]
    command += ["--steps", str(options.steps), "--device", options.device, "--log", str(out / f"{name}.jsonl")]
    command += ["--seed", str(options.seed), *options.extra]
    command += ["--align", "none", "--lambdas", UNALIGNED_LAMBDAS] if name in UNALIGNED else []
    print(" ".join(command), flush=True)
    subprocess.run(command, check=True, env={**os.environ, **KEEP_MEMORY})


def flattened(source: Path, out: Path) -> Path:
    """Maps ``[B, C, H, W]`` as ``[B, C, H W]``, a file of their own; the file itself for what are no maps."""
    features = np.load(source, mmap_mode="r") if source.suffix == ".npy" else None
    if features is None or features.ndim != 4:
        return source
    path = out / f"flat-{source.name}"
    np.save(path, features.reshape(*features.shape[:2], -1))
    return path


def ship(weights: Path) -> None:
    """Copy weights into the package under the name ``universal``; earlier ones stay."""
    data = weights.read_bytes()
    digest = hashlib.sha256(data).digest()[:16].hex()
    (SHIPPED / f"{digest}.caufw").write_bytes(data)
    index = SHIPPED / "index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "universal": digest}, indent=1) + "\n")
    print(f"universal is {digest}, {len(data):,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("features", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default=",".join(SETS), help="sets, with commas")
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--ship", action="store_true")
    parser.add_argument("extra", nargs="*", help="further options of caufc train, behind --")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.only.split(","):
        sources = sorted(options.features.glob(SETS[name]))
        if not sources:
            raise SystemExit(f"no {SETS[name]} in {options.features}")
        train(name, sources, options.out, options)
    if options.ship:
        ship(options.out / "universal.caufw")


if __name__ == "__main__":
    main()
