"""Hidden states of all layers in one array keep what each layer needs, in about the bytes that layers take apart."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc

States = NDArray[np.float32]
LAYERS, TEXTS, TOKENS, CHANNELS = 12, 4, 256, 192


@functools.cache
def states() -> States:
    """As of a language model ``[L, B, T, D]``: layers that grow, refine what came before, and have sinks."""
    draw = np.random.default_rng(5)
    mixing = np.linalg.qr(draw.standard_normal((CHANNELS, CHANNELS)))[0] * (1 + np.arange(CHANNELS)) ** -0.6

    def drawn() -> NDArray[np.float64]:
        values = draw.standard_normal((TEXTS, TOKENS, CHANNELS)) @ mixing
        values[:, 1:] += 0.3 * values[:, :-1]
        return np.asarray(values / values.std())

    found, stream = [], drawn()
    for layer in range(LAYERS):
        size = 0.02 if not layer else 1.3**layer
        here = stream * size
        if 3 < layer < LAYERS - 1:
            here[:, 0] *= 10
            here[:, 0, [7, 90]] = 3000, -900
        found.append(here)
        stream = (stream + 0.5 * drawn()) / 1.25**0.5
    return np.stack(found).astype(np.float32)


@functools.cache
def bytes_apart() -> int:
    return sum(len(caufc.encode(layer)) for layer in states())


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 0, 2), (1, 2, 0)], ids=["l b t d", "b l t d", "b t l d"])
def test_layers_keep_what_each_needs(axes: tuple[int, int, int]) -> None:
    stacked = np.ascontiguousarray(states().transpose(*axes, 3))
    data = caufc.encode(stacked)
    error = np.square(caufc.decode(data) - stacked, dtype=np.float64).sum(axis=-1)
    levels = 10 * np.log10(np.square(stacked, dtype=np.float64).sum(axis=-1) / error)
    assert np.percentile(levels, 1) > 20
    assert len(data) < 1.05 * bytes_apart()


def test_a_layer_of_many_may_stand_first() -> None:
    """No sample of its tokens tells of the others."""
    stacked = np.concatenate([states()[:1], states()[4:7]])
    apart = sum(len(caufc.encode(layer)) for layer in stacked)
    assert len(caufc.encode(stacked)) < 1.05 * apart
