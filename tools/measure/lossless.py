"""Measures lossless coding of features against zstd -19 and ZipNN.

    python -m tools.measure.lossless --features DIR [--samples 300] [--results NAME]

For each tap of `tools/measure/tap_features.py` and each of fp32, fp16 and bf16, the first samples of the test half are
coded without loss. zstd and ZipNN get the plain bytes of all values, one after the other, ZipNN told their dtype; a
caufc file also holds names, shapes and checksums, and all its bytes count. Everything that is coded is decoded and
compared. Speeds are MB/s of plain bytes, each method on one thread, the best of some repeats.

ZipNN comes with `pip install zipnn`.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import zstandard

import caufc
from tools.measure.machine import plain_command, write_results
from tools.measure.tap_features import TAPS, load_features

ZSTD_LEVEL = 19
DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
"""Ours -> torch's and ZipNN's."""

RIVALS = ("zstd", "zipnn")
METHODS = ("caufc", *RIVALS)


@dataclass(frozen=True)
class Coded:
    """One tap in one dtype, coded by one method.

    Args:
        tap, dtype, method: what was coded and how.
        bytes_in, bytes_out: plain and coded.
        encode_mb_s, decode_mb_s: speeds in 10^6 plain bytes a second.
    """

    tap: str
    dtype: str
    method: str
    bytes_in: int
    bytes_out: int
    encode_mb_s: float
    decode_mb_s: float


@dataclass(frozen=True)
class Method:
    """How to encode and decode.

    Args:
        encode: features or plain bytes to coded bytes.
        decode: the inverse.
        plain: whether ``encode`` takes plain bytes.
        repeats: how often speeds are taken.
    """

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    plain: bool = True
    repeats: int = 3


def methods(dtype: str) -> dict[str, Method]:
    """All methods, for values of a dtype."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from zipnn import ZipNN

    def zipnn() -> Any:
        return ZipNN(input_format="byte", bytearray_dtype=DTYPES[dtype], threads=1)

    return {
        "caufc": Method(
            lambda features: caufc.encode(features, lossless=True, threads=1),
            lambda data: caufc.decode(data, threads=1),
            plain=False,
        ),
        "zstd": Method(
            lambda raw: zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(raw),
            lambda data: zstandard.ZstdDecompressor().decompress(data),
            repeats=1,
        ),
        # ZipNN may reorder the bits of what it is given in place.
        "zipnn": Method(lambda raw: zipnn().compress(bytearray(raw)), lambda data: zipnn().decompress(data)),
    }


def cast(features: Any, dtype: str) -> Any:
    """Features as torch tensors of a dtype: one ``[B, ...]``, or a list of ``[T, C]``."""
    import torch

    kind = getattr(torch, DTYPES[dtype])
    return [part.to(kind) for part in features] if isinstance(features, list) else torch.as_tensor(features).to(kind)


def plain_bytes(features: Any) -> bytes:
    """The bytes of all values, one after the other."""
    import torch

    parts = features if isinstance(features, list) else [features]
    flat = torch.cat([part.contiguous().reshape(-1) for part in parts])
    return bytes(flat.view(torch.uint8).numpy().tobytes())


