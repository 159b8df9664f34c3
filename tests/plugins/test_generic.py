"""``generic`` takes any tensor."""

from __future__ import annotations

import numpy as np
import pytest

import caufc
from caufc.errors import LayoutError

SHAPES = [(2, 3, 4, 5), (2, 7, 3), (4, 9)]


@pytest.mark.parametrize("shape", SHAPES)
def test_without_a_tap(shape: tuple[int, ...]) -> None:
    features = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    coded = caufc.encode(features, arch="generic", lossless=True)
    assert np.array_equal(caufc.decode(coded), features)


def test_in_a_dict() -> None:
    features = {
        name: np.random.default_rng(0).normal(size=(2, *shape)) for name, shape in zip("abc", SHAPES, strict=True)
    }
    decoded = caufc.decode(caufc.encode(features, arch="generic", lossless=True))
    assert all(np.array_equal(decoded[name], features[name]) for name in features)


@pytest.mark.parametrize("tap", ["bchw", "bhwc", "bgtd"])
def test_with_a_tap(tap: str) -> None:
    features = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    data = caufc.encode(features, arch="generic", tap=tap)
    assert caufc.inspect(data).tensors[0]["layout"] == " ".join(tap)
    assert caufc.decode(data).shape == features.shape


def test_a_tap_of_another_rank() -> None:
    with pytest.raises(LayoutError):
        caufc.encode(np.zeros((2, 3), np.float32), arch="generic", tap="bchw")
