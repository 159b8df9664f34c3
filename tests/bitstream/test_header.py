from __future__ import annotations

import struct
import zlib
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caufc.bitstream import AlignmentRecord, Header, HeaderParser, RecordBranch, TensorRecord
from caufc.errors import DamagedError, LimitError, MalformedError, UnsupportedError, VersionError
from caufc.limits import DEFAULT_LIMITS, Limits
from tools.attack.container import SIGNATURE, header_bytes

RECORD = [0, 0, [4], "c", None, 0]
BASE: list[Any] = [0, None, 0, None, None, [RECORD]]


def parse(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Header:
    parser = HeaderParser(limits)
    parser.feed(data)
    found = parser.next()
    assert found is not None
    header, checksum, length = found
    assert length == len(data)
    assert checksum == int.from_bytes(data[-4:], "little") == zlib.crc32(data[:-4])
    return header


GOLDEN = (
    "89434155460d0a1a"  # signature
    "0100"  # version
    "19"  # 25 bytes follow
    "96"  # six fields
    "01"  # a list
    "c0"  # no profile
    "00"  # flags
    "c0"  # gain 1
    "93" "00" "91a161" "9100"  # a dict, its name, its child
    "91"  # one record
    "96" "00" "01" "92c003" "a36e2063" "c0" "00"  # fp32, torch, [nil, 3], n c, no tap, lossless
    "f6ecc720"  # checksum
)  # fmt: skip


def test_golden() -> None:
    record = TensorRecord(dtype=0, framework=1, shape=(None, 3), layout="n c", codec=0)
    header = Header("list", tree=RecordBranch(0, ("a",), (0,)), tensors=(record,))
    assert header.to_bytes().hex() == GOLDEN
    assert parse(bytes.fromhex(GOLDEN)) == header


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=2.0**-126, width=32, allow_nan=False, allow_infinity=False)
alignments = st.builds(
    AlignmentRecord,
    st.integers(0, 255),
    st.integers(0, 255),
    finite,
    positive,
    st.none() | st.tuples(finite, finite).map(lambda ends: (min(ends), max(ends))),
)
records = st.builds(
    TensorRecord,
    dtype=st.none() | st.integers(0, 255),
    framework=st.none() | st.integers(0, 1),
    shape=st.none() | st.lists(st.none() | st.integers(0, (1 << 48) - 1), max_size=8).map(tuple),
    layout=st.none() | st.text(max_size=9),
    tap=st.none() | st.text(max_size=9),
    codec=st.none() | st.integers(0, 65_535),
    alignment=st.none() | alignments,
    parameters=st.none() | st.lists(finite | st.integers(-(1 << 63), (1 << 64) - 1), max_size=3).map(tuple),
)


@st.composite
def headers(draw: st.DrawFn) -> Header:
    tensors = tuple(draw(st.lists(records, max_size=4)))
    names = draw(
        st.lists(
            st.text(max_size=5) | st.integers(-(1 << 63), (1 << 64) - 1),
            min_size=len(tensors),
            max_size=len(tensors),
            unique=True,
        )
    )
    kind = draw(st.integers(0, 2))
    tree = RecordBranch(kind, tuple(names) if kind == 0 else (), tuple(range(len(tensors))))
    profile = draw(st.none() | st.binary(min_size=16, max_size=16))
    return Header(
        content=draw(st.sampled_from(["batch", "list", "tuple", "single", "profile"])),
        profile=profile,
        indexed=draw(st.booleans()),
        gain=draw(st.none() | positive),
        tree=draw(st.sampled_from([tree, RecordBranch(1, (), (tree,)), *([None] if len(tensors) == 1 else [])])),
        tensors=draw(st.sampled_from([tensors, *([None] if profile else [])])),
        arch=draw(st.none() | st.text(max_size=20)),
        control=draw(st.none() | st.text(max_size=64)),
        software=draw(st.none() | st.text(max_size=64)),
    )


@given(headers())
def test_round_trip(header: Header) -> None:
    assert parse(header.to_bytes()) == header


def test_byte_by_byte() -> None:
    data = header_bytes(BASE)
    parser = HeaderParser(DEFAULT_LIMITS)
    for byte in data[:-1]:
        parser.feed(bytes([byte]))
        assert parser.next() is None
    parser.feed(data[-1:])
    assert parser.next() is not None


def changed(**positions: Any) -> list[Any]:
    """The base header with other fields: ``f3`` is position 3."""
    fields = list(BASE) + [None] * 5
    for name, value in positions.items():
        fields[int(name[1:])] = value
    while fields and fields[-1] is None:
        fields.pop()
    return fields


def record(position: int, value: Any) -> list[Any]:
    fields = [*RECORD, None, None]
    fields[position] = value
    while fields[-1] is None:
        fields.pop()
    return changed(f5=[fields])


