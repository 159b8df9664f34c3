from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from caufc.align import (
    ChannelAligner,
    ChannelStatistics,
    GlobalAligner,
    TokenAligner,
    ValueAligner,
    align_channels,
    align_globally,
    truncate,
)
from caufc.align.value import scale_of

KINDS = ["min-max", "mean-deviation", "percentile", "robust"]
OCTAVE = ["3F800000", "3F8B95C2", "3F9837F0", "3FA5FED7", "3FB504F3", "3FC5672A", "3FD744FD", "3FEAC0C7"]

Matrix = NDArray[Any]

matrices = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9),
    elements=st.integers(-(10**6), 10**6).map(lambda value: value / 64) | st.sampled_from([0.0, 1.0, 3e9, -3e9]),
)


def statistics_of(matrix: Matrix) -> ChannelStatistics:
    statistics = ChannelStatistics(matrix.shape[1])
    statistics.add(matrix)
    return statistics


def aligners(kind: str, matrix: Matrix) -> list[ValueAligner]:
    statistics = statistics_of(matrix)
    return [
        align_globally(kind, statistics, matrix),
        align_channels(kind, statistics, matrix, 1.0),
        align_channels(kind, statistics, matrix, 0.0),
        TokenAligner(kind),
    ]


@settings(deadline=None)
@given(matrices, st.sampled_from(KINDS))
def test_inverse(matrix: Matrix, kind: str) -> None:
    for aligner in aligners(kind, matrix):
        aligned, side = aligner.forward(matrix)
        assert aligned.dtype == np.float32
        assert aligned.shape == matrix.shape
        assert np.isfinite(aligned).all()
        back = aligner.inverse(aligned, side)
        assert back.dtype == np.float32
        scales = np.broadcast_to(aligner.scales(side), matrix.shape)
        largest = float(np.abs(matrix).max(initial=0))
        np.testing.assert_allclose(back, matrix, rtol=0, atol=1e-6 * largest + 1e-30)
        assert (scales > 0).all()


@settings(deadline=None)
@given(matrices, st.sampled_from(KINDS))
def test_codes_are_16_bits_but_for_wide_offsets(matrix: Matrix, kind: str) -> None:
    channel = align_channels(kind, statistics_of(matrix), matrix, 1.0)
    side = TokenAligner(kind).forward(matrix)[1]
    assert side.dtype == channel.scale_codes.dtype == np.int16
    for scale in (channel.scale_codes, side[1]):
        assert np.abs(scale.astype(int)).max(initial=0) <= 960
    assert np.abs(channel.offset_codes).max(initial=0) <= (1 << 24 if channel.wide else 32_767)


@pytest.mark.parametrize("kind", KINDS)
def test_real_tokens_get_one_distribution(kind: str, minilm: list[NDArray[np.float32]]) -> None:
    matrix = np.concatenate(minilm)
    aligner = align_channels(kind, statistics_of(matrix), matrix, 1.0)
    aligned, _ = aligner.forward(matrix)
    if kind == "mean-deviation":
        assert np.abs(aligned.mean(axis=0)).max() < 1 / 16
        np.testing.assert_allclose(aligned.std(axis=0), 1, atol=0.05)
    if kind == "min-max":
        assert -1 / 16 < aligned.min() < 1 / 16
        assert 0.9 < aligned.max() < 1.1
    np.testing.assert_allclose(aligner.inverse(aligned, None), matrix, atol=1e-5)


def test_global_statistics() -> None:
    matrix = np.array([[0, 1, 2], [3, 4, 10]], np.float32)
    statistics = statistics_of(matrix)

    def of(kind: str) -> tuple[float, float]:
        aligner = align_globally(kind, statistics, matrix)
        return aligner.offset, aligner.scale

    assert of("none") == (0, 1)
    assert of("min-max") == (0, 10)
    assert of("mean-deviation") == pytest.approx((matrix.mean(), matrix.std()), rel=1e-6)
    low, middle, high = np.percentile(matrix, [25, 50, 75])
    assert of("robust") == (middle, high - low)
    low, high = np.percentile(matrix, [1, 99])
    assert of("percentile") == pytest.approx((low, high - low), rel=1e-6)


def test_a_global_aligner_of_nothing_changes_nothing() -> None:
    matrix = np.array([[1.5, -2]], np.float32)
    aligner = GlobalAligner(0, 1)
    aligned, side = aligner.forward(matrix)
    assert aligned is matrix and side is None
    assert aligner.inverse(matrix, None) is matrix


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0.0, 1.0, -250.0, 2.0**-60])
def test_constant_features(kind: str, value: float) -> None:
    matrix = np.full((6, 4), value, np.float32)
    for aligner in aligners(kind, matrix):
        aligned, side = aligner.forward(matrix)
        assert np.isfinite(aligned).all()
        np.testing.assert_allclose(aligner.inverse(aligned, side), matrix, rtol=1e-6)


