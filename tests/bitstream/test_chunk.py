from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caufc.bitstream import Chunk, Shape, chunk_bytes, parse_chunk
from caufc.errors import LimitError, MalformedError
from caufc.limits import DEFAULT_LIMITS, Limits
from tools.attack.container import varint


def parse(body: bytes, templates: list[Shape], limits: Limits = DEFAULT_LIMITS) -> Chunk:
    return parse_chunk(memoryview(body), templates, 50, limits)


@st.composite
def chunks(draw: st.DrawFn) -> tuple[Chunk, list[Shape]]:
    count = draw(st.integers(1, 5))
    templates: list[Shape] = draw(
        st.lists(st.lists(st.none() | st.integers(0, 300), max_size=3).map(tuple), min_size=1, max_size=3)
    )
    shapes = tuple(
        tuple(tuple(draw(st.integers(0, 300)) if n is None else n for n in template) for _ in range(count))
        for template in templates
    )
    payloads = tuple(draw(st.binary(max_size=200)) for _ in templates)
    first, symbols = draw(st.integers(0, 1 << 40)), draw(st.integers(0, (1 << 32) - 1))
    return Chunk(first, count, shapes, payloads, symbols), templates


@given(chunks())
def test_round_trip(case: tuple[Chunk, list[Shape]]) -> None:
    chunk, templates = case
    assert parse(chunk_bytes(chunk, templates), templates, Limits(chunk_elements=1 << 40)) == chunk


def test_golden() -> None:
    chunk = Chunk(300, 2, (((4, 3), (5, 3)), ((), ())), (b"ab", b""), 0x01020304)
    body = chunk_bytes(chunk, [(None, 3), ()])
    assert body.hex() == "ac02" "02" "04" "05" "02" "00" "04030201" "6162"  # fmt: skip


@pytest.mark.parametrize(
    ("body", "requirement"),
    [
        (b"", 3),
        (b"\0\0" + b"\2" + bytes(4) + b"ab", 111),
        (b"\0" + varint(65_537) + b"\2" + bytes(4) + b"ab", 111),
        (b"\0\1\2" + bytes(3), 3),
        (b"\0\1\2" + bytes(4) + b"a", 3),
        (b"\0\1\2" + bytes(4) + b"abc", 4),
        (b"\0\1" + varint((1 << 63) - 1) + bytes(4), 3),
    ],
)
def test_malformed(body: bytes, requirement: int) -> None:
    with pytest.raises(MalformedError) as caught:
        parse(body, [(3,)])
    assert caught.value.requirement == requirement


def test_shapes_must_fit_the_bytes() -> None:
    with pytest.raises(MalformedError) as caught:
        parse(b"\0" + varint(60_000) + bytes(9), [(None,)])
    assert (caught.value.requirement, caught.value.offset) == (112, 50)


@pytest.mark.parametrize(
    ("template", "body"),
    [
        ((1 << 48, 1 << 48), b"\0\1"),
        ((1 << 12, 1 << 10), b"\0" + varint(65)),
        ((None, 1 << 20), b"\0\1" + varint(257)),
        ((None,), b"\0\1" + varint((1 << 63) - 1)),
        ((0, 1 << 40), b"\0\1"),
    ],
)
def test_values_are_bounded_before_payloads_are_read(template: Shape, body: bytes) -> None:
    with pytest.raises(LimitError) as caught:
        parse(body, [template])
    assert caught.value.limit == "chunk_elements"


def test_samples_without_values_are_bounded_too() -> None:
    """A few bytes a tensor must not make millions of shapes."""
    with pytest.raises(LimitError, match="chunk elements"):
        parse(b"\0" + varint(65_536) + bytes(60), [(0, 100 * n) for n in range(60)])
    with pytest.raises(LimitError, match="chunk arrays"):
        parse(b"\0" + varint(65_536) + bytes(5000), [(0, n) for n in range(5000)])
