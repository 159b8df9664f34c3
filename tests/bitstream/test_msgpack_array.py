from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caufc.bitstream.msgpack_array import pack_array, trimmed, unpack_array
from caufc.errors import MalformedError

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(width=32, allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary()
)
arrays = st.lists(st.recursive(scalars, lambda inner: st.lists(inner, max_size=4), max_leaves=12), max_size=6)


def test_golden() -> None:
    fields: list[Any]
    fields = [0, 127, 128, 255, 256, 65_536, 1 << 32, -1, -32, -33, -129, 1.5, True, None, "é", b"\0", [[]]]
    assert pack_array(fields).hex() == (
        "dc0011" "00" "7f" "cc80" "ccff" "cd0100" "ce00010000" "cf0000000100000000" "ff" "e0" "d0df" "d1ff7f"
        "ca3fc00000" "c3" "c0" "a2c3a9" "c40100" "9190"
    )  # fmt: skip


@given(arrays)
def test_round_trip(fields: list[Any]) -> None:
    assert unpack_array(pack_array(fields), 16) == fields


@given(st.binary(max_size=40).map(lambda tail: b"\x93" + tail))
def test_any_bytes_are_canonical_or_malformed(data: bytes) -> None:
    try:
        fields = unpack_array(data, 16)
    except MalformedError as err:
        assert err.requirement in (41, 42, 43)
        return
    assert pack_array(fields) == data


@given(arrays)
def test_longer_forms_are_refused(fields: list[Any]) -> None:
    packed = pack_array([len(fields) % 128, *fields])
    start = {0x90: 1, 0xDC: 3}[packed[0] & 0xF0 if packed[0] < 0xA0 else packed[0]]
    longer = packed[:start] + b"\xcc" + packed[start:]
    with pytest.raises(MalformedError) as caught:
        unpack_array(longer, 16)
    assert caught.value.requirement in (41, 42)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite(value: float) -> None:
    with pytest.raises(MalformedError) as caught:
        unpack_array(pack_array([0, [value]]), 16)
    assert caught.value.requirement == 42


def test_depth() -> None:
    value: list[Any] = []
    for _ in range(35):
        value = [value]
    assert unpack_array(pack_array(value), 16) == value
    with pytest.raises(MalformedError) as caught:
        unpack_array(pack_array([value]), 16)
    assert caught.value.requirement == 43


def test_trimmed() -> None:
    assert trimmed([None, 1, None, 0, None, None]) == [None, 1, None, 0]
    assert trimmed([None]) == []
