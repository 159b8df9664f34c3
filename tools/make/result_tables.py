"""Figures of tools/results as the Markdown that README.md and docs/results.md show."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "RESULTS",
    "ROOT",
    "cut",
    "divergence_range",
    "fill",
    "importance",
    "limits",
    "nncodec_ahead",
    "paper",
    "quality_table",
    "record",
    "section",
    "speeds",
    "table",
    "times_fewer",
]

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "tools" / "results"
Figures = Mapping[str, Any]

NETWORKS = {
    "EfficientNet-Lite0": ("efficientnet_lite0-block10", "efficientnet_lite0-last"),
    "ResNet-56": ("resnet56-layer2", "resnet56-layer3"),
    "vision transformer": ("vit-block3", "vit-block6"),
    "MiniLM": ("minilm-hidden3", "minilm-hidden6"),
}
"""The measured networks, with the tap in the middle and the last one."""

PLACES = ("middle", "last layer")
QUALITIES = ("low", "medium", "high")
NNCODEC, INT_K = "NNCodec", "int-k + zstd"
CACHE_ROWS = {
    "blind": "caufc, blind",
    "profile": "caufc, profile of other texts",
    "int4": "int-k, keys by channel, values by token (KIVI) + zstd",
    "kvtc": "PCA + DEFLATE (KVTC), basis of other texts, first token fp16",
}


def record(name: str) -> Figures:
    """A file of results, with its command, date and machine."""
    found: Figures = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found


def fill(template: str, parts: Mapping[str, str]) -> str:
    """A template with each ``{{name}}`` replaced.

    Raises:
        KeyError: for a name that has no part.
    """
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def cut(name: str, first: str) -> str:
    """The table of a results page whose first line begins so."""
    lines = (RESULTS / f"{name}.md").read_text("utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(first))
    stop = next((n for n, line in enumerate(lines[start:], start) if not line.startswith("|")), len(lines))
    return "\n".join(lines[start:stop])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows as Markdown."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def times_fewer() -> str:
    """How many times fewer bytes than rivals, by network: at 99 % of predictions, and at equal divergence."""
    rates, divergence = record("rates")["figures"]["taps"], record("divergence")["figures"]["taps"]

    def ratios(tap: str) -> list[str]:
        methods, equal = rates[tap]["methods"], divergence[tap]["ratios"]
        same = methods["int"]["at"]["0.99"]["bpfp"] / methods["blind"]["at"]["0.99"]["bpfp"]
        return [f"{same:.1f}", *(f"{equal[rival][0]:.1f}" for rival in (INT_K, NNCODEC))]

    heads = ("int-k, 99 % kept", "int-k, equal divergence", "NNCodec, equal divergence")
    head = (
        "",
        *(f"{place}: {title}" if number == 0 else title for place in PLACES for number, title in enumerate(heads)),
    )
    return table(head, ([name, *ratios(middle), *ratios(last)] for name, (middle, last) in NETWORKS.items()))


def quality_table() -> str:
    """What each named quality costs and keeps; empty where it was not measured."""
    if not (RESULTS / "qualities.json").exists():
        return ""
    found = record("qualities")["figures"]
    taps = found["taps"].values()
    columns: list[tuple[str, Callable[[str], str]]] = [
        (
            f"{len(found['taps'])} taps of 4 classifiers: BPFP, predictions kept",
            lambda quality: (
                f"{_span(tap[quality]['bpfp'] for tap in taps)}, "
                f"{_span(100 * tap[quality]['agreement']['mean'] for tap in taps)} %"
            ),
        ),
        (
            "embeddings: BPFP, recall@10",
            lambda quality: _both(found["embeddings"][quality], ", ", "recall_at_10", ".3f"),
        ),
    ]
    for kind, title in (("hidden15", "LLM hidden states"), ("cache", "KV cache")):
        if kind in found.get("language", {}):
            columns.append((f"{title}: BPFP, KL, top-1 kept", _language(found["language"][kind])))
    rows = [(quality, *(cell(quality) for _, cell in columns)) for quality in QUALITIES]
    return table(("quality", *(title for title, _ in columns)), rows)


def _language(figures: Figures) -> Callable[[str], str]:
    """Cells of a language model."""
    return lambda name: f"{_both(figures[name], ', ', 'kl', '.2g')}, {100 * figures[name]['agreement']['mean']:.1f} %"


def _both(own: Figures, between: str, score: str, shown: str) -> str:
    """The rate and the mean of a score."""
    return f"{own['bpfp']:.2f}{between}{own[score]['mean']:{shown}}"


def _span(values: Iterable[float]) -> str:
    """The smallest and the largest, with at most two decimals."""
    found = sorted(values)
    low, high = (f"{value:.2f}".removesuffix(".00") for value in (found[0], found[-1]))
    return low if low == high else f"{low} to {high}"


def limits() -> dict[str, str]:
    """What falls short, in words and figures: speeds, and a language model's cache beside what people use."""
    found = {"encode": speeds("encode"), "decode": speeds("decode")}
    cache = {key: cell("language", row, "cache").partition(" ")[0] for key, row in CACHE_ROWS.items()}
    return {**found, **{key: f"{float(rate):.2f}" for key, rate in cache.items()}}


