from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from caufc.codec import CLASSES, CONTEXT_MAP, TABLES, Geometry, TransformCodec, estimate, plan, sample_bits, trivial_map
from caufc.codec.base import Arrays
from caufc.codec.bucket import BUCKETS, zigzag
from caufc.codec.clustering import choose_classes, choose_tables, table_bits
from caufc.codec.tables import frequencies_of
from caufc.errors import MalformedError

from .rans import PlainDecoder, cumulative

Matrix = NDArray[Any]


def line(aligned: Matrix) -> Geometry:
    """One sample, its tokens in a line."""
    return Geometry(((len(aligned),),), 0)


def planned(aligned: Matrix, step: float, *, bounded: bool = False) -> TransformCodec:
    chosen = plan(aligned, line(aligned), step, 1.0, bounded=bounded)
    return TransformCodec(step, chosen.shift, chosen.sections, aligned.shape[1], bounded=bounded)


def decode_plainly(arrays: Arrays, shape: tuple[int, ...], payload: bytes) -> NDArray[Any]:
    """Section 9 without context map, in plain Python."""
    if not payload:
        return np.zeros(shape, np.int64)
    decoder = PlainDecoder(payload)
    classes = arrays.get(CLASSES, np.zeros(shape[1], np.uint8))
    buckets = np.zeros(shape, np.int64)
    for number, row in enumerate(frequencies_of(arrays[TABLES].reshape(-1, BUCKETS)).tolist()):
        starts = cumulative(row)
        for token in range(shape[0]):
            for channel in np.flatnonzero(classes == number):
                buckets[token, channel] = decoder.table(row, starts)
    symbols = buckets.copy()
    for bucket in range(16, BUCKETS):
        where = np.argwhere(buckets == bucket)
        octave = (bucket - 16) // 2 + 4
        rests, bits = [0] * len(where), octave - 1
        while bits:
            piece = min(bits, 16)
            bits -= piece
            for i in range(len(where)):
                rests[i] = rests[i] << piece | decoder.uniform(piece)
        for (token, channel), rest in zip(where, rests, strict=True):
            symbols[token, channel] = ((2 + (bucket & 1)) << (octave - 1)) + rest
    assert decoder.finished
    return symbols


matrices = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=12),
    elements=st.floats(-100, 100, width=32) | st.sampled_from([0.0, 1e6, -1e9]),
)


@settings(deadline=None, max_examples=150)
@given(matrices, st.sampled_from([1e-3, 0.1, 1.0, 30.0, 1e6]), st.booleans())
def test_symbols_come_back(aligned: Matrix, step: float, bounded: bool) -> None:
    codec = planned(aligned, step, bounded=bounded)
    symbols = codec.symbols(aligned, 1.0)
    assert symbols.dtype == np.int32
    assert symbols.shape == aligned.shape
    payload = codec.encode(symbols, line(aligned))
    np.testing.assert_array_equal(codec.decode_symbols(payload, line(aligned)), symbols)
    values = codec.reconstruct(symbols, 1.0, np.dtype("f4"))
    assert values.shape == aligned.shape
    small = np.abs(aligned) < step * 2**20
    slack = 0.5 if bounded else 1.08
    assert (np.abs(values - aligned)[small] <= slack * step * (1 + 1e-5) + np.abs(aligned[small]) * 1e-6).all()


@settings(deadline=None, max_examples=50)
@given(matrices, st.sampled_from([1e-4, 0.5, 8.0]))
def test_payloads_are_those_of_the_spec(aligned: Matrix, step: float) -> None:
    chosen = plan(aligned, line(aligned), step, 1.0, bounded=True)
    sections = {kind: array for kind, array in chosen.sections.items() if kind != CONTEXT_MAP}
    classes = sections.get(CLASSES, np.zeros(aligned.shape[1], np.uint8))
    sections[TABLES] = np.tile(sections[TABLES][:BUCKETS], int(classes.max(initial=0)) + 1)
    codec = TransformCodec(step, 0, sections, aligned.shape[1], bounded=True)
    symbols = codec.symbols(aligned, 1.0)
    found = decode_plainly(sections, aligned.shape, codec.encode(symbols, line(aligned)))
    np.testing.assert_array_equal(found, symbols)


def test_order_within_a_class() -> None:
    classes = np.array([1, 0, 1], np.uint8)
    sections = {CLASSES: classes, TABLES: np.ones(2 * BUCKETS, np.uint8)}
    codec = TransformCodec(1.0, 0, sections, 3)
    symbols = np.arange(6, dtype=np.int32).reshape(2, 3)
    np.testing.assert_array_equal(
        decode_plainly(sections, (2, 3), codec.encode(symbols, Geometry(((2,),), 0))), symbols
    )


