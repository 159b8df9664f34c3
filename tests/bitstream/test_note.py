from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caufc.bitstream import MAX_NOTE, Cursor, metadata_of, metadata_section, note_bytes, note_value
from caufc.bitstream.keys import keys_bytes, parse_keys
from caufc.errors import MalformedError
from caufc.limits import DEFAULT_LIMITS

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=9)
    | st.binary(max_size=9)
)
names = st.text(max_size=3) | st.integers(-9, 9)
notes = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(names, inner, max_size=3)
    ),
    max_leaves=8,
)


def types_of(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: types_of(child) for name, child in value.items()}
    return [types_of(child) for child in value] if isinstance(value, list | tuple) else type(value)


@given(notes)
def test_there_and_back(value: Any) -> None:
    found = note_value(note_bytes(value))
    assert found == value
    assert types_of(found) == types_of(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc0\xc0",
        b"\xcc\x01",  # an integer in a longer form
        b"\xca\x00\x00\x00\x00",  # a float of 32 bits
        b"\x80",
        b"\xc7\x00\x01",
        b"\xa1\xff",
        b"\xa5a",
        msgpack.packb([0, ["a"], []]),
        msgpack.packb([0, ["a", "a"], [1, 2]]),
        msgpack.packb([1, ["a"], [1]]),
        msgpack.packb([3, [], []]),
        msgpack.packb([True, [], []]),
        msgpack.packb([1, []]),
        b"\x91" * 40 + b"\xc0",
        b"\x93\x01\x90\x91" * 20 + b"\xc0",
    ],
)
def test_what_is_no_note(data: bytes) -> None:
    with pytest.raises(MalformedError, match="CAUF-0500"):
        note_value(data)


def test_long_notes() -> None:
    with pytest.raises(MalformedError, match="CAUF-0502"):
        note_value(note_bytes("a" * MAX_NOTE))


@given(st.lists(st.text(max_size=9) | st.integers(-(1 << 63), (1 << 64) - 1), unique=True, max_size=40))
def test_keys(keys: list[Any]) -> None:
    assert parse_keys(Cursor(keys_bytes(keys)), len(keys), DEFAULT_LIMITS) == tuple(keys)
    with pytest.raises(MalformedError, match="CAUF-0506"):
        parse_keys(Cursor(keys_bytes(keys)), len(keys) + 1, DEFAULT_LIMITS)


def test_metadata() -> None:
    texts = {"a": "b", "größe": "ü" * 900}
    assert metadata_of([metadata_section({}), metadata_section(texts)]) == texts
    assert metadata_of([metadata_section(texts), metadata_section({"c": ""})]) == {"c": ""}
