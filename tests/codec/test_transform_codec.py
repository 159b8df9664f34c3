from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from caufc.codec import CLASSES, TABLES, TransformCodec, estimate, plan, table_bits
from caufc.codec.base import Arrays
from caufc.codec.bucket import BUCKETS, zigzag
from caufc.codec.context import choose_classes, coding_order, histogram, payload_bits
from caufc.codec.tables import frequencies_of
from caufc.errors import MalformedError

from .rans import PlainDecoder, cumulative

Matrix = NDArray[Any]


def planned(aligned: Matrix, step: float, *, bounded: bool = False) -> TransformCodec:
    chosen = plan(aligned, step, 1.0, bounded=bounded)
    return TransformCodec(step, chosen.shift, chosen.sections, aligned.shape[1], bounded=bounded)


def classes_of(arrays: Arrays, aligned: Matrix) -> NDArray[Any]:
    """The class of every channel; without a section, 0."""
    return arrays.get(CLASSES, np.zeros(aligned.shape[1], np.uint8))


def decode_plainly(codec: TransformCodec, classes: NDArray[Any], payload: bytes, tokens: int) -> list[int]:
    """Section 9 in plain Python: symbols in coding order."""
    if not payload:
        return [0] * (tokens * codec.channels)
    decoder = PlainDecoder(payload)
    buckets = []
    for number, row in enumerate(codec.frequencies.tolist()):
        starts = cumulative(row)
        buckets += [decoder.table(row, starts) for _ in range(tokens * int(np.sum(classes == number)))]
    symbols = list(buckets)
    for bucket in range(16, BUCKETS):
        where = [i for i, found in enumerate(buckets) if found == bucket]
        octave = (bucket - 16) // 2 + 4
        rests, bits = [0] * len(where), octave - 1
        while bits:
            piece = min(bits, 16)
            bits -= piece
            for i in range(len(where)):
                rests[i] = rests[i] << piece | decoder.uniform(piece)
        for i, rest in zip(where, rests, strict=True):
            symbols[i] = ((2 + (bucket & 1)) << (octave - 1)) + rest
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
    assert symbols.shape == (aligned.size,)
    payload = codec.encode(symbols)
    np.testing.assert_array_equal(codec.decode_symbols(payload, len(aligned)), symbols)
    values = codec.reconstruct(symbols, len(aligned), 1.0, np.dtype("f4"))
    assert values.shape == aligned.shape
    small = np.abs(aligned) < step * 2**20
    slack = 0.5 if bounded else 1.08
    assert (np.abs(values - aligned)[small] <= slack * step * (1 + 1e-5) + np.abs(aligned[small]) * 1e-6).all()


@settings(deadline=None, max_examples=50)
@given(matrices, st.sampled_from([1e-4, 0.5, 8.0]))
def test_payloads_are_those_of_the_spec(aligned: Matrix, step: float) -> None:
    chosen = plan(aligned, step, 1.0, bounded=True)
    codec = TransformCodec(step, 0, chosen.sections, aligned.shape[1], bounded=True)
    symbols = codec.symbols(aligned, 1.0)
    found = decode_plainly(codec, classes_of(chosen.sections, aligned), codec.encode(symbols), len(aligned))
    assert found == symbols.tolist()


def test_coding_order() -> None:
    classes = np.array([2, 0, 1, 0, 2], np.uint8)
    assert coding_order(classes).tolist() == [1, 3, 2, 0, 4]
    levels = np.ones((3, BUCKETS), np.uint8).ravel()
    codec = TransformCodec(1.0, 0, {CLASSES: classes, TABLES: levels}, 5)
    aligned = np.array([[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]], np.float32)
    assert codec.symbols(aligned, 1.0).tolist() == [2, 12, 6, 16, 4, 14, 0, 10, 8, 18]
    back = codec.reconstruct(codec.symbols(aligned, 1.0), 2, 1.0, np.dtype("f4"))
    np.testing.assert_array_equal(back, aligned)


