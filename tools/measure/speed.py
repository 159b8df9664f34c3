"""Speed of the transform codec on one core: MB of fp32 features a second, and time and memory by number of samples.

    python -m tools.measure.speed --features DIR [--results NAME]

Batches of 64 samples are encoded and decoded in memory, by effort, the fastest of several runs; transformer taps with
a profile that holds their basis, fitted on other data; beside it, what decoding would reach if nothing but
constriction's rANS took time. One sample of 197 x 768 is decoded alone: hidden states of texts laid side by side. Then
files of 10 to 610,000 samples, the last of 10 GB, are encoded and decoded from disk to disk, each in a process of its
own, whose peak memory counts; they take 25 GB of a disk.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from tools.measure.kernels import numpy_alone
from tools.measure.machine import ROOT, plain_command, write_results
from tools.measure.tap_features import TAPS, load_features

BATCH = 64
RUNS = 7
EFFORTS = ("fast", "default", "best")
TRANSFORMERS = ("vit-block3", "minilm-hidden3")
MAPS = ("efficientnet_lite0-last", "efficientnet_lite0-block10", "resnet56-layer2")
QUALITY_AT_99 = {"efficientnet_lite0-last": 18.0, "minilm-hidden3": 42.0, "vit-block3": 38.0}
"""About where 99 % of predictions stand; medium for others."""

COUNTS = (10, 100, 1000, 10_000, 610_000)
"""Of 16 kB each: the last is a file of 10 GB."""

LINEAR_TAP = "resnet56-layer3"
PROFILE_SAMPLES = 1000


def fastest(job: Callable[[], Any]) -> float:
    """Seconds of CPU time of the fastest of several runs: on one thread, wall-clock time where nothing else runs."""
    times = []
    for _ in range(RUNS):
        started = time.process_time()
        job()
        times.append(time.process_time() - started)
    return min(times)


class Timed:
    """A coder that adds up the CPU time of its decoding."""

    seconds = 0.0

    def __init__(self, coder: Any) -> None:
        self.coder = coder

    def decode(self, *arguments: Any) -> Any:
        started = time.process_time()
        found = self.coder.decode(*arguments)
        Timed.seconds += time.process_time() - started
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.coder, name)


def rans_seconds(job: Callable[[], Any]) -> float:
    """CPU time of constriction's rANS alone, without kernels, in the fastest of several runs."""
    from caufc.codec import entropy

    plain, times = entropy._coder, []
    with numpy_alone(), mock.patch.object(entropy, "_coder", lambda *words: Timed(plain(*words))):
        for _ in range(RUNS):
            Timed.seconds = 0.0
            job()
            times.append(Timed.seconds)
    return min(times)


def measure_batches(folder: Path, work: Path) -> list[dict[str, Any]]:
    """Rows of batches, by tap and effort."""
    import caufc

    rows = []
    for tap in (*MAPS, *TRANSFORMERS):
        batch, layout = load_features(folder, tap, "test")[:BATCH], TAPS[tap].layout
        profile = _profile(folder, work, tap) if tap in TRANSFORMERS else None
        size = sum(part.nbytes for part in batch) if isinstance(batch, list) else batch.nbytes
        quality = QUALITY_AT_99.get(tap, 50.0)
        for effort in EFFORTS:
            given: dict[str, Any] = {
                "quality": quality,
                "layout": layout,
                "effort": effort,
                "profile": profile,
                "embed_profile": False,
            }
            coding: Callable[[], bytes] = partial(caufc.encode, batch, threads=1, **given)
            data = coding()
            decoding = partial(caufc.decode, data, profile=profile, threads=1)
            encode, decode, alone = fastest(coding), fastest(decoding), rans_seconds(decoding)
            rows.append(
                {
                    "tap": tap,
                    "effort": effort,
                    "quality": quality,
                    "profile": profile is not None,
                    "bpfp": 32 * len(data) / size,
                    "encode_mb_s": size / 1e6 / encode,
                    "decode_mb_s": size / 1e6 / decode,
                    "rans_mb_s": size / 1e6 / alone,
                }
            )
            print(rows[-1], flush=True)
    return rows


def _profile(folder: Path, work: Path, tap: str) -> Path:
    from caufc.fit.profile import fit_profile

    path = work / f"{tap}.blind.caufp"
    if not path.exists():
        path.write_bytes(fit_profile(load_features(folder, tap, "fit")[:PROFILE_SAMPLES], layout=TAPS[tap].layout))
    return path


