"""What compiled kernels save, by stage: ns a value on one core, numpy and constriction beside them.

    OMP_NUM_THREADS=1 python -m tools.measure.kernels --features FEATURES [--results kernels]

Both ways run by turns in one process, and the fastest run of each counts, so that a noisy machine tells the same of
both; bytes and values are compared before anything is timed. Stages are those of one chunk of real features as medium
codes them; whole calls are `caufc.encode` and `caufc.decode` in memory, in MB of fp32 a second, with zstd of the fp16
bytes beside them as the machine's yardstick.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import zstandard
from numpy.typing import NDArray

from caufc.codec import kernels
from caufc.codec.kernels.pieces import transposed
from caufc.codec.lossless.codec import decode_lossless, encode_lossless
from caufc.codec.lossless.grid import Lattice
from caufc.codec.transform.parameters import Parameters
from tools.measure.machine import plain_command, write_results
from tools.measure.tap_features import TAPS, load_features

RUNS = 9
BATCH_MB = 16
STAGE_TAPS = ("efficientnet_lite0-block10", "minilm-hidden3")
ZSTD_LEVEL = 3

Job = Callable[[], Any]


def numpy_alone() -> AbstractContextManager[Any]:
    """As if no kernel were built."""
    patches: dict[str, Any] = dict.fromkeys(kernels.NAMES)
    patching: AbstractContextManager[Any] = mock.patch.multiple(kernels, **patches)
    return patching


def pair(job: Job, runs: int = RUNS) -> tuple[float, float]:
    """CPU seconds of a job without kernels, and with them: the fastest of runs by turns.

    Raises:
        SystemExit: if the two ways do not give the same.
    """
    with numpy_alone():
        wanted = job()
    if not _equal(job(), wanted):
        raise SystemExit("kernels give other bytes or values")
    fastest = [np.inf, np.inf]
    for _ in range(runs):
        for way, context in enumerate((numpy_alone, nullcontext)):
            with context():
                started = time.process_time()
                job()
                fastest[way] = min(fastest[way], time.process_time() - started)
    return fastest[0], fastest[1]


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(_equal(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def batch_of(folder: Path, tap: str, megabytes: float) -> Any:
    """So many MB of a tap's features, repeated where there are fewer; texts as one matrix of tokens."""
    features = load_features(folder, tap, "test")
    if isinstance(features, list):
        features = np.concatenate([np.asarray(part) for part in features])
    values = np.asarray(features, np.float32)
    size = values[0].nbytes
    return np.resize(values, (max(1, int(megabytes * 1e6 / size)), *values.shape[1:]))


class Caught:
    """What an encode at medium hands to each stage of a tap's only chunk."""

    def __init__(self, values: NDArray[np.float32], layout: str) -> None:
        import caufc
        from caufc.codec.transform.coefficients import CoefficientCoder
        from caufc.codec.transform.quantize import points_of
        from caufc.encoder import quantize

        self.coders: list[tuple[Any, Any, Any]] = []
        self.quantized: list[tuple[Any, ...]] = []
        self.points: list[tuple[Any, ...]] = []
        encode, call = CoefficientCoder.encode, quantize.IndexQuantizer.__call__

        def encoding(coder: Any, symbols: Any, geometry: Any) -> bytes:
            self.coders.append((coder, symbols.copy(), geometry))
            return encode(coder, symbols, geometry)

        def quantizing(quantizer: Any, coefficients: Any, steps: Any, bands: Any) -> Any:
            self.quantized.append((quantizer, coefficients.copy(), steps, bands))
            return call(quantizer, coefficients, steps, bands)

        def placing(*given: Any) -> Any:
            self.points.append(given)
            return points_of(*given)

        with (
            mock.patch.object(CoefficientCoder, "encode", encoding),
            mock.patch.object(quantize.IndexQuantizer, "__call__", quantizing),
            mock.patch("caufc.codec.transform.codec.points_of", placing),
        ):
            caufc.encode(values, layout=layout)