def test_a_constant_channel_gets_no_tiny_step() -> None:
    matrix = np.random.default_rng(0).standard_normal((100, 8)).astype(np.float32)
    matrix[:, 3] = 0.25
    aligner = align_channels("mean-deviation", statistics_of(matrix), matrix, 1.0)
    assert aligner.scale[3] == pytest.approx(1e-3 * float(np.median(matrix.std(axis=0))), rel=0.1)
    assert set(align_channels("mean-deviation", statistics_of(matrix), matrix, 0.0).scale_codes) == {
        round(8 * math.log2(float(np.median(matrix[:, [0, 1, 2, 4, 5, 6, 7]].std(axis=0)))))
    }


def test_per_token() -> None:
    matrix = np.random.default_rng(0).standard_normal((50, 64)) * np.logspace(-1, 2, 50)[:, None] + 7
    aligned, side = TokenAligner("mean-deviation").forward(matrix)
    assert aligned.dtype == np.float64
    assert side.shape == (2, 50)
    np.testing.assert_allclose(aligned.std(axis=1), 1, atol=0.05)
    with pytest.raises(ValueError, match="side array"):
        TokenAligner("mean-deviation").inverse(aligned, None)
    assert TokenAligner("robust").forward(matrix[:, :0])[1].shape == (2, 50)


def test_scale_table_is_that_of_the_spec() -> None:
    for code, bits in enumerate(OCTAVE):
        assert scale_of(np.array([code], np.int16)).tobytes() == struct.pack("<I", int(bits, 16))


@given(st.integers(-800, 800))
def test_scales_by_code(code: int) -> None:
    """[CAUF-0354]: ``T[k & 7] * 2^(k >> 3)``, exact."""
    (octave,) = struct.unpack(">f", bytes.fromhex(OCTAVE[code & 7]))
    scale = scale_of(np.array([code], np.int16))
    assert scale.dtype == np.float32
    assert float(scale[0]) == octave * 2.0 ** (code >> 3)


@given(st.integers(-32_768, 32_767), st.integers(-800, 800), st.floats(-1e3, 1e3, width=32))
def test_the_inverse_is_that_of_the_spec(offset: int, scale: int, value: float) -> None:
    """[CAUF-0350, CAUF-0355]: ``x = a * s + f32(m) * (s / 16)``, each operation rounded."""
    codes = np.array([offset], np.int16), np.array([scale], np.int16)
    aligned = np.array([[value]], np.float32)
    s = scale_of(codes[1])[0]
    with np.errstate(over="ignore", under="ignore"):
        o = np.float32(offset) * (s / np.float32(16))
        wanted = np.float32(np.float32(np.float32(value) * s) + o)
        for out in (
            ChannelAligner(*codes).inverse(aligned, None),
            TokenAligner("none").inverse(aligned, np.stack(codes)),
        ):
            assert out.dtype == np.float32
            assert out[0, 0] == wanted
        wide = ChannelAligner(*codes).inverse(aligned.astype(np.float64), None)
    assert wide[0, 0] == np.float64(np.float32(value)) * float(s) + float(o)


def test_the_global_inverse_rounds_twice() -> None:
    aligned = np.array([[1 / 3, -5.5]], np.float32)
    aligner = GlobalAligner(0.1, 1.7)
    wanted = aligned * np.float32(1.7) + np.float32(0.1)
    np.testing.assert_array_equal(aligner.inverse(aligned, None), wanted, strict=True)


def test_truncate() -> None:
    matrix = np.array([[-2, 0.5, 1, 7]], np.float32)
    clipped, count = truncate(matrix, -1, 1)
    assert clipped.tolist() == [[-1, 0.5, 1, 1]]
    assert count == 2
    clipped, count = truncate(matrix, -2, 7)
    assert clipped.tolist() == matrix.tolist()
    assert count == 0


@settings(deadline=None)
@given(st.lists(st.integers(0, 20), max_size=4), st.floats(-100, 100), st.integers(0, 99))
def test_statistics_in_parts(sizes: list[int], mean: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = [(rng.standard_normal((size, 3)) + mean).astype(np.float32) for size in sizes]
    for part in parts:
        part[rng.random(part.shape) < 0.3] = 0
    statistics = ChannelStatistics(3)
    for part in parts:
        statistics.add(part)
    matrix = np.concatenate([np.empty((0, 3), np.float32), *parts])
    assert statistics.count == len(matrix)
    assert statistics.moderate is bool(matrix.any())
    if not len(matrix):
        assert (statistics.global_mean, statistics.global_deviation, statistics.energy) == (0, 0, 0)
        return
    np.testing.assert_allclose(statistics.mean, matrix.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(statistics.deviation, matrix.std(axis=0), atol=2e-3)
    np.testing.assert_array_equal(statistics.low, matrix.min(axis=0))
    np.testing.assert_array_equal(statistics.high, matrix.max(axis=0))
    assert statistics.global_mean == pytest.approx(matrix.mean(), abs=1e-4)
    assert statistics.global_deviation == pytest.approx(matrix.std(), abs=2e-3)
    assert statistics.energy == pytest.approx(float(np.sum(matrix.astype(np.float64) ** 2)), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(("value", "moderate"), [(0, False), (1, True), (1e-20, False), (1e20, False), (-1e20, False)])
def test_moderate_magnitudes(value: float, moderate: bool) -> None:
    assert statistics_of(np.array([[0, value]], np.float32)).moderate is moderate
