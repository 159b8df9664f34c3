from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caufc.bitstream import Cursor, varint
from caufc.errors import MalformedError

GOLDEN = {
    0: "00",
    1: "01",
    127: "7f",
    128: "8001",
    300: "ac02",
    16_383: "ff7f",
    16_384: "808001",
    (1 << 63) - 1: "ffffffffffffffff7f",
}


@pytest.mark.parametrize(("value", "encoded"), GOLDEN.items())
def test_golden(value: int, encoded: str) -> None:
    assert varint(value).hex() == encoded
    cursor = Cursor(bytes.fromhex(encoded))
    assert cursor.varint() == value
    cursor.end()


@given(st.integers(0, (1 << 63) - 1), st.binary(max_size=3))
def test_round_trip(value: int, rest: bytes) -> None:
    cursor = Cursor(varint(value) + rest)
    assert cursor.varint() == value
    assert bytes(cursor.take(cursor.left)) == rest


@given(st.binary(max_size=11))
def test_an_integer_has_one_form(data: bytes) -> None:
    cursor = Cursor(data)
    try:
        value = cursor.varint()
    except MalformedError:
        return
    assert varint(value) == data[: cursor.position]


@pytest.mark.parametrize("value", [-1, 1 << 63])
def test_out_of_range(value: int) -> None:
    with pytest.raises(ValueError, match="63-bit"):
        varint(value)


@pytest.mark.parametrize(
    ("encoded", "requirement", "offset"),
    [
        ("", 3, 40),
        ("80", 3, 41),
        ("8000", 2, 40),
        ("ff8000", 2, 40),
        ("ffffffffffffffffff01", 2, 40),
    ],
)
def test_malformed(encoded: str, requirement: int, offset: int) -> None:
    with pytest.raises(MalformedError) as caught:
        Cursor(bytes.fromhex(encoded), offset=40).varint()
    assert (caught.value.requirement, caught.value.offset) == (requirement, offset)


def test_cursor_bounds() -> None:
    cursor = Cursor(b"abc", offset=7)
    assert bytes(cursor.take(2)) == b"ab"
    with pytest.raises(MalformedError, match="2 bytes announced, 1 left") as caught:
        cursor.take(2)
    assert (caught.value.requirement, caught.value.offset) == (3, 9)
    with pytest.raises(MalformedError, match="1 bytes too many") as caught:
        cursor.end()
    assert (caught.value.requirement, caught.value.offset) == (4, 9)
    assert cursor.byte() == ord("c")
    cursor.end()