def stages(folder: Path, tap: str) -> Iterator[tuple[str, int, Job]]:
    """Name, values and job of every stage of the transform codec."""
    from caufc.encoder.quantize import IndexQuantizer

    caught = Caught(batch_of(folder, tap, BATCH_MB / 4), TAPS[tap].layout if "minilm" not in tap else "b c")
    coder, symbols, geometry = max(caught.coders, key=lambda found: found[1].size)
    payload = coder.encode(symbols, geometry)
    yield "entropy coding", symbols.size, lambda: coder.encode(symbols, geometry)
    yield "entropy decoding", symbols.size, lambda: coder.decode_symbols(payload, geometry)
    yield (
        "entropy decoding, two at a time",
        2 * symbols.size,
        lambda: coder.decode_symbols_of([(payload, geometry)] * 2),
    )
    chosen, coefficients, steps, bands = max(caught.quantized, key=lambda found: found[1].size)
    costs = chosen.costs
    for name, quantizer in (
        ("rounding", IndexQuantizer(bounded=True)),
        ("rounding with dead zones", IndexQuantizer(costs=costs)),
        ("trellis search", IndexQuantizer(dependent=True, costs=costs)),
    ):
        yield name, coefficients.size, lambda q=quantizer: q(coefficients, steps, bands)  # type: ignore[misc]
    given = max(caught.points, key=lambda found: found[0].size)
    for name, dependent in (("reconstruction", False), ("reconstruction, dependent", True)):
        yield name, given[0].size, _placing((*given[:4], dependent))
    whole = int(np.searchsorted(np.cumsum(geometry.sizes), len(coefficients), side="right"))
    block = replace(geometry, grids=geometry.grids[:whole])
    sample, parameters = coefficients[: block.tokens], Parameters(1.0, 0, geometry.spectral, False, 20)
    for kind in ("plain", "dependent"):
        yield f"planning a sample, {kind}", sample.size, _planning(sample, block, steps, parameters, kind)
    if max(block.sizes) > 1:
        yield "DCT of blocks", sample.size, _transforming(sample, replace(block, spectral=True))
        by_sample = sample.reshape(len(block.grids), -1, sample.shape[1])
        yield "tokens to maps", sample.size, lambda: transposed(by_sample)


def _transforming(sample: Any, geometry: Any) -> Job:
    from caufc.codec.transform.dct import forward_grid

    return lambda: forward_grid(sample, geometry)


def _placing(given: tuple[Any, ...]) -> Job:
    from caufc.codec.transform.quantize import points_of

    return lambda: points_of(*given)


def _planning(sample: Any, geometry: Any, steps: Any, parameters: Parameters, kind: Any) -> Job:
    from caufc.encoder.sample_plan import plan_sample

    def planned() -> list[Any]:
        plan = plan_sample(sample, geometry, steps, parameters, 4.0, kind=kind)
        return [plan.bits, *(array for _, array in sorted(plan.tables.items()))]

    return planned


def lossless_stages(folder: Path) -> Iterator[tuple[str, int, Job]]:
    """The same of the lossless codec."""
    maps = batch_of(folder, "efficientnet_lite0-block10", BATCH_MB / 4)
    tokens = batch_of(folder, "minilm-hidden3", BATCH_MB / 4)
    ids = np.minimum(np.random.default_rng(0).zipf(1.3, 1 << 20), 49_000).astype("<u8")
    wide = np.random.default_rng(0).integers(0, 1 << 40, 1 << 17, np.uint64)
    for name, values, lattice, rotate in (
        ("maps fp32", maps, Lattice(maps.shape[2], maps.shape[3]), True),
        ("tokens fp32", tokens, Lattice(), True),
        ("tokens fp16", tokens.astype("<f2"), Lattice(), True),
        ("token ids", ids, Lattice(), False),
        ("wide integers", wide, Lattice(), False),
    ):
        flat = np.ascontiguousarray(values).ravel()
        payload = encode_lossless(flat, rotate=rotate, lattice=lattice)
        yield f"lossless {name}, coding", flat.size, _encoding(flat, rotate, lattice)
        yield f"lossless {name}, decoding", flat.size, _decoding(payload, flat, rotate)


def _encoding(flat: NDArray[Any], rotate: bool, lattice: Lattice) -> Job:
    return lambda: encode_lossless(flat, rotate=rotate, lattice=lattice)


