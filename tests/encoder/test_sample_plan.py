"""An encoder's decisions on a sample: levels, dead zones, extents, tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from caufc.codec.buckets import BUCKETS, unzigzag, zigzag
from caufc.codec.tables import frequencies_of
from caufc.codec.transform.codec import TransformCodec
from caufc.codec.transform.grids import Geometry
from caufc.codec.transform.parameters import CONTEXT_MAP, TABLES, Parameters
from caufc.codec.transform.token_order import BANDS
from caufc.encoder.importance import blind_importance, flat_importance
from caufc.encoder.levels import index_costs, levels_for
from caufc.encoder.profile_tables import LevelCosts
from caufc.encoder.quantize import dead_zones, quantize
from caufc.encoder.sample_plan import SamplePlan, estimate, plan_either, plan_sample
from caufc.encoder.tables import choose_tables, table_bits

Matrix = NDArray[Any]


def planned(values: Matrix, geometry: Geometry, step: float, **options: Any) -> tuple[SamplePlan, TransformCodec]:
    """A plan for transformed values, and the codec that it makes."""
    base = TransformCodec(Parameters(step, spectral=geometry.spectral), {}, values.shape[1])
    coefficients = base.transform(values, geometry)
    steps = base.steps(1.0).astype(np.float64)
    plan = plan_sample if "kind" in options else plan_either
    made = plan(coefficients, geometry, steps, base.parameters, 1.0, **options)
    return made, TransformCodec(made.parameters, made.sections, values.shape[1])


def symbols_of(made: SamplePlan, codec: TransformCodec, coefficients: Matrix, bands: NDArray[np.uint8]) -> Any:
    """What the plan's quantiser makes of coefficients."""
    return zigzag(made.quantizer(coefficients, codec.steps(1.0).astype(np.float64), bands))


def real(name: str, request: pytest.FixtureRequest) -> tuple[Matrix, tuple[tuple[int, ...], ...]]:
    found = request.getfixturevalue(name)
    if isinstance(found, list):
        return np.concatenate(found), tuple((len(part),) for part in found)
    return np.ascontiguousarray(found.reshape(1280, 49).T), ((7, 7),)


@pytest.mark.parametrize("features", ["efficientnet", "minilm"])
@pytest.mark.parametrize("step", [0.02, 0.3, 2.0])
@pytest.mark.parametrize("spectral", [False, True])
def test_real_features(features: str, step: float, spectral: bool, request: pytest.FixtureRequest) -> None:
    """The bits of a plan are those of the file, and what is thrown away stays within a step."""
    values, grids = real(features, request)
    geometry = Geometry(grids, 0, spectral)
    made, codec = planned(values, geometry, step)
    coefficients = codec.transform(values, geometry)
    symbols = symbols_of(made, codec, coefficients, geometry.bands)
    payload = codec.encode(symbols, geometry)
    np.testing.assert_array_equal(codec.decode_symbols(payload, geometry), symbols)
    assert 8 * len(payload) == pytest.approx(made.bits, rel=0.01, abs=64)
    costs = LevelCosts.of(codec, made.whole_sections, unzigzag(symbols), geometry)
    assert 8 * len(payload) == pytest.approx(costs.at(made.parameters.level), rel=0.01, abs=64)
    decoded = codec.transform(codec.reconstruct(symbols, geometry, 1.0, np.dtype("f4")), geometry)
    assert (np.abs(decoded - coefficients) <= 1.6 * step + 1e-4).all()


def test_frequencies_pay_on_smooth_grids_and_neighbours_on_all(efficientnet: NDArray[np.float32]) -> None:
    values = np.ascontiguousarray(efficientnet.reshape(1280, 49).T)
    square, lone = Geometry(((7, 7),), 0), Geometry(((),) * 49, 0)
    assert planned(values, square, 0.5)[0].bits < 0.9 * planned(values, lone, 0.5)[0].bits
    y, x = np.mgrid[0:32, 0:32]
    phases = np.linspace(0, 3, 8)
    smooth = np.sin(y[..., None] / 9 + phases) * np.cos(x[..., None] / 7 - phases)
    smooth = smooth.reshape(1024, 8).astype(np.float32)
    plain, frequencies = (planned(smooth, Geometry(((32, 32),), 0, spectral), 0.05)[0] for spectral in (False, True))
    assert frequencies.bits < 0.3 * plain.bits
    assert frequencies.parameters.extents


def test_own_tables_come_only_where_they_pay() -> None:
    rng = np.random.default_rng(0)
    few = rng.standard_normal((20, 4)).astype(np.float32)
    odd = np.where(rng.random((4000, 16)) < 0.5, 7, -3).astype(np.float32)
    for values, pays in ((few, False), (odd, True)):
        geometry = Geometry(((),) * len(values), 0)
        made, _ = planned(values, geometry, 1.0, kind="bounded")
        assert (TABLES in made.sections) == (CONTEXT_MAP in made.sections) == pays


def test_bounded_plans_have_no_dead_zones() -> None:
    values = np.random.default_rng(1).standard_normal((50, 6)).astype(np.float32)
    made, codec = planned(values, Geometry(((50,),), 0), 0.25, kind="bounded")
    assert made.quantizer.costs is None
    assert not made.parameters.dependent
    assert made.parameters.shift == 0
    symbols = symbols_of(made, codec, values, np.zeros(50, np.uint8))
    found = codec.reconstruct(symbols, Geometry(((50,),), 0), 1.0, np.dtype("f4"))
    assert np.abs(found - values).max() <= 0.125 * (1 + 1e-6)


