"""A drafter's training data in the backends of vLLM's speculators: bytes, and the divergence of predictions from them.

    OMP_NUM_THREADS=1 python -m tools.measure.speculators --data DATA --work WORK [--results speculators]

Samples are windows of 256 tokens of news, the states that enter layers 8, 15 and 22 of SmolLM2-135M, in bf16 beside
their token IDs. Each backend writes them to files and hands them back through its own classes: ``file`` (bf16),
``fp8`` (e4m3, a scale per token) and ``caufc``, without a profile and with one of other texts. The network goes on from
each layer's states; its next-token predictions are compared with those of the states in fp32.
docs/evaluate.md says what DATA holds. 8 windows take about 6 minutes of one core.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.measure.language_model import HIDDEN, LanguageBench
from tools.measure.machine import plain_command, write_results

QUALITIES = (50.0, 54.0, 56.0, 65.0)
WINDOWS, FIT_WINDOWS = 8, 32

Sample = dict[str, Any]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Method:
    """A way to keep samples.

    Args:
        name: for people.
        transfer: a folder -> the backend's transfer, which reads it.
        write: puts a sample into the folder.
    """

    name: str
    transfer: Callable[[Path], Any]
    write: Callable[[Any, Path, int, Sample], object]


def samples(bench: LanguageBench, half: str) -> list[Sample]:
    """Of each window, as vLLM extracts them: ``hidden_states`` ``[T, 3, C]`` bf16 and ``token_ids`` ``[T]``."""
    import torch

    states = [torch.from_numpy(bench.features(place, half)["states"]) for place in HIDDEN]
    ids = bench.token_ids(half)
    stacked = torch.stack(states, 2).bfloat16()
    return [{"hidden_states": own, "token_ids": ids[n].clone()} for n, own in enumerate(stacked)]


def methods(fitted: Sequence[Sample]) -> Iterator[tuple[Method, int]]:
    """Each with the bytes of its profile."""
    from hs_connectors import FileTransfer, FP8Transfer

    from caufc.integrations.speculators import CaufTransfer, fit_profile

    yield Method("file (bf16)", FileTransfer, _write_bf16), 0
    yield Method("fp8", FP8Transfer, _write_fp8), 0
    for quality in QUALITIES:
        yield Method(f"caufc {quality:g}", partial(CaufTransfer, quality=quality), _write_cauf), 0
    with tempfile.TemporaryDirectory() as folder:
        for number, sample in enumerate(fitted):
            _write_bf16(None, Path(folder), number, sample)
        profile = fit_profile(folder, samples=len(fitted))
    for quality in QUALITIES:
        transfer = partial(CaufTransfer, profile=profile, quality=quality)
        yield Method(f"caufc {quality:g}, profile", transfer, _write_cauf), len(profile)


def row_of(bench: LanguageBench, method: Method, profile_bytes: int, given: Sequence[Sample]) -> dict[str, Any]:
    """The figures of a method."""
    import torch

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        transfer = method.transfer(folder)
        started = time.perf_counter()
        for number, sample in enumerate(given):
            method.write(transfer, folder, number, sample)
        written = time.perf_counter()
        back = [transfer.get_cached(number) for number in range(len(given))]
        read = time.perf_counter()
        size = sum(path.stat().st_size for path in folder.iterdir())
    for sample, found in zip(given, back, strict=True):
        if not torch.equal(sample["token_ids"], found["token_ids"]):
            raise SystemExit(f"{method.name}: token IDs differ")
    values = sum(sample["hidden_states"].numel() for sample in given)
    places = {}
    for layer, place in enumerate(HIDDEN):
        states = torch.stack([found["hidden_states"][:, layer] for found in back]).float().numpy()
        divergences, agreements = bench.moves(place, {"states": states})
        places[place] = {"kl": float(np.mean(divergences)), "top1": float(np.mean(agreements))}
    return {
        "method": method.name,
        "bytes": size,
        "bpfp": 8 * size / values,
        "profile_bytes": profile_bytes,
        "write_ms": 1e3 * (written - started) / len(given),
        "read_ms": 1e3 * (read - written) / len(given),
        "places": places,
    }


def _write_bf16(_: Any, folder: Path, number: int, sample: Sample) -> None:
    from safetensors.torch import save_file

    save_file(sample, folder / f"hs_{number}.safetensors")


def _write_fp8(_: Any, folder: Path, number: int, sample: Sample) -> None:
    """As its connector in vLLM does."""
    from hs_connectors.fp8_utils import SCALES_KEY, quantize_tensor_to_fp8

    codes, scales = quantize_tensor_to_fp8(sample["hidden_states"])
    _write_bf16(None, folder, number, {**sample, "hidden_states": codes, SCALES_KEY: scales})


def _write_cauf(transfer: Any, _: Path, number: int, sample: Sample) -> None:
    transfer.cache(number, sample)


def page(figures: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    rows = figures["rows"]
    whole = rows[0]["bytes"]
    lines = [
        f"SmolLM2-135M, {figures['windows']} samples of 256 tokens, 3 layers of 576 channels; a profile of "
        f"{figures['fit_windows']} samples of other texts, made for medium. Bytes with token IDs and headers; the "
        "profile, one for all files, apart. KL of next-token predictions in nats, and the share whose top-1 stands, "
        "when the network goes on from a layer; ms a sample to write and to read.",
        "",
        "| backend | bytes a sample | of bf16 | bits a value | profile | " + " | ".join(HIDDEN) + " | write | read |",
        "|---|---|---|---|---|" + "---|" * (len(HIDDEN) + 2),
    ]
    for row in rows:
        moved = " | ".join(f"{own['kl']:.5f}, {100 * own['top1']:.1f} %" for own in row["places"].values())
        lines.append(
            f"| {row['method']} | {row['bytes'] / figures['windows']:,.0f} | {100 * row['bytes'] / whole:.1f} % "
            f"| {row['bpfp']:.2f} | {row['profile_bytes'] or '-'} | {moved} | {row['write_ms']:.1f} "
            f"| {row['read_ms']:.1f} |"
        )
    lines += ["", "Times fewer bytes than bf16 at fp8's divergence, between the qualities above:", ""]
    lines += ["| backend | means of the layers | each layer's own, then the mean |", "|---|---|---|"]
    for name, ending in (("caufc", ""), ("caufc, profile", ", profile")):
        of_way = [row for row in rows if row["method"] in {f"caufc {quality:g}{ending}" for quality in QUALITIES}]
        together, apart = fewer_than_bf16(rows[0], rows[1], of_way)
        lines.append(f"| {name} | {together:.2f} | {apart:.2f} |")
    return "\n".join(lines)


def fewer_than_bf16(bf16: Row, fp8: Row, rows: Sequence[Row]) -> tuple[float, float]:
    """How many times fewer bytes files take at fp8's mean divergence, and with every layer at that of its own."""
    sizes = np.log([row["bytes"] for row in rows])
    moved = np.array([[row["places"][place]["kl"] for place in HIDDEN] for row in [fp8, *rows]])
    together = _size_at(float(moved[0].mean()), moved[1:].mean(axis=1), sizes)
    apart = [_size_at(float(moved[0, layer]), moved[1:, layer], sizes) for layer in range(len(HIDDEN))]
    return bf16["bytes"] / together, bf16["bytes"] / float(np.mean(apart))


def _size_at(divergence: float, divergences: NDArray[np.float64], sizes: NDArray[np.float64]) -> float:
    """Bytes at a divergence, on the lines between points in logarithms."""
    order = np.argsort(divergences)
    return float(np.exp(np.interp(np.log(divergence), np.log(divergences[order]), sizes[order])))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of agnews.csv")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="features are kept there")
    parser.add_argument("--windows", type=int, default=WINDOWS, help="samples that are stored")
    parser.add_argument("--fit-windows", type=int, default=FIT_WINDOWS, help="samples of other texts, for the profile")
    parser.add_argument("--results", metavar="NAME", help="write tools/results/NAME.*")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    bench = LanguageBench(options.data, options.work, options.windows, options.fit_windows)
    rows = []
    with torch.no_grad():
        given = samples(bench, "test")
        for method, profile_bytes in methods(samples(bench, "fit")):
            rows.append(row_of(bench, method, profile_bytes, given))
            print(f"  {method.name}: {rows[-1]['bpfp']:.3f}", file=sys.stderr, flush=True)
    figures = {"windows": options.windows, "fit_windows": options.fit_windows, "rows": rows}
    text = page(figures)
    print(text)
    if options.results:
        write_results(options.results, plain_command(sys.argv), figures, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
