"""Valid vectors of integers: inputs whose best trees have nodes of every kind between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["integer_inputs"]

SEED = 52


def integer_inputs() -> Iterator[tuple[str, str, Any]]:
    """Name, what it is about, and features."""
    rng = np.random.default_rng(SEED)
    yield "integers-tokens", "token IDs with repeated phrases, padded", tokens(rng)
    yield "integers-masks", "masks: blocks, a triangle, rows of one run, noise", masks(rng)
    yield "integers-places", "codes of codebooks, 8-bit features by channel, pixels", places(rng)
    yield "integers-times", "times with a common step, offsets, counts with a long tail", times(rng)
    yield (
        "integers-colours",
        "few different large integers",
        rng.integers(-(1 << 62), 1 << 62, 40)[rng.integers(0, 40, 2000)],
    )
    yield "integers-bytes", "text that was read as integers of 8 bytes", text(rng)
    yield "integers-ends", "the ends of all ranges", ends()


def tokens(rng: np.random.Generator) -> Any:
    """Rows of 48 token IDs; a third of all words are of phrases."""
    words = np.minimum(rng.zipf(1.3, 6000), 30000) * 37 % 30011
    phrases = [words[start : start + 9] for start in range(0, 900, 9)]
    rows = np.full((60, 48), 30015, np.int64)
    for number, row in enumerate(rows):
        pieces = [
            phrases[rng.integers(100)] if rng.random() < 0.4 else words[rng.integers(5000) :][:9] for _ in range(5)
        ]
        line = np.concatenate(pieces)[: rng.integers(20, 46)]
        row[: len(line)] = line
        rows[number] = rows[number - 7] if number % 11 == 10 else row
    return {"ids": rows, "short": rows.astype(np.uint16)}


def masks(rng: np.random.Generator) -> Any:
    blocks = np.zeros((3, 64, 64), bool)
    for block in blocks:
        for _ in range(3):
            y, x = rng.integers(0, 40, 2)
            block[y : y + 20, x : x + 17] = True
    lengths = rng.integers(5, 60, 200)
    return {
        "blocks": blocks,
        "causal": np.tri(96, dtype=bool),
        "attention": (np.arange(64) < lengths[:, None]).astype(np.int64),
        "noise": rng.random(1003) < 0.5,
        "segments": np.repeat(rng.integers(0, 1000, 90), 16),
    }


def places(rng: np.random.Generator) -> Any:
    codes = np.minimum(rng.zipf(1.5, (4, 1500)), 200)
    pixels = 128 + np.cumsum(rng.integers(-3, 4, (32, 32, 3)), axis=1)
    scales = np.exp2(np.arange(32) % 5)
    return {
        "codes": (codes * np.array([[1], [7], [30], [101]]) % 211).astype(np.int16),
        "channels": np.rint(rng.standard_normal((300, 32)) * scales).astype(np.int8),
        "pixels": pixels.astype(np.uint8),
    }


def times(rng: np.random.Generator) -> Any:
    return {
        "times": 1_700_000_000_000_000_000 + np.cumsum(rng.integers(1, 4000, 1200)) * 1_000_000,
        "offsets": np.cumsum(rng.poisson(12, 1500)).astype(np.int32),
        "counts": (rng.pareto(0.7, 2000) * 40).astype(np.uint64),
        "positions": np.arange(960).reshape(20, 48),
        "walk": np.cumsum(rng.integers(-90, 90, 1000)).astype(np.int32),
    }


def text(rng: np.random.Generator) -> Any:
    words = [bytes(rng.integers(97, 123, rng.integers(2, 9)).astype(np.uint8)) for _ in range(60)]
    written = b" ".join(words[min(rng.zipf(1.4), 60) - 1] for _ in range(3000))
    return np.frombuffer(written[: len(written) // 8 * 8], "<i8")


def ends() -> Any:
    found = {}
    for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"):
        info = np.iinfo(name)
        found[name] = np.array([info.min, info.max, 0, 1, info.max - 1, info.min + 1, *range(5, 25)], name)
    return found
