"""Valid files of the learned codec whose weights and symbols are drawn at random."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caufc.bitstream import section_bytes
from caufc.codec.hyperprior.codec import HyperpriorCodec, Latents
from caufc.codec.hyperprior.weights import (
    DECODER_SECTIONS,
    HYPER_SYNTHESIS_BIASES,
    HYPER_SYNTHESIS_SHIFTS,
    SYNTHESIS_FLOATS,
    Weights,
)
from caufc.coders.sections import section_of
from tools.make.file_parts import Parts, chunk, record
from tools.make.invalid_codecs import coded
from tools.make.invalid_learned import learned_file
from tools.make.plain_weights import plain_arrays
from tools.make.tiny_weights import tiny_arrays

__all__ = ["drawn_latents"]

SEED = 23


def drawn_latents() -> Iterator[tuple[str, str, Parts]]:
    """Name, what it is, and file."""
    rng = np.random.default_rng(SEED)
    for name, rate, shortcut in (("drawn", 1, True), ("drawn-plain", 0, False)):
        arrays = _changed(tiny_arrays(SEED, shortcut=shortcut), 9, far=False)
        yield f"hyperprior-{name}", "symbols and weights drawn at random", _file(rng, arrays, rate, 150, 90)
    for size in (0, 1, 3):
        arrays = tiny_arrays(SEED + size, width=2, latents=3)
        yield (
            f"hyperprior-clamped-{size}",
            "layers that clamp at both ends",
            _file(rng, _changed(arrays, size, far=True), 0, 80, 70),
        )
    arrays = tiny_arrays(SEED, width=1, latents=1, rates=1, shortcut=False)
    yield "hyperprior-four-tiles", "tiles from left to right, then downwards", _file(rng, arrays, 0, 514, 2050)
    yield "hyperprior-truncated-scaled", "the ends of a truncation, then scales of tokens", _scaled()


def _scaled() -> Parts:
    """Values of 0, which a truncation makes 1, and scales of their tokens [CAUF-0422]."""
    scales = np.array([0, 8, 16, -8, 24, 0, 0, 0], "<i2")
    parts = learned_file(plain_arrays(), alignment=[1, 0, 0.0, 1.0, 1.0, 2.0])
    payload = b"\x02" + coded(scales, "<i2")
    parts.chunks = [chunk(payload=payload, symbols=scales.tobytes() + bytes(8))]
    return parts


def _changed(arrays: dict[str, NDArray[Any]], size: int, *, far: bool) -> dict[str, NDArray[Any]]:
    """Weights with other scales and rounding everywhere, and biases that are far off in the first layers, if wanted."""
    rng = np.random.default_rng(size)
    found = {name: array.copy() for name, array in arrays.items()}
    floats = found[SYNTHESIS_FLOATS].view("<f4")
    scales = floats[: len(floats) // 2]
    scales *= rng.uniform(0.5, 1.5, len(scales)).astype("f4")
    biases, shifts = found[HYPER_SYNTHESIS_BIASES], found[HYPER_SYNTHESIS_SHIFTS]
    biases += rng.integers(0, 4096, len(biases)).astype("i4")
    if not far:
        return found
    biases[:4] = (1 << 28) + 77, -(1 << 28) - 5, 30_000, 1 << 27
    shifts[:4] = 9, 12, 11, 10
    return found


def _file(rng: np.random.Generator, arrays: dict[str, NDArray[Any]], rate: int, rows: int, columns: int) -> Parts:
    """One sample of tokens x channels."""
    codec = HyperpriorCodec(Weights.from_arrays(arrays), rate)
    size = len(codec.hyper_tables(rows, columns))
    hyper = _symbols(rng, size, 20)
    latents = _symbols(rng, len(codec.scale_indexes(hyper, rows, columns)), 200)
    words = codec.encode(Latents(hyper, latents), rows, columns)
    covered = hyper.astype("<i4").tobytes() + latents.astype("<i4").tobytes()
    parts = Parts(
        fields=[1, None, 0, None, None, [record(shape=[rows, columns], layout="n c", codec=2, parameters=[rate])]]
    )
    parts.sections = [section_bytes(section_of(0, name, arrays[name])) for name in DECODER_SECTIONS]
    parts.chunks = [chunk(count=1, payload=b"\x00" + words, symbols=covered)]
    parts.end = b"\x01"
    return parts


def _symbols(rng: np.random.Generator, count: int, largest: int) -> NDArray[np.int32]:
    """Mostly zeros and small ones."""
    small = np.where(rng.random(count) < 0.2, rng.integers(0, 6, count), 0)
    return np.where(rng.random(count) < 0.01, rng.integers(0, largest, count), small).astype(np.int32)
