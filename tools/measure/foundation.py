"""Measure speed, memory, overhead and random access of the whole pipeline on one core.

    python -m tools.measure.foundation --features last.npy [--samples 10000]

``--features`` names feature maps ``[64 or more, 1280, 7, 7]`` fp32, such as tools/measure/tap_features.py extracts. The
long file repeats them, each time with its channels rolled, until it has ``--samples`` samples. Every figure comes from
a process of its own that is bound to one core; memory is the peak resident set beyond what it was after the imports.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tools.measure.machine import ROOT, write_results

MODULE = "tools.measure.foundation"
ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
REPEATS = 7


def child(*arguments: object) -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    command = [sys.executable, "-m", MODULE, "--child", *map(str, arguments)]
    environment = {**os.environ, **ONE_CORE}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def resident(field: str) -> int:
    """A figure of this process's memory in bytes: VmRSS now, VmHWM at its peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"no {field}")


IMPORTS = """
import json, sys, time
started = time.perf_counter()
import numpy
middle = time.perf_counter()
import caufc
ended = time.perf_counter()
heavy = [name for name in ("torch", "timm", "compressai", "constriction") if name in sys.modules]
print(json.dumps({"numpy_s": middle - started, "caufc_s": ended - middle, "heavy": heavy}))
"""


def import_times() -> dict[str, Any]:
    """Seconds of ``import numpy``, then of ``import caufc``; what heavy modules that loads."""
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    times: dict[str, Any] = json.loads(done.stdout)
    return times


def measure_speed(path: str) -> dict[str, Any]:
    """MB/s of fp32 through ``caufc.encode`` and ``caufc.decode``, of CPU time, medians of some repeats."""
    import caufc

    batch = np.load(path)[:64]
    data = caufc.encode(batch)
    encode, decode = [], []
    for _ in range(REPEATS):
        started = time.process_time()
        data = caufc.encode(batch, threads=1)
        middle = time.process_time()
        caufc.decode(data, threads=1)
        encode.append(batch.nbytes / 1e6 / (middle - started))
        decode.append(batch.nbytes / 1e6 / (time.process_time() - middle))
    return {
        "bytes_in": batch.nbytes,
        "bytes_out": len(data),
        "encode_mb_s": statistics.median(encode),
        "decode_mb_s": statistics.median(decode),
    }


def warm_up() -> None:
    """Import all that coding imports, so that memory beyond the imports can be told."""
    import caufc
    from caufc import features  # noqa: F401

    caufc.decode(caufc.encode(np.ones((2, 4, 2, 2), np.float32)))


def measure_encode(source: str, target: str) -> dict[str, Any]:
    """Seconds and peak memory of a streamed encode, file to file."""
    import caufc
    from caufc import features

    warm_up()
    before = resident("VmRSS")
    started = time.perf_counter()
    report = caufc.save(target, features.read(source), force=True)
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "mb_s": report.bytes_in / 1e6 / seconds,
        "memory": resident("VmHWM") - before,
        "bytes_in": report.bytes_in,
        "bytes_out": report.bytes_out,
        "chunks": report.chunks,
        "samples": report.samples,
    }


def measure_decode(source: str, target: str) -> dict[str, Any]:
    """Seconds and peak memory of a streamed decode, file to file."""
    from caufc.cli.main import main

    warm_up()
    before = resident("VmRSS")
    started = time.perf_counter()
    sys.argv = ["caufc", "decode", source, "-o", target, "--force", "--quiet"]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
    seconds = time.perf_counter() - started
    size = Path(target).stat().st_size
    return {"seconds": seconds, "mb_s": size / 1e6 / seconds, "memory": resident("VmHWM") - before}


def measure_access(source: str) -> dict[str, Any]:
    """Seconds to open a file and read a sample of an unread chunk, against decoding that chunk's bytes alone."""
    import caufc
    from caufc.decoder.file_decoder import ChunkDecoder

    warm_up()
    ratios, opening, single = [], [], []
    with caufc.Reader(source) as reader:
        inner = reader._reader
        for number in np.linspace(0, len(reader) - 1, 9).astype(int):
            started = time.perf_counter()
            inner.cache.clear()
            reader[int(number)]
            access = time.perf_counter() - started
            offset, length, _ = inner.index.find(int(number))
            block = inner._block(offset, length)
            decoder: ChunkDecoder = inner.chunks
            started = time.perf_counter()
            decoder.samples(decoder.parse(block))
            alone = time.perf_counter() - started
            ratios.append(access / alone)
            single.append(access)
    for _ in range(5):
        started = time.perf_counter()
        with caufc.open(source) as reader:
            len(reader)
        opening.append(time.perf_counter() - started)
    return {
        "sample_s": statistics.median(single),
        "over_chunk": statistics.median(ratios),
        "open_s": statistics.median(opening),
    }


