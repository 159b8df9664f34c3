"""Indices and points by the compiled kernel: numpy's, bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kernel_paths import both
from numpy.typing import NDArray

from caufc.codec import kernels
from caufc.codec.buckets import zigzag
from caufc.codec.transform.quantize import MAX_INDEX, points_of
from caufc.encoder.quantize import IndexQuantizer
from caufc.encoder.trellis_search import dependent_quantize

pytestmark = pytest.mark.skipif(kernels.quantizer is None, reason="the kernel is not built, or switched off")

F4 = np.dtype("f4")
FLOATS = st.one_of(
    st.floats(-12, 12, width=32),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from([0.0, -0.0, 0.5, -0.5, 1.5, 2.5, 7.5, 8.0, 8.5, -8.0, 9.0, 1e-40, 2.0**27, -(2.0**27), 3e38]),
)
SHAPES = st.tuples(st.integers(0, 30), st.integers(0, 12))


@st.composite
def matrices(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.uint8], Any]:
    """Coefficients, bands, and 1 over the steps: one, or one per token."""
    shape = draw(SHAPES)
    values = draw(hnp.arrays(np.float32, shape, elements=FLOATS))
    bands = draw(hnp.arrays(np.uint8, shape[0], elements=st.integers(0, 15)))
    inverse: Any = draw(st.sampled_from([1.0, 0.25, 3.7, 1e-30, 1e30, 1e39]))
    if draw(st.booleans()):
        inverse = np.random.default_rng(shape[0]).uniform(0.1, 9, (shape[0], 1)) * inverse
    return values, bands, inverse


def costs_of(width: int, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return np.where(rng.random((2, 16, width)) < 0.2, 0, rng.uniform(0, rng.choice([0.3, 5.0]), (2, 16, width)))


def same(found: tuple[NDArray[Any], NDArray[Any]]) -> None:
    compiled, plain = found
    assert compiled.dtype == plain.dtype and compiled.shape == plain.shape
    assert compiled.tobytes() == np.ascontiguousarray(plain).tobytes()


@settings(deadline=None, max_examples=150)
@given(matrices(), st.one_of(st.none(), st.integers(0, 99)))
def test_the_same_path(drawn: tuple[Any, ...], seed: int | None) -> None:
    values, bands, inverse = drawn
    costs = None if seed is None else costs_of(values.shape[1], seed)
    same(both(lambda: dependent_quantize(values, inverse, bands, costs)))


@settings(deadline=None, max_examples=150)
@given(matrices(), st.one_of(st.none(), st.integers(0, 99)), st.booleans(), st.booleans())
def test_the_same_rounding(drawn: tuple[Any, ...], seed: int | None, bounded: bool, apart: bool) -> None:
    values, bands, _ = drawn
    steps = np.full(16, 0.37) if not apart else np.exp2(np.arange(16) / 3)
    quantizer = IndexQuantizer(False, bounded, None if seed is None else costs_of(values.shape[1], seed))
    with np.errstate(over="ignore"):
        same(both(lambda: quantizer(values, steps, bands)))
        same(both(lambda: quantizer(np.asfortranarray(values), steps, bands)))


@settings(deadline=None, max_examples=150)
@given(
    hnp.arrays(np.int32, SHAPES, elements=st.one_of(st.integers(-9, 9), st.integers(-MAX_INDEX, MAX_INDEX))),
    st.integers(-32, 32),
    st.booleans(),
    st.booleans(),
)
def test_the_same_points(indices: NDArray[np.int32], shift: int, dependent: bool, apart: bool) -> None:
    steps: Any = np.float32(0.3)
    if apart:
        steps = np.random.default_rng(0).uniform(0.1, 1e38, (len(indices), 1)).astype(np.float32)
    same(both(lambda: points_of(zigzag(indices), steps, shift, F4, dependent)))


@pytest.mark.parametrize("with_costs", [False, True])
def test_real_features(with_costs: bool, efficientnet: NDArray[np.float32], minilm: list[NDArray[np.float32]]) -> None:
    rng = np.random.default_rng(8)
    for matrix in (efficientnet[0].reshape(1280, 49).T, np.concatenate(minilm)):
        bands = rng.integers(0, 16, len(matrix)).astype(np.uint8)
        costs = costs_of(matrix.shape[1], 3) if with_costs else None
        for step in (0.004, 0.05, 0.7):
            steps = step * np.exp2(np.arange(16) / 8)
            for dependent in (False, True):
                quantizer = IndexQuantizer(dependent, False, costs)
                same(both(lambda: quantizer(matrix, steps, bands)))  # noqa: B023
                symbols = zigzag(quantizer(matrix, steps, bands))
                of_token = steps[bands][:, None].astype(np.float32)
                same(both(lambda: points_of(symbols, of_token, -7, F4, dependent)))  # noqa: B023


def test_what_does_not_fit_is_refused() -> None:
    values, one, bands = np.zeros((3, 4), np.float32), np.ones(1, np.float32), np.zeros(3, np.uint8)
    out, costs, zones = np.empty((3, 4), np.int32), np.zeros((2, 16, 4), np.float32), np.zeros((16, 4), np.float32)
    kernel = kernels.quantizer
    kernel.trellis(values, one, bands, costs, out, 3, 4)
    kernel.quantize(values, one, bands, zones, 0.5, out, 3, 4)
    points = np.empty((3, 4), np.float32)
    kernel.dequantize(out, one, 0.0, True, points, 3, 4)
    high, two = np.array([0, 16, 0], np.uint8), np.ones(2, np.float32)
    refused: list[Callable[[], object]] = [
        lambda: kernel.trellis(values, one, high, costs, out, 3, 4),
        lambda: kernel.trellis(values, one, bands[:2], costs, out, 3, 4),
        lambda: kernel.trellis(values, two, bands, costs, out, 3, 4),
        lambda: kernel.trellis(values, one, bands, costs[:1], out, 3, 4),
        lambda: kernel.trellis(values, one, bands, costs, out, 4, 3),
        lambda: kernel.trellis(values, one, bands, costs, out, -3, -4),
        lambda: kernel.trellis(values, one, bands, costs, out[:2], 3, 4),
        lambda: kernel.trellis(values, one, bands, costs, out, 1 << 40, 1 << 40),
        lambda: kernel.quantize(values, one, high, zones, 0.5, out, 3, 4),
        lambda: kernel.quantize(values, one, bands, zones[:, :3].copy(), 0.5, out, 3, 4),
        lambda: kernel.quantize(values, two, bands, None, 0.5, out, 3, 4),
        lambda: kernel.quantize(values, one, bands, None, 1.5, out, 3, 4),
        lambda: kernel.quantize(values, one, bands, None, float("nan"), out, 3, 4),
        lambda: kernel.dequantize(out, two, 0.0, True, points, 3, 4),
        lambda: kernel.dequantize(out, one, 0.0, True, points[:2], 3, 4),
        lambda: kernel.dequantize(out[:2], one, 0.0, True, points, 3, 4),
    ]
    for call in refused:
        with pytest.raises(ValueError):
            call()
