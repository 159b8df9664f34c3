"""Sparse autoencoders of SAELens, trained on activations that were coded: bytes, and how well they explain exact ones.

    OMP_NUM_THREADS=1 python -m tools.measure.saelens --data DATA --work WORK [--results saelens]

Activations are what enters layer 15 of SmolLM2-135M, windows of 256 tokens of news; the first token of each, which has
massive channels, is stored and not trained on. Each way keeps them in a file, and SAELens' own trainer takes what
comes back: a TopK autoencoder of four times as many latents as channels, with the same seeds. All are judged on exact
activations of other texts: the share of variance that they explain, and how far next-token predictions move when the
network goes on from what they rebuild. docs/evaluate.md says what DATA holds. It takes about 10 minutes of one core.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import caufc
from tools.measure.language_model import LanguageBench
from tools.measure.machine import plain_command, write_results

PLACE = "hidden15"
WINDOWS, FIT_WINDOWS = 16, 256
QUALITIES = ("low", "medium")
SEEDS = (0, 1)
LATENTS, ACTIVE = 4, 32
"""Latents for each channel, and how many are active in a token."""

BATCH, STEPS = 512, 200

Floats = NDArray[np.float32]
Way = tuple[str, Callable[[Floats, Path], Floats]]
"""For people, and what keeps activations ``[B, T, C]`` in a folder and gives back what it has."""


def ways() -> Iterator[Way]:
    """Each."""
    yield "fp16", _fp16
    yield "fp8, a scale a token", _fp8
    for quality in QUALITIES:
        yield f"caufc {quality}", _caufc(quality)


def _fp16(states: Floats, folder: Path) -> Floats:
    np.save(folder / "states.npy", states.astype(np.float16))
    found: Floats = np.load(folder / "states.npy").astype(np.float32)
    return found


def _fp8(states: Floats, folder: Path) -> Floats:
    import torch

    given = torch.from_numpy(states)
    scales = given.abs().amax(-1, keepdim=True) / 448
    codes = (given / scales).to(torch.float8_e4m3fn)
    np.save(folder / "codes.npy", codes.view(torch.uint8).numpy())
    np.save(folder / "scales.npy", scales.numpy())
    found: Floats = (codes.float() * scales).numpy()
    return found


def _caufc(quality: Any) -> Callable[[Floats, Path], Floats]:
    def keep(states: Floats, folder: Path) -> Floats:
        with caufc.writer(folder / "states.cauf", layout="n c", quality=quality) as file:
            for window in states:
                file.add(window)
        return np.stack(caufc.load(folder / "states.cauf"))

    return keep


def trained(states: Floats, seed: int) -> Any:
    """SAELens' autoencoder of activations ``[B, T, C]``."""
    import torch
    from sae_lens import SAETrainer, TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.config import SAETrainerConfig

    torch.manual_seed(seed)
    channels = states.shape[-1]
    tokens = torch.from_numpy(states[:, 1:].reshape(-1, channels))

    def batches() -> Iterator[Any]:
        while True:
            order: Any = torch.randperm(len(tokens))
            yield from (tokens[part] for part in order.split(BATCH))

    config = TopKTrainingSAEConfig(
        d_in=channels, d_sae=LATENTS * channels, k=ACTIVE, normalize_activations="expected_average_only_in"
    )
    schedule = SAETrainerConfig(
        total_training_samples=BATCH * STEPS,
        train_batch_size_samples=BATCH,
        lr=1e-3,
        lr_end=1e-4,
        lr_decay_steps=STEPS // 4,
        n_batches_for_norm_estimate=16,
    )
    return SAETrainer(schedule, TopKTrainingSAE(config), batches()).fit().eval()


def judged(bench: LanguageBench, autoencoder: Any, exact: Floats) -> dict[str, float]:
    """Explained variance of exact activations ``[B, T, C]``, and the divergence of predictions from what is rebuilt."""
    import torch

    with torch.no_grad():
        rebuilt = exact.copy()
        rebuilt[:, 1:] = autoencoder(torch.from_numpy(exact[:, 1:])).numpy()
    given, error = exact[:, 1:].astype(np.float64), (exact - rebuilt)[:, 1:].astype(np.float64)
    spread = given - given.mean((0, 1))
    divergences, agreements = bench.moves(PLACE, {"states": rebuilt})
    return {
        "explained": float(1 - np.square(error).sum() / np.square(spread).sum()),
        "kl": float(np.mean(divergences)),
        "top1": float(np.mean(agreements)),
    }


def row_of(bench: LanguageBench, way: Way, states: Floats, exact: Floats) -> dict[str, Any]:
    """The figures of a way."""
    with tempfile.TemporaryDirectory() as folder:
        kept = way[1](states, Path(folder))
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    runs = [judged(bench, trained(kept, seed), exact) for seed in SEEDS]
    means = {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}
    return {"way": way[0], "bytes": size, "bits": 8 * size / states.size, **means, "runs": runs}


def page(figures: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    rows: Sequence[Mapping[str, Any]] = figures["rows"]
    lines = [
        f"What enters layer 15 of SmolLM2-135M, {figures['fit_windows']} windows of 256 tokens, 576 channels; one "
        f"file, of which all bytes count. TopK autoencoders of SAELens {figures['saelens']}, {LATENTS * 576:,} "
        f"latents, {ACTIVE} active, {STEPS} batches of {BATCH} tokens; means of {len(SEEDS)} seeds, in brackets each. "
        f"Judged on exact activations of {figures['windows']} other windows: variance explained, and KL of next-token "
        "predictions in nats when the network goes on from what the autoencoder rebuilds.",
        "",
        "| activations | bytes a token | bits a value | of fp16 | variance explained | KL, nats |",
        "|---|---|---|---|---|---|",
    ]
    half = next(row["bytes"] for row in rows if row["way"] == "fp16")
    for row in rows:
        explained = ", ".join(f"{100 * run['explained']:.2f}" for run in row["runs"])
        moved = ", ".join(f"{run['kl']:.4f}" for run in row["runs"])
        lines.append(
            f"| {row['way']} | {row['bytes'] / figures['fit_windows'] / 256:,.0f} | {row['bits']:.2f} "
            f"| {100 * row['bytes'] / half:.1f} % | {100 * row['explained']:.2f} % [{explained}] "
            f"| {row['kl']:.4f} [{moved}] |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of agnews.csv")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="activations are kept there")
    parser.add_argument("--windows", type=int, default=WINDOWS, help="on which autoencoders are judged")
    parser.add_argument("--fit-windows", type=int, default=FIT_WINDOWS, help="on which they are trained")
    parser.add_argument("--results", metavar="NAME", help="write tools/results/NAME.*")
    options = parser.parse_args()
    from importlib.metadata import version

    import torch

    torch.set_num_threads(1)
    bench = LanguageBench(options.data, options.work, options.windows, options.fit_windows)
    states, exact = (bench.features(PLACE, half)["states"] for half in ("fit", "test"))
    rows = []
    for way in ways():
        rows.append(row_of(bench, way, states, exact))
        print(f"  {way[0]}: {rows[-1]['bits']:.3f} {rows[-1]['explained']:.4f}", file=sys.stderr, flush=True)
    counts = {"windows": options.windows, "fit_windows": options.fit_windows, "saelens": version("sae-lens")}
    figures = {**counts, "rows": rows}
    text = page(figures)
    print(text)
    if options.results:
        write_results(options.results, plain_command(sys.argv), figures, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