FIELDS: list[tuple[Any, int]] = [
    (changed(f0=-1), 45),
    (changed(f0="batch"), 45),
    (changed(f0=False), 45),
    (changed(f1=b"1234567"), 46),
    (changed(f1=b"123456789"), 46),
    (changed(f1="12345678"), 46),
    (changed(f2=None), 47),
    (changed(f2=True), 47),
    (changed(f3=0.0), 48),
    (changed(f3=-1.0), 48),
    (changed(f3=1), 48),
    (changed(f4="x"), 50),
    (changed(f4=-1), 52),
    (changed(f4=1 << 32), 52),
    (changed(f4=[1, [], [0], 0]), 50),
    (changed(f4=["dict", [], [0]]), 50),
    (changed(f4=[0, ["a", "b"], [0, [3]]]), 501),
    (changed(f4=[0, ["a", "b"], [0, [3, "text"]]]), 501),
    (changed(f4=[0, ["a", "b"], [0, [3, b"\xc0", 1]]]), 501),
    (changed(f4=[0, ["a", "b"], [0, [3, b"\xc0\xc0"]]]), 500),
    (changed(f4=[0, ["a", "b"], [0, [3, b"\xcc\x01"]]]), 500),
    (changed(f4=[0, ["a", "b"], [0, [3, b""]]]), 500),
    (changed(f4=[1, [], 0]), 50),
    (changed(f4=[1, 7, [0]]), 50),
    (changed(f4=[1, ["a"], [0]]), 51),
    (changed(f4=[0, [], [0]]), 51),
    (changed(f4=[0, ["a", "a"], [0, 1]]), 51),
    (changed(f4=[0, [b"a"], [0]]), 51),
    (changed(f4=[0, [True], [0]]), 51),
    (changed(f4=[0, [None], [0]]), 51),
    (changed(f4=[1, [], [0, 0]]), 52),
    (changed(f4=[1, [], [1]]), 52),
    (changed(f4=[1, [], []]), 52),
    (changed(f4=1), 52),
    (changed(f5=None), 49),
    (changed(f5="x"), 44),
    (changed(f5=[]), 52),
    (changed(f5=[7]), 60),
    (changed(f5=[[*RECORD, None, None, None, 1]]), 60),
    (changed(f5=[[*RECORD, None]]), 60),
    (changed(f6=7), 44),
    (changed(f6=b"net"), 44),
    (changed(f6="n" * 4097), 49),
    (changed(f7=1), 53),
    (changed(f7=b"1234567"), 53),
    (changed(f8=1), 550),
    (changed(f8="q" * 65), 550),
    (changed(f9=b"caufc"), 551),
    (changed(f9="s" * 65), 551),
    (changed(f10=1), 44),
    (changed(f0=5), 54),
    ([5, None, 1], 54),
    ([5, None, 0, None, None, None, None, b"0123456789abcdef"], 54),
    ([5, None, 0, None, None, None, None, None, "q50"], 54),
    ([*changed(f5=[RECORD]), None], 44),
    (record(0, -1), 60),
    (record(0, 1.0), 60),
    (record(0, 0.0), 60),
    (record(1, 2), 60),
    (record(2, 4), 60),
    (record(2, [-1]), 60),
    (record(2, [True]), 60),
    (record(3, 1), 60),
    (record(4, b"tap"), 60),
    (record(5, "a"), 60),
    (record(6, 1), 60),
    (record(6, [0, 0, 0.0]), 62),
    (record(6, [0, 0, 0.0, 1]), 62),
    (record(6, [0, 0, 0, 1.0]), 62),
    (record(6, [None, 0, 0.0, 1.0]), 62),
    (record(6, [0, None, 0.0, 1.0]), 62),
    (record(6, [0, -1, 0.0, 1.0]), 62),
    (record(6, [0, 0, 0.0, 0.0]), 62),
    (record(6, [0, 0, 0.0, -1.0]), 62),
    (record(6, [0, 0, 0.0, 1.0, 0.0]), 62),
    (record(6, [0, 0, 0.0, 1.0, None, 1.0]), 62),
    (record(6, [0, 0, 0.0, 1.0, 0.0, 1.0, 2.0]), 62),
    (record(7, 1.0), 60),
    (record(7, [None, 1]), 60),
    (record(7, ["1"]), 60),
]


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        (changed(f0=7), "content 7"),
        (changed(f2=2), "flags 2"),
        (changed(f4=[4, [], [0]]), "branch kind 4"),
        (changed(f4=[9, 5]), "branch kind 9"),
        (changed(f4=[0, ["a", "b"], [0, [3, b"\xc0", 2]]]), "packing 2"),
    ],
)
def test_what_a_later_version_may_add_is_unsupported(fields: Any, what: str) -> None:
    with pytest.raises(UnsupportedError, match=f"{what}.*is unknown|{what} of a note is unknown"):
        parse(header_bytes(fields))


@pytest.mark.parametrize(("fields", "requirement"), FIELDS)
def test_malformed_fields(fields: Any, requirement: int) -> None:
    with pytest.raises(MalformedError) as caught:
        parse(header_bytes(fields))
    assert caught.value.requirement == requirement
    assert caught.value.offset == 10
    assert f"[CAUF-{requirement:04d}]" in str(caught.value)


