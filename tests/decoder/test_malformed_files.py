"""Files with right checksums that break the specification: each by its own requirement, however they are read."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.errors import CaufError, DamagedError, LimitError, MalformedError, UnsupportedError
from caufc.limits import Limits
from tools.attack.container import Blocks, assemble, fields_of, header_bytes, split, varint, with_fields

LOSSY = caufc.encode(np.random.default_rng(0).standard_normal((4, 3, 6)).astype("f4"), align="mean-deviation/channel")
INDEXED = caufc.encode(np.arange(6, dtype="f4").reshape(3, 2), lossless=True, chunk=1, index=True)
SINGLE = caufc.encode(np.ones(100, "f4"), lossless=True)


def edited(data: bytes, *changes: Callable[[Any], None]) -> bytes:
    """The file with its header's fields changed."""
    fields = fields_of(split(data)[0])
    for change in changes:
        change(fields)
    return with_fields(data, fields)


def rearranged(data: bytes, change: Callable[[Blocks], Blocks]) -> bytes:
    header, blocks = split(data)
    return assemble(header, change(blocks))


def set_record(position: int, value: Any) -> Callable[[Any], None]:
    def change(fields: Any) -> None:
        record = fields[5][0]
        record += [None] * (position + 1 - len(record))
        record[position] = value
        while record[-1] is None:
            record.pop()

    return change


def set_field(position: int, value: Any) -> Callable[[Any], None]:
    return lambda fields: fields.__setitem__(position, value)


def without(tag: str) -> Callable[[Blocks], Blocks]:
    return lambda blocks: [block for block in blocks if block[0] != tag]


def section(kind: int, tensor: int, element: int, data: bytes) -> tuple[str, bytes]:
    return "S", varint(kind) + varint(tensor) + bytes([element, 0]) + data


def with_sections(*added: tuple[str, bytes]) -> bytes:
    """The file with more sections, which take the place of its own."""
    return rearranged(LOSSY, lambda b: [*(x for x in b if x[0] == "S"), *added, *(x for x in b if x[0] != "S")])


def chunk(first: int, count: int, payload: bytes, symbols: bytes) -> tuple[str, bytes]:
    return "C", varint(first) + varint(count) + varint(len(payload)) + struct.pack("<I", zlib.crc32(symbols)) + payload


def flipped_symbols(blocks: Blocks) -> Blocks:
    """The checksum of the symbols changed, the block's own made right."""
    return [(tag, body[:3] + bytes([body[3] ^ 1]) + body[4:] if tag == "C" else body) for tag, body in blocks]


PROFILE = [4, None, 0, None, None, [[0, 0, [2], None, None, 0]]]
BOOLEANS = [0, None, 0, None, None, [[12, 0, [2], None, None, 0]]]

