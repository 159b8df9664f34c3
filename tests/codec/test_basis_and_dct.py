"""Transforms along the grid and along channels."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from caufc.align import value
from caufc.codec.buckets import zigzag
from caufc.codec.transform import basis
from caufc.codec.transform.basis import ChannelTransform, principal_basis, quantize_rows
from caufc.codec.transform.dct import dct_matrix, forward_grid, inverse_grid
from caufc.codec.transform.grids import Geometry
from caufc.encoder.quantize import IndexQuantizer
from caufc.octaves import EIGHTHS, octaves

from .chunks import GRIDS, Drawn, drawn


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 31, 64])
def test_the_dct_is_orthonormal(length: int) -> None:
    matrix = dct_matrix(length)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(length), atol=2e-15)
    np.testing.assert_allclose(matrix[0], length**-0.5)


def test_the_dct_is_the_formula_of_the_specification() -> None:
    block = np.random.default_rng(0).standard_normal((5, 7))
    found = inverse_grid(block.reshape(35, 1), Geometry(((5, 7),), 0, True)).reshape(5, 7)
    for y, x in ((0, 0), (3, 2), (4, 6)):
        total = 0.0
        for u, v in np.ndindex(5, 7):
            rows = np.sqrt((2 if u else 1) / 5) * np.cos(np.pi * (2 * y + 1) * u / 10)
            columns = np.sqrt((2 if v else 1) / 7) * np.cos(np.pi * (2 * x + 1) * v / 14)
            total += block[u, v] * rows * columns
        assert found[y, x] == pytest.approx(total, abs=1e-13)


@settings(deadline=None, max_examples=30)
@given(st.lists(GRIDS, min_size=1, max_size=4), st.sampled_from([0, 1, 2]), st.integers(1, 5))
def test_grid_transforms_keep_energy_and_come_back(grids: list[Any], special: int, channels: int) -> None:
    geometry = Geometry(tuple(grids), special, True)
    values = np.random.default_rng(1).standard_normal((geometry.tokens, channels))
    coefficients = forward_grid(values, geometry)
    assert np.sum(coefficients**2) == pytest.approx(np.sum(values**2), rel=1e-12)
    np.testing.assert_allclose(inverse_grid(coefficients, geometry), values, atol=1e-13)
    lone = np.flatnonzero(geometry.bands >= 14)
    np.testing.assert_array_equal(coefficients[lone], values[lone])


def test_a_constant_grid_is_one_coefficient_a_block() -> None:
    geometry = Geometry(((130, 6),), 0, True)
    coefficients = forward_grid(np.ones((780, 2)), geometry)
    assert np.flatnonzero(np.abs(coefficients[:, 0]) > 1e-12).tolist() == geometry.heads.tolist()


def test_a_square_basis_comes_back() -> None:
    values = np.random.default_rng(2).standard_normal((50, 8)) @ np.random.default_rng(3).standard_normal((8, 8))
    transform = ChannelTransform(quantize_rows(principal_basis(np.cov(values.T))[0]))
    assert transform.coded == 8
    np.testing.assert_allclose(transform.inverse(transform.forward(values)), values, atol=1e-11)


def test_a_short_basis_keeps_what_it_spans_and_analysis_may_be_given() -> None:
    rng = np.random.default_rng(4)
    values = rng.standard_normal((50, 3)) @ rng.standard_normal((3, 8)) + 1e-3 * rng.standard_normal((50, 8))
    rows, variances = principal_basis(values.T @ values / 50)
    assert (np.diff(variances) <= 0).all()
    coded = quantize_rows(rows[:3])
    transform = ChannelTransform(coded)
    assert np.abs(transform.inverse(transform.forward(values)) - values).max() < 0.1
    given_rows = quantize_rows(np.linalg.pinv(coded.values()).T)
    other = ChannelTransform(coded, given_rows)
    np.testing.assert_allclose(other.forward(values), values @ given_rows.values().T)
    np.testing.assert_allclose(other.forward(values), transform.forward(values), atol=0.1)


def test_rows_lose_at_most_half_a_code() -> None:
    rows = np.random.default_rng(5).standard_normal((20, 30)) * np.geomspace(1e-6, 1e6, 20)[:, None]
    coded = quantize_rows(rows)
    assert np.abs(coded.codes).max() <= 127
    largest = np.abs(rows).max(axis=1, keepdims=True)
    assert (np.abs(coded.values() - rows) <= 0.55 / 116 * largest).all()
    assert not quantize_rows(np.zeros((2, 3))).codes.any()


def test_octaves_are_those_of_the_scale_codes() -> None:
    codes = np.arange(-800, 801)
    np.testing.assert_array_equal(octaves(codes).astype(np.float32), value.scale_of(codes.astype(np.int16)))
    np.testing.assert_allclose(octaves(codes), np.exp2(codes / 8), rtol=2**-24)
    assert EIGHTHS.dtype == np.float32


@settings(deadline=None, max_examples=30)
@given(drawn())
def test_transforming_and_reconstructing_stays_within_steps(drawn_: Drawn) -> None:
    codec, geometry = drawn_.codec, drawn_.geometry
    if codec.basis is not None:
        return
    aligned = np.random.default_rng(6).standard_normal((geometry.tokens, drawn_.channels)).astype(np.float32)
    coefficients = codec.transform(aligned, geometry)
    quantizer = IndexQuantizer(dependent=codec.parameters.dependent)
    symbols = zigzag(quantizer(coefficients, codec.steps(1.0).astype(np.float64), geometry.bands))
    found = codec.reconstruct(symbols, geometry, 1.0, np.dtype("f4"))
    assert found.shape == aligned.shape
    error: NDArray[Any] = codec.transform(found, geometry) - coefficients
    assert (np.abs(error) <= 1.06 * codec.steps(1.0)[geometry.bands][:, None] + 1e-5).all()


def test_threads_find_inverses() -> None:
    """More bases than are kept, by several threads at once."""
    rng = np.random.default_rng(5)
    bases = [quantize_rows(np.linalg.qr(rng.standard_normal((24, 24)))[0]) for _ in range(9)]
    values = rng.standard_normal((7, 24)).astype(np.float32)
    wanted = [ChannelTransform(basis).forward(values) for basis in bases]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda number: ChannelTransform(bases[number % 9]).forward(values), range(540)))
    for number, coefficients in enumerate(found):
        np.testing.assert_array_equal(coefficients, wanted[number % 9])


@pytest.mark.parametrize("bits", [3, 5, 6, 8, 12])
def test_rough_inverses_are_near(bits: int) -> None:
    """Those of rows that are nearly orthonormal come from a series."""
    rows = (
        np.linalg.qr(np.random.default_rng(bits).standard_normal((96, 96)))[0] * np.exp2(-np.arange(96) / 20)[:, None]
    )
    exact, rough = (
        ChannelTransform(quantize_rows(rows, bits), rough=rough)._groups[0]._finder() for rough in (False, True)
    )
    lengths = np.linalg.norm(exact, axis=0)
    np.testing.assert_allclose(rough / lengths, exact / lengths, atol=2e-3)


@pytest.mark.parametrize("bits", [3, 5, 8])
@pytest.mark.parametrize("rank", [96, 40])
def test_rough_coefficients_of_few_tokens_are_near(bits: int, rank: int) -> None:
    rng = np.random.default_rng(bits)
    orthonormal = np.linalg.qr(rng.standard_normal((96, 96)))[0][:rank]
    rows = quantize_rows(orthonormal * np.exp2(-np.arange(rank) / 20)[:, None], bits)
    values = rng.standard_normal((10, 96)).astype(np.float32)
    exact, rough = (ChannelTransform(rows, rough=rough).forward(values) for rough in (False, True))
    lengths = np.linalg.norm(rows.values(), axis=1)
    assert np.linalg.norm((rough - exact) * lengths) < 0.05 * np.linalg.norm(exact * lengths)
    np.testing.assert_array_equal(ChannelTransform(rows, rough=True).forward(np.zeros((3, 96), np.float32)), 0)


@pytest.mark.parametrize(("bits", "most"), [(8, 0.005), (3, 1e-5)])
def test_rough_coefficients_of_many_tokens_are_nearer_still(bits: int, most: float) -> None:
    """By a step of Newton's where rows are nearly orthonormal, and else exactly, in float32."""
    rng = np.random.default_rng(bits)
    rows = quantize_rows(np.linalg.qr(rng.standard_normal((96, 96)))[0], bits)
    values = rng.standard_normal((500, 96)).astype(np.float32)
    exact, rough = (ChannelTransform(rows, rough=rough).forward(values) for rough in (False, True))
    assert np.linalg.norm(rough - exact) < most * np.linalg.norm(exact)


def test_coefficients_in_large_bases_are_found_closely(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file is made from, in float32, is no choice: errors stay far below those of high qualities."""
    rng = np.random.default_rng(7)
    rows = quantize_rows(np.linalg.qr(rng.standard_normal((96, 96)))[0], 8)
    values = rng.standard_normal((50, 96)).astype(np.float32)
    exact = ChannelTransform(rows).forward(values)
    monkeypatch.setattr(basis, "LARGE", 1)
    basis._KEPT.clear()
    found = ChannelTransform(rows).forward(values)
    assert 0 < np.linalg.norm(found - exact) < 1e-5 * np.linalg.norm(exact)
