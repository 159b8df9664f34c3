from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caufc.bitstream import Section, parse_section, section_bytes, varint
from caufc.errors import LimitError, MalformedError, UnsupportedError
from caufc.limits import DEFAULT_LIMITS, Limits

ELEMENTS = {"i1": 1, "<i2": 2, "<i4": 4, "u1": 1, "<u2": 2}


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def parse(body: bytes, limits: Limits = DEFAULT_LIMITS) -> Section | None:
    return parse_section(memoryview(body), 30, limits)


@given(
    st.integers(0, 255) | st.integers(512, 900),
    st.integers(0, 70_000),
    st.sampled_from(list(ELEMENTS)),
    st.binary(max_size=50),
    st.booleans(),
)
def test_round_trip(kind: int, tensor: int, element: str, data: bytes, long: bool) -> None:
    section = Section(kind, tensor, element, data * (40 if long else 1) * ELEMENTS[element])
    body = section_bytes(section)
    assert parse(body) == section
    assert len(body) <= len(section.data) + 7


def test_golden() -> None:
    assert section_bytes(Section(3, 200, "<i2", b"ab")).hex() == "03" "c801" "01" "00" "6162"  # fmt: skip
    packed = section_bytes(Section(4, 0, "u1", bytes(64)))
    assert packed[:4].hex() == "04000301"
    assert packed[4:] == deflated(bytes(64))


@pytest.mark.parametrize(
    ("body", "requirement"),
    [
        (b"\3\0\3", 3),
        (b"\3\0\1\0abc", 93),
        (b"\3\0\2\0abcdef", 93),
        (b"\3\0\3\1", 92),
        (b"\3\0\3\1\xff\xff", 92),
        (b"\3\0\3\1" + deflated(b"abc" * 50)[:-2], 92),
        (b"\3\0\3\1" + deflated(b"abc") + b"\0", 92),
        (b"\3\0\1\1" + deflated(b"abc"), 93),
    ],
)
def test_malformed(body: bytes, requirement: int) -> None:
    with pytest.raises(MalformedError) as caught:
        parse(body)
    assert caught.value.requirement == requirement


@pytest.mark.parametrize("body", [b"\3\0\5\0a", b"\3\0\3\2a"], ids=["element", "packing"])
def test_what_a_later_version_may_add_is_unsupported(body: bytes) -> None:
    with pytest.raises(UnsupportedError, match="is unknown; upgrade caufc"):
        parse(body)


@pytest.mark.parametrize("kind", [256, 300, 511])
def test_ancillary_ones_are_skipped_whatever_they_hold(kind: int) -> None:
    assert parse(varint(kind) + b"\xff\xff") is None


def test_a_bomb_hits_the_limit() -> None:
    bomb = b"\3\0\3\1" + deflated(bytes(1 << 20))
    assert len(bomb) < 1100
    with pytest.raises(LimitError) as caught:
        parse(bomb, Limits(section_bytes=1 << 16))
    assert (caught.value.limit, caught.value.value) == ("section_bytes", (1 << 16) + 1)