CASES: dict[str, tuple[bytes, int]] = {
    "profile content": (assemble(header_bytes(PROFILE), [("E", b"\0")]), 164),
    "a long name": (assemble(header_bytes([3, None, 0, None, [0, ["x" * 4097], [0]], [[0, 0, [2], None, None, 0]]]), []), 49),  # noqa: E501
    "no dtype": (edited(LOSSY, set_record(0, None)), 61),
    "no framework": (edited(LOSSY, set_record(1, None)), 61),
    "no shape": (edited(LOSSY, set_record(2, None)), 61),
    "no codec": (edited(LOSSY, set_record(5, None)), 61),
    "no such layout": (edited(LOSSY, set_record(3, "n q")), 64),
    "fewer tokens than special ones": (edited(LOSSY, set_record(3, "(4 + n) c")), 171),
    "layout in other spaces": (edited(LOSSY, set_record(3, "n  c")), 64),
    "joined letters": (edited(LOSSY, set_record(3, "hw c")), 64),
    "leading zero": (edited(LOSSY, set_record(3, "(01 + n) c")), 64),
    "layout with samples": (edited(LOSSY, set_record(3, "b n c")), 65),
    "layout of another rank": (edited(LOSSY, set_record(3, "h w c")), 65),
    "varying channels": (edited(LOSSY, set_record(2, [3, None]), set_field(0, 1)), 66),
    "too many channels": (edited(LOSSY, set_record(2, [0, 1 << 25])), 66),
    "varying in a batch": (edited(LOSSY, set_record(2, [None, 6])), 67),
    "integers with loss": (edited(LOSSY, set_record(0, 6)), 200),
    "loss without layout": (edited(LOSSY, set_record(3, None)), 200),
    "no parameters": (edited(LOSSY, set_record(7, None)), 201),
    "integer step": (edited(LOSSY, set_record(7, [1, 0, 0, 0])), 201),
    "float shift": (edited(LOSSY, set_record(7, [1.0, 0.0, 0, 0])), 201),
    "shift 33": (edited(LOSSY, set_record(7, [1.0, 33, 0, 0])), 201),
    "negative flags": (edited(LOSSY, set_record(7, [1.0, 0, -1, 0])), 201),
    "three parameters": (edited(LOSSY, set_record(7, [1.0, 0, 0])), 201),
    "step beyond float32": (edited(LOSSY, set_record(7, [1e30, 0, 0, 0]), set_field(3, 1e30)), 221),
    "step below float32": (edited(LOSSY, set_record(7, [1e-30, 0, 0, 0]), set_field(3, 1e-30)), 221),
    "a map without tables": (with_sections(section(5, 0, 3, bytes(40))), 203),
    "tables without a map": (with_sections(section(4, 0, 3, bytes(64))), 216),
    "no statistics": (rearranged(LOSSY, lambda b: [x for x in b if x[0] != "S" or x[1][0] > 2]), 351),
    "short statistics": (rearranged(LOSSY, lambda b: [*b[:-2], section(1, 0, 1, bytes(10)), *b[-2:]]), 351),
    "short tables": (with_sections(section(4, 0, 3, bytes(63)), section(5, 0, 3, bytes(40))), 203),
    "empty tables": (with_sections(section(4, 0, 3, bytes(64)), section(5, 0, 3, bytes(40))), 230),
    "short levels": (with_sections(section(3, 0, 0, bytes(5))), 204),
    "short band steps": (with_sections(section(7, 0, 0, bytes(15))), 204),
    "a basis without scales": (with_sections(section(8, 0, 0, bytes(6))), 228),
    "a basis of too many vectors": (with_sections(section(8, 0, 0, bytes(42)), section(9, 0, 1, bytes(14))), 228),
    "a basis beyond scales": (with_sections(section(8, 0, 0, bytes(6)), section(9, 0, 1, b"\0\x80")), 227),
    "section of no tensor": (rearranged(LOSSY, lambda b: [section(3, 1, 0, b""), *b]), 94),
    "section of another element": (rearranged(LOSSY, lambda b: [section(3, 0, 3, bytes(6)), *b]), 94),
    "section behind a chunk": (rearranged(LOSSY, lambda b: [*b[:-1], b[0], b[-1]]), 22),
    "chunk behind the end": (rearranged(INDEXED, lambda b: [b[0], *b[:-1], b[-1]]), 114),
    "a chunk twice": (rearranged(LOSSY, lambda b: [*b[:-1], b[-2], b[-1]]), 114),
    "a chunk missing": (rearranged(INDEXED, lambda b: b[1:]), 114),
    "no index": (rearranged(INDEXED, without("I")), 22),
    "an index that was not announced": (edited(INDEXED, lambda f: f.__setitem__(2, 0)), 22),
    "an index of other lengths": (rearranged(INDEXED, lambda b: [*b[:3], ("I", b[3][1][:-1] + b"\2"), b[4]]), 142),
    "another number of samples": (rearranged(LOSSY, lambda b: [*b[:-1], ("E", b"\5")]), 146),
    "another distance": (rearranged(INDEXED, lambda b: [*b[:-1], ("E", b[-1][1][:1] + bytes(8))]), 146),
    "an end that is too long": (rearranged(LOSSY, lambda b: [*b[:-1], ("E", b"\4\0")]), 4),
    "a single without samples": (rearranged(SINGLE, lambda b: [("E", b"\0")]), 113),
    "a single with two": (rearranged(SINGLE, lambda b: [("C", b"\0\2" + b[0][1][2:]), ("E", b"\2")]), 113),
    "a single from 1": (rearranged(SINGLE, lambda b: [("C", b"\1" + b[0][1][1:]), ("E", b"\1")]), 113),
    "no bytes in a payload": (
        assemble(split(LOSSY)[0], [*split(LOSSY)[1][:-2], chunk(0, 4, b"", b""), ("E", b"\4")]), 3,
    ),
    "no patches": (
        assemble(split(LOSSY)[0], [*split(LOSSY)[1][:-2], chunk(0, 4, b"\1\3\0\1\0", b""), ("E", b"\4")]), 331,
    ),
    "a patch outside": (
        assemble(
            split(LOSSY)[0],
            [*split(LOSSY)[1][:-2], chunk(0, 4, b"\1\x0c\1\5" + b"\0\x48\0\0\0" + b"\0" + bytes(4), b""), ("E", b"\4")],
        ),
        332,
    ),
    "no words": (
        assemble(split(LOSSY)[0], [*split(LOSSY)[1][:-2], chunk(0, 4, b"\0abc", b""), ("E", b"\4")]), 250,
    ),
    "a boolean of 2": (
        assemble(header_bytes(BOOLEANS), [chunk(0, 1, b"\0\1\2", b""), ("E", b"\1")]),
        303,
    ),
}  # fmt: skip