def cell(name: str, row: str, column: str) -> str:
    """A cell of the first table of ``NAME.md`` that has the row and the column."""
    heads: list[str] = []
    for line in (RESULTS / f"{name}.md").read_text("utf-8").splitlines():
        cells = [part.strip() for part in line.strip("|").split("|")] if line.startswith("|") else []
        heads = heads if heads and cells else cells
        if cells[:1] == [row] and column in heads:
            return cells[heads.index(column)]
    raise KeyError(f"{name}.md has no '{column}' of '{row}'")


def speeds(way: str) -> str:
    """The slowest and the fastest features of ``throughput`` with compiled kernels, in MB/s."""
    found = [4e-6 * row["values"] / row["kernels"][way] for row in record("throughput")["figures"]["rows"]]
    return f"{min(found):.0f} to {max(found):.0f}"


def section(name: str, end: str) -> str:
    """The page of a file of results up to a heading, as a section; empty where it was not measured."""
    path = RESULTS / f"{name}.md"
    if not path.exists():
        return ""
    body = path.read_text("utf-8").partition(f"\n## {end}")[0].partition("\n## Made with")[0]
    return re.sub(r"^##", "###", body.partition("\n")[2].strip(), flags=re.MULTILINE)


def importance() -> dict[str, str]:
    """What blind importance saves on the test half: the geometric mean of taps, and their range."""
    found = [tap["test"] for tap in record("importance")["figures"]["taps"].values()]
    mean = 100 * math.expm1(sum(math.log1p(more / 100) for more in found) / len(found))
    return {"mean": f"{mean:.0f}", "least": f"{min(found):.0f}", "most": f"{max(found):+.0f}"}


def nncodec_ahead() -> str:
    """On which taps NNCodec needs fewer bytes at 99 % of predictions than blind coding, in words."""
    found = []
    for tap in record("paper")["taps"]:
        own, other = (
            next(method["at"]["0.99"] for method in tap["methods"] if method["key"] == key)
            for key in ("blind", "nncodec")
        )
        if other["bpfp"] < own["bpfp"]:
            fewer = 100 * (1 - other["bpfp"] / own["bpfp"])
            ranges = " and ".join(f"{at['low']:.1f} to {at['high']:.1f}" for at in (other, own))
            found.append(f"`{tap['task']}` `{tap['tap']}`, {fewer:.0f} % fewer, with intervals of {ranges} BPFP")
    return "; ".join(found) or "none"


def divergence_range() -> str:
    """The least and the most that NNCodec takes at equal divergence."""
    found = [tap["ratios"][NNCODEC][0] for tap in record("divergence")["figures"]["taps"].values()]
    return f"{min(found):.2f} to {max(found):.1f}"


MEANS = ("bd_rate", "bd_rate_geometric")
SPEEDS = ("encode_mb_s", "decode_mb_s")


def paper() -> str:
    """What the paper's experiment found, for its codecs and the best rivals."""
    results = record("paper")
    rows = []
    for key in ("blind", "reads", "task", "hyperprior", "nncodec", "int"):
        own = next(each for each in results["summary"] if each["key"] == key)
        name = next(method["name"] for method in results["methods"] if method["key"] == key)
        fewer, speed = own["fewer_than_anchor"]["0.99"], own["speed"]
        cells = [_times(fewer["interior"]), _times(fewer["read-out"])]
        cells += [f"{own[mean]['all']:.1f} %" for mean in MEANS]
        cells += [_times(own["fewer_than_best_rival"].get("0.99", {}).get("all", {}))]
        rows.append((name, *cells, *(f"{speed[way]:.1f}" for way in SPEEDS)))
    head = (
        "",
        "times fewer bytes than the hyperprior of one architecture: interior",
        "read-out",
        "BD-rate, mean",
        "geometric",
        "times fewer bytes than the best rival",
        "encode MB/s",
        "decode MB/s",
    )
    return table(head, rows)


def _times(found: Figures) -> str:
    if not found.get("mean"):
        return "-"
    some = "" if found["taps"] == found["of"] else f" ({found['taps']} of {found['of']} taps)"
    return f"{found['mean']:.2f}{some}"