def nested(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


PACKED: list[tuple[bytes, int]] = [
    (b"", 41),
    (b"\x05", 40),
    (b"\xc0", 40),
    (b"\x90\x90", 41),
    (b"\x91", 41),
    (b"\xdd\xff\xff\xff\xff", 41),
    (b"\x91\xdb\xff\xff\xff\xff", 41),
    (b"\x91\xc1", 41),
    (b"\x91\xa2\xff\xfe", 41),
    (b"\x91\x81\x01\x02", 42),
    (b"\x81\x01\x02", 42),
    (b"\x91\xd4\x05\x00", 42),
    (b"\x91\xd6\xff\x00\x00\x00\x00", 42),
    (b"\x91\xcc\x05", 42),
    (b"\x91\xd0\x05", 42),
    (b"\x91\xd9\x01a", 42),
    (b"\xdc\x00\x01\x05", 42),
    (b"\x91\xcb" + struct.pack(">d", 1.5), 42),
    (b"\x91\xcb" + struct.pack(">d", 1e300), 42),
    (b"\x91\xca" + struct.pack(">f", float("nan")), 42),
    (b"\x91\xca" + struct.pack(">f", float("-inf")), 42),
    (msgpack.packb(nested(37)), 43),
    (msgpack.packb(nested(400)), 43),
    (b"\x91" * 100_000 + b"\x00", 43),
    (b"\x91" + b"\x81\xa0" * 2000 + b"\x00", 41),
]


@pytest.mark.parametrize(("packed", "requirement"), PACKED, ids=lambda value: repr(value)[:40])
def test_malformed_msgpack(packed: bytes, requirement: int) -> None:
    with pytest.raises(MalformedError) as caught:
        parse(header_bytes(None, packed=packed))
    assert caught.value.requirement == requirement


def test_depth_of_structures() -> None:
    """16 levels of dicts are in, 17 are not."""

    def deep(levels: int) -> Any:
        tree: Any = 0
        for _ in range(levels):
            tree = [0, ["x"], [tree]]
        return changed(f4=tree)

    parse(header_bytes(deep(16)))
    with pytest.raises(LimitError, match="nesting"):
        parse(header_bytes(deep(17)))
    with pytest.raises(MalformedError) as caught:
        parse(header_bytes(deep(18)))
    assert caught.value.requirement == 43


@pytest.mark.parametrize("start", [b"\x89CAUF\n\x1a\x01", b"\x89CAUF\r\n\r", b"GIF89a\0\0", b"\x09CAUF\r\n\x1a", b"P"])
def test_another_signature(start: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        parse(start + bytes(40))
    assert (caught.value.requirement, caught.value.offset) == (10, 0)


@pytest.mark.parametrize("major", [0, 2, 255])
def test_unknown_major_versions_are_refused_before_the_rest(major: int) -> None:
    parser = HeaderParser(DEFAULT_LIMITS)
    parser.feed(SIGNATURE + bytes([major, 0]))
    with pytest.raises(VersionError) as caught:
        parser.next()
    assert (caught.value.found, caught.value.known) == (major, 1)


@pytest.mark.parametrize("minor", [1, 255])
def test_every_minor_version_is_read(minor: int) -> None:
    assert parse(header_bytes(BASE, (1, minor))).content == "batch"


def test_a_wrong_checksum() -> None:
    data = header_bytes(BASE)
    with pytest.raises(DamagedError, match="header"):
        parse(data[:-1] + bytes([data[-1] ^ 1]))


def test_limits_come_before_the_bytes() -> None:
    parser = HeaderParser(DEFAULT_LIMITS)
    parser.feed(SIGNATURE + b"\1\0" + b"\x81\x80\x40")
    with pytest.raises(LimitError) as caught:
        parser.next()
    assert (caught.value.limit, caught.value.value, caught.value.maximum) == ("header_bytes", (1 << 20) + 1, 1 << 20)


def test_sizes_go_as_far_as_integers() -> None:
    """What is larger than any array is no malformed file; no limit lets it pass."""
    largest = parse(header_bytes(record(2, [(1 << 48) - 1]))).tensors
    assert largest is not None and largest[0].shape == ((1 << 48) - 1,)
    for size in (1 << 48, (1 << 64) - 1):
        for limits in (DEFAULT_LIMITS, Limits.unlimited()):
            with pytest.raises(LimitError) as caught:
                parse(header_bytes(record(2, [size])), limits)
            assert caught.value.value == size
    found = parse(header_bytes(changed(f5=[[*RECORD, None, None, (1 << 64) - 1]]))).tensors
    assert found is not None and found[0].leader == (1 << 64) - 1


def test_limits_of_counts() -> None:
    data = header_bytes(changed(f4=[1, [], [0, 1]], f5=[RECORD, RECORD]))
    assert len(parse(data).tensors or ()) == 2
    with pytest.raises(LimitError, match="tensors: 2 is over the limit of 1"):
        parse(data, Limits(tensors=1))
    with pytest.raises(LimitError, match="dimensions"):
        parse(header_bytes(record(2, [1] * 9)))
    parse(header_bytes(record(2, [1] * 8)))