def test_a_tool_that_a_later_version_may_add_is_unsupported() -> None:
    with pytest.raises(UnsupportedError, match="by its flags 8, is unknown; upgrade caufc"):
        caufc.decode(edited(LOSSY, set_record(7, [1.0, 0, 8, 0])))
    with pytest.raises(UnsupportedError, match="by its flags 4, is unknown; upgrade caufc"):
        caufc.decode(assemble(split(LOSSY)[0], [*split(LOSSY)[1][:-2], chunk(0, 4, b"\4", b""), ("E", b"\4")]))


@pytest.mark.parametrize("name", CASES)
def test_malformed(name: str) -> None:
    data, requirement = CASES[name]
    with pytest.raises(MalformedError) as caught:
        caufc.decode(data)
    assert caught.value.requirement == requirement
    with pytest.raises(MalformedError):
        caufc.verify(data, deep=True)


@pytest.mark.parametrize("name", sorted(CASES))
def test_random_access_fails_as_well(name: str) -> None:
    data, _ = CASES[name]
    try:
        with caufc.open(data) as reader:
            for number in range(len(reader)):
                reader[number]
            assert name == "a single without samples" and len(reader) == 0
    except CaufError:
        return


def test_a_wrong_checksum_of_symbols() -> None:
    for data in (LOSSY, SINGLE):
        wrong = rearranged(data, flipped_symbols)
        caufc.verify(wrong)
        for read in (caufc.decode, lambda d: caufc.verify(d, deep=True), lambda d: caufc.open(d)[0]):
            with pytest.raises(DamagedError, match="checksum of the symbols from sample 0 differs"):
                read(wrong)


UNASSIGNED = 255
"""The last number of the experimental range: no registry will ever assign it."""

