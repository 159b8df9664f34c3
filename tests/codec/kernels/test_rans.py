"""The compiled rANS coder against constriction, symbol by symbol; what does not fit is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_paths import both
from numpy.typing import NDArray

from caufc.codec import kernels
from caufc.codec.entropy import RansDecoder, table_model, uniform_model
from caufc.codec.tables import frequencies_of

pytestmark = pytest.mark.skipif(kernels.rans is None, reason="the kernel is not built, or switched off")

WORDS = st.binary(max_size=600).map(lambda data: (data + b"\1")[-(len(data) + 1) // 4 * 4 :])


@st.composite
def tables(draw: st.DrawFn) -> NDArray[np.int64]:
    """Frequencies of 2 to 65,536 symbols, alike or as unlike as can be."""
    size = draw(st.sampled_from([2, 3, 5, 64, 256, 257, 4096, 65_536]))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    levels = rng.integers(0, draw(st.sampled_from([2, 40, 194])), size).astype(np.uint8)
    levels[rng.integers(size)] = draw(st.integers(1, 193))
    found: NDArray[np.int64] = frequencies_of(levels[None])[0]
    return found


@settings(deadline=None, max_examples=75)
@given(WORDS, st.lists(st.tuples(st.one_of(tables(), st.integers(1, 16)), st.integers(0, 90)), max_size=4))
def test_any_words_decode_alike(data: bytes, runs: list[tuple[Any, int]]) -> None:
    """Whatever runs of whatever tables; and all agree on whether words are left."""
    data = data[: len(data) // 4 * 4]
    if data[-4:] == bytes(4):
        return

    def symbols() -> list[Any]:
        decoder, found = RansDecoder(data), []
        for of, count in runs:
            out = np.empty(count, np.int32)
            decoder.pull_into(out, uniform_model(of) if isinstance(of, int) else table_model(of))
            found.append(out.tolist())
        return [*found, decoder.coder.is_empty()]

    compiled, plain = both(symbols)
    assert compiled == plain


TOTAL = 1 << 24
EDGES = sorted({min(TOTAL - 1, max(1, (1 << power) + by)) for power in range(25) for by in (-2, -1, 0, 1, 2)})
"""Frequencies around powers of two, where reciprocals change their shift."""


@pytest.mark.parametrize("octave", range(24))
def test_states_are_divided_exactly(octave: int) -> None:
    """Quotients come by products, which must not be one off: least so right before the next multiple."""
    rng = np.random.default_rng(octave)
    drawn = rng.integers(1 << octave, min(TOTAL - 1, 2 << octave), 100).tolist()
    for frequency in {*drawn, *(edge for edge in EDGES if edge >> octave == 1)}:
        intervals = kernels.rans.intervals_of(np.array([[frequency, TOTAL - frequency]], np.int64), 1, 2)
        for multiple in {1, 2, 1 << 40, *rng.integers(1, 1 << 40, 3).tolist()}:
            state = multiple * frequency - 1
            run = np.zeros(1, np.uint8), 1, intervals, np.zeros(1, np.uint8), np.ones(1, np.int64)
            pushed = kernels.rans.encode(np.empty(2, np.uint32), 0, state, *run)
            assert pushed == (0, state // frequency * TOTAL + state % frequency)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i4", "u8", "i8"])
def test_integers_of_every_width(dtype: str) -> None:
    data = np.random.default_rng(3).integers(1, 1 << 32, 50, dtype=np.uint32).tobytes()
    model = table_model(np.full(256, 1 << 16, np.int64))

    def symbols() -> list[int]:
        out = np.empty(60, dtype)
        RansDecoder(data).pull_into(out, model)
        return out.tolist()

    compiled, plain = both(symbols)
    assert compiled == plain


@pytest.mark.parametrize("dtype", ["u1", "u2", "i8"])
def test_bits_of_every_width(dtype: str) -> None:
    data = np.random.default_rng(3).integers(1, 1 << 32, 50, dtype=np.uint32).tobytes()

    def symbols() -> list[int]:
        out = np.empty(60, dtype)
        RansDecoder(data).pull_into(out, uniform_model(7))
        return out.tolist()

    compiled, plain = both(symbols)
    assert compiled == plain


@pytest.mark.parametrize(
    ("frequencies", "count", "size"),
    [
        ([[1 << 24]], 1, 1),
        ([[1 << 23, 1 << 23, 0]], 1, 3),
        ([[1 << 24, 0]], 1, 2),
        ([[(1 << 24) - 2, 1]], 1, 2),
        ([[1 << 24, 1]], 1, 2),
        ([[-1, (1 << 24) + 1]], 1, 2),
        ([[1 << 62, 1 << 62, 1 << 62, (1 << 62) + (1 << 24)]], 1, 4),
        ([[1 << 23, 1 << 23]], 2, 2),
        ([[1 << 23, 1 << 23]], 0, 2),
        ([[1 << 23, 1 << 23]] * 257, 257, 2),
        ([[1 << 23, 1 << 23]], 1, -2),
        (np.ones((1, 65_537)), 1, 65_537),
    ],
)
def test_what_is_no_table_is_refused(frequencies: Any, count: int, size: int) -> None:
    for made in (kernels.rans.tables_of, kernels.rans.intervals_of):
        with pytest.raises(ValueError):
            made(np.array(frequencies, np.int64), count, size)


def test_what_does_not_fit_is_refused() -> None:
    words, out = np.ones(3, np.uint32), np.empty(4, np.uint8)
    tables = kernels.rans.tables_of(np.full((2, 4), 1 << 22, np.int64), 2, 4)
    frequencies = np.ones((1, 257), np.int64)
    frequencies[0, 0] = (1 << 24) - 256
    wide = kernels.rans.tables_of(frequencies, 1, 257)
    kernels.rans.decode(words, 3, 0, tables, 1, out, 1)
    for left, number, model, itemsize in ((4, 0, tables, 1), (-1, 0, tables, 1), (3, 2, tables, 1), (3, -1, tables, 1),
                                          (3, 0, wide, 1), (3, 0, tables, 3), (3, 0, tables, 2)):  # fmt: skip
        array = out if itemsize != 2 else np.empty(3, np.uint8)
        with pytest.raises(ValueError):
            kernels.rans.decode(words, left, 0, model, number, array, itemsize)
    for bits in (0, 17, -1):
        with pytest.raises(ValueError):
            kernels.rans.decode_bits(words, 3, 0, bits, np.empty(4, np.int32))
    with pytest.raises((ValueError, BufferError)):
        kernels.rans.decode(words, 3, 0, tables, 0, np.empty(8, np.uint8)[::2], 1)
    out.setflags(write=False)
    with pytest.raises((ValueError, BufferError)):
        kernels.rans.decode(words, 3, 0, tables, 0, out, 1)


PUSHED: dict[str, Any] = {
    "words": np.zeros(6, np.uint32),
    "filled": 1,
    "state": 1 << 63,
    "symbols": np.array([0, 3, 1, 2], np.uint8),
    "itemsize": 1,
    "intervals": None,
    "run_tables": np.array([1, 0], np.uint8),
    "run_stops": np.array([3, 4], np.int64),
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"words": np.zeros(4, np.uint32)},
        {"filled": 3},
        {"filled": -1},
        {"symbols": np.array([0, 3, 1, 4], np.uint8)},
        {"symbols": np.array([0, 3, 1, -1], np.int64), "itemsize": 8},
        {"itemsize": 2},
        {"itemsize": 3},
        {"run_tables": np.array([1, 2], np.uint8)},
        {"run_tables": np.array([1], np.uint8)},
        {"run_stops": np.array([3, 5], np.int64)},
        {"run_stops": np.array([3, 3], np.int64)},
        {"run_stops": np.array([-1, 4], np.int64)},
        {"run_stops": np.array([5, 4], np.int64)},
        {"run_stops": np.array([3, 4], np.int32)},
    ],
    ids=str,
)
def test_what_cannot_be_pushed_is_refused(wrong: dict[str, Any]) -> None:
    given = PUSHED | {"intervals": kernels.rans.intervals_of(np.full((2, 4), 1 << 22, np.int64), 2, 4)}
    filled, state = kernels.rans.encode(*given.values())
    assert 1 <= filled <= 5 and 0 < state < 1 << 64
    with pytest.raises(ValueError):
        kernels.rans.encode(*(given | wrong).values())


def test_bits_that_cannot_be_pushed_are_refused() -> None:
    words, symbols = np.zeros(6, np.uint32), np.array([0, 3, 1, 2], np.int32)
    kernels.rans.encode_bits(words, 2, (1 << 64) - 1, symbols, 2)
    for filled, bits, pushed in ((3, 2, symbols), (-1, 2, symbols), (0, 1, symbols), (0, 17, symbols), (0, 0, symbols),
                                (0, 16, -symbols), (0, 2, symbols.astype(np.int64))):  # fmt: skip
        with pytest.raises(ValueError):
            kernels.rans.encode_bits(words, filled, 5, pushed, bits)


def test_others_capsules_are_refused() -> None:
    tables = kernels.rans.tables_of(np.full((2, 4), 1 << 22, np.int64), 2, 4)
    with pytest.raises(ValueError):
        kernels.rans.encode(*(PUSHED | {"intervals": tables}).values())


@pytest.mark.parametrize("counts", [{16: 1}, {16: 3}, {16: -1, 17: 3}, {15: 2}, {16: 1, 15: 1}, {63: 3, 16: -1}, {}])
def test_counts_of_other_rests_are_refused(counts: dict[int, int]) -> None:
    given = np.zeros(64, np.int64)
    for bucket, count in counts.items():
        given[bucket] = count
    with pytest.raises(ValueError, match="counts of other symbols"):
        kernels.rans.encode_rests(np.empty(9, np.uint32), 0, 0, np.array([1, 7], np.int32), given)


@pytest.mark.parametrize(("bucket", "rest"), [(16, 8), (16, -1), (18, 16), (63, 1 << 26)])
def test_rests_beyond_their_bucket_are_refused(bucket: int, rest: int) -> None:
    given = np.zeros(64, np.int64)
    given[bucket] = 1
    with pytest.raises(ValueError, match="counts of other symbols"):
        kernels.rans.encode_rests(np.empty(9, np.uint32), 0, 0, np.array([rest], np.int32), given)


def test_rests_need_two_words_each() -> None:
    with pytest.raises(ValueError, match="0 words and 2 more in 1"):
        kernels.rans.encode_rests(np.empty(1, np.uint32), 0, 0, np.zeros(1, np.int32), np.eye(64, dtype=np.int64)[16])
