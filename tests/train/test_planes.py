"""Planes and crops to train on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from caufc.errors import InputError
from caufc.train.planes import Plane, aligned_planes, crops


@pytest.mark.parametrize(("rows", "columns"), [(40, 49), (5, 16), (700, 130), (3, 1)])
def test_crops_are_padded_to_the_stride_with_the_edge(rows: int, columns: int) -> None:
    values = np.random.default_rng(0).standard_normal((rows, columns)).astype(np.float32)
    (first, second) = crops([Plane("x", values)], 2, 1 << 13, np.random.default_rng(1))
    assert first.shape == second.shape and first.shape[1] % 16 == first.shape[2] % 16 == 0
    assert set(np.unique(first)) <= set(np.unique(values))
    if columns == 49:
        assert (first[0, :40, 49:] == first[0, :40, 48:49]).all() and (first[0, 40:] == first[0, 39:40]).all()


def test_planes_are_all_tokens_of_each_tensor_of_floats() -> None:
    """Without an alignment they are the values, samples one after the other, channels last."""
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((70, 5, 2, 3)).astype(np.float32)  # more samples than are read at a time
    features: dict[str, Any] = {
        "maps": maps,
        "half": rng.standard_normal((70, 6, 8)).astype(np.float16),
        "ids": np.arange(70),
    }
    found = aligned_planes("x.npz", features, layout={"maps": "b c h w", "half": "b n c"}, align="none")
    assert [plane.name for plane in found] == ["x.npz:maps", "x.npz:half"]
    assert all(plane.values.dtype == np.float32 for plane in found)
    np.testing.assert_array_equal(found[0].values, np.moveaxis(maps, 1, -1).reshape(-1, 5))
    np.testing.assert_array_equal(found[1].values, features["half"].reshape(-1, 8).astype(np.float32))


def test_a_range_becomes_0_to_1_as_in_the_encoder() -> None:
    values = np.random.default_rng(1).standard_normal((9, 30, 12)).astype(np.float32)
    (plane,) = aligned_planes("x", values, layout="b n c", truncate=(-1, 2))
    assert (plane.name, plane.values.shape) == ("x", (270, 12))
    np.testing.assert_allclose(plane.values, (np.clip(values, -1, 2).reshape(-1, 12) + 1) / 3, atol=1e-6)


def test_planes_of_samples_of_unequal_lengths() -> None:
    samples = [np.full((tokens, 3), tokens, np.float32) for tokens in (2, 5, 1)]
    (plane,) = aligned_planes("x", samples, layout="n c", align="none")
    np.testing.assert_array_equal(plane.values, np.concatenate(samples))


def test_nothing_to_train_on() -> None:
    for features in (np.arange(6), np.zeros((0, 3), np.float32), {"a": np.ones((2, 3), bool)}):
        with pytest.raises(InputError, match="no floats to train on"):
            aligned_planes("x.npy", features)
