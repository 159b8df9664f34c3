"""Weights of a tiny network, drawn at random: for vectors and tests, where training would take too long."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from caufc.codec.buckets import BUCKETS, bucket_of, zigzag
from caufc.codec.hyperprior.constants import SCALES
from caufc.codec.hyperprior.layers import (
    Layer,
    analysis_layers,
    hyper_analysis_layers,
    hyper_synthesis_layers,
    synthesis_layers,
)
from caufc.codec.hyperprior.weights import (
    ANALYSIS,
    FLOATS_OF,
    GAINS,
    HYPER_ANALYSIS,
    HYPER_SYNTHESIS,
    HYPER_SYNTHESIS_BIASES,
    HYPER_SYNTHESIS_SHIFTS,
    HYPER_TABLES,
    INVERSE_GAINS,
    LATENT_TABLES,
    NETWORK,
    SYNTHESIS,
    WEIGHTS_SECTIONS,
)
from caufc.codec.tables import levels_of
from caufc.coders.sections import ELEMENTS
from caufc.coders.side_files import weights_bytes

__all__ = ["tiny_arrays", "tiny_weights"]

LARGEST_CODE = 32_000
OUTPUT = 0.03
SHIFT = 12


def tiny_weights(seed: int = 0, **options: Any) -> bytes:
    """The bytes of a ``.caufw`` file."""
    return weights_bytes(tiny_arrays(seed, **options), f"tiny, seed {seed}")


def tiny_arrays(
    seed: int = 0, *, width: int = 3, latents: int = 5, rates: int = 2, shortcut: bool = True
) -> dict[str, NDArray[Any]]:
    """Sections."""
    random = np.random.default_rng(seed)
    gains = np.exp2(np.arange(rates))[:, None] * random.uniform(2, 4, (1, latents))
    found: dict[str, NDArray[Any]] = {
        NETWORK: np.array([width, latents, rates, shortcut]),
        GAINS: _bits(gains),
        INVERSE_GAINS: _bits(1 / gains),
        LATENT_TABLES: _tables(np.exp2(np.linspace(-3, 8, SCALES))),
        HYPER_TABLES: _tables(random.uniform(0.5, 3, rates * width)),
    }
    networks = {
        ANALYSIS: analysis_layers(width, latents, shortcut),
        SYNTHESIS: synthesis_layers(width, latents, shortcut),
        HYPER_ANALYSIS: hyper_analysis_layers(width, latents),
    }
    for kind, layers in networks.items():
        codes, scales, biases = zip(*(_floats(layer, random) for layer in layers), strict=True)
        if kind == SYNTHESIS:  # aligned values lie around a half
            scales = (*scales[:6], *(OUTPUT * scale for scale in scales[6:]))
            biases = (*biases[:6], biases[6] + 0.5, *biases[7:])
        found |= {kind: np.concatenate(codes), FLOATS_OF[kind]: _bits(np.concatenate([*scales, *biases]))}
    hyper = hyper_synthesis_layers(width, latents)
    outputs = sum(layer.outputs for layer in hyper)
    found[HYPER_SYNTHESIS] = np.concatenate([random.integers(-3000, 3000, layer.size) for layer in hyper])
    biases = random.integers(0, 20, outputs - latents)
    found[HYPER_SYNTHESIS_BIASES] = np.concatenate([biases, np.full(latents, 25)]) << SHIFT
    found[HYPER_SYNTHESIS_SHIFTS] = np.full(outputs, SHIFT)
    return {name: np.asarray(found[name]).ravel().astype(ELEMENTS[name]) for name in WEIGHTS_SECTIONS}


def _floats(layer: Layer, random: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Codes, scales and biases of a layer that keeps the size of its inputs, about."""
    if layer.kind == "gdn":
        codes = random.integers(0, LARGEST_CODE, layer.size)
        return codes, np.full(layer.outputs, 0.01 / LARGEST_CODE), np.ones(layer.outputs)
    codes = random.integers(-LARGEST_CODE, LARGEST_CODE, layer.size)
    terms = layer.size / layer.outputs / (4 if layer.kind == "deconv" else 1)
    return codes, np.full(layer.outputs, 1 / LARGEST_CODE / terms**0.5), random.normal(0, 0.1, layer.outputs)


def _tables(scales: NDArray[Any]) -> NDArray[np.uint8]:
    """Tables of Laplace distributions of these deviations."""
    values = np.arange(-2000, 2001, dtype=np.int32)
    shares = np.exp(-np.abs(values)[None, :] / (scales[:, None] / 2**0.5))
    buckets = bucket_of(zigzag(values))
    counts = np.stack([np.bincount(buckets, weights=row, minlength=BUCKETS) for row in shares])
    return levels_of(counts)


def _bits(values: NDArray[Any]) -> NDArray[np.int32]:
    return np.asarray(values, "<f4").ravel().view("<i4")
