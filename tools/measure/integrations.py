"""What features cost in the libraries where they live: bytes, MB/s both ways and error, caufc's way and today's.

    OMP_NUM_THREADS=1 python -m tools.measure.integrations [--results integrations]

Of the text features that ship with caufc, coders are fitted to every second vector, or text, at medium quality; the
others are kept. All bytes of all files count, profiles among them. MB are those of the values in float32; times are the
fastest of some runs. With ``--results`` the tables go into docs/integrations.md too, between its two marks.

A row is a :class:`~tools.measure.integration_row.Neighbour`; a module of ``MODULES`` has a list of them, ``ROWS``.
Those whose libraries are missing are left out.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import safetensors.numpy
import zstandard

import caufc
from tools.measure.integration_row import Neighbour, Samples, Way, kept, lines_of
from tools.measure.machine import ROOT, plain_command, write_results

MODULES = ("integration_tables", "integration_chunks", "integration_engines")
RUNS = 7
PAGE = ROOT / "docs" / "integrations.md"
MARKS = ("<!-- measured: python -m tools.measure.integrations --results integrations -->", "<!-- end of measured -->")


def neighbours() -> list[Neighbour]:
    """The rows of all modules whose libraries are here."""
    rows = [row for name in MODULES for row in importlib.import_module(f"tools.measure.{name}").ROWS]
    here = {package for packages in metadata.packages_distributions().values() for package in packages}
    for row in rows:
        if row.package not in here:
            print(f"{row.package} is not installed, and left out", file=sys.stderr)
    return [row for row in rows if row.package in here]


def kinds() -> dict[str, tuple[Samples, caufc.Coder]]:
    """Samples of each kind, and a coder that was fitted to others."""
    demo = resources.files("caufc") / "data" / "demo" / "minilm_hidden3.safetensors"
    texts = [text for _, text in sorted(safetensors.numpy.load(demo.read_bytes()).items())]
    vectors = np.concatenate(texts)
    of_vectors, of_texts = caufc.Coder.fit(vectors[::2], layout="b c"), caufc.Coder.fit(texts[::2], layout="n c")
    return {
        "vectors": (list(vectors[1::2]), of_vectors),
        "texts": (texts[1::2], of_texts),
        "matrix": ([vectors[1::2]], of_vectors),
    }


def write_safetensors(samples: Samples, _: caufc.Coder, folder: Path) -> None:
    tensors = {str(number): sample.astype(ml_dtypes.bfloat16) for number, sample in enumerate(samples)}
    safetensors.numpy.save_file(tensors, folder / "a.safetensors")


def read_safetensors(folder: Path) -> Any:
    found = safetensors.numpy.load_file(folder / "a.safetensors")
    return [found[str(number)] for number in range(len(found))]


def write_npy(samples: Samples, _: caufc.Coder, folder: Path) -> None:
    for number, sample in enumerate(samples):
        np.save(folder / f"{number:06d}.npy", sample.astype(np.float16))


def read_npy(folder: Path) -> Any:
    return [np.load(path) for path in sorted(folder.glob("*.npy"))]


def write_zstd(samples: Samples, _: caufc.Coder, folder: Path) -> None:
    for number, sample in enumerate(samples):
        (folder / f"{number:06d}").write_bytes(zstandard.compress(sample.astype(np.float16).tobytes(), 3))


def read_zstd(folder: Path) -> Any:
    read = [zstandard.decompress(path.read_bytes()) for path in sorted(folder.iterdir())]
    return [np.frombuffer(data, np.float16).reshape(-1, 384) for data in read]


FILES = (
    Way("one safetensors of bfloat16", write_safetensors, read_safetensors),
    Way("npy of float16 each", write_npy, read_npy),
    Way("float16 with zstd -3 each", write_zstd, read_zstd),
)
"""What is kept without any library but these."""


def fastest(job: Callable[[], Any]) -> float:
    """Seconds of a job, the fastest run."""
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        job()
        times.append(time.perf_counter() - started)
    return min(times)


def figures_of(way: Way, samples: Samples, coder: caufc.Coder) -> dict[str, Any]:
    """What a way costs."""
    with tempfile.TemporaryDirectory() as folder:
        paths = iter(Path(folder, str(run)) for run in range(RUNS))

        def write() -> None:
            path = next(paths)
            path.mkdir()
            way.write(samples, coder, path)

        seconds, last = fastest(write), Path(folder, str(RUNS - 1))
        found = way.read(last)
        size, reading = kept(last), fastest(lambda: way.read(last))
    values = np.concatenate([sample.ravel() for sample in samples]).astype(np.float64)
    back = np.concatenate([np.asarray(sample).ravel() for sample in found]).astype(np.float64)
    error = float(np.square(values - back).sum())
    megabytes = 4 * values.size / 1e6
    return {
        "way": way.name,
        "bytes": size,
        "bpfp": 8 * size / values.size,
        "snr": 10 * float(np.log10(np.square(values).sum() / error)),
        "write": megabytes / seconds,
        "read": megabytes / reading,
    }


def page(rows: Sequence[dict[str, Any]], files: Sequence[dict[str, Any]], counts: dict[str, int]) -> str:
    """The figures as Markdown."""
    lines = [
        f"{counts['vectors']} vectors of 384 values, their matrix, or {counts['texts']} texts of such; caufc at medium",
        "quality. Each cell: caufc, and what people write today. Lines are a user's, to write and to read, besides",
        "imports and the fit; bits per value count all bytes of all files; MB/s are of float32 values, on one core;",
        "the SNR says what is lost.",
        "",
        "| library | lines | today | bits per value | writes MB/s | reads MB/s | SNR dB |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours, today = row["ours"], row["today"]
        cells = [f"{ours['bpfp']:.2f}, {today['bpfp']:.2f}"]
        cells += [f"{ours[way]:.1f}, {today[way]:.1f}" for way in ("write", "read", "snr")]
        about = f"| {row['name']} {row['version']}, {row['kind']} | {row['lines'][0]}, {row['lines'][1]} "
        lines.append(f"{about}| {today['way']} | {' | '.join(cells)} |")
    lines += [
        "",
        "The same without a library:",
        "",
        "| samples | way | bits per value | writes MB/s | reads MB/s | SNR dB |",
    ]
    lines += ["|---|---|---|---|---|---|"]
    for row in files:
        cells = [f"{row['bpfp']:.2f}", *(f"{row[way]:.1f}" for way in ("write", "read", "snr"))]
        lines.append(f"| {row['kind']} | {row['way']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def into_page(table: str) -> None:
    """Put the tables into docs/integrations.md, between its marks."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(MARKS[0])
    _, _, behind = rest.partition(MARKS[1])
    PAGE.write_text(f"{before}{MARKS[0]}\n{table}\n{MARKS[1]}{behind}", "utf-8")


def main() -> None:
    """Measure all libraries that are here."""
    parser = argparse.ArgumentParser(description="Measure what features cost in the libraries where they live.")
    parser.add_argument("--results", metavar="NAME", help="write tools/results/NAME.md and .json, and the page")
    options = parser.parse_args()
    for name in ("HF_DATASETS_DISABLE_PROGRESS_BARS", "RAY_DATA_DISABLE_PROGRESS_BARS"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    known = kinds()
    rows, files = [], []
    for item in neighbours():
        samples, coder = known[item.kind]
        row = {"name": item.name, "version": metadata.version(item.package), "kind": item.kind}
        ways = {"ours": figures_of(item.ours, samples, coder), "today": figures_of(item.today, samples, coder)}
        rows.append({**row, "lines": [lines_of(item.ours), lines_of(item.today)], **ways})
        print(rows[-1], flush=True)
    for kind in ("vectors", "texts"):
        files += [{"kind": kind, **figures_of(way, *known[kind])} for way in FILES]
    table = page(rows, files, {kind: len(samples) for kind, (samples, _) in known.items()})
    print(table)
    if options.results:
        write_results(options.results, plain_command(sys.argv), {"rows": rows, "files": files}, table)
        into_page(table)


if __name__ == "__main__":
    main()