def timed(repeats: int, call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the fastest repeat, and the last result."""
    best, result = math.inf, None
    for _ in range(repeats):
        started = time.perf_counter()
        result = call()
        best = min(best, time.perf_counter() - started)
    return best, result


def measure(tap: str, dtype: str, features: Any) -> Iterator[Coded]:
    """Code features in every way.

    Raises:
        SystemExit: if a method does not give back what it was given.
    """
    raw = plain_bytes(features)
    for name, method in methods(dtype).items():
        source = raw if method.plain else features
        encode_s, data = timed(method.repeats, partial(method.encode, source))
        decode_s, found = timed(method.repeats, partial(method.decode, data))
        if (bytes(found) if method.plain else plain_bytes(found)) != raw:
            raise SystemExit(f"{tap} {dtype}: {name} gives back something else")
        size = len(raw)
        yield Coded(tap, dtype, name, size, len(data), size / 1e6 / encode_s, size / 1e6 / decode_s)


def gain(by_method: dict[str, Coded], rival: str) -> float:
    """Coded bytes of a rival over ours."""
    return by_method[rival].bytes_out / by_method["caufc"].bytes_out


HEADING = (
    "| tap | dtype | plain bytes | caufc | zstd -19 | ZipNN | caufc below zstd | below ZipNN |\n"
    "|---|---|---|---|---|---|---|---|"
)
COLUMNS = ("dtype", "caufc encode", "decode", "zstd -19 encode", "decode", "ZipNN encode", "decode")
SPEEDS = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"


def size_row(by_method: dict[str, Coded]) -> str:
    """Bytes of all methods, and by how many % ours are fewer."""
    ours = by_method["caufc"]
    sizes = " | ".join(f"{by_method[name].bytes_out:,}" for name in METHODS)
    fewer = " | ".join(f"{100 * (1 - 1 / gain(by_method, rival)):.2f} %" for rival in RIVALS)
    return f"| {ours.tap} | {ours.dtype} | {ours.bytes_in:,} | {sizes} | {fewer} |"


def speed_row(dtype: str, cells: Sequence[Coded]) -> str:
    """MB/s over all taps of a dtype: all bytes over all seconds."""
    speeds = []
    for name in METHODS:
        own = [cell for cell in cells if cell.dtype == dtype and cell.method == name]
        total = sum(cell.bytes_in for cell in own)
        for field in ("encode_mb_s", "decode_mb_s"):
            speeds.append(f"{total / sum(cell.bytes_in / getattr(cell, field) for cell in own):.1f}")
    return f"| {dtype} | {' | '.join(speeds)} |"


def summary(rows: Sequence[dict[str, Coded]]) -> str:
    """Geometric means, and in how many cells ours is the smallest."""
    wins = sum(all(gain(row, rival) > 1 for rival in RIVALS) for row in rows)
    means = [math.exp(sum(math.log(gain(row, rival)) for row in rows) / len(rows)) for rival in RIVALS]
    zstd, zipnn = (f"{100 * (1 - 1 / mean):.1f} %" for mean in means)
    return (
        f"caufc is the smallest in {wins} of {len(rows)}. In geometric mean its files are {zstd} smaller than those of "
        f"zstd -19 and {zipnn} smaller than those of ZipNN {version('zipnn')}."
    )


def main() -> None:
    """Measure all taps and print the tables."""
    parser = argparse.ArgumentParser(description="Lossless bytes and speeds of caufc, zstd -19 and ZipNN.")
    parser.add_argument("--features", type=Path, required=True, metavar="DIR", help="of tools.measure.tap_features")
    parser.add_argument("--samples", type=int, default=300, help="of each tap, the first ones")
    parser.add_argument("--taps", nargs="+", default=list(TAPS), choices=list(TAPS), metavar="TAP")
    parser.add_argument("--results", metavar="NAME", help="also write tools/results/NAME.json and .md")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)

    rows: list[dict[str, Coded]] = []
    print(HEADING, flush=True)
    for tap in options.taps:
        features = load_features(options.features, tap)[: options.samples]
        for dtype in DTYPES:
            rows.append({cell.method: cell for cell in measure(tap, dtype, cast(features, dtype))})
            print(size_row(rows[-1]), flush=True)
    cells = [cell for row in rows for cell in row.values()]
    tail = [summary(rows), "", "MB/s of plain bytes, all taps:", "", SPEEDS, *(speed_row(d, cells) for d in DTYPES)]
    print("\n" + "\n".join(tail))
    if options.results:
        figures = {"samples": options.samples, "zipnn": version("zipnn"), "coded": [asdict(cell) for cell in cells]}
        page = "\n".join([HEADING, *map(size_row, rows), "", *tail])
        write_results(options.results, plain_command(sys.argv), figures, page)


if __name__ == "__main__":
    main()
