"""What a planner counts, by the compiled kernel: numpy's counts."""

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
from caufc.codec.buckets import bucket_of, buckets_of
from caufc.codec.transform.compiled import CONTEXT_OF_SUM
from caufc.codec.transform.contexts import EXTENT_CONTEXT, magnitude_of
from caufc.codec.transform.grids import Geometry
from caufc.codec.transform.parameters import Parameters
from caufc.codec.transform.quantize import MAX_INDEX
from caufc.encoder.levels import index_costs, levels_for
from caufc.encoder.sample_plan import _by_class, _reach, plan_sample
from caufc.encoder.tables import context_counts

from ..chunks import Drawn, drawn

pytestmark = pytest.mark.skipif(kernels.counts is None, reason="the kernel is not built, or switched off")

INDICES = hnp.arrays(
    np.int32,
    st.tuples(st.integers(0, 20), st.integers(0, 9)),
    elements=st.one_of(st.integers(-9, 9), st.integers(-MAX_INDEX, MAX_INDEX)),
)


def same(found: tuple[Any, Any]) -> None:
    compiled, plain = found
    if plain is None:
        assert compiled is None
        return
    assert compiled.dtype == plain.dtype
    np.testing.assert_array_equal(compiled, plain)


@settings(deadline=None, max_examples=100)
@given(INDICES, st.integers(0, 1 << 30))
def test_levels_costs_and_buckets(indices: NDArray[np.int32], seed: int) -> None:
    rng = np.random.default_rng(seed)
    bands = rng.integers(0, 16, len(indices)).astype(np.uint8)
    classes = rng.integers(0, 48, (16, indices.shape[1])).astype(np.uint8)
    same(both(lambda: buckets_of(indices)))
    same(both(lambda: _by_class(buckets_of(indices), bands, classes)))
    if indices.size:
        compiled, plain = both(lambda: levels_for(indices, bands))
        assert compiled.level == plain.level
        same((compiled.channels, plain.channels))
        same((compiled.bands, plain.bands))
        same((compiled.classes_by_others(), plain.classes_by_others()))
        same(both(lambda: index_costs(indices, compiled, bands)))


@settings(deadline=None, max_examples=75)
@given(drawn(), st.booleans())
def test_contexts_and_extents(case: Drawn, extents: bool) -> None:
    buckets = bucket_of(case.symbols)
    classes = case.codec.coder.classes
    same(both(lambda: context_counts(buckets, classes, case.geometry, extents)))
    if len(case.geometry.heads):
        compiled, plain = both(lambda: _reach(buckets, magnitude_of(buckets), case.geometry))
        same((compiled[0], plain[0]))
        assert compiled[1] == plain[1]


@pytest.mark.parametrize("kind", ["bounded", "plain", "dependent"])
@pytest.mark.parametrize("spectral", [False, True])
def test_whole_plans_of_real_features(kind: Any, spectral: bool, efficientnet: NDArray[np.float32]) -> None:
    """Down to the last bit of their sections and estimates."""
    coefficients = np.ascontiguousarray(efficientnet[0].reshape(1280, 49).T)
    geometry, parameters = Geometry(((7, 7),), 0, spectral), Parameters(0.1, 0, spectral, False, 20)
    for step in (0.02, 0.3):
        compiled, plain = both(
            lambda: plan_sample(coefficients, geometry, np.full(16, step), parameters, 3.0, kind=kind)  # noqa: B023
        )
        assert compiled.bits == plain.bits
        assert compiled.parameters == plain.parameters
        assert {name: array.tobytes() for name, array in compiled.tables.items()} == {
            name: array.tobytes() for name, array in plain.tables.items()
        }


def test_what_does_not_fit_is_refused() -> None:
    kernel, geometry = kernels.counts, Geometry(((6, 7),), 1, True)
    indices, bands, classes = np.zeros((3, 4), np.int32), np.zeros(3, np.uint8), np.zeros((16, 4), np.uint8)
    buckets, counts = np.zeros((43, 4), np.uint8), np.zeros(48 * 40 * 64, np.int64)
    heads = (geometry.placement, classes, CONTEXT_OF_SUM, EXTENT_CONTEXT)
    kernel.by_context(buckets, *heads, counts, 4, True)
    three, one = np.zeros(3 * 48, np.int64), np.zeros(48, np.int64)
    kernel.sizes(indices, bands, classes, three, one, 3, 4)
    large, high, ranks = np.full((3, 4), 1 << 27, np.int32), bands + np.uint8(16), geometry.placement.passes.copy()
    ranks[1:, 2] = 64
    spoilt = geometry.placement._replace(passes=ranks)
    refused: list[Callable[[], object]] = [
        lambda: kernel.buckets(large, np.empty((3, 4), np.uint8), 3, 4),
        lambda: kernel.buckets(~large, np.empty((3, 4), np.uint8), 3, 4),
        lambda: kernel.buckets(indices, np.empty((3, 4), np.uint8), -3, -4),
        lambda: kernel.buckets(indices, np.empty((2, 4), np.uint8), 3, 4),
        lambda: kernel.sums(indices, high, np.zeros(16, np.int64), np.zeros(4, np.int64), 3, 4),
        lambda: kernel.sums(indices, bands, np.zeros(15, np.int64), np.zeros(4, np.int64), 3, 4),
        lambda: kernel.sums(indices, bands, np.zeros(16, np.int64), np.zeros(3, np.int64), 3, 4),
        lambda: kernel.sizes(indices, high, classes, three, one, 3, 4),
        lambda: kernel.sizes(indices, bands, classes + np.uint8(48), three, one, 3, 4),
        lambda: kernel.sizes(indices, bands, classes, one, one, 3, 4),
        lambda: kernel.by_class(buckets[:3] + np.uint8(64), bands, classes, np.zeros(3072, np.int64), 3, 4),
        lambda: kernel.by_class(buckets[:3], bands, classes, np.zeros(3071, np.int64), 3, 4),
        lambda: kernel.extents(buckets, geometry.placement, classes, np.empty((2, 4), np.uint8), 4),
        lambda: kernel.extents(buckets[:3], geometry.placement, classes, np.empty((1, 4), np.uint8), 4),
        lambda: kernel.by_context(buckets + np.uint8(64), *heads, counts, 4, True),
        lambda: kernel.by_context(buckets, *heads[:2], CONTEXT_OF_SUM + np.uint8(40), EXTENT_CONTEXT, counts, 4, True),
        lambda: kernel.by_context(buckets, *heads[:3], EXTENT_CONTEXT + np.uint8(40), counts, 4, True),
        lambda: kernel.by_context(buckets, spoilt, *heads[1:], counts, 4, True),
        lambda: kernel.by_context(buckets, *heads, counts[:-1], 4, True),
    ]
    for call in refused:
        with pytest.raises(ValueError):
            call()
