"""The integer half of the transform codec: symbols to bytes and back."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from kernel_paths import without_kernels
from numpy.typing import NDArray

from caufc.codec.buckets import BUCKETS, bucket_of
from caufc.codec.transform import coefficients as coefficient_coder
from caufc.codec.transform.codec import TransformCodec
from caufc.codec.transform.contexts import CLASSES, CONTEXTS, classes_of, extents_of, magnitude_of
from caufc.codec.transform.grids import Geometry
from caufc.codec.transform.parameters import CHANNEL_LEVELS, CONTEXT_MAP, TABLES, Parameters
from caufc.codec.transform.universal_tables import universal_tables
from caufc.errors import MalformedError

from .chunks import Drawn, drawn, symbols_of


def codec_of(channels: int, *, spectral: bool = False, extents: bool = False, level: int = 20) -> TransformCodec:
    return TransformCodec(Parameters(1.0, 0, spectral, extents, level), {}, channels)


def decaying(geometry: Geometry, channels: int) -> NDArray[np.int32]:
    """Symbols that thin out towards high frequencies."""
    rng = np.random.default_rng(7)
    size = (geometry.tokens, channels)
    return np.where(
        rng.random(size) < np.exp(-geometry.bands.astype(float))[:, None], rng.integers(1, 9, size), 0
    ).astype(np.int32)


@settings(deadline=None, max_examples=75)
@given(drawn())
def test_symbols_come_back(case: Drawn) -> None:
    payload = case.codec.encode(case.symbols, case.geometry)
    assert bool(payload) == bool(case.symbols.any())
    found = case.codec.decode_symbols(payload, case.geometry)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, case.symbols)


@settings(deadline=None, max_examples=30)
@given(drawn())
def test_bytes_do_not_depend_on_memory_order(case: Drawn) -> None:
    other = np.asfortranarray(case.symbols)
    assert case.codec.encode(other, case.geometry) == case.codec.encode(case.symbols, case.geometry)


GOLDEN = {
    (False, False): "553d4a0ddbae7da5",
    (False, True): "086c01a80074929a",
    (True, False): "5428ce6d1d8fd53b",
    (True, True): "c61f452ca9b7585f",
}


@pytest.mark.parametrize(("spectral", "extents"), GOLDEN)
def test_bytes_are_the_same_everywhere(spectral: bool, extents: bool) -> None:
    """With tables of the test's own: they stay when the universal ones are trained anew."""
    geometry = Geometry(((19, 11), (70, 3), (5,), (1,)), 2, spectral)
    tokens, channels = np.mgrid[0 : geometry.tokens, 0:5]
    mixed = (tokens * 2654435761 + channels * 40503) % 65536
    symbols = np.where(mixed % 4 == 0, mixed >> (mixed % 15), 0).astype(np.int32)
    tables = 40 + (np.arange(12 * BUCKETS) * 37) % 90
    table_of = (np.arange(20 * CONTEXTS) * 7) % 12
    arrays = {
        TABLES: tables.astype(np.uint8),
        CONTEXT_MAP: table_of.astype(np.uint8),
        CHANNEL_LEVELS: np.arange(5, dtype=np.int8),
    }
    codec = TransformCodec(Parameters(1.0, 0, spectral, extents, 3), arrays, 5)
    payload = codec.encode(symbols, geometry)
    np.testing.assert_array_equal(codec.decode_symbols(payload, geometry), symbols)
    assert hashlib.sha256(payload).hexdigest()[:16] == GOLDEN[spectral, extents]


@pytest.mark.parametrize("spectral", [False, True])
def test_extents_save_where_blocks_end_early(spectral: bool) -> None:
    geometry = Geometry(((32, 32),) * 4, 0, spectral)
    symbols = np.zeros((geometry.tokens, 6), np.int32)
    rng = np.random.default_rng(1)
    if spectral:
        symbols = decaying(geometry, 6)
    else:
        symbols[geometry.heads] = rng.integers(0, 9, (len(geometry.heads), 6))
        busy = geometry.heads[:8]
        for step in range(1, 8):
            symbols[busy + step] = rng.integers(0, 9, (8, 6))
    sizes = [
        len(codec_of(6, spectral=spectral, extents=extents, level=12).encode(symbols, geometry))
        for extents in (False, True)
    ]
    assert sizes[1] < 0.8 * sizes[0]


def test_extents_are_the_highest_rank_with_a_symbol() -> None:
    geometry = Geometry(((8, 8),), 1, True)
    magnitudes = np.zeros((65, 3), np.uint8)
    magnitudes[1 + 3 * 8 + 4, 0] = 1
    magnitudes[1 + 7, 0] = 2
    magnitudes[1, 1] = 3
    assert extents_of(magnitudes, geometry).tolist() == [[5, 0, 0]]
    lattice = Geometry(((8, 16),), 0)
    magnitudes = np.zeros((128, 1), np.uint8)
    magnitudes[17] = 1
    assert extents_of(magnitudes, lattice).tolist() == [[1], [0]]


