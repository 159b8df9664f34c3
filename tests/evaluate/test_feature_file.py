"""Feature files, and the features as rivals see them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caufc.evaluate.feature_file import FeatureFile

GENERATOR = np.random.default_rng(0)


def values(*shape: int) -> np.ndarray:
    return GENERATOR.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("features", "layout", "width"),
    [
        (values(3, 8, 4, 4), "b c h w", 8),
        (values(3, 5, 6), "b (1 + h w) c", 6),
        (values(2, 3, 5, 4), "b g t d", 12),
        ([values(4, 6), values(2, 6)], "n c", 6),
        ([values(8, 3, 4), values(8, 2, 2)], "c h w", 8),
    ],
)
def test_features_come_back(features: object, layout: str, width: int, tmp_path: Path) -> None:
    there = FeatureFile.of(features, layout)
    there.save(tmp_path / "x.npy")
    back = FeatureFile.load(tmp_path / "x.npy")
    assert (back.layout, back.digest(), back.numel) == (there.layout, there.digest(), there.numel)
    assert back.tokens().shape == (there.numel // width, width)
    spec = back.spec
    for forward, inverse in ((spec.matrix, spec.arrays), (spec.joined, spec.apart)):
        for before, after in zip(there.arrays, inverse(forward(back.arrays)), strict=True):
            np.testing.assert_array_equal(before, after)


def test_tokens_are_rows() -> None:
    maps = values(2, 3, 4, 5)
    np.testing.assert_array_equal(FeatureFile.of(maps, "b c h w").tokens()[0], maps[0, :, 0, 0])


def test_samples_of_one_shape_are_a_batch() -> None:
    assert FeatureFile.of([values(4, 6), values(4, 6)], "n c").batch
    assert not FeatureFile.of([values(4, 6), values(3, 6)], "n c").batch


def test_other_values_have_another_digest() -> None:
    one = values(2, 3)
    assert FeatureFile.of(one, "b c").digest() != FeatureFile.of(one + 1, "b c").digest()
