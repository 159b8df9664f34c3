"""Planes and crops to train on."""

from __future__ import annotations

import numpy as np
import pytest

from caufc import InputError
from caufc.train.planes import Plane, aligned_planes, crops

MAPS = np.random.default_rng(0).normal(3, 2, size=(70, 8, 4, 4)).astype(np.float32)
TOKENS = [np.random.default_rng(n).normal(size=(n, 6)).astype(np.float16) for n in (5, 1, 9)]


def test_planes_are_tokens_of_one_range() -> None:
    (plane,) = aligned_planes("maps", MAPS, align="min-max")
    assert plane.name == "maps" and plane.values.dtype == np.float32
    tokens = MAPS.transpose(0, 2, 3, 1).reshape(-1, 8)
    expected = (tokens - tokens.min()) / (tokens.max() - tokens.min())
    np.testing.assert_allclose(plane.values, expected, atol=1e-6)


def test_values_beyond_a_truncation_are_clipped() -> None:
    (plane,) = aligned_planes("maps", MAPS, truncate=(0, 4))
    tokens = MAPS.transpose(0, 2, 3, 1).reshape(-1, 8)
    np.testing.assert_allclose(plane.values, np.clip(tokens, 0, 4) / 4, atol=1e-6)


def test_ragged_samples_follow_each_other_and_integers_are_left_out() -> None:
    samples = [{"hidden": tokens, "ids": np.arange(len(tokens))} for tokens in TOKENS]
    (plane,) = aligned_planes("texts", samples, layout={"hidden": "n c"})
    assert plane.name == "texts:hidden" and plane.values.shape == (15, 6)


def test_without_floats_there_is_nothing_to_train_on() -> None:
    with pytest.raises(InputError, match="no floats to train on"):
        aligned_planes("ids", np.arange(100))


@pytest.mark.parametrize(("rows", "columns"), [(40, 49), (5, 16), (700, 130), (3, 1)])
def test_crops_are_padded_to_the_stride_with_the_edge(rows: int, columns: int) -> None:
    values = np.random.default_rng(0).standard_normal((rows, columns)).astype(np.float32)
    (first, second) = crops([Plane("x", values)], 2, 1 << 13, np.random.default_rng(1))
    assert first.shape == second.shape and first.shape[1] % 16 == first.shape[2] % 16 == 0
    assert set(np.unique(first)) <= set(np.unique(values))
    if columns == 49:
        assert (first[0, :40, 49:] == first[0, :40, 48:49]).all() and (first[0, 40:] == first[0, 39:40]).all()
