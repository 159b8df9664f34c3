"""Ray Data with one worker and with two: extraction and reading, and on paper what 100 machines take for 10^9 samples.

    OMP_NUM_THREADS=1 python -m tools.measure.ray [--results ray]

Images of noise go through ``vit_small_patch16_224`` with random weights; all tokens of a late block, 197 x 384, are
kept at medium quality. Reading decodes 197 x 768 tokens in tasks and counts them. Rates are those between the first
answer of each worker and the last of all, so that starting a cluster and loading a backbone are apart. The paper's
figures are sums of parts that are measured here: nothing of them was run. Needs two free cores, and says whether they
were.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import caufc
from caufc.cli.extract_ray import inputs_of
from tools.measure.loader import features
from tools.measure.machine import plain_command, write_results

ARCH, TAP = "timm/vit_small_patch16_224?pretrained=false", "blocks.8"
STORE = 1 << 30
"""Bytes of shared memory of a cluster."""

SAMPLES, MACHINES, SHARD = 10**9, 100, 1024
"""Of the paper's run: its size, and samples a shard."""

LISTED = 100_000
"""Files that are listed and shared out among shards, to see what one takes."""


@dataclass(frozen=True)
class Rate:
    """What so many workers did.

    Args:
        start: seconds from nothing to an answer of each.
        samples_s, mb_s: samples and MB of values a second behind that.
        bytes_each: of a sample, in the file.
    """

    start: float
    samples_s: float
    mb_s: float
    bytes_each: float


@contextlib.contextmanager
def running(workers: int) -> Iterator[None]:
    """A cluster of so many processors, for the body."""
    from caufc.integrations.ray import cluster

    with cluster(num_cpus=workers, object_store_memory=STORE):
        yield


def rate(answers: Iterator[tuple[int, int]], workers: int, sample_bytes: int, started: float) -> Rate:
    """The rate of answers, each of samples and bytes in files; the first of each worker is for the start."""
    early = [next(answers) for _ in range(workers)]
    begin = time.perf_counter()
    late = list(answers)
    seconds = time.perf_counter() - begin
    samples = sum(count for count, _ in late)
    each = sum(size for _, size in early + late) / sum(count for count, _ in early + late)
    return Rate(begin - started, samples / seconds, samples * sample_bytes / 1e6 / seconds, each)


