from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caufc.bitstream import End, Index, end_bytes, index_bytes, parse_end, parse_index
from caufc.errors import LimitError, MalformedError
from caufc.limits import DEFAULT_LIMITS, Limits
from tools.attack.container import varint

pairs = st.lists(st.tuples(st.integers(1, 1 << 40), st.integers(0, 1000)), max_size=20).map(tuple)


@given(st.integers(0, 1 << 50), pairs)
def test_round_trip(first: int, chunks: tuple[tuple[int, int], ...]) -> None:
    index = Index(first, chunks)
    assert parse_index(memoryview(index_bytes(index)), 0, DEFAULT_LIMITS) == index


@given(st.integers(0, 1 << 50), pairs)
def test_find(first: int, chunks: tuple[tuple[int, int], ...]) -> None:
    index = Index(first, chunks)
    places: list[tuple[int, int, int]] = []
    offset = first
    for length, count in chunks:
        places += [(offset, length, len(places))] * count
        offset += length
    assert index.samples == len(places)
    assert index.end == offset
    assert [index.find(sample) for sample in range(len(places))] == places
    with pytest.raises(IndexError):
        index.find(len(places))


def test_golden() -> None:
    assert index_bytes(Index(200, ((300, 2), (5, 1)))).hex() == "c801" "02" "ac02" "02" "05" "01"  # fmt: skip
    assert end_bytes(End(200, None)).hex() == "c801"
    assert end_bytes(End(200, 258)).hex() == "c801" "0201000000000000"  # fmt: skip


@pytest.mark.parametrize(
    ("body", "requirement"),
    [
        (b"", 3),
        (b"\0", 3),
        (b"\0\2\1\1\1", 141),
        (b"\0" + varint((1 << 63) - 1), 141),
        (b"\0\1\1\1\1", 4),
    ],
)
def test_malformed_index(body: bytes, requirement: int) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_index(memoryview(body), 9, DEFAULT_LIMITS)
    assert caught.value.requirement == requirement


def test_samples_of_an_index_are_bounded() -> None:
    body = b"\0\1\1" + varint(1 << 40)
    with pytest.raises(LimitError, match="file elements"):
        parse_index(memoryview(body), 0, DEFAULT_LIMITS)
    parse_index(memoryview(body), 0, Limits(file_elements=1 << 40))


@pytest.mark.parametrize("distance", [None, 0, (1 << 32) - 1])
def test_end(distance: int | None) -> None:
    end = End(7, distance)
    assert parse_end(memoryview(end_bytes(end)), distance is not None, 0) == end


@pytest.mark.parametrize(("body", "indexed", "requirement"), [(b"\0a", False, 4), (b"\0abc", True, 3), (b"", False, 3)])
def test_malformed_end(body: bytes, indexed: bool, requirement: int) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_end(memoryview(body), indexed, 0)
    assert caught.value.requirement == requirement