@pytest.mark.parametrize(("tokens", "channels"), [(0, 3), (3, 0), (0, 0), (1, 1), (1, 500), (500, 1)])
def test_degenerate_sizes(tokens: int, channels: int) -> None:
    aligned = np.random.default_rng(0).standard_normal((tokens, channels)).astype(np.float32)
    codec = planned(aligned, 0.1)
    symbols = codec.symbols(aligned, 1.0)
    np.testing.assert_array_equal(codec.decode_symbols(codec.encode(symbols), tokens), symbols)
    assert codec.reconstruct(symbols, tokens, 1.0, np.dtype("f8")).shape == (tokens, channels)


def test_zeros_take_no_bytes() -> None:
    aligned = np.zeros((40, 30), np.float32)
    codec = planned(aligned, 1.0)
    assert codec.encode(codec.symbols(aligned, 1.0)) == b""
    assert not codec.decode_symbols(b"", 40).any()


@pytest.mark.parametrize("gain", [0.25, 1.0, 7.3])
def test_gain(gain: float, minilm: list[NDArray[np.float32]]) -> None:
    aligned = minilm[0]
    step = float(np.float32(np.float32(0.3) * gain))
    one = planned(aligned, step)
    other = TransformCodec(float(np.float32(0.3)), one.shift, {TABLES: np.ones(64, np.uint8)}, 384)
    assert other.effective_step(gain) == step
    order = coding_order(classes_of(plan(aligned, step, 1.0, bounded=False).sections, aligned))
    np.testing.assert_array_equal(
        other.symbols(aligned, gain).reshape(384, -1)[order].ravel(), one.symbols(aligned, 1.0)
    )


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
    payload = codec.encode(symbols)
    np.testing.assert_array_equal(codec.decode_symbols(payload, len(aligned)), symbols)
    chosen = plan(aligned, step, 1.0, bounded=False)
    predicted = table_bits(aligned, step, chosen.sections)
    assert 8 * len(payload) == pytest.approx(predicted, rel=0.01, abs=64)
    assert estimate(aligned, step, 1.0) == pytest.approx(predicted)
    buckets = histogram(symbols.reshape(len(aligned[0]), -1)).sum(axis=0)
    shares = buckets[buckets > 0] / buckets.sum()
    order_0 = -float((buckets[buckets > 0] * np.log2(shares)).sum())
    assert predicted < order_0 + 8 * symbols.size


@settings(deadline=None)
@given(
    hnp.arrays(np.int32, st.tuples(st.integers(0, 70), st.integers(0, 12)), elements=st.integers(0, 60)),
    st.floats(0.1, 1e6),
)
def test_classes_stay_in_range(symbols: NDArray[np.int32], scale: float) -> None:
    counts = histogram(symbols)
    assert counts.shape == (len(symbols), BUCKETS)
    assert counts.sum() == symbols.size
    classes, levels = choose_classes(counts, scale)
    assert classes.shape == (len(symbols),)
    assert 1 <= len(levels) <= 16
    assert not len(classes) or int(classes.max()) < len(levels)
    assert np.isfinite(payload_bits(counts, classes, levels))
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
    ],
)
def test_malformed_parameters(step: float, shift: int, arrays: Any, requirement: int) -> None:
    with pytest.raises(MalformedError) as caught:
        TransformCodec(step, shift, arrays, 2)
    assert caught.value.requirement == requirement


def test_payloads_of_another_length() -> None:
    aligned = np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32)
    codec = planned(aligned, 0.05)
    payload = codec.encode(codec.symbols(aligned, 1.0))
    cases = [(payload[:-1], 40), (payload[:-8], 40), (payload, 20), (payload + bytes(4), 40), (b"\1" + payload, 40)]
    for wrong, tokens in cases:
        with pytest.raises(MalformedError):
            codec.decode_symbols(wrong, tokens)


def test_zigzag_is_the_sign_of_indices() -> None:
    assert zigzag(np.array([0, -1, 1, -2], np.int32)).tolist() == [0, 1, 2, 3]
