"""Planes and crops to train on."""

from __future__ import annotations

import numpy as np
import pytest

from caufc.train.planes import Plane, crops


@pytest.mark.parametrize(("rows", "columns"), [(40, 49), (5, 16), (700, 130), (3, 1)])
def test_crops_are_padded_to_the_stride_with_the_edge(rows: int, columns: int) -> None:
    values = np.random.default_rng(0).standard_normal((rows, columns)).astype(np.float32)
    (first, second) = crops([Plane("x", values)], 2, 1 << 13, np.random.default_rng(1))
    assert first.shape == second.shape and first.shape[1] % 16 == first.shape[2] % 16 == 0
    assert set(np.unique(first)) <= set(np.unique(values))
    if columns == 49:
        assert (first[0, :40, 49:] == first[0, :40, 48:49]).all() and (first[0, 40:] == first[0, 39:40]).all()
