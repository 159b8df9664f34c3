"""How fast a DataLoader reads a file: in order, in a fully random order, and in that of ChunkSampler.

    OMP_NUM_THREADS=1 python -m tools.measure.loader [--results loader]

Vectors of 384 values and 197 x 768 tokens, fp32, of a spectrum that falls as that of real features does, at medium, in
chunks of 1, 16 and 256 samples, with 0 and 2 workers. The reader of each process keeps 16 chunks. MB/s are of values. A
fully random order, which takes longest, is stopped after some seconds; the others run a whole epoch. Samples come in
batches of 32, vectors of 256 too, and are collated. Beside them, what the loader takes for itself: samples that are in
memory already.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import caufc
from tools.measure.machine import plain_command, write_results

BATCHES = {"vectors of 384": (32, 256), "197 x 768 tokens": (32,)}
CHUNKS = (1, 16, 256)
WORKERS = (0, 2)
ORDERS = ("in order", "random", "ChunkSampler")
WINDOW = 16
"""Chunks that a reader keeps, and that ChunkSampler opens at a time: a file has many more."""

PART = 64
"""Samples that are made at a time."""


def features(samples: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Samples ``[B, ..., C]`` of channels that depend on each other, with a spectrum that falls."""
    rng = np.random.default_rng(0)
    channels = shape[-1]
    turn = np.linalg.qr(rng.standard_normal((channels, channels)))[0]
    basis = (turn * np.arange(1, channels + 1)[:, None] ** -0.7).astype(np.float32)
    made = np.empty((samples, *shape), np.float32)
    for start in range(0, samples, PART):
        part = made[start : start + PART]
        part[...] = rng.standard_normal(part.shape, np.float32) @ basis
    return made


class InMemory:
    """Samples that nothing has to read."""

    def __init__(self, values: NDArray[np.float32]) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitems__(self, numbers: list[int]) -> list[NDArray[np.float32]]:
        return [self.values[number] for number in numbers]


def numbers(order: str, reader: caufc.SampleReader, workers: int, batch: int) -> Iterable[int]:
    """The order of samples."""
    if order == "in order":
        return range(len(reader))
    if order == "random":
        shuffled: list[int] = np.random.default_rng(0).permutation(len(reader)).tolist()
        return shuffled
    return caufc.ChunkSampler(reader, WINDOW, workers=workers, batch_size=batch)


def read(path: Path, order: str, workers: int, batch: int, seconds: float, cache_bytes: int) -> dict[str, float]:
    """Samples and MB of values a second, from when workers have been started."""
    limit = seconds if order == "random" else math.inf
    with caufc.open(path, cache_bytes=cache_bytes) as reader:
        return loaded(reader, numbers(order, reader, workers, batch), workers, batch, limit)


def loaded(dataset: Any, order: Iterable[int], workers: int, batch_size: int, limit: float) -> dict[str, float]:
    """The same of any dataset, for so many seconds at most."""
    from torch.utils.data import DataLoader

    sampler: Any = order
    batches = iter(DataLoader(dataset, batch_size=batch_size, sampler=sampler, num_workers=workers))
    started = time.perf_counter()
    count = size = 0
    for batch in batches:
        count += len(batch)
        size += batch.numel() * batch.element_size()
        if time.perf_counter() - started > limit:
            break
    taken = time.perf_counter() - started
    return {"samples_s": count / taken, "mb_s": size / 1e6 / taken}


def measured(seconds: float, sizes: dict[str, tuple[int, tuple[int, ...]]]) -> Iterator[dict[str, Any]]:
    """A row per kind of features, chunk size, order, number of workers and batch size."""
    with tempfile.TemporaryDirectory() as folder:
        for kind, (samples, shape) in sizes.items():
            values = features(samples, shape)
            ways = list(itertools.product(BATCHES[kind], WORKERS))
            for batch, workers in ways:
                row = {"features": kind, "chunk": None, "order": "in memory", "batch": batch, "workers": workers}
                yield {**row, **loaded(InMemory(values), range(samples), workers, batch, math.inf)}
            for chunk in CHUNKS:
                path = Path(folder) / "features.cauf"
                caufc.save(path, values, chunk=chunk, layout="b n c" if len(shape) > 1 else "b c", force=True)
                cache = WINDOW * chunk * values[0].nbytes
                for order, (batch, workers) in itertools.product(ORDERS, ways):
                    row = {"features": kind, "chunk": chunk, "order": order, "batch": batch, "workers": workers}
                    yield {**row, **read(path, order, workers, batch, seconds, cache)}


def table(rows: list[dict[str, Any]]) -> str:
    """The rows in Markdown."""
    lines = ["| features | chunk | order | batch | workers | samples/s | MB/s |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        names = " | ".join(str(row[name] or "") for name in ("features", "chunk", "order", "batch"))
        names += f" | {row['workers']}"
        lines.append(f"| {names} | {row['samples_s']:,.0f} | {row['mb_s']:,.1f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--vectors", type=int, default=16_384, metavar="N", help="samples of 384 values (default: 16384)"
    )
    parser.add_argument("--tokens", type=int, default=1024, metavar="N", help="samples of 197 x 768 (default: 1024)")
    parser.add_argument("--seconds", type=float, default=10, help="that a fully random order is read (default: 10)")
    parser.add_argument("--results", metavar="NAME", help="also write tools/results/NAME.json and .md")
    options = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise SystemExit("set OMP_NUM_THREADS=1: each process has one core")
    sizes = {"vectors of 384": (options.vectors, (384,)), "197 x 768 tokens": (options.tokens, (197, 768))}
    rows = []
    for row in measured(options.seconds, sizes):
        rows.append(row)
        print(row, flush=True)
    print(table(rows))
    if options.results:
        command = f"OMP_NUM_THREADS=1 {plain_command(sys.argv)}"
        write_results(options.results, command, {"rows": rows}, table(rows))


if __name__ == "__main__":
    main()
