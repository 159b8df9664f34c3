"""What a stream of small messages costs: ms and bytes of one message of a prepared coder, beside a batch and fp16.

    OMP_NUM_THREADS=1 python -m tools.measure.messages --features FEATURES [--results messages]

Coders are fitted on one half of real features; every message is a sample of the other half: tokens of a text network
one by one (384 channels), whole texts (of any length), and images' tokens or maps. ``--array`` adds others, such as
``[B, 197, 768]`` of a large network. A batch codes the same samples with the same profile, and the share of one of them
is its bytes over their number. *alone* is ``caufc.encode`` of one sample with that profile, *fp16* each sample cast and
packed by zstd -3. Times are the fastest of some runs through all messages by turns, with and without kernels.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

import caufc
from caufc.catalog import find_profile
from tools.measure.kernels import numpy_alone
from tools.measure.machine import plain_command, write_results
from tools.measure.tap_features import TAPS, load_features

MESSAGES, RUNS = 50, 15
FITTED = 4000
QUALITIES = (25.0, 50.0, 75.0)
ZSTD_LEVEL = 3

Samples = list[NDArray[np.float32]]


@dataclass(frozen=True)
class Stream:
    """Samples of one kind.

    Args:
        name: for people.
        layout: of one sample.
        fitted: samples that coders are made from.
        sent: others.
    """

    name: str
    layout: str
    fitted: Samples
    sent: Samples


def streams(folder: Path, arrays: Sequence[str]) -> list[Stream]:
    """Those of a folder of features, and of arrays as ``LAYOUT=FILE.npy``."""
    found = []
    for name in ("minilm-hidden6", "vit-block6", "efficientnet_lite0-last"):
        fitted, sent = (
            [np.asarray(sample, np.float32) for sample in load_features(folder, name, half)] for half in ("fit", "test")
        )
        if name.startswith("minilm"):
            tokens = [list(np.concatenate(half)) for half in (fitted, sent)]
            found.append(Stream(f"{name}, a token", "c", tokens[0][:FITTED], tokens[1]))
        layout = "n c" if name.startswith("minilm") else TAPS[name].layout.removeprefix("b ")
        found.append(Stream(name, layout, fitted[:FITTED], sent))
    for given in arrays:
        layout, _, file = given.partition("=")
        samples = list(np.load(file).astype(np.float32))
        found.append(Stream(Path(file).stem, layout, samples[::2], samples[1::2]))
    return found


def fastest(job: Callable[[Any], Any], inputs: Sequence[Any]) -> dict[str, float]:
    """ms of a job over its inputs, each alone, with kernels and without."""
    best = {"kernels": np.inf, "numpy": np.inf}
    for _ in range(RUNS):
        for way, context in (("kernels", nullcontext), ("numpy", numpy_alone)):
            with context():
                started = time.perf_counter()
                for given in inputs:
                    job(given)
                best[way] = min(best[way], 1e3 * (time.perf_counter() - started) / len(inputs))
    return best


def row_of(stream: Stream, quality: float) -> dict[str, Any]:
    """The figures of a stream at a quality."""
    started = time.perf_counter()
    coder = caufc.Coder.fit(stream.fitted, layout=stream.layout, quality=quality)
    fitting = time.perf_counter() - started
    options: dict[str, Any] = {
        "layout": stream.layout,
        "quality": quality,
        "profile": find_profile(coder.profile),
        "embed_profile": False,
    }
    batch = caufc.encode(stream.sent, **options)
    messages = [coder.encode(sample) for sample in stream.sent]
    size = float(np.mean([len(message) for message in messages]))
    sent, messages = stream.sent[:MESSAGES], messages[:MESSAGES]
    decoded = [coder.decode(message) for message in messages]
    halves = [sample.astype(np.float16).tobytes() for sample in sent]
    packer = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    error = sum(float(np.square(a - b, dtype=np.float64).sum()) for a, b in zip(sent, decoded, strict=True))
    energy = sum(float(np.square(sample, dtype=np.float64).sum()) for sample in sent)
    return {
        "stream": stream.name,
        "shape": list(sent[0].shape),
        "quality": quality,
        "snr": 10 * float(np.log10(energy / error)),
        "profile_bytes": len(coder.profile),
        "fit_seconds": fitting,
        "bytes": size,
        "share": len(batch) / len(stream.sent),
        "fp16_bytes": float(np.mean([len(packer.compress(half)) for half in halves])),
        "encode": fastest(coder.encode, sent),
        "decode": fastest(coder.decode, messages),
        "alone": fastest(lambda sample: caufc.encode(sample, **options), sent[:5]),
        "fp16": fastest(packer.compress, halves),
    }


def page(rows: Sequence[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    lines = [
        "Bytes of a message, its share of a batch, and fp16 + zstd -3 of it; ms to encode and to decode it (kernels, "
        "numpy), of caufc.encode alone, and of zstd.",
        "",
        "| stream | shape | quality | SNR dB | bytes | share | more | fp16 + zstd | encode ms | decode ms | alone ms "
        "| zstd ms |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        shape = " x ".join(map(str, row["shape"]))
        more = row["bytes"] - row["share"]
        encode, decode = (f"{row[way]['kernels']:.3f}, {row[way]['numpy']:.3f}" for way in ("encode", "decode"))
        lines.append(
            f"| {row['stream']} | {shape} | {row['quality']:g} | {row['snr']:.2f} | {row['bytes']:.0f} "
            f"| {row['share']:.0f} | {more:+.0f} | {row['fp16_bytes']:.0f} | {encode} | {decode} "
            f"| {row['alone']['kernels']:.2f} | {row['fp16']['kernels']:.3f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure all streams."""
    parser = argparse.ArgumentParser(description="Measure what messages of prepared coders cost.")
    parser.add_argument("--features", type=Path, required=True, metavar="DIR", help="folder of features")
    parser.add_argument("--array", action="append", default=[], metavar="LAYOUT=FILE", help="more samples, as .npy")
    parser.add_argument("--results", metavar="NAME", help="write tools/results/NAME.md and .json")
    options = parser.parse_args()
    rows = []
    for stream in streams(options.features, options.array):
        for quality in QUALITIES:
            rows.append(row_of(stream, quality))
            print(page(rows[-1:]).splitlines()[-1], flush=True)
    if options.results:
        write_results(options.results, plain_command(sys.argv), {"rows": rows}, page(rows))


if __name__ == "__main__":
    main()
