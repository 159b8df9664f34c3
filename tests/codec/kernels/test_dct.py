"""DCTs by the compiled kernel: numpy's floats, bit by bit."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_paths import both

from caufc.codec import kernels
from caufc.codec.transform.dct import dct_matrix, forward_grid, inverse_grid, joined_halves
from caufc.codec.transform.grids import Geometry

pytestmark = pytest.mark.skipif(kernels.dct is None, reason="the kernel is not built, or switched off")

SIDES = st.one_of(st.integers(0, 20), st.sampled_from([31, 63, 64, 65, 130]))
GRIDS = st.one_of(
    st.just(()),
    st.tuples(SIDES),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
)
CHANNELS = st.sampled_from([1, 2, 3, 7, 8, 9, 15, 16, 17, 40])


@settings(deadline=None, max_examples=150)
@given(st.lists(GRIDS, max_size=4), st.integers(0, 3), CHANNELS, st.sampled_from([1e-38, 1.0, 1e37]))
def test_the_same_floats(grids: list[Any], special: int, channels: int, size: float) -> None:
    geometry = Geometry((*grids, *grids[:1]), special, True)
    values = (size * np.random.default_rng(0).standard_normal((geometry.tokens, channels))).astype("f4")
    values[::3, ::2] = -0.0
    for transform in (forward_grid, inverse_grid):
        with np.errstate(over="ignore", invalid="ignore"):
            compiled, plain = both(partial(transform, values, geometry))
        assert compiled.tobytes() == plain.tobytes()


@pytest.mark.parametrize("length", range(1, 65))
def test_lines_of_every_length(length: int) -> None:
    geometry = Geometry(((length,),), 0, True)
    values = np.random.default_rng(0).standard_normal((length, 19)).astype("f4")
    frequencies = forward_grid(values, geometry)
    np.testing.assert_allclose(frequencies, dct_matrix(length) @ values, atol=3e-6)
    np.testing.assert_allclose(inverse_grid(frequencies, geometry), values, atol=3e-6)


def test_tall_grids_have_few_lines() -> None:
    assert Geometry(((1 << 20, 1),), 3, True).lines.rows.tolist()[:2] == [[0, 1, 1, 3], [3, 1, 1, 1 << 20]]
    assert len(Geometry(((1 << 16, 64),), 0, True).lines.rows) == (1 << 16) + (1 << 10)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"lines": [0, 5, 1, 1]},
        {"lines": [1, 4, 1, 1]},
        {"lines": [0, 4, 2, 1]},
        {"lines": [0, 4, 1, 2]},
        {"lines": [-1, 4, 1, 1]},
        {"lines": [0, 0, 1, 1]},
        {"lines": [0, 4, 1 << 62, 1]},
        {"lines": [0, 4, -1, 1]},
        {"lines": [0, 3, 1, 1]},
        {"across": 2},
        {"across": -1},
        {"rows": 3},
        {"places": [-1] * 65},
        {"places": [1] * 65},
        {"places": [0] * 64},
    ],
)
def test_lines_outside_are_refused(spoilt: dict[str, Any]) -> None:
    matrices, places = joined_halves((4,), False)
    given: dict[str, Any] = {
        "values": np.zeros((4, 5), "f4"),
        "out": np.zeros((4, 5), "f4"),
        "lines": np.array([0, 4, 1, 1], "i8"),
        "across": 1,
        "matrices": matrices,
        "places": places,
        "inverse": False,
        "rows": 4,
        "width": 5,
    }
    kernels.dct.transform(**given)
    for name, value in spoilt.items():
        given[name] = np.array(value, "i8") if isinstance(value, list) else value
    with pytest.raises(ValueError, match=r"."):
        kernels.dct.transform(**given)
