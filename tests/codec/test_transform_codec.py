"""Parameters and sections of the transform codec."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from caufc.codec.buckets import zigzag
from caufc.codec.transform.codec import TransformCodec
from caufc.codec.transform.grids import Geometry
from caufc.codec.transform.parameters import (
    ANALYSIS,
    ANALYSIS_SCALES,
    BAND_LEVELS,
    BAND_STEPS,
    BASIS,
    BASIS_SCALES,
    CHANNEL_LEVELS,
    CONTEXT_MAP,
    TABLES,
    Parameters,
)
from caufc.encoder.quantize import IndexQuantizer
from caufc.errors import MalformedError, UnsupportedError

ONE, MAP = np.ones(64, np.uint8), np.zeros(40, np.uint8)
OWN = {TABLES: ONE, CONTEXT_MAP: MAP}


def i1(*values: int) -> Any:
    return np.array(values, np.int8)


def i2(*values: int) -> Any:
    return np.array(values, "<i2")


@pytest.mark.parametrize(
    ("arrays", "requirement"),
    [
        ({CONTEXT_MAP: MAP}, 203),
        ({**OWN, TABLES: ONE[:63]}, 203),
        ({**OWN, TABLES: np.ones(64 * 257, np.uint8)}, 203),
        ({TABLES: ONE}, 216),
        ({**OWN, CONTEXT_MAP: MAP[:39]}, 216),
        ({**OWN, CONTEXT_MAP: MAP[:0]}, 216),
        ({**OWN, CONTEXT_MAP: np.ones(40, np.uint8)}, 216),
        ({**OWN, CONTEXT_MAP: np.zeros(40 * 49, np.uint8)}, 216),
        ({**OWN, TABLES: np.zeros(64, np.uint8)}, 230),
        ({**OWN, TABLES: np.full(64, 194, np.uint8)}, 230),
        ({CHANNEL_LEVELS: np.zeros(3, np.int8)}, 204),
        ({BAND_LEVELS: np.zeros(15, np.int8)}, 204),
        ({BAND_STEPS: np.zeros(17, np.int8)}, 204),
        ({BASIS: i1(1, 2), BASIS_SCALES: i2(0), CHANNEL_LEVELS: np.zeros(2, np.int8)}, 204),
        ({BASIS: i1(1, 2)}, 228),
        ({BASIS_SCALES: i2(0)}, 228),
        ({BASIS: i1(), BASIS_SCALES: i2()}, 228),
        ({BASIS: i1(1, 2, 3), BASIS_SCALES: i2(0)}, 228),
        ({BASIS: i1(*[1] * 6), BASIS_SCALES: i2(0, 0, 0)}, 228),
        ({ANALYSIS: i1(1, 2), ANALYSIS_SCALES: i2(0)}, 228),
        ({BASIS: i1(*[1] * 4), BASIS_SCALES: i2(0, 0), ANALYSIS: i1(1, 2), ANALYSIS_SCALES: i2(0)}, 228),
        ({BASIS: i1(1, 2), BASIS_SCALES: i2(801)}, 227),
        ({BASIS: i1(1, 2), BASIS_SCALES: i2(-32768)}, 227),
        ({BASIS: i1(1, 2), BASIS_SCALES: i2(0), ANALYSIS: i1(1, 2), ANALYSIS_SCALES: i2(-801)}, 227),
    ],
)
def test_malformed_sections(arrays: Any, requirement: int) -> None:
    with pytest.raises(MalformedError) as caught:
        TransformCodec(Parameters(1.0), arrays, 2)
    assert caught.value.requirement == requirement


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (1.0, 0),
        (1.0, 0, 0, 0, 0),
        (1, 0, 0, 0),
        (1.0, 0.0, 0, 0),
        (1.0, 0, -1, 0),
        (1.0, 0, 0, 256),
        (1.0, 0, 0, -256),
        (1.0, 33, 0, 0),
        (1.0, -33, 0, 0),
        (0.0, 0, 0, 0),
        (-1.0, 0, 0, 0),
        (float("inf"), 0, 0, 0),
        (float("nan"), 0, 0, 0),
    ],
)
def test_malformed_parameters(fields: Any) -> None:
    with pytest.raises(MalformedError) as caught:
        Parameters.from_fields(fields)
    assert caught.value.requirement == 201


def test_a_tool_that_a_later_version_may_add_is_unsupported() -> None:
    with pytest.raises(UnsupportedError, match="by its flags 64, is unknown"):
        Parameters.from_fields((1.0, 0, 64, 0))


@pytest.mark.parametrize("parameters", [Parameters(0.5), Parameters(2.0**-100, -32, True, True, -255, True)])
def test_parameters_come_back(parameters: Parameters) -> None:
    assert Parameters.from_fields(parameters.to_fields()) == parameters


def test_a_quantizer_brings_its_step() -> None:
    plain = Parameters(0.3, 5, True, True, 7)
    dependent = plain.with_quantizer(dependent=True)
    assert dependent == replace(plain, step=dependent.step, dependent=True)
    assert 1.1 * plain.step < dependent.step < 1.15 * plain.step
    assert dependent.with_quantizer(dependent=False).step == pytest.approx(plain.step, rel=2**-23)
    assert plain.with_quantizer(dependent=False) is plain


def test_steps_by_band_and_gain() -> None:
    codes = i1(0, 8, -8, 4, *range(12))
    steps = TransformCodec(Parameters(0.3), {BAND_STEPS: codes}, 1).steps(1.7)
    assert steps.dtype == np.float32
    np.testing.assert_allclose(steps, 0.3 * 1.7 * np.exp2(codes / 8), rtol=2**-23)
    assert steps[0] == np.float32(0.3 * 1.7)
    assert steps[1] == 2 * steps[0] == 4 * steps[2]


@pytest.mark.parametrize(
    ("step", "gain", "code"), [(1e-30, 1e-30, 0), (1e30, 1e30, 0), (2.0**120, 1.0, 96), (2.0**-140, 1.0, -128)]
)
def test_steps_that_float32_does_not_hold(step: float, gain: float, code: int) -> None:
    codec = TransformCodec(Parameters(step), {BAND_STEPS: i1(*[0] * 15, code)}, 1)
    with pytest.raises(MalformedError) as caught:
        codec.steps(gain)
    assert caught.value.requirement == 221


def test_dead_zones_are_the_encoders_alone() -> None:
    geometry = Geometry(((4, 4),), 0)
    aligned = np.linspace(-3, 3, 32, dtype=np.float32).reshape(16, 2)
    thresholds = np.array([0.9, 1.9], np.float32)
    costs = np.broadcast_to(2 * thresholds - 1, (2, 16, 2))
    codec = TransformCodec(Parameters(1.0), {}, 2)
    steps = codec.steps(1.0).astype(np.float64)
    quantizers = IndexQuantizer(), IndexQuantizer(costs=costs)
    symbols, thinned = (zigzag(quantizer(aligned, steps, geometry.bands)) for quantizer in quantizers)
    small = np.abs(aligned) < thresholds
    assert not thinned[small].any()
    np.testing.assert_array_equal(thinned[~small], symbols[~small])
    np.testing.assert_array_equal(codec.decode_symbols(codec.encode(thinned, geometry), geometry), thinned)


def test_a_bounded_quantizer_rounds_to_the_nearest() -> None:
    aligned = np.array([[0.49, 0.51, -0.51, 1.49, -1.51]], np.float32)
    indices = IndexQuantizer(bounded=True)(aligned, np.ones(16), np.zeros(1, np.uint8))
    assert zigzag(indices).tolist() == [[0, 2, 1, 2, 3]]


def test_large_symbols_in_a_basis_overflow_quietly() -> None:
    arrays = {BASIS: i1(127, 127), BASIS_SCALES: i2(800)}
    codec = TransformCodec(Parameters(2.0**30, spectral=True), arrays, 2)
    symbols = np.full((64, 1), (1 << 28) - 1, np.int32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = codec.reconstruct(symbols, codec.geometry(((8, 8),), 0), 1.0, np.dtype("f4"))
    assert found.shape == (64, 2) and not np.isfinite(found).all()


def test_zigzag_is_the_sign_of_indices() -> None:
    assert zigzag(np.array([0, -1, 1, -2], np.int32)).tolist() == [0, 1, 2, 3]
