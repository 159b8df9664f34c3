"""rANS through constriction against the specification's own words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caufc.codec.entropy import BLOCK, RansDecoder, RansEncoder, table_model, uniform_model
from caufc.codec.tables import frequencies_of
from caufc.errors import MalformedError

from .rans import TOTAL, PlainDecoder, cumulative, encode


@st.composite
def runs(draw: st.DrawFn) -> list[tuple[list[int] | int, list[int]]]:
    """Runs of symbols, each with a table of frequencies or a number of uniform bits."""
    made: list[tuple[list[int] | int, list[int]]] = []
    for _ in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            bits = draw(st.integers(1, 16))
            made.append((bits, draw(st.lists(st.integers(0, (1 << bits) - 1), max_size=40))))
            continue
        size = draw(st.sampled_from([64, 256]))
        levels = draw(st.lists(st.integers(0, 193), min_size=size, max_size=size).filter(any))
        table = frequencies_of(np.array([levels], np.uint8))[0].tolist()
        made.append((table, draw(st.lists(st.integers(0, size - 1), max_size=40))))
    return made


@settings(deadline=None, max_examples=100)
@given(runs())
def test_both_directions(made: list[tuple[list[int] | int, list[int]]]) -> None:
    encoder, plain = RansEncoder(), []
    for table, symbols in made:
        model = uniform_model(table) if isinstance(table, int) else table_model(np.array(table))
        encoder.push(np.array(symbols, np.int32), model)
        if isinstance(table, int):
            plain += [(TOTAL >> table, symbol * (TOTAL >> table)) for symbol in symbols]
        else:
            starts = cumulative(table)
            plain += [(table[symbol], starts[symbol]) for symbol in symbols]
    words = encoder.finish()
    assert words == encode(plain)

    reader = PlainDecoder(words)
    decoder = RansDecoder(words)
    for table, symbols in made:
        out = np.empty(len(symbols), np.int32)
        if isinstance(table, int):
            assert [reader.uniform(table) for _ in symbols] == symbols
            decoder.pull_into(out, uniform_model(table))
        else:
            starts = cumulative(table)
            assert [reader.table(table, starts) for _ in symbols] == symbols
            decoder.pull_into(out, table_model(np.array(table)))
        assert out.tolist() == symbols
    assert reader.finished
    decoder.end()


@settings(deadline=None)
@given(st.binary(max_size=64), st.integers(1, 40), st.integers(1, 193))
def test_any_words_decode_alike(data: bytes, count: int, level: int) -> None:
    """What no encoder wrote decodes to the same symbols too."""
    words = data[: len(data) // 4 * 4]
    if words[-4:] == bytes(4):
        return
    levels = np.arange(64, dtype=np.uint8)[None] % level
    levels[0, 0] = level
    table = frequencies_of(levels)[0]
    decoder, reader, starts = RansDecoder(words), PlainDecoder(words), cumulative(table.tolist())
    out = np.empty(count, np.int32)
    decoder.pull_into(out, table_model(table))
    assert out.tolist() == [reader.table(table.tolist(), starts) for _ in range(count)]
    assert decoder.coder.is_empty() == reader.finished


def test_golden() -> None:
    encoder = RansEncoder()
    table = frequencies_of(np.array([[193, 185, 185, 177] + [0] * 60], np.uint8))[0]
    encoder.push(np.array([0, 1, 2, 3, 0, 0, 1], np.int32), table_model(table))
    encoder.push(np.array([5, 0xABCD], np.int32), uniform_model(16))
    assert encoder.finish().hex() == "3f4b08535e7d1800"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_bytes_that_are_no_words(size: int) -> None:
    with pytest.raises(MalformedError) as caught:
        RansDecoder(b"\1" * size)
    assert caught.value.requirement == 250


def test_a_last_word_of_zero() -> None:
    with pytest.raises(MalformedError) as caught:
        RansDecoder(b"\1\0\0\0" + bytes(4))
    assert caught.value.requirement == 250


def test_words_left_behind() -> None:
    decoder = RansDecoder(b"\1\0\0\0")
    with pytest.raises(MalformedError) as caught:
        decoder.end()
    assert caught.value.requirement == 251


def test_long_runs_are_coded_in_blocks() -> None:
    symbols = (np.arange(BLOCK + 1000) * 7 % 4).astype(np.uint8)
    table = frequencies_of(np.array([[9, 9, 9, 9] + [0] * 60], np.uint8))[0]
    encoder = RansEncoder()
    encoder.push(symbols, table_model(table))
    out = np.empty(len(symbols), np.uint8)
    decoder = RansDecoder(encoder.finish())
    decoder.pull_into(out, table_model(table))
    decoder.end()
    np.testing.assert_array_equal(out, symbols)