def _decoding(payload: bytes, flat: NDArray[Any], rotate: bool) -> Job:
    return lambda: decode_lossless(payload, len(flat), flat.dtype, rotate=rotate)


def whole_calls(folder: Path) -> Iterator[dict[str, Any]]:
    """Rows of MB/s, all taps at medium, and one without loss."""
    import caufc

    for tap in TAPS:
        values = batch_of(folder, tap, BATCH_MB)
        layout = "b c" if "minilm" in tap else TAPS[tap].layout
        for options in ({}, {"lossless": True}) if tap == "minilm-hidden3" else ({},):
            given: dict[str, Any] = {"layout": layout, **options}
            data = caufc.encode(values, **given)
            encode = pair(lambda v=values, g=given: caufc.encode(v, threads=1, **g), 3)  # type: ignore[misc]
            decode = pair(lambda d=data: caufc.decode(d, threads=1), 3)  # type: ignore[misc]
            half = values.astype("<f2").tobytes()
            packer, size = zstandard.ZstdCompressor(ZSTD_LEVEL), values.nbytes / 1e6
            packed = packer.compress(half)
            started = time.process_time()
            packer.compress(half)
            between = time.process_time()
            zstandard.ZstdDecompressor().decompress(packed)
            yield {
                "tap": f"{tap}, lossless" if options else tap,
                "bpfp": 8 * len(data) / values.size,
                "encode": [size / seconds for seconds in encode],
                "decode": [size / seconds for seconds in decode],
                "zstd": [size / (between - started), size / (time.process_time() - between)],
            }


def measured(found: Iterator[tuple[str, int, Job]]) -> Iterator[dict[str, Any]]:
    """Rows of ns a value."""
    for name, size, job in found:
        without, compiled = pair(job)
        yield {"stage": name, "values": size, "numpy": 1e9 * without / size, "kernels": 1e9 * compiled / size}


def tables(by_tap: dict[str, list[dict[str, Any]]], calls: list[dict[str, Any]]) -> str:
    """All as Markdown."""
    lines = ["Stages, ns a value:", "", "| features | stage | values | numpy | kernels | times |", "|---" * 6 + "|"]
    lines += [
        f"| {tap} | {row['stage']} | {row['values']:,} | {row['numpy']:.2f} | {row['kernels']:.2f} |"
        f" {row['numpy'] / row['kernels']:.1f} |"
        for tap, rows in by_tap.items()
        for row in rows
    ]
    lines += ["", f"Whole calls on batches of {BATCH_MB} MB at medium, MB of fp32 a second, one core:", ""]
    lines += ["| features | BPFP | encode: numpy | kernels | decode: numpy | kernels | zstd -3 of fp16, both ways |"]
    lines += ["|---" * 7 + "|"]
    lines += [
        f"| {row['tap']} | {row['bpfp']:.3f} | {row['encode'][0]:.0f} | {row['encode'][1]:.0f} |"
        f" {row['decode'][0]:.0f} | {row['decode'][1]:.0f} | {row['zstd'][0]:.0f}, {row['zstd'][1]:.0f} |"
        for row in calls
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=Path, required=True, metavar="DIR", help="of tools.measure.tap_features")
    parser.add_argument("--results", metavar="NAME", help="also write tools/results/NAME.json and .md")
    options = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise SystemExit("set OMP_NUM_THREADS=1: figures are for one core")
    if kernels.built() != kernels.NAMES:
        raise SystemExit(f"kernels: {kernels.described()}")
    by_tap: dict[str, list[dict[str, Any]]] = {}
    for tap in STAGE_TAPS:
        by_tap[tap] = list(measured(stages(options.features, tap)))
        print(tap, by_tap[tap], flush=True)
    by_tap["lossless"] = list(measured(lossless_stages(options.features)))
    calls = list(whole_calls(options.features))
    text = tables(by_tap, calls)
    print(text)
    if options.results:
        figures = {"stages": by_tap, "calls": calls}
        write_results(options.results, f"OMP_NUM_THREADS=1 {plain_command(sys.argv)}", figures, text)


if __name__ == "__main__":
    main()