def extracted(images: Mapping[str, str], folder: Path, workers: int) -> Rate:
    """A backbone over images, in 16 shards."""
    from caufc.integrations.ray import Extraction

    started = time.perf_counter()
    with running(workers):
        work = Extraction(images, folder, arch=ARCH, taps=[TAP], size=max(1, len(images) // 16), batch_size=8)
        done = ((shard.samples, shard.bytes) for shard in work.run(workers=workers))
        return rate(done, workers, 197 * 384 * 4, started)


def read(file: Path, sample_bytes: int, workers: int) -> Rate:
    """All samples of a file, in 32 tasks."""
    from caufc.integrations.ray import read_cauf

    def counted(batch: dict[str, Any]) -> dict[str, Any]:
        return {"count": np.array([len(batch["features"])])}

    each = file.stat().st_size / len(caufc.open(file))
    started = time.perf_counter()
    with running(workers):
        counts = read_cauf(file, parallelism=32).map_batches(counted, batch_size=None).iter_rows()
        answers = ((int(row["count"]), int(row["count"] * each)) for row in counts)
        return rate(answers, workers, sample_bytes, started)


class Nothing:
    """A worker that does nothing with its row."""

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"done": len(row["keys"])}


def shard_seconds(count: int = 400) -> float:
    """Of the driver, for a shard whose worker does nothing."""
    import ray.data

    rows = [{"path": f"{number:06d}.cauf", "keys": [f"{n:08}.jpg" for n in range(SHARD)]} for number in range(count)]
    with running(2):
        pool = ray.data.ActorPoolStrategy(size=2)
        done = ray.data.from_items(rows, override_num_blocks=count).map(Nothing, compute=pool, num_cpus=1).iter_rows()
        return 1 / rate(((1, 0) for _ in done), 2, 0, time.perf_counter()).samples_s


def planning(folder: Path) -> dict[str, float]:
    """Seconds to list a file and to plan for it, and bytes that the driver holds of it meanwhile."""
    from caufc.integrations.ray import Extraction

    for number in range(LISTED):
        if number % 1000 == 0:
            (folder / f"{number // 1000:03}").mkdir(parents=True)
        (folder / f"{number // 1000:03}" / f"{number:09}.jpg").touch()
    started = time.perf_counter()
    images = inputs_of([folder])
    listed = time.perf_counter()
    work = Extraction(images, folder / "out", arch=ARCH, taps=[TAP], size=SHARD)
    assert len(work) == -(-LISTED // SHARD)
    planned = time.perf_counter()
    tracemalloc.start()
    held = Extraction(inputs_of([folder]), folder / "out", arch=ARCH, taps=[TAP], size=SHARD)
    size = tracemalloc.get_traced_memory()[0] / LISTED
    tracemalloc.stop()
    del held
    return {"list_s": (listed - started) / LISTED, "plan_s": (planned - listed) / LISTED, "held_bytes": size}


def paper(fast: Rate, parts: Mapping[str, float], each: float) -> dict[str, float]:
    """What 100 machines as this one, with two workers each, take for 10^9 samples."""
    shards = SAMPLES / SHARD
    return {
        "work_s": SAMPLES / (MACHINES * fast.samples_s),
        "start_s": fast.start,
        "list_s": SAMPLES * parts["list_s"],
        "plan_s": SAMPLES * parts["plan_s"],
        "shards": shards,
        "driver_s": shards * each,
        "driver_gb": SAMPLES * parts["held_bytes"] / 1e9,
        "bytes": SAMPLES * fast.bytes_each,
        "lost_s": SHARD / (fast.samples_s / 2),
    }


def page(
    rows: Mapping[str, Rate], parts: Mapping[str, float], each: float, sums: Mapping[str, float], load: float
) -> str:
    """The figures as Markdown."""
    lines = [
        f"Load of the machine when this began: {load:.1f}. Above about 0.5 of two cores, rates are too low.",
        "",
        "| what | workers | starts in s | samples/s | MB/s of values | bytes a sample |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in rows.items():
        what, _, workers = name.rpartition(" ")
        cells = f"{found.start:.1f} | {found.samples_s:,.1f} | {found.mb_s:,.1f} | {found.bytes_each:,.0f}"
        lines.append(f"| {what} | {workers} | {cells} |")
    hours = {name: sums[name] / 3600 for name in ("work_s", "list_s", "plan_s", "driver_s")}
    runs = max(1, -(-int(sums["driver_gb"]) // 16))
    return "\n".join(
        [
            *lines,
            "",
            "Of the driver, measured:",
            "",
            "| part | takes |",
            "|---|---|",
            f"| listing a file | {1e6 * parts['list_s']:.1f} µs |",
            f"| planning for it | {1e6 * parts['plan_s']:.1f} µs, {parts['held_bytes']:,.0f} bytes held |",
            f"| a shard of {SHARD} whose worker does nothing | {1e3 * each:.1f} ms |",
            "",
            f"On paper, from these: {SAMPLES:,} images on {MACHINES} machines as this one, with 2 workers each, in",
            f"shards of {SHARD}:",
            "",
            "| part | takes |",
            "|---|---|",
            f"| backbone and encoder, on all workers | {hours['work_s']:,.1f} h |",
            f"| until workers have answered | {sums['start_s']:.0f} s |",
            f"| listing, on the driver | {hours['list_s']:.2f} h |",
            f"| planning, on the driver | {hours['plan_s']:.2f} h |",
            f"| {sums['shards']:,.0f} shards through the driver, meanwhile | {hours['driver_s']:.2f} h |",
            f"| memory of the driver | {sums['driver_gb']:,.0f} GB in one run, 16 GB in each of {runs} |",
            f"| files | {sums['bytes'] / 1e12:,.1f} TB |",
            f"| what a worker that is killed has to do again | at most {sums['lost_s'] / 60:,.1f} min |",
            "",
            f"The driver alone could hand out shards {hours['work_s'] / hours['driver_s']:,.0f} times as fast.",
        ]
    )


def noise_images(folder: Path, count: int) -> None:
    """JPEG files of noise, 256 x 256."""
    from PIL import Image

    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(count):
        pixels = np.repeat(np.repeat(generator.integers(0, 256, (32, 32, 3), np.uint8), 8, 0), 8, 1)
        Image.fromarray(pixels).save(folder / f"{number:06}.jpg")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=512, metavar="N", help="to extract from (default: 512)")
    parser.add_argument("--samples", type=int, default=1024, metavar="N", help="of tokens, to read (default: 1024)")
    parser.add_argument("--results", metavar="NAME", help="also write tools/results/NAME.json and .md")
    options = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise SystemExit("set OMP_NUM_THREADS=1: each process has one core")
    load = os.getloadavg()[0]
    rows: dict[str, Rate] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        noise_images(folder / "images", options.images)
        images = inputs_of([folder / "images"])
        tokens = features(options.samples, (197, 768))
        caufc.save(folder / "tokens.cauf", tokens, layout="b n c", chunk=4)
        for workers in (1, 2):
            rows[f"extraction {workers}"] = extracted(images, folder / f"shards{workers}", workers)
            rows[f"reading {workers}"] = read(folder / "tokens.cauf", tokens[0].nbytes, workers)
            print(rows, file=sys.stderr)
        parts, each = planning(folder / "listed"), shard_seconds()
    sums = paper(rows["extraction 2"], parts, each)
    rows = dict(sorted(rows.items()))
    text = page(rows, parts, each, sums, load)
    print(text)
    if options.results:
        figures = {
            "rates": {key: vars(row) for key, row in rows.items()},
            "parts": parts,
            "shard_s": each,
            "paper": sums,
        }
        write_results(options.results, plain_command(sys.argv), figures, text)


if __name__ == "__main__":
    main()