@pytest.mark.parametrize("spectral", [False, True])
def test_extents_beyond_every_rank_code_all_symbols(spectral: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder takes them, whoever writes them [CAUF-0217]."""
    geometry = Geometry(((12, 12),), 1, spectral)
    symbols = symbols_of(np.random.default_rng(5), geometry, 3)
    codec = codec_of(3, spectral=spectral, extents=True)
    payload = codec.encode(symbols, geometry)

    def all_of_them(magnitudes: NDArray[np.uint8], geometry: Geometry) -> NDArray[np.uint8]:
        return np.full((len(geometry.heads), magnitudes.shape[1]), 63, np.uint8)

    monkeypatch.setattr(coefficient_coder, "extents_of", all_of_them)
    with without_kernels():
        other = codec.encode(symbols, geometry)
    assert other != payload
    np.testing.assert_array_equal(codec.decode_symbols(other, geometry), symbols)


def test_classes_are_sums_that_stay_in_range() -> None:
    bands = np.zeros(16, np.int8)
    bands[3] = -128
    classes = classes_of(30, np.array([0, 10, 127, -128], np.int8), bands)
    assert classes[0].tolist() == [30, 40, CLASSES - 1, 0]
    assert not classes[3, [0, 1, 3]].any()


@pytest.mark.parametrize("level", [0, 10, 20, 30])
def test_levels_pay_where_they_tell_the_magnitude(level: int) -> None:
    geometry = Geometry(((16, 16),) * 2, 0)
    rng = np.random.default_rng(2)
    symbols = rng.poisson(2 ** ((level - 20) / 2), (geometry.tokens, 8)).astype(np.int32)
    sizes = {tried: len(codec_of(8, level=tried).encode(symbols, geometry)) for tried in (0, 10, 20, 30, 40)}
    assert sizes[level] <= 1.05 * min(sizes.values())


def test_a_map_of_few_rows_serves_all_classes() -> None:
    map_of, tables = universal_tables()
    geometry = Geometry(((9, 9),), 0)
    symbols = symbols_of(np.random.default_rng(3), geometry, 4)
    short = {TABLES: tables.ravel(), CONTEXT_MAP: map_of[:21].ravel()}
    for level in (20, 47, 255):
        codec = TransformCodec(Parameters(1.0, level=level), short, 4)
        assert codec.encode(symbols, geometry) == codec_of(4, level=20).encode(symbols, geometry)


def test_the_universal_tables_are_whole() -> None:
    map_of, tables = universal_tables()
    assert map_of.shape == (CLASSES, CONTEXTS)
    assert 0 < len(tables) <= 256
    assert int(map_of.max()) < len(tables)


@pytest.mark.parametrize(("tokens", "channels"), [(0, 3), (3, 0), (0, 0), (1, 1), (1, 500), (500, 1)])
@pytest.mark.parametrize("spectral", [False, True])
def test_degenerate_sizes(tokens: int, channels: int, spectral: bool) -> None:
    codec = codec_of(channels, spectral=spectral, extents=True)
    geometry = codec.geometry(((tokens,),), 0)
    symbols = symbols_of(np.random.default_rng(0), geometry, channels)
    np.testing.assert_array_equal(codec.decode_symbols(codec.encode(symbols, geometry), geometry), symbols)
    assert codec.reconstruct(symbols, geometry, 1.0, np.dtype("f8")).shape == (tokens, channels)


@pytest.mark.parametrize("size", [(0, 3), (3, 0)])
def test_no_symbols_take_no_words(size: tuple[int, int]) -> None:
    codec = codec_of(size[1], extents=True)
    with pytest.raises(MalformedError) as caught:
        codec.decode_symbols(b"\x01\x02\x03\x04", codec.geometry(((size[0],),), 0))
    assert caught.value.requirement == 251


@pytest.mark.parametrize(("spectral", "extents"), GOLDEN)
def test_payloads_of_another_length(spectral: bool, extents: bool) -> None:
    codec = codec_of(8, spectral=spectral, extents=extents)
    geometry = codec.geometry(((40,),), 0)
    symbols = np.random.default_rng(0).poisson(2, (40, 8)).astype(np.int32)
    payload = codec.encode(symbols, geometry)
    half = codec.geometry(((20,),), 0)
    cases = [
        (payload[:-1], geometry),
        (payload[:-8], geometry),
        (payload, half),
        (payload + bytes(4), geometry),
        (b"\1" + payload, geometry),
    ]
    for wrong, at in cases:
        with pytest.raises(MalformedError):
            codec.decode_symbols(wrong, at)


def test_magnitudes_grow_with_buckets_to_15() -> None:
    buckets = bucket_of(np.arange(1 << 12, dtype=np.int32))
    magnitudes = magnitude_of(buckets)
    assert (np.diff(magnitudes.astype(int)) >= 0).all()
    assert magnitudes[:6].tolist() == [0, 1, 1, 2, 2, 3]
    assert int(magnitudes.max()) == 15
