"""The export of a trained model: integers for the hyper-synthesis, codes for the float networks, counted tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from compressai.layers import GDN
from numpy.typing import NDArray
from torch import nn

from ..codec.buckets import BUCKETS, bucket_of, zigzag
from ..codec.hyperprior.codec import HyperpriorCodec
from ..codec.hyperprior.constants import LARGEST_SCALE, MIDDLE, SCALES, SMALLEST_SCALE, SPREAD
from ..codec.hyperprior.integer_network import LARGEST_ACTIVATION
from ..codec.hyperprior.tiles import TILE_COLUMNS, TILE_ROWS
from ..codec.hyperprior.weights import (
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
    Weights,
)
from ..codec.tables import levels_of
from ..coders.sections import ELEMENTS
from ..coders.side_files import weights_bytes
from .model import INDEX_UNIT, START_INDEX, ScaleHyperprior
from .planes import Plane

__all__ = ["export_weights"]

LARGEST_CODE = (1 << 15) - 1
LARGEST_BIAS = (1 << 31) - 1
"""The largest numbers of the integer network's sections (spec, section 14.2)."""

MOST_SHIFT = 40
"""Well within the 48 that [CAUF-0406] allows, so that sums stay within its bound."""

HEADROOM = 1.5
"""Activations may exceed those that were seen by so much before they are clipped; chosen by hand."""

PRIOR_COUNTS = 64.0
"""Weight of the model's own distributions in tables, in symbols; chosen by hand."""

COUNTED_VALUES = 1 << 20
"""Values of every plane that tables are counted on; chosen by hand."""

REACH = 4096
"""Latents beyond are left out of the model's own distributions."""

Values = NDArray[Any]


def export_weights(model: ScaleHyperprior, planes: Sequence[Plane], name: str | None = None) -> bytes:
    """The bytes of a ``.caufw`` file.

    Args:
        model: trained.
        planes: that tables are counted on.
        name: what it was trained on; informative.
    """
    model = model.cpu().eval()
    with torch.no_grad():
        arrays = _network_arrays(model)
        parts = [_part(plane) for plane in planes]
        arrays |= _hyper_synthesis(model, parts)
        arrays |= _prior_tables(model)
        arrays |= _counted_tables(model, arrays, parts)
    return weights_bytes(arrays, name)


