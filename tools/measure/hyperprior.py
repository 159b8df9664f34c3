"""What the learned codec's integer arithmetic costs in rate, and whether its symbols are the same everywhere.

    python -m tools.measure.hyperprior FEATURES --weights universal --checkpoint universal.checkpoint

FEATURES holds ``ARCH-TAP.test.*``, as tools/measure/tap_features.py makes them; the checkpoint is the training's last,
and has the hyper-synthesis in floats. Rates are ideal code lengths with the same tables, scale indexes from integers or
from floats. Then one file is decoded under every instruction set and number of threads named here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import caufc
from caufc.catalog import find_weights
from caufc.codec.buckets import bucket_of, extra_bits
from caufc.codec.hyperprior.codec import HyperpriorCodec
from caufc.codec.hyperprior.tiles import TILE_COLUMNS, TILE_ROWS
from caufc.codec.hyperprior.weights import HYPER_TABLES, LATENT_TABLES
from caufc.codec.tables import code_lengths, frequencies_of
from caufc.features import read
from tools.measure.machine import plain_command, write_results

if TYPE_CHECKING:
    from caufc.train.model import ScaleHyperprior

TILES = 4
SAMPLES = 16

ENVIRONMENTS: tuple[dict[str, str], ...] = (
    {},
    {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    {"OMP_NUM_THREADS": "8", "OPENBLAS_NUM_THREADS": "8"},
    {"ATEN_CPU_CAPABILITY": "default", "OPENBLAS_CORETYPE": "Sandybridge"},
    {"ATEN_CPU_CAPABILITY": "avx2", "OPENBLAS_CORETYPE": "Haswell"},
    {"ATEN_CPU_CAPABILITY": "avx512", "OPENBLAS_CORETYPE": "SkylakeX"},
    {"OPENBLAS_CORETYPE": "Prescott"},
    {"OPENBLAS_CORETYPE": "Zen"},
)

CHILD = """
import hashlib, json, sys
import numpy as np, caufc
path, features, weights = sys.argv[1:4]
sha = caufc.verify(path, deep=True, weights=weights).symbols_sha256
again = hashlib.sha256(caufc.encode(np.load(features), codec="hyperprior", weights=weights, embed_weights=False))
print(json.dumps([sha, again.hexdigest()]))
"""


def bits_of(tables: NDArray[np.uint8], numbers: NDArray[Any], symbols: NDArray[np.int32]) -> float:
    """Ideal bits of symbols with tables of these numbers."""
    buckets = bucket_of(symbols)
    extra = np.array([extra_bits(bucket)[1] for bucket in range(tables.shape[1])])
    return float(code_lengths(frequencies_of(tables))[numbers, buckets].sum() + extra[buckets].sum())


def costs(plane: NDArray[np.float32], model: ScaleHyperprior, codec: HyperpriorCodec) -> tuple[float, float, int]:
    """Bits with integers, bits with floats, and values of some tiles."""
    import torch

    tables = codec.weights.tables(LATENT_TABLES)
    own = codec.weights.tables(HYPER_TABLES)[codec.rate * codec.weights.width :][: codec.weights.width]
    sums = [0.0, 0.0, 0.0]
    for top in np.linspace(0, max(0, len(plane) - TILE_ROWS), TILES).astype(int):
        tile = plane[top : top + TILE_ROWS, :TILE_COLUMNS]
        symbols = codec.symbols(tile)
        hyper = bits_of(own, codec.hyper_tables(*tile.shape), symbols.hyper)
        shape = (1, codec.weights.width, -(-tile.shape[0] // 64), -(-tile.shape[1] // 64))
        signed = (symbols.hyper >> 1) ^ -(symbols.hyper & 1)
        with torch.no_grad():
            rounded = torch.from_numpy(signed.reshape(shape).astype(np.float32))
            floats = model.indexes(rounded, -(-tile.shape[0] // 16), -(-tile.shape[1] // 16))
        found = codec.scale_indexes(symbols.hyper, *tile.shape)
        for number, indexes in enumerate((found, torch.round(floats).numpy().astype(np.uint8).ravel())):
            sums[number] += hyper + bits_of(tables, indexes, symbols.latents)
        sums[2] += tile.size
    return sums[0], sums[1], int(sums[2])


def rates(folder: Path, weights: str, checkpoint: Path) -> list[dict[str, Any]]:
    """One row a tap and rate."""
    import torch

    from caufc.train.model import ScaleHyperprior, shape_of
    from caufc.train.planes import aligned_planes

    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    model = ScaleHyperprior(shape_of(state["shape"])).eval()
    model.load_state_dict(state["model"])
    found = find_weights(weights).weights
    rows = []
    for path in sorted(folder.glob("*-*.test.*")):
        (plane,) = aligned_planes(path.name, read(path))
        for rate in range(found.rates):
            integer, floats, values = costs(plane.values, model, HyperpriorCodec(found, rate))
            rows.append(
                {
                    "tap": path.name.partition(".")[0],
                    "rate": rate,
                    "bpfp_integer": integer / values,
                    "bpfp_float": floats / values,
                    "cost_percent": 100 * (integer / floats - 1),
                }
            )
            print(json.dumps(rows[-1]), flush=True)
    return rows


def sameness(features: Path, weights: str) -> list[dict[str, Any]]:
    """Symbols of one file, and the bytes of another encoding, under every environment."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        values, path = Path(folder) / "x.npy", Path(folder) / "x.cauf"
        np.save(values, np.load(features)[:SAMPLES])
        caufc.save(path, np.load(values), codec="hyperprior", weights=weights, embed_weights=False)
        for environment in ENVIRONMENTS:
            command = [sys.executable, "-c", CHILD, str(path), str(values), weights]
            done = subprocess.run(
                command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
            )
            named = " ".join(f"{name}={value}" for name, value in environment.items()) or "as it is"
            if done.returncode:
                print(f"{named}: not on this machine", flush=True)
                continue
            sha, encoded = json.loads(done.stdout)
            rows.append({"environment": named, "symbols_sha256": sha, "encoded_sha256": encoded})
            print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("features", type=Path)
    parser.add_argument("--weights", default="universal")
    parser.add_argument("--checkpoint", type=Path, required=True)
    options = parser.parse_args()
    rows = rates(options.features, options.weights, options.checkpoint)
    same = sameness(next(iter(sorted(options.features.glob("vit-*.test.npy")))), options.weights)
    taps = list(dict.fromkeys(row["tap"] for row in rows))
    total = {kind: sum(row[kind] for row in rows) for kind in ("bpfp_integer", "bpfp_float")}
    worst = max(row["cost_percent"] for row in rows)
    table = "| tap | " + " | ".join(f"rate {n}" for n in sorted({row["rate"] for row in rows})) + " |\n"
    table += "|---" * (1 + len(rows) // len(taps)) + "|\n"
    for tap in taps:
        cells = (f"{r['bpfp_integer']:.3f} ({r['cost_percent']:+.3f} %)" for r in rows if r["tap"] == tap)
        table += f"| {tap} | " + " | ".join(cells) + " |\n"
    share = 100 * (total["bpfp_integer"] / total["bpfp_float"] - 1)
    shas, bytes_ = ({row[kind] for row in same} for kind in ("symbols_sha256", "encoded_sha256"))
    table += f"\nBPFP with the integer hyper-synthesis, and what it costs against the float one: {share:+.3f} % of all "
    table += f"bits, at worst {worst:+.3f} %.\n\nSymbols under {len(same)} environments: {len(shas)} digest"
    table += f"{'s' * (len(shas) > 1)}. Encoded bytes: {len(bytes_)} digest{'s' * (len(bytes_) > 1)}.\n\n"
    table += "| environment | symbols_sha256 | encoded |\n|---|---|---|\n"
    for row in same:
        table += f"| {row['environment']} | {row['symbols_sha256'][:16]} | {row['encoded_sha256'][:16]} |\n"
    write_results("hyperprior", plain_command(sys.argv), {"rates": rows, "environments": same}, table)


if __name__ == "__main__":
    main()