UNSUPPORTED: dict[str, bytes] = {
    "version": assemble(header_bytes(fields_of(split(LOSSY)[0]), (2, 0)), split(LOSSY)[1]),
    "dtype": edited(LOSSY, set_record(0, UNASSIGNED)),
    "codec": edited(LOSSY, set_record(5, UNASSIGNED)),
    "alignment kind": edited(LOSSY, set_record(6, [UNASSIGNED, 1, 0.0, 1.0])),
    "alignment scope": edited(LOSSY, set_record(6, [1, UNASSIGNED, 0.0, 1.0])),
    "alignment without loss": edited(SINGLE, set_record(6, [UNASSIGNED, 0, 0.0, 1.0])),
    "section type": rearranged(LOSSY, lambda b: [section(UNASSIGNED, 0, 3, b""), *b]),
    "critical block": rearranged(LOSSY, lambda b: [("X", b""), *b]),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported(name: str) -> None:
    with pytest.raises(UnsupportedError, match=r"unknown|version 2"):
        caufc.decode(UNSUPPORTED[name])


def test_random_access_finds_chunks_behind_ancillary_blocks() -> None:
    """A file without an index, with blocks of unknown kinds between its chunks."""
    values = np.arange(6, dtype="f4").reshape(3, 2)
    data = caufc.encode(values, lossless=True, chunk=1, index=False)
    header, blocks = split(data)
    apart = [part for block in blocks for part in (block, ("x", b"note"))][:-1]
    with caufc.open(assemble(header, apart)) as reader:
        np.testing.assert_array_equal([reader[2], reader[0], reader[1]], values[[2, 0, 1]])


@pytest.mark.parametrize("place", range(7))
def test_ancillary_blocks_may_stand_anywhere(place: int) -> None:
    blocks = split(LOSSY)[1]
    assert len(blocks) >= 5
    data = rearranged(LOSSY, lambda b: [*b[: min(place, len(b) - 1)], ("x", b"note"), *b[min(place, len(b) - 1) :]])
    np.testing.assert_array_equal(caufc.decode(data), caufc.decode(LOSSY))
    assert caufc.verify(data, deep=True).symbols_sha256 == caufc.verify(LOSSY, deep=True).symbols_sha256


def test_no_gap_between_indexed_chunks() -> None:
    for place in (1, 2):
        with pytest.raises(MalformedError) as caught:
            caufc.decode(rearranged(INDEXED, lambda b, at=place: [*b[:at], ("x", b""), *b[at:]]))  # type: ignore[misc]
        assert caught.value.requirement == 142
    late = rearranged(INDEXED, lambda b: [*b[:-2], ("x", b""), *b[-2:]])
    np.testing.assert_array_equal(caufc.decode(late), caufc.decode(INDEXED))
    with caufc.open(late) as reader:
        np.testing.assert_array_equal(reader[2], [4, 5])
    tail = rearranged(INDEXED, lambda b: [*b[:-1], ("x", b""), b[-1]])
    distance = len(tail) - tail.index(b"I" + bytes([len(split(INDEXED)[1][3][1])]))
    good = rearranged(INDEXED, lambda b: [*b[:-1], ("x", b""), ("E", b"\3" + struct.pack("<Q", distance))])
    np.testing.assert_array_equal(caufc.decode(good), caufc.decode(INDEXED))
    with caufc.open(good) as reader:
        np.testing.assert_array_equal(reader[2], [4, 5])


def test_only_ancillary_blocks_stand_before_an_index() -> None:
    """Random access checks what stands there, as reading in order does."""
    note = rearranged(INDEXED, lambda b: [*b[:-2], ("x", b"note"), *b[-2:]])
    damaged = note.replace(b"note", b"nope")
    chunk_twice = rearranged(INDEXED, lambda b: [*b[:-2], b[-3], *b[-2:]])
    unknown = rearranged(INDEXED, lambda b: [*b[:-2], ("X", b""), *b[-2:]])
    distance = int.from_bytes(INDEXED[-12:-4], "little")
    loose = INDEXED[:-distance] + b"x\7" + INDEXED[-distance:]
    for data, error in (
        (damaged, DamagedError),
        (chunk_twice, MalformedError),
        (unknown, UnsupportedError),
        (loose, CaufError),
    ):
        for read in (caufc.decode, caufc.open):
            with pytest.raises(error):
                read(data)


def with_index(first: int, lengths: int) -> bytes:
    """Indexed data that leads outside the file."""
    header, blocks = split(INDEXED)
    body = varint(first) + b"\3" + (varint(lengths) + b"\1") * 3
    distance = 1 + len(varint(len(body))) + len(body) + 4 + 15
    return assemble(header, [*blocks[:3], ("I", body), ("E", b"\3" + struct.pack("<Q", distance))])


@pytest.mark.parametrize(("first", "lengths"), [(0, 5), (1 << 62, 5), (1 << 62, 1 << 62), (60, 1 << 45), (60, 1 << 62)])
def test_an_index_that_leads_astray(first: int, lengths: int, tmp_path: Any) -> None:
    path = tmp_path / "a.cauf"
    path.write_bytes(with_index(first, lengths))
    for source in (path, path.read_bytes()):
        with pytest.raises(MalformedError) as caught:
            caufc.open(source)
        assert caught.value.requirement == 142


@pytest.mark.parametrize("tree", [5, [0, ["a"], [5]], [1, [], [0, 0]]])
def test_a_tree_must_fit_the_tensors_of_the_profile_too(tree: Any, tmp_path: Any) -> None:
    profile = assemble(header_bytes(PROFILE), [("E", b"\0")])
    (tmp_path / "p.caufp").write_bytes(profile)
    head = header_bytes([0, hashlib.sha256(profile).digest()[:16], 0, None, tree])
    data = assemble(head, [chunk(0, 1, b"\1\0\0\0\0", bytes(8)), ("E", b"\1")])
    with pytest.raises(MalformedError) as caught:
        caufc.decode(data, profile=tmp_path / "p.caufp")
    assert caught.value.requirement == 52


def batch_of(shape: list[int], count: int, payload: bytes, content: int = 0) -> bytes:
    head = header_bytes([content, None, 0, None, None, [[0, 0, shape, None, None, 0]]])
    return assemble(head, [chunk(0, count, payload, b""), ("E", varint(count))])


BOMB = b"\4\0\3\1" + zlib.compress(bytes(1 << 27), 9)[2:-4]


@pytest.mark.parametrize(
    ("data", "limits", "limit"),
    [
        (batch_of([1 << 20], 300, b"\1\0\0\0\0"), Limits(), "chunk_elements"),
        (batch_of([1 << 20], 200, b"\1\0\0\0\0"), Limits(output_bytes=1 << 29), "output_bytes"),
        (batch_of([1 << 20], 200, b"\1\0\0\0\0"), Limits(file_elements=1 << 27), "file_elements"),
        (batch_of([0, 1 << 40], 1, b"\0"), Limits(), "chunk_elements"),
        (batch_of([0], 65_536, b"\0", content=1), Limits(output_bytes=1 << 20), "output_bytes"),
        (batch_of([2], 1, b"\1\0\0\0\0"), Limits(chunk_bytes=5), "chunk_bytes"),
        (rearranged(LOSSY, lambda b: [("S", BOMB), *b]), Limits(), "section_bytes"),
    ],
)  # fmt: skip
def test_limits_come_before_memory(data: bytes, limits: Limits, limit: str) -> None:
    with pytest.raises(LimitError) as caught:
        caufc.decode(data, limits=limits)
    assert caught.value.limit == limit


def test_the_encoder_stays_within_its_limits() -> None:
    with pytest.raises(LimitError, match=r"chunk elements.*split the input"):
        caufc.encode(np.broadcast_to(np.zeros((1, 1), "u1"), (1 << 10, (1 << 18) + 1)), chunk=1 << 10)
    with pytest.raises(LimitError, match="header bytes"):
        caufc.encode({f"{number:04000}": np.zeros(1) for number in range(300)}, keyed=False)
    with pytest.raises(caufc.LayoutError, match="makes 16,777,217 channels, more than 16,777,216"):
        caufc.encode(np.broadcast_to(np.ones(1, "f4"), ((1 << 24) + 1,)), layout="c")
    with pytest.raises(caufc.InputError, match="a name of 4,097 characters, at most 4,096 are kept"):
        caufc.encode({"x" * 4097: np.zeros(3, "f4")})