def _part(plane: Plane) -> Values:
    """A part of a plane, taken evenly in runs as long as tiles."""
    rows = max(1, COUNTED_VALUES // plane.values.shape[1])
    runs = max(1, rows // TILE_ROWS)
    starts = np.linspace(0, max(0, len(plane.values) - TILE_ROWS), runs).astype(int)
    return np.concatenate([plane.values[start : start + TILE_ROWS] for start in np.unique(starts)])


def _network_arrays(model: ScaleHyperprior) -> dict[str, Values]:
    """The sections of sizes, gains and float networks."""
    shape = model.shape
    flags = int(model.linear_analysis is not None)
    found: dict[str, Values] = {
        NETWORK: np.array([shape.width, shape.latents, len(shape.lambdas), flags], "<u2"),
        GAINS: _bits(torch.exp(model.log_gains).numpy().ravel()),
        INVERSE_GAINS: _bits(torch.exp(model.log_inverse_gains).numpy().ravel()),
    }
    networks = (
        (ANALYSIS, model.analysis, model.linear_analysis),
        (SYNTHESIS, model.synthesis, model.linear_synthesis),
        (HYPER_ANALYSIS, model.hyper_analysis, None),
    )
    for kind, network, blocks in networks:
        layers = [_layer_numbers(layer) for layer in network if not isinstance(layer, nn.ReLU)]
        if blocks is not None:
            layers.append((blocks.numpy()[:, 0], np.zeros(len(blocks), np.float32)))
        if kind == SYNTHESIS:
            layers = list(_uncentred(layers, blocks is not None))
        codes, scales = zip(*(_coded(kernels) for kernels, _ in layers), strict=True)
        found[kind] = np.concatenate([code.ravel() for code in codes])
        found[FLOATS_OF[kind]] = _bits(np.concatenate([*scales, *(second for _, second in layers)]))
    return found


def _uncentred(layers: list[tuple[Values, Values]], shortcut: bool) -> Iterator[tuple[Values, Values]]:
    """The synthesis' layers, the last one giving aligned values."""
    last = len(layers) - 1 - shortcut
    for number, (kernels, second) in enumerate(layers):
        if number < last:
            yield kernels, second
        else:
            yield kernels * SPREAD, second * SPREAD + (MIDDLE if number == last else 0)


def _layer_numbers(layer: nn.Module) -> tuple[Values, Values]:
    """The kernels of a layer, outputs first, and its biases; of a normalisation its two parameters."""
    if isinstance(layer, GDN):
        return layer.gamma_reparam(layer.gamma).numpy(), layer.beta_reparam(layer.beta).numpy()
    convolution = cast("nn.Conv2d", layer)
    kernels, biases = convolution.weight.numpy(), cast("torch.Tensor", convolution.bias).numpy()
    return (kernels.swapaxes(0, 1) if isinstance(layer, nn.ConvTranspose2d) else kernels), biases


def _coded(kernels: Values) -> tuple[Values, Values]:
    """16-bit codes, and a scale an output."""
    flat = kernels.reshape(len(kernels), -1)
    scales = np.maximum(np.abs(flat).max(axis=1), 1e-20) / LARGEST_CODE
    scales = scales.astype(np.float32)
    codes = np.rint(flat / scales[:, None].astype(np.float64))
    return np.clip(codes, -LARGEST_CODE, LARGEST_CODE).astype("<i2"), scales


def _bits(values: Values) -> Values:
    return np.ascontiguousarray(values, "<f4").view("<i4")


def _hyper_synthesis(model: ScaleHyperprior, parts: Sequence[Values]) -> dict[str, Values]:
    """The sections of the integer network."""
    layers = [_layer_numbers(layer) for layer in model.hyper_synthesis if not isinstance(layer, nn.ReLU)]
    kernels, biases = layers[-1]
    layers[-1] = (kernels * INDEX_UNIT, biases * INDEX_UNIT + START_INDEX)
    fractions = [0, *_fractions(model, parts), 0]
    found = [
        _integers(kernels, biases, before, behind)
        for (kernels, biases), before, behind in zip(layers, fractions, fractions[1:], strict=False)
    ]
    return {
        HYPER_SYNTHESIS: np.concatenate([codes.ravel() for codes, _, _ in found]).astype("<i2"),
        HYPER_SYNTHESIS_BIASES: np.concatenate([bias for _, bias, _ in found]).astype("<i4"),
        HYPER_SYNTHESIS_SHIFTS: np.concatenate([shift for _, _, shift in found]).astype("u1"),
    }


def _fractions(model: ScaleHyperprior, parts: Sequence[Values]) -> list[int]:
    """Bits behind the point of the activations of both hidden layers, as many as their largest allows."""
    largest = [1e-3, 1e-3]
    for hyper in _hyper_latents(model, parts):
        values = hyper
        for number in range(2):
            values = model.hyper_synthesis[2 * number](values).clamp_min(0)
            largest[number] = max(largest[number], float(values.max()))
    return [int(np.clip(math.floor(math.log2(LARGEST_ACTIVATION / (HEADROOM * top))), 0, 16)) for top in largest]


def _hyper_latents(model: ScaleHyperprior, parts: Sequence[Values]) -> Iterator[torch.Tensor]:
    """Rounded hyper-latents of a tile of every part, at every rate."""
    for part in parts:
        tile = part[:TILE_ROWS, :TILE_COLUMNS]
        tile = np.pad(tile, ((0, -len(tile) % 16), (0, -tile.shape[1] % 16)), mode="edge")
        for rate in range(len(model.shape.lambdas)):
            latents = model.latents(torch.from_numpy(tile)[None, None], torch.tensor([rate]))
            yield torch.round(model.hyper_latents(latents))


def _integers(kernels: Values, biases: Values, before: int, behind: int) -> tuple[Values, Values, Values]:
    """Codes, biases and shifts of a layer whose inputs and outputs have so many bits behind the point.

    All of it in float64: in float32 the largest bias would round up to 2^31, which no i32 holds.
    """
    flat, biases = kernels.reshape(len(kernels), -1).astype(np.float64), biases.astype(np.float64)
    largest = np.maximum(np.abs(flat).max(axis=1), 2.0**-60)
    by_kernel = np.floor(np.log2(LARGEST_CODE / largest))
    by_bias = np.floor(np.log2(LARGEST_BIAS / np.maximum(np.abs(biases), 2.0**-60))) - before
    bits = np.clip(np.minimum(by_kernel, by_bias), max(1, behind - before + 1), MOST_SHIFT - before + behind)
    codes = np.rint(flat * 2.0 ** bits[:, None]).reshape(kernels.shape)
    return codes, np.rint(biases * 2.0 ** (bits + before)), bits + before - behind


@dataclass(frozen=True)
class _Counts:
    """How often buckets occurred: per scale index ``[64, 64]``, and per rate and channel ``[R N, 64]``."""

    latents: Values
    hyper: Values


def _prior_tables(model: ScaleHyperprior) -> dict[str, Values]:
    """The tables of the model's own distributions, before anything is counted."""
    counts = _prior_counts(model)
    return {LATENT_TABLES: levels_of(counts.latents).ravel(), HYPER_TABLES: levels_of(counts.hyper).ravel()}


def _prior_counts(model: ScaleHyperprior) -> _Counts:
    values = np.arange(-REACH, REACH + 1, dtype=np.int32)
    buckets = bucket_of(zigzag(values))
    scales = SMALLEST_SCALE * (LARGEST_SCALE / SMALLEST_SCALE) ** (np.arange(SCALES) / (SCALES - 1))
    edges = torch.from_numpy((values[None, :] + 0.5) / scales[:, None])
    below = torch.from_numpy((values[None, :] - 0.5) / scales[:, None])
    latents = (torch.special.ndtr(edges) - torch.special.ndtr(below)).numpy()
    repeated = torch.from_numpy(values.astype(np.float32)).repeat(model.shape.width, 1, 1)
    hyper = model.hyper_prior._likelihood(repeated)[0][:, 0].double().numpy()
    rates = len(model.shape.lambdas)
    return _Counts(_by_bucket(latents, buckets), np.tile(_by_bucket(hyper, buckets), (rates, 1)))


def _by_bucket(shares: Values, buckets: Values) -> Values:
    """Shares of values ``[T, V]`` to prior counts of buckets ``[T, 64]``."""
    found = np.zeros((len(shares), BUCKETS))
    for row, target in zip(shares, found, strict=True):
        target += np.bincount(buckets, weights=np.maximum(row, 0), minlength=BUCKETS)
    return PRIOR_COUNTS * found


def _counted_tables(model: ScaleHyperprior, arrays: dict[str, Values], parts: Sequence[Values]) -> dict[str, Values]:
    """Tables that follow what the integer network and the model make of the planes."""
    typed = {kind: np.asarray(array, ELEMENTS[kind]) for kind, array in arrays.items()}
    weights, prior = Weights.from_arrays(typed), _prior_counts(model)
    latents = prior.latents.copy()
    hyper = prior.hyper.reshape(weights.rates, weights.width, BUCKETS).copy()
    for rate in range(weights.rates):
        codec = HyperpriorCodec(weights, rate)
        for part in parts:
            symbols = codec.symbols(part)
            indexes = codec.scale_indexes(symbols.hyper, *part.shape)
            latents += _histograms(indexes, symbols.latents, SCALES)
            hyper[rate] += _histograms(codec.hyper_tables(*part.shape), symbols.hyper, weights.width)
    return {
        LATENT_TABLES: levels_of(latents).ravel(),
        HYPER_TABLES: levels_of(hyper.reshape(-1, BUCKETS)).ravel(),
    }


def _histograms(tables: Values, symbols: NDArray[np.int32], count: int) -> Values:
    """How often each bucket occurs in each table ``[T, 64]``."""
    keys = tables.astype(np.int64) * BUCKETS + bucket_of(symbols)
    return np.bincount(keys, minlength=count * BUCKETS).reshape(count, BUCKETS)
