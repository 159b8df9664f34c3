"""Random chunks for the transform codec: grids, special tokens, sections, symbols."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from caufc.codec.buckets import BUCKETS
from caufc.codec.transform.codec import TransformCodec
from caufc.codec.transform.contexts import CONTEXTS
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

Grid = tuple[int, ...]
MOST_TOKENS = 900

SIZES = st.sampled_from([0, 1, 2, 3, 5, 7, 8, 9, 16, 17, 20])
LONG = st.sampled_from([65, 70, 129])
GRIDS = st.one_of(
    st.just(()),
    st.tuples(SIZES),
    st.tuples(LONG),
    st.tuples(SIZES, SIZES),
    st.tuples(st.sampled_from([1, 3]), LONG),
    st.tuples(LONG, st.sampled_from([1, 3])),
    st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 9)),
)


@dataclass(frozen=True)
class Drawn:
    """A codec and what it codes."""

    codec: TransformCodec
    arrays: dict[str, NDArray[Any]]
    geometry: Geometry
    channels: int
    symbols: NDArray[np.int32]


def sections(rng: np.random.Generator, channels: int) -> dict[str, NDArray[Any]]:
    """Some of the sections that there can be."""
    found: dict[str, NDArray[Any]] = {}
    coded = channels
    if rng.random() < 0.4:
        coded = int(rng.integers(1, channels + 1))
        found[BASIS] = rng.integers(-128, 128, coded * channels).astype("i1")
        found[BASIS_SCALES] = rng.integers(-60, -40, coded).astype("<i2")
        if rng.random() < 0.3:
            found |= {ANALYSIS: found[BASIS].astype("<i2"), ANALYSIS_SCALES: found[BASIS_SCALES]}
    for kind, size, most in ((CHANNEL_LEVELS, coded, 9), (BAND_LEVELS, 16, 9), (BAND_STEPS, 16, 30)):
        if rng.random() < 0.6:
            found[kind] = rng.integers(-most, most, size).astype("i1")
    if rng.random() < 0.5:
        tables = int(rng.integers(1, 20))
        found[TABLES] = rng.integers(1, 150, tables * BUCKETS).astype("u1")
        found[CONTEXT_MAP] = rng.integers(0, tables, int(rng.integers(1, 49)) * CONTEXTS).astype("u1")
    return found


def symbols_of(rng: np.random.Generator, geometry: Geometry, channels: int) -> NDArray[np.int32]:
    """Symbols ``[N, K]``: few or many, small or large, mostly in low bands."""
    size = (geometry.tokens, channels)
    values = np.exp2(rng.exponential(rng.choice([0.5, 3.0]), size)).astype(np.int64)
    if rng.random() < 0.2:
        values <<= int(rng.integers(0, 15))
    share = rng.random() * np.exp(-geometry.bands / rng.choice([1.0, 4.0, 100.0]))[:, None]
    return np.where(rng.random(size) < share, np.minimum(values, (1 << 28) - 1), 0).astype(np.int32)


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    """A random codec, geometry and symbols."""
    kinds = draw(st.lists(GRIDS, min_size=1, max_size=3))
    grids = [grid for grid in kinds for _ in range(draw(st.integers(1, 2)))]
    while sum(math.prod(grid) for grid in grids) > MOST_TOKENS and len(grids) > 1:
        grids.pop()
    special, channels = draw(st.sampled_from([0, 0, 1, 3])), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    arrays = sections(rng, channels)
    parameters = Parameters(
        0.25, draw(st.integers(-32, 32)), draw(st.booleans()), draw(st.booleans()), draw(st.integers(-60, 60))
    )
    codec = TransformCodec(parameters, arrays, channels)
    geometry = codec.geometry(tuple(grids), special)
    return Drawn(codec, arrays, geometry, channels, symbols_of(rng, geometry, codec.coded))