def measure_one(folder: Path, work: Path) -> dict[str, Any]:
    """One sample of 197 x 768, with a profile."""
    import caufc
    from caufc.fit.profile import fit_profile

    rows = np.concatenate([sample.numpy() for sample in load_features(folder, "minilm-hidden3", "fit")])
    count = len(rows) // 394
    samples = rows[: count * 394].reshape(count, 197, 768)
    path = work / "wide.caufp"
    path.write_bytes(fit_profile(samples[1:], layout="b (1 + h w) c"))
    one = samples[0]
    data = caufc.encode(one, layout="(1 + h w) c", profile=path, embed_profile=False)
    seconds = fastest(lambda: caufc.decode(data, profile=path))
    return {"decode_ms": 1e3 * seconds, "bytes": len(data), "bpfp": 8 * len(data) / one.size}


def measure_growth(folder: Path, work: Path) -> list[dict[str, Any]]:
    """Rows of files by number of samples."""
    features, rows = load_features(folder, LINEAR_TAP, "test"), []
    for count in COUNTS:
        source = work / f"{count}.npy"
        save_repeated(source, features, count)
        row: dict[str, Any] = {"samples": count, "mb": source.stat().st_size / 1e6}
        for verb in ("encode", "decode"):
            row |= {f"{verb}_{name}": value for name, value in _child(verb, source).items()}
        rows.append(row)
        print(row, flush=True)
        for path in work.glob(f"{source.name}*"):
            path.unlink()
    return rows


def save_repeated(path: Path, features: Any, count: int) -> None:
    """Write so many samples, over and over the same ones, without holding them in memory."""
    whole = np.lib.format.open_memmap(path, "w+", features.dtype, (count, *features.shape[1:]))
    for start in range(0, count, len(features)):
        stop = min(count, start + len(features))
        whole[start:stop] = features[: stop - start]


def _child(verb: str, source: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tools.measure.speed", "--child", verb, str(source)]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def child(verb: str, source: str) -> None:
    """One job in a process of its own: prints seconds, and MiB above what stood before it began."""
    from caufc.cli.main import caufc as console

    coded = f"{source}.cauf"
    words = ["encode", source, "-o", coded] if verb == "encode" else ["decode", coded, "-o", f"{source}.back.npy"]
    import constriction  # noqa: F401
    import torch  # noqa: F401

    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1024
    started = time.perf_counter()
    try:
        console([*words, "-f", "--quiet"])
    except SystemExit as end:
        if end.code:
            raise
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"s": seconds, "mib": (peak - before) / 1024}))


def tables(batches: list[dict[str, Any]], one: dict[str, Any], growth: list[dict[str, Any]]) -> str:
    """All as Markdown."""
    lines = ["| tap | effort | quality | profile | BPFP | encode MB/s | decode MB/s | rANS alone |"]
    lines += ["|---" * 8 + "|"]
    lines += [
        f"| {r['tap']} | {r['effort']} | {r['quality']:g} | {'yes' if r['profile'] else 'no'} | {r['bpfp']:.4f} |"
        f" {r['encode_mb_s']:.0f} | {r['decode_mb_s']:.0f} | {r['rans_mb_s']:.0f} |"
        for r in batches
    ]
    lines += ["", f"One sample of 197 x 768, medium, with a profile: decoded in {one['decode_ms']:.1f} ms", ""]
    lines += ["| samples | MB | encode s | encode MiB | decode s | decode MiB |", "|---" * 6 + "|"]
    lines += [
        f"| {r['samples']:,} | {r['mb']:.1f} | {r['encode_s']:.2f} | {r['encode_mib']:.0f} | {r['decode_s']:.2f} |"
        f" {r['decode_mib']:.0f} |"
        for r in growth
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure all and print the tables."""
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3])
        return
    parser = argparse.ArgumentParser(description="Speed on one core.")
    parser.add_argument("--features", type=Path, required=True, metavar="DIR", help="of tools.measure.tap_features")
    parser.add_argument("--results", metavar="NAME", help="also write tools/results/NAME.json and .md")
    options = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise SystemExit("set OMP_NUM_THREADS=1: figures are for one core")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        batches, one = measure_batches(options.features, work), measure_one(options.features, work)
        growth = measure_growth(options.features, work)
    text = tables(batches, one, growth)
    print(text)
    if options.results:
        figures = {"batches": batches, "one": one, "growth": growth}
        write_results(options.results, f"OMP_NUM_THREADS=1 {plain_command(sys.argv)}", figures, text)


if __name__ == "__main__":
    main()