def test_levels_follow_magnitudes() -> None:
    rng = np.random.default_rng(2)
    bands = np.arange(4000, dtype=np.uint8) % 4
    scales = np.array([1.0, 4.0, 16.0])[None] * np.array([8.0, 4.0, 2.0, 1.0])[bands][:, None]
    levels = levels_for(np.rint(scales * rng.laplace(size=(4000, 3))).astype(np.int32), bands)
    assert np.abs(np.diff(levels.channels) - 4).max() <= 1
    assert np.abs(np.diff(levels.bands[:4]) + 2).max() <= 1
    classes = levels.classes()
    assert classes.shape == (BANDS, 3)
    assert (np.diff(classes[:4].astype(int), axis=0) <= 0).all()


def test_dead_zones_widen_where_ones_are_rare() -> None:
    rng = np.random.default_rng(3)
    values = rng.laplace(size=(5000, 2)) * np.array([0.15, 3.0])
    indices, bands = quantize(values, 1.0, 0.45), np.zeros(5000, np.uint8)
    thresholds = dead_zones(index_costs(indices, levels_for(indices, bands), bands))
    assert thresholds.shape == (BANDS, 2)
    assert thresholds[0, 0] > thresholds[0, 1] >= 0.5
    assert thresholds.max() < 1.6


@pytest.mark.parametrize("step", [0.1, 0.3])
def test_dependent_indices_take_fewer_bits_at_equal_error(step: float, minilm: list[NDArray[np.float32]]) -> None:
    """On real features, by more than 0.07 bits; an octave of error is half a bit."""
    values = np.concatenate(minilm)
    geometry, bits = Geometry(tuple((len(part),) for part in minilm), 0), []
    for least in (2.0, 6.0):
        made, codec = planned(values, geometry, step, dependent_from=least)
        assert made.parameters.dependent == (least == 2)
        found = codec.reconstruct(symbols_of(made, codec, values, geometry.bands), geometry, 1.0, np.dtype("f4"))
        bits.append(made.bits / values.size + 0.5 * np.log2(np.square(found - values).mean()))
    assert bits[0] < bits[1] - 0.07


def test_few_channels_do_not_depend() -> None:
    values = np.random.default_rng(5).normal(size=(400, 7)).astype(np.float32)
    assert not planned(values, Geometry(((400,),), 0), 0.01)[0].parameters.dependent


def test_estimates_fall_with_steps() -> None:
    values = np.random.default_rng(4).laplace(size=(600, 20)).astype(np.float32)
    bands = np.zeros(600, np.uint8)
    bits = [estimate(values, bands, np.full(BANDS, step), 1.0) for step in (0.05, 0.1, 0.4, 1.6)]
    assert bits == sorted(bits, reverse=True)
    made, _ = planned(values, Geometry(((),) * 600, 0), 0.4)
    assert bits[2] == pytest.approx(made.bits, rel=0.15)
    assert estimate(values, bands, np.full(BANDS, 0.4), 3.0) == pytest.approx(3 * bits[2], rel=0.02)


@settings(deadline=None)
@given(
    hnp.arrays(np.int64, st.tuples(st.integers(1, 4), st.sampled_from([1, 40])), elements=st.integers(0, 1 << 30)),
    st.floats(0.1, 1e6),
)
def test_tables_stay_in_range(seeds: NDArray[np.int64], scale: float) -> None:
    counts = np.zeros((*seeds.shape, BUCKETS), np.int64)
    for place in np.ndindex(seeds.shape):
        rng = np.random.default_rng(seeds[place])
        counts[place] = rng.integers(0, 50, BUCKETS) * (rng.random(BUCKETS) < rng.random())
    table_of, levels = choose_tables(counts, scale)
    assert table_of.shape == seeds.shape
    assert 1 <= len(levels) <= 256
    assert int(table_of.max()) < len(levels)
    assert np.isfinite(table_bits(counts.reshape(-1, BUCKETS), table_of.ravel(), levels))
    frequencies_of(levels)


def test_blind_steps_favour_means_and_first_tokens_and_lone_tokens_are_no_means() -> None:
    steps = blind_importance(Geometry(((14, 14),), 1, True)).steps
    assert (np.diff(steps[:14]) >= 0).all()
    assert steps[0] < 0
    assert steps[14] < steps[15] < 0
    assert not blind_importance(Geometry(((), ()), 0, True)).steps[:14].any()


def test_steps_of_planes_grow_more_with_frequency_than_those_of_what_attention_reads() -> None:
    plane, with_class, sequence = (
        blind_importance(Geometry(grids, special, True)).steps.astype(int)
        for grids, special in ((((14, 14),), 0), (((14, 14),), 1), (((196,),), 0))
    )
    assert plane[13] - plane[1] > with_class[13] - with_class[1] > 0
    assert plane[13] - plane[1] > sequence[13] - sequence[1] > 0


@given(hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1e6)))
def test_directions_weigh_1_in_the_mean_and_more_where_features_vary_more(variances: Matrix) -> None:
    scales = blind_importance(Geometry(((8,),), 0, True)).scales(variances)
    assert np.square(1 / scales).mean() == pytest.approx(1)
    order = np.argsort(variances)
    assert (np.diff(scales[order]) <= 1e-12).all()
    np.testing.assert_allclose(flat_importance().scales(variances), 1)


def test_blind_steps_are_finer_where_features_vary_more() -> None:
    scales = blind_importance(Geometry(((8,),), 0, True)).scales(np.array([16.0, 4.0, 1.0]))
    assert scales[0] < 0.8 < 1 < scales[2]