GEOMETRIES = [
    Geometry(((7, 7),) * 3, 0),
    Geometry(((14, 14),) * 2, 1),
    Geometry(((5,), (1,), (23,), (0,)), 2),
    Geometry(((3, 5, 4), (2, 2, 9)), 0),
    Geometry(((),) * 6, 0),
    Geometry((), 0),
]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda geometry: str(geometry.grids))
def test_passes_reach_every_token_once_from_known_neighbours(geometry: Geometry) -> None:
    known: set[int] = set()
    for part in geometry.passes:
        for column, token in enumerate(part.tokens):
            around = [n for n in part.neighbours[:, column] if n < geometry.tokens]
            assert set(around) <= known
            assert len(around) == part.counts[column]
            assert token not in known
        known |= set(part.tokens.tolist())
        assert (np.diff(part.tokens) > 0).all()
    assert known == set(range(geometry.tokens))


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda geometry: str(geometry.grids))
@pytest.mark.parametrize("step", [0.01, 0.4, 3.0])
def test_symbols_come_back_through_contexts(geometry: Geometry, step: float) -> None:
    rng = np.random.default_rng(1)
    aligned = (rng.standard_normal((geometry.tokens, 9)) * rng.uniform(0.1, 9, 9)).astype(np.float32)
    sections = {
        CLASSES: (np.arange(9) % 3).astype(np.uint8),
        CONTEXT_MAP: rng.integers(0, 5, 3 * 27).astype(np.uint8),
        TABLES: rng.integers(1, 150, 5 * BUCKETS).astype(np.uint8),
    }
    codec = TransformCodec(step, 0, sections, 9)
    symbols = codec.symbols(aligned, 1.0)
    np.testing.assert_array_equal(codec.decode_symbols(codec.encode(symbols, geometry), geometry), symbols)


def test_as_many_classes_as_a_byte_names() -> None:
    geometry = Geometry(((6, 6),), 0)
    aligned = np.random.default_rng(2).standard_normal((36, 256)).astype(np.float32)
    map_of = np.random.default_rng(3).integers(0, 3, 256 * 27).astype(np.uint8)
    tables = np.tile(np.arange(64, dtype=np.uint8), 3)
    sections = {CLASSES: np.arange(256, dtype=np.uint8), CONTEXT_MAP: map_of, TABLES: tables}
    codec = TransformCodec(0.2, 0, sections, 256)
    symbols = codec.symbols(aligned, 1.0)
    np.testing.assert_array_equal(codec.decode_symbols(codec.encode(symbols, geometry), geometry), symbols)
    alone = TransformCodec(0.2, 0, {**sections, CLASSES: np.full(256, 255, np.uint8)}, 256)
    single = TransformCodec(0.2, 0, {CONTEXT_MAP: map_of[-27:], TABLES: sections[TABLES]}, 256)
    assert alone.encode(symbols, geometry) == single.encode(symbols, geometry)


def test_contexts_pay_on_maps_and_a_trivial_map_changes_no_rate(efficientnet: NDArray[np.float32]) -> None:
    aligned = np.ascontiguousarray(efficientnet.reshape(1280, 49).T)
    chosen = plan(aligned, Geometry(((7, 7),), 0), 0.5, 30.0, bounded=False).sections
    assert CONTEXT_MAP in chosen
    plain = plan(aligned, Geometry(((),) * 49, 0), 0.5, 30.0, bounded=False).sections
    assert CONTEXT_MAP not in plain
    square = Geometry(((7, 7),), 0)
    assert sample_bits(aligned, square, 0.5, chosen) < 0.9 * sample_bits(aligned, square, 0.5, plain)
    tables = len(plain[TABLES]) // BUCKETS
    mapped = TransformCodec(0.5, 0, {**plain, CONTEXT_MAP: trivial_map(tables)}, 1280)
    without = TransformCodec(0.5, 0, plain, 1280)
    symbols = without.symbols(aligned, 1.0)
    lengths = [len(codec.encode(symbols, square)) for codec in (mapped, without)]
    assert abs(lengths[0] - lengths[1]) <= 8


@pytest.mark.parametrize(("tokens", "channels"), [(0, 3), (3, 0), (0, 0), (1, 1), (1, 500), (500, 1)])
def test_degenerate_sizes(tokens: int, channels: int) -> None:
    aligned = np.random.default_rng(0).standard_normal((tokens, channels)).astype(np.float32)
    codec = planned(aligned, 0.1)
    symbols = codec.symbols(aligned, 1.0)
    geometry = line(aligned)
    np.testing.assert_array_equal(codec.decode_symbols(codec.encode(symbols, geometry), geometry), symbols)
    assert codec.reconstruct(symbols, 1.0, np.dtype("f8")).shape == (tokens, channels)


def test_zeros_take_no_bytes() -> None:
    aligned = np.zeros((40, 30), np.float32)
    codec = planned(aligned, 1.0)
    assert codec.encode(codec.symbols(aligned, 1.0), line(aligned)) == b""
    assert not codec.decode_symbols(b"", line(aligned)).any()


