"""The learned codec: exact integers, tiles, symbols; with tiny weights, drawn at random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caufc.codec.hyperprior.codec import HyperpriorCodec, Latents
from caufc.codec.hyperprior.integer_network import LARGEST_ACTIVATION, HyperSynthesis
from caufc.codec.hyperprior.layers import Layer, LayerNumbers, hyper_synthesis_layers
from caufc.codec.hyperprior.tiles import tiles
from caufc.codec.hyperprior.weights import Weights
from caufc.coders.side_files import read_weights, weights_bytes
from caufc.errors import MalformedError
from caufc.limits import DEFAULT_LIMITS

torch = pytest.importorskip("torch")
functional = torch.nn.functional

TINY = Path(__file__).resolve().parents[2] / "spec" / "vectors" / "1.0" / "profiles" / "tiny.caufw"


@pytest.fixture(scope="module")
def weights() -> Weights:
    return read_weights(TINY.read_bytes(), DEFAULT_LIMITS).weights


def integer_layers(random: np.random.Generator, width: int, latents: int, largest: int) -> list[LayerNumbers]:
    return [
        LayerNumbers(
            layer,
            random.integers(-largest, largest + 1, layer.shape),
            random.integers(-(1 << 20), 1 << 20, layer.outputs),
            random.integers(1, 20, layer.outputs),
        )
        for layer in hyper_synthesis_layers(width, latents)
    ]


def by_torch(layers: list[LayerNumbers], hyper: Any, rows: int, columns: int) -> Any:
    """The same network in torch's float64."""
    x = torch.from_numpy(hyper.astype(np.float64))
    for number, layer in enumerate(layers):
        kernels = torch.from_numpy(layer.kernels.astype(np.float64))
        if number < 2:
            x = functional.conv_transpose2d(x, kernels.transpose(0, 1), stride=2, padding=2, output_padding=1)
        else:
            x = functional.conv2d(x, kernels, padding=1)
        bias, shift = (torch.from_numpy(np.asarray(a, np.int64))[:, None, None] for a in (layer.first, layer.second))
        x = ((x.to(torch.int64) + bias + (1 << (shift - 1))) >> shift).double()
        x = x.clamp(0, 63 if number == 2 else LARGEST_ACTIVATION)
    return x[:, :, :rows, :columns].numpy().astype(np.uint8)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_the_integer_network_is_torchs(seed: int, width: int, latents: int, height: int, across: int) -> None:
    random = np.random.default_rng(seed)
    layers = integer_layers(random, width, latents, 32_767)
    hyper = random.integers(-32_767, 32_768, (2, width, height, across))
    rows, columns = 4 * height - seed % 4, 4 * across - seed % 3
    found = HyperSynthesis(layers).indexes(hyper, rows, columns)
    np.testing.assert_array_equal(found, by_torch(layers, hyper, rows, columns))
    assert found.dtype == np.uint8 and found.shape == (2, latents, rows, columns)


def test_sums_that_float64_could_round_are_refused() -> None:
    layer = Layer("conv", 1, 1, 3, 1)
    kernels = np.zeros(layer.shape, np.int64)
    kernels[0, 0, 0, 0] = 1 << 37
    wide = [LayerNumbers(layer, kernels, np.zeros(1, np.int64), np.ones(1, np.int64))]
    HyperSynthesis(wide)  # times 32,767 that is below 2^53
    kernels[0, 0, 0, 1] = 1 << 38
    with pytest.raises(MalformedError) as caught:
        HyperSynthesis(wide)
    assert caught.value.requirement == 406


@given(st.integers(0, 3000), st.integers(0, 5000))
def test_tiles_cover_the_plane_once(rows: int, columns: int) -> None:
    found = tiles(rows, columns)
    assert sum(tile.rows * tile.columns for tile in found) == rows * columns
    assert all(0 < tile.rows <= 512 and 0 < tile.columns <= 2048 for tile in found)
    assert len({(tile.top, tile.left) for tile in found}) == len(found)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([(0, 7), (1, 1), (17, 15), (70, 33), (513, 2), (3, 2100)]))
def test_any_symbols_come_back(weights: Weights, seed: int, shape: tuple[int, int]) -> None:
    codec, random = HyperpriorCodec(weights, seed % 2), np.random.default_rng(seed)
    empty = codec.symbols(np.zeros(shape, np.float32))
    hyper = random.geometric(0.3, empty.hyper.shape).astype(np.int32) - 1
    latents = (random.pareto(1, empty.latents.shape) * 3).clip(0, (1 << 28) - 1).astype(np.int32)
    payload = codec.encode(Latents(hyper, latents), *shape)
    found = codec.decode_symbols(payload, *shape)
    np.testing.assert_array_equal(found.hyper, hyper)
    np.testing.assert_array_equal(found.latents, latents)


def test_tiles_do_not_depend_on_each_other(weights: Weights) -> None:
    plane = np.random.default_rng(0).random((1200, 20)).astype(np.float32)
    codec = HyperpriorCodec(weights, 1)
    whole, parts = codec.symbols(plane), [codec.symbols(plane[start : start + 512]) for start in (0, 512, 1024)]
    np.testing.assert_array_equal(whole.latents, np.concatenate([part.latents for part in parts]))
    back = codec.reconstruct(whole, *plane.shape)
    apart = [codec.reconstruct(part, min(512, 1200 - 512 * n), 20) for n, part in enumerate(parts)]
    np.testing.assert_allclose(back, np.concatenate(apart), atol=1e-5)


def test_weights_come_back(weights: Weights) -> None:
    data = weights_bytes(weights.arrays, "name")
    again = read_weights(data, DEFAULT_LIMITS)
    assert {kind: array.tobytes() for kind, array in again.weights.arrays.items()} == {
        kind: array.tobytes() for kind, array in weights.arrays.items()
    }
    assert again.weights.encodes and not again.shipped
    with pytest.raises(MalformedError) as caught:
        HyperpriorCodec(weights, weights.rates)
    assert caught.value.requirement == 400
