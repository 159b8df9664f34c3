"""What qualities do to search: sentence embeddings of WordNet's glosses, coded, and searched with other glosses."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caufc.evaluate.rivals.base import Rival, TensorSpec
from caufc.evaluate.rivals.registry import find_rivals
from tools.measure.point_log import PointLog
from tools.measure.qualities_common import (
    ZSTD_LEVEL,
    Figures,
    Method,
    caufc_methods,
    cell,
    closeness,
    interval,
    measured,
    table,
)

__all__ = ["WORDNET", "measure", "shown"]

Floats = NDArray[np.float32]

WORDNET = Path("/usr/share/wordnet")
"""Where Debian's wordnet-base has its data files."""

QUERIES, NEAREST = 500, 10
PIECE = 4000
"""Embeddings that are computed, and written, at once."""

BATCH = 200
RIVALS = ("int8", "int4")
SNRS = ("snr_db", "token_snr_db")


def measure(wordnet: Path, work: Path, log: PointLog, count: int) -> Figures:
    """Figures of every method.

    Args:
        wordnet: folder of ``data.noun`` and its like.
        work: where embeddings are kept.
        log: of points that were measured before.
        count: embeddings to search in.
    """
    bench = _Bench(wordnet, work, count)
    methods = [*caufc_methods("b c"), *_rivals()]
    return measured(log, f"{count} embeddings,", methods, bench.point)


class _Bench:
    """Embeddings, queries, and which embeddings are nearest to each."""

    def __init__(self, wordnet: Path, work: Path, count: int) -> None:
        self._wordnet, self._work, self._count = wordnet, work, count
        self._loaded: tuple[Floats, Floats, NDArray[np.intp]] | None = None

    def point(self, method: Method) -> Figures:
        """What a method costs and changes."""
        base, queries, right = self._load()
        size, back = method.code(base)
        found = nearest(np.asarray(back), queries)
        recall = [len(np.intersect1d(a, b)) / NEAREST for a, b in zip(found, right, strict=True)]
        return {
            "embeddings": len(base),
            "queries": len(queries),
            "bytes": size,
            "bpfp": 8 * size / base.size,
            **closeness([base], [back]),
            "recall_at_10": interval(np.array(recall)),
        }

    def _load(self) -> tuple[Floats, Floats, NDArray[np.intp]]:
        if self._loaded is None:
            texts = glosses(self._wordnet)
            if len(texts) < QUERIES + self._count:
                raise SystemExit(f"WordNet has {len(texts):,} glosses: at most {len(texts) - QUERIES:,} embeddings")
            order = np.random.default_rng(0).permutation(len(texts))[: QUERIES + self._count]
            embeddings = embedded([texts[number] for number in order], self._work / "embeddings")
            queries, base = embeddings[:QUERIES], embeddings[QUERIES:]
            self._loaded = base, queries, nearest(base, queries)
        return self._loaded


def glosses(folder: Path) -> list[str]:
    """WordNet's glosses, each once, in the order of the alphabet."""
    found = set()
    for part in ("noun", "verb", "adj", "adv"):
        path = folder / f"data.{part}"
        if not path.is_file():
            raise SystemExit(f"{path} is missing: apt-get install wordnet-base, or name the folder with --wordnet")
        for line in path.read_text("utf-8").splitlines():
            if not line.startswith("  "):
                found.add(line.partition("|")[2].strip())
    return sorted(found)


def embedded(texts: list[str], folder: Path) -> Floats:
    """Embeddings of texts ``[N, 384]``, of unit length, kept in pieces."""
    folder.mkdir(parents=True, exist_ok=True)
    network: Any = None
    parts = []
    for start in range(0, len(texts), PIECE):
        piece = texts[start : start + PIECE]
        path = folder / f"{start}-{start + len(piece)}.npy"
        if not path.exists():
            network = network or _network()
            unfinished = path.with_suffix(".partial.npy")
            np.save(unfinished, _piece(network, piece))
            unfinished.replace(path)
            print(f"{start + len(piece):,} embeddings of {len(texts):,}", file=sys.stderr, flush=True)
        parts.append(np.load(path))
    return np.concatenate(parts)


def _network() -> Any:
    from caufc.plugins.measuring_networks import MiniLM

    return MiniLM()


def _piece(network: Any, texts: list[str]) -> Floats:
    """Embeddings of texts, like lengths together."""
    import torch

    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    found = np.empty((len(texts), network.net.config.hidden_size), np.float32)
    for start in range(0, len(order), BATCH):
        numbers = order[start : start + BATCH]
        with torch.no_grad():
            tokens = network.extract([texts[number] for number in numbers], ["hidden6"])["hidden6"]
        means = torch.stack([sample.mean(0) for sample in tokens])
        found[numbers] = torch.nn.functional.normalize(means, dim=1).numpy()
    return found


def nearest(base: Floats, queries: Floats) -> NDArray[np.intp]:
    """Numbers of the ten embeddings of the largest cosine with each query ``[Q, 10]``."""
    lengths = np.linalg.norm(base, axis=1)
    cosines = queries @ (base / np.maximum(lengths, 1e-30)[:, None]).T
    found: NDArray[np.intp] = np.argpartition(-cosines, NEAREST, axis=1)[:, :NEAREST]
    return found


def _rivals() -> list[Method]:
    return [_rival(name, variants) for name, variants in zip(RIVALS, find_rivals(RIVALS, ZSTD_LEVEL), strict=True)]


def _rival(name: str, variants: Sequence[Rival]) -> Method:
    """The smallest of a rival's variants."""

    def code(base: Floats) -> tuple[int, Floats]:
        plan = TensorSpec("fp32", [base.shape], (1,))
        datas = [variant.encode([base], plan) for variant in variants]
        size, number = min((len(data), number) for number, data in enumerate(datas))
        return size, variants[number].decode(datas[number], plan, np.dtype("<f4"))[0]

    return Method(f"{name} + zstd", code)


def shown(found: Figures) -> str:
    """Figures as Markdown."""
    rows = [
        (name, f"{own['bpfp']:.2f}", *(f"{own[key]:.1f}" for key in SNRS), cell(own["recall_at_10"], ".3f"))
        for name, own in found.items()
    ]
    return table(("method", "BPFP", "SNR dB", "99 % of tokens", "recall@10"), rows)
