from __future__ import annotations

import subprocess
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caufc.bitstream import Block, BlockParser, block_bytes, checksum
from caufc.errors import DamagedError, LimitError, MalformedError, UnsupportedError
from caufc.limits import DEFAULT_LIMITS, Limits

SEED = 0x12345678


def parser(data: bytes = b"", limits: Limits = DEFAULT_LIMITS) -> BlockParser:
    made = BlockParser(SEED, 100, limits)
    made.feed(data)
    return made


def drain(found: BlockParser) -> list[Block]:
    blocks = []
    while (block := found.next()) is not None:
        blocks.append(block)
    return blocks


def test_golden() -> None:
    framed = b"C\x03abc"
    assert block_bytes("C", b"abc", SEED) == framed + zlib.crc32(framed, SEED).to_bytes(4, "little")
    assert checksum(b"123456789") == checksum(b"6789", checksum(b"12345")) == 0xCBF43926
    assert block_bytes("C", b"abc", 0).hex() == "4303616263" + "bae2a101"


@given(st.binary(max_size=2000), st.integers(0, 2**32 - 1), st.integers(0, 2000))
def test_the_checksum_is_zlibs(data: bytes, seed: int, cut: int) -> None:
    assert checksum(memoryview(data)[cut:], checksum(data[:cut], seed)) == zlib.crc32(data, seed)


def test_checksums_without_isal() -> None:
    """Where it has no wheel, zlib makes them."""
    code = "import sys; sys.modules['isal'] = None; from caufc.bitstream import block; print(block.crc32.__module__)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "zlib"


@given(
    st.lists(st.tuples(st.sampled_from("SCIE"), st.binary(max_size=300)), max_size=5),
    st.lists(st.integers(1, 50), min_size=1),
)
def test_any_parts_give_the_same_blocks(wanted: list[tuple[str, bytes]], steps: list[int]) -> None:
    data = b"".join(block_bytes(tag, body, SEED) for tag, body in wanted)
    stream, found, position, turn = parser(), [], 0, 0
    while position < len(data):
        stream.feed(data[position : position + steps[turn % len(steps)]])
        position += steps[turn % len(steps)]
        turn += 1
        found += drain(stream)
    assert [(block.tag, bytes(block.body)) for block in found] == wanted
    assert stream.pending == 0
    offsets = [100, *(block.offset + block.length for block in found)]
    assert [block.offset for block in found] == offsets[:-1]
    assert offsets[-1] == 100 + len(data)


def test_byte_by_byte() -> None:
    data = b"".join(block_bytes(tag, bytes(size), SEED) for tag, size in zip("SCIE", (0, 200, 3, 1), strict=True))
    stream, found = parser(), []
    for byte in data:
        assert stream.wanted() >= 1
        stream.feed(bytes([byte]))
        found += drain(stream)
    assert [block.tag for block in found] == list("SCIE")


def test_wanted_is_exact_once_the_length_is_there() -> None:
    data = block_bytes("C", bytes(1000), SEED)
    stream = parser(data[:3])
    assert stream.wanted() == len(data) - 3
    stream.feed(data[3:])
    assert stream.wanted() == 0


def test_ancillary_blocks_are_checked_and_skipped() -> None:
    known = block_bytes("E", b"e", SEED)
    unknown = block_bytes("x", b"whatever", SEED)
    blocks = drain(parser(unknown + known + unknown))
    assert [(block.tag, block.offset) for block in blocks] == [("E", 100 + len(unknown))]
    with pytest.raises(DamagedError, match="block 'x'"):
        parser(unknown[:-1] + b"\0" + known).next()


def test_unknown_critical_blocks_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="block 'X' at byte 100 is unknown"):
        parser(block_bytes("X", b"", SEED)).next()


@pytest.mark.parametrize("tag", [0, 0x30, 0x40, 0x5B, 0x60, 0x7B, 0xC3, 0xFF])
def test_tags_are_letters(tag: int) -> None:
    with pytest.raises(MalformedError) as caught:
        parser(bytes([tag, 0]) + bytes(4)).next()
    assert (caught.value.requirement, caught.value.offset) == (21, 100)


def test_the_checksum_depends_on_the_header() -> None:
    with pytest.raises(DamagedError, match="checksum of block 'C' differs"):
        parser(block_bytes("C", b"abc", SEED ^ 1)).next()


@given(st.binary(max_size=40), st.integers(0))
def test_every_flip_is_found(body: bytes, flip: int) -> None:
    data = bytearray(block_bytes("C", body, SEED))
    flip %= 8 * len(data)
    data[flip // 8] ^= 1 << flip % 8
    stream = parser(bytes(data))
    try:
        assert stream.next() is None
    except (DamagedError, MalformedError, UnsupportedError):
        return
    assert stream.wanted() > 0 or chr(data[0]).islower()


@pytest.mark.parametrize(
    ("tag", "limit"),
    [
        ("S", "section_bytes"),
        ("C", "chunk_bytes"),
        ("I", "index_bytes"),
        ("E", "section_bytes"),
        ("x", "section_bytes"),
    ],
)
def test_lengths_are_checked_before_the_body_is_there(tag: str, limit: str) -> None:
    limits = Limits(section_bytes=1 << 30, chunk_bytes=1 << 30, index_bytes=1 << 30)
    body = (1 << 30) + 1
    head = tag.encode() + b"\x81\x80\x80\x80\x04"
    with pytest.raises(LimitError) as caught:
        parser(head, limits).next()
    assert (caught.value.limit, caught.value.value) == (limit, body)


def test_a_length_must_be_canonical() -> None:
    with pytest.raises(MalformedError) as caught:
        parser(b"C\x80\x00" + bytes(4)).next()
    assert caught.value.requirement == 2