def measure_overhead() -> dict[str, Any]:
    """Bytes of a ragged batch beyond its payloads, a sample; bytes of a single-sample file beside its payload."""
    from importlib import resources

    import caufc
    from caufc import features
    from caufc.bitstream import parse_chunk, section_bytes
    from caufc.catalog import lookup_of, shipped_profiles
    from caufc.decoder.file_decoder import FileDecoder
    from caufc.limits import DEFAULT_LIMITS

    demo = resources.files("caufc") / "data" / "demo"
    tokens = list(features.read(str(demo / "minilm_hidden3.safetensors")).values())
    many = [sample for sample in tokens for _ in range(40)]
    decoder = FileDecoder.of(iter([caufc.encode(many, index=False)]), lookup_of(), DEFAULT_LIMITS)
    block = decoder.prelude.first
    chunk = parse_chunk(block.body, decoder.chunks_decoder.templates, 0, DEFAULT_LIMITS)
    a_sample = (block.length - sum(len(payload) for payload in chunk.payloads)) / chunk.count
    last = features.read(str(demo / "efficientnet_lite0_last.safetensors"))["last"]
    singles = {}
    for name, value in (("efficientnet_lite0-last", last), ("minilm-hidden3", tokens[:1])):
        if name in shipped_profiles():
            data = caufc.encode(value, profile=name)
            decoder = FileDecoder.of(iter([data]), lookup_of(), DEFAULT_LIMITS)
            payload = sum(len(p) for c in decoder.chunks() for p in c.payloads)
            tables = sum(len(section_bytes(section)) for section in decoder.prelude.sections)
            singles[name] = {"bytes": len(data), "tables": tables, "overhead": len(data) - payload - tables}
    return {"bytes_a_sample": a_sample, "samples": chunk.count, "single": singles}


CHILDREN: dict[str, Callable[..., dict[str, Any]]] = {
    "speed": measure_speed,
    "encode": measure_encode,
    "decode": measure_decode,
    "access": measure_access,
    "overhead": measure_overhead,
}


def make_long(batch: np.ndarray[Any, Any], samples: int, path: Path) -> None:
    """A long file of different samples: the batch again and again, its channels rolled."""
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(samples, *batch.shape[1:]))
    for turn, start in enumerate(range(0, samples, len(batch))):
        out[start : start + len(batch)] = np.roll(batch, 7 * turn, axis=1)[: samples - start]
    out.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--work", type=Path, help="folder for the long file (2.5 GB at 10,000 samples)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        work = Path(folder)
        batch = np.load(options.features)[:64].astype(np.float32)
        np.save(work / "batch.npy", batch)
        make_long(batch, options.samples, work / "long.npy")
        figures: dict[str, Any] = {"import": [import_times() for _ in range(REPEATS)], "overhead": child("overhead")}
        figures["speed"] = child("speed", work / "batch.npy")
        for name in ("batch", "long"):
            figures[f"encode_{name}"] = child("encode", work / f"{name}.npy", work / f"{name}.cauf")
            figures[f"decode_{name}"] = child("decode", work / f"{name}.cauf", work / f"{name}.out.npy")
        figures["access"] = child("access", work / "long.cauf")
    write_results("foundation", command_line(options), figures, table(figures, batch.nbytes))


def command_line(options: argparse.Namespace) -> str:
    return f"python -m {MODULE} --features last.npy --samples {options.samples}"


def table(figures: dict[str, Any], chunk_bytes: int) -> str:
    """The figures beside their bars."""
    imports = statistics.median(run["caufc_s"] for run in figures["import"])
    heavy = figures["import"][0]["heavy"]
    memory = {name: figures[name]["memory"] / chunk_bytes for name in figures if name[:6] in ("encode", "decode")}
    rows = [
        ("`import caufc` beyond `import numpy`", f"{1e3 * imports:.1f} ms", "60 ms"),
        ("heavy modules that it loads", ", ".join(heavy) or "none", "none"),
        ("bytes a sample of a batch beyond payloads", f"{figures['overhead']['bytes_a_sample']:.2f}", "4"),
        *(
            (f"single sample, profile {name}: bytes beside payload and tables", str(single["overhead"]), "64")
            for name, single in figures["overhead"]["single"].items()
        ),
        ("encode, batch of 64 maps", f"{figures['speed']['encode_mb_s']:.0f} MB/s", "60 MB/s"),
        ("decode, batch of 64 maps", f"{figures['speed']['decode_mb_s']:.0f} MB/s", "60 MB/s"),
        ("encode, long file", f"{figures['encode_long']['mb_s']:.0f} MB/s", ""),
        ("decode, long file", f"{figures['decode_long']['mb_s']:.0f} MB/s", ""),
        *(
            (f"peak memory, {name.replace('_', ', ')}", f"{ratio:.1f} x chunk", "8 x chunk")
            for name, ratio in memory.items()
        ),
        ("a sample of the long file, over its chunk alone", f"{figures['access']['over_chunk']:.2f}", "1.5"),
        ("opening the long file", f"{1e3 * figures['access']['open_s']:.1f} ms", ""),
    ]
    lines = ["| figure | measured | bar |", "|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(CHILDREN[sys.argv[2]](*sys.argv[3:])))
    else:
        main()