@pytest.mark.parametrize("gain", [0.25, 1.0, 7.3])
def test_gain(gain: float, minilm: list[NDArray[np.float32]]) -> None:
    aligned = minilm[0]
    step = float(np.float32(np.float32(0.3) * gain))
    one = planned(aligned, step)
    other = TransformCodec(float(np.float32(0.3)), one.shift, {TABLES: np.ones(64, np.uint8)}, 384)
    assert other.effective_step(gain) == step
    np.testing.assert_array_equal(other.symbols(aligned, gain), one.symbols(aligned, 1.0))


@pytest.mark.parametrize(("step", "gain"), [(1e-30, 1e-30), (1e30, 1e30)])
def test_steps_that_float32_does_not_hold(step: float, gain: float) -> None:
    codec = TransformCodec(step, 0, {TABLES: np.ones(64, np.uint8)}, 1)
    with pytest.raises(MalformedError) as caught:
        codec.effective_step(gain)
    assert caught.value.requirement == 221


@pytest.mark.parametrize("features", ["efficientnet", "minilm"])
@pytest.mark.parametrize("step", [0.02, 0.3, 2.0])
def test_real_features(features: str, step: float, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(features)
    aligned = np.concatenate(found) if isinstance(found, list) else np.ascontiguousarray(found.reshape(1280, 49).T)
    codec = planned(aligned, step)
    symbols = codec.symbols(aligned, 1.0)
    geometry = line(aligned)
    payload = codec.encode(symbols, geometry)
    np.testing.assert_array_equal(codec.decode_symbols(payload, geometry), symbols)
    chosen = plan(aligned, geometry, step, 1.0, bounded=False)
    predicted = sample_bits(aligned, geometry, step, chosen.sections)
    assert 8 * len(payload) == pytest.approx(predicted, rel=0.01, abs=64)
    assert estimate(aligned, step, 1.0) > 0.97 * predicted


@settings(deadline=None)
@given(
    hnp.arrays(np.int32, st.tuples(st.integers(0, 70), st.integers(0, 12)), elements=st.integers(0, 60)),
    st.floats(0.1, 1e6),
)
def test_classes_and_tables_stay_in_range(symbols: NDArray[np.int32], scale: float) -> None:
    counts = (
        np.stack([np.bincount(row, minlength=BUCKETS) for row in symbols]) if len(symbols) else np.zeros((0, 64), int)
    )
    classes = choose_classes(counts, scale)
    assert classes.shape == (len(symbols),)
    assert int(classes.max(initial=0)) < 16
    table_of, levels = choose_tables(counts, scale)
    assert table_of.shape == (len(symbols),)
    assert 1 <= len(levels) <= 48
    assert int(table_of.max(initial=0)) < len(levels)
    assert np.isfinite(table_bits(counts, table_of, levels))
    frequencies_of(levels)


ONE = np.ones(64, np.uint8)


@pytest.mark.parametrize(
    ("step", "shift", "arrays", "requirement"),
    [
        (0.0, 0, {TABLES: ONE}, 201),
        (-1.0, 0, {TABLES: ONE}, 201),
        (float("inf"), 0, {TABLES: ONE}, 201),
        (float("nan"), 0, {TABLES: ONE}, 201),
        (1.0, 33, {TABLES: ONE}, 201),
        (1.0, -33, {TABLES: ONE}, 201),
        (1.0, 0, {}, 203),
        (1.0, 0, {TABLES: ONE[:63]}, 203),
        (1.0, 0, {TABLES: np.ones(65, np.uint8)}, 203),
        (1.0, 0, {TABLES: np.ones(64 * 257, np.uint8)}, 203),
        (1.0, 0, {TABLES: np.zeros(64, np.uint8)}, 230),
        (1.0, 0, {TABLES: np.full(64, 194, np.uint8)}, 230),
        (1.0, 0, {TABLES: ONE, CLASSES: np.zeros(3, np.uint8)}, 204),
        (1.0, 0, {TABLES: ONE, CLASSES: np.array([0, 1], np.uint8)}, 204),
        (1.0, 0, {TABLES: ONE, CONTEXT_MAP: np.zeros(26, np.uint8)}, 216),
        (1.0, 0, {TABLES: ONE, CONTEXT_MAP: np.ones(27, np.uint8)}, 216),
    ],
)
def test_malformed_parameters(step: float, shift: int, arrays: Any, requirement: int) -> None:
    with pytest.raises(MalformedError) as caught:
        TransformCodec(step, shift, arrays, 2)
    assert caught.value.requirement == requirement


def test_payloads_of_another_length() -> None:
    aligned = np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32)
    codec = planned(aligned, 0.05)
    payload = codec.encode(codec.symbols(aligned, 1.0), line(aligned))
    cases = [(payload[:-1], 40), (payload[:-8], 40), (payload, 20), (payload + bytes(4), 40), (b"\1" + payload, 40)]
    for wrong, tokens in cases:
        with pytest.raises(MalformedError):
            codec.decode_symbols(wrong, Geometry(((tokens,),), 0))


def test_zigzag_is_the_sign_of_indices() -> None:
    assert zigzag(np.array([0, -1, 1, -2], np.int32)).tolist() == [0, 1, 2, 3]
