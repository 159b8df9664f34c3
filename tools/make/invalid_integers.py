"""Nodes of integers that decoders refuse; tools.make.invalid_vectors writes the files."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from caufc.bitstream import varint
from tools.make.invalid_orders import wrapping_nodes

__all__ = ["integer_nodes", "larger_nodes"]


def integer_nodes() -> Iterator[tuple[str, int, bytes]]:
    """Nodes of 40 elements of 2 bytes, each malformed in a way of its own."""
    zeros, narrow, short = b"\x01\x00\x00", b"\x03\x02\x00", b"\x01\x00\x00\x00\x00"
    one, two = b"\x01\x01\x00\x00\x00", b"\x01\x02\x00\x00\x00"
    yield "kind", 6, b"\x0d"
    yield "deep", 521, narrow * 32 + zeros
    yield "deflated-short", 523, b"\x02\x02\x03\x00"
    yield "deflated-damaged", 523, b"\x02\x01\xff"
    yield "narrow-width", 524, b"\x03\x03\x00" + zeros
    yield "narrow-wider", 524, b"\x03\x04\x00" + short
    yield "narrow-step", 524, b"\x03\x11\x00\x01\x01\x00"
    yield "delta-mode", 525, b"\x04\x03\x01\x00" + zeros
    yield "delta-stride", 525, b"\x04\x00\x28\x00" + zeros
    yield "delta-start", 525, b"\x04\x00\x01\x80\x80\x04" + zeros
    yield "bits-spare", 526, b"\x05\x03\x06\x00\xff"
    yield "runs-none", 527, b"\x05\x00"
    yield "runs-many", 527, b"\x05\x15" + short + zeros
    yield "runs-short", 527, b"\x05\x02" + two + zeros
    yield "palette-none", 528, b"\x07\x00"
    yield "palette-many", 528, b"\x07\x29" + zeros + b"\x01\x00"
    yield "palette-index", 528, b"\x07\x02" + zeros + b"\x01\x02"
    yield "symbols-one", 529, b"\x08\x01\x01\x01\x00"
    yield "symbols-many", 529, b"\x08\x81\x02\x01\x01\x00"
    yield "symbols-level", 230, b"\x08\x02\x01\xc2\x00"
    yield "symbols-words", 251, b"\x08\x02\x01\x01\x0c" + b"\x01" * 12
    yield "buckets-mantissa", 530, b"\x09\x03\x01\x00\x00"
    yield "buckets-large", 530, b"\x09\x00\x01\x11\x00"
    yield "extra-short", 531, b"\x09\x00\x01\x02\x04" + bytes(4)
    yield "extra-spare", 531, b"\x09\x00\x00" + b"\x02" * 3 + bytes(37) + b"\x01\x08"
    yield "split-none", 532, b"\x0a\x00\x01\x01\x00" + zeros
    yield "split-large", 532, b"\x0a\x29\x01\x01\x00" + zeros
    yield "split-group", 532, b"\x0a\x01\x02\x01\x01" + zeros
    yield "matches-none", 533, b"\x0b\x00"
    yield "matches-many", 533, b"\x0b\x15" + short * 3
    yield "matches-long", 533, b"\x0b\x02" + two + b"\x01\x20\x00\x00\x00" + one
    yield "matches-first", 534, b"\x0b\x02" + one + short + short + zeros
    yield "matches-far", 534, b"\x0b\x01" + one + short + two + zeros
    yield from more_nodes(zeros, short)
    yield from wrapping_nodes()
    yield "left", 535, zeros + b"\x00"


def more_nodes(zeros: bytes, short: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Limits that are off by one, and structures that are read wrongly."""
    yield "kind-next", 6, b"\x0d" + zeros
    yield "kind-last", 6, b"\xff"
    yield "cut", 3, b"\x00" + bytes(79)
    yield "deep-of-33", 521, b"\x0c" + b"\x03\x01\x00" * 31 + b"\x01\x00"
    yield "elements", 521, many_elements()
    yield "deflated-long", 523, b"\x02" + stored(bytes(82))
    yield "deflated-left", 523, b"\x02" + stored(bytes(80), b"\x00")
    yield "deflated-zlib", 523, b"\x02" + varied(zlib.compress(bytes(80)))
    yield "narrow-none", 524, b"\x03\x00\x00" + zeros
    yield "narrow-32", 524, b"\x03\x22\x00" + zeros
    yield "narrow-step-none", 524, b"\x03\x11\x00\x00\x01\x00"
    yield "delta-mode-last", 525, b"\x04\xff\x01\x00" + zeros
    yield "delta-stride-none", 525, b"\x04\x00\x00\x00" + zeros
    yield "delta-stride-more", 525, b"\x04\x00\x29\x00" + zeros
    yield "delta-start-65536", 525, b"\x04\x00\x01\x80\x80\x04" + zeros
    three = b"\x0a\x01\x02\x00\x00\x01"  # elements 0, 2, 4 ... and the others
    yield "bits-spare-of-last", 526, three + b"\x06\x00" + b"\xff\xff\x0f" + zeros
    lengths = b"".join(bytes([length, 0, 0, 0]) for length in [*[1] * 19, 0, 0])
    yield "runs-of-21", 527, b"\x05\x15\x00" + lengths + zeros
    yield "runs-long", 527, b"\x05\x02" + b"\x01\x14\x00\x00\x00" + zeros
    yield "palette-of-41", 528, b"\x07\x29" + zeros + b"\x01\x00"
    yield "palette-index-last", 528, b"\x07\x28" + zeros + b"\x01\x28"
    yield "symbols-none", 529, b"\x08\x00"
    yield "symbols-one-more", 529, b"\x08\x01\x01\x05\x00"
    yield "symbols-of-257", 529, b"\x08\x81\x02" + b"\x01\x01\x00"
    yield "symbols-of-bytes", 529, b"\x0c\x08\x81\x02\x01\x01\x00"
    yield "symbols-empty", 230, b"\x08\x02\x01\x00\x00"
    yield "symbols-part", 250, b"\x08\x02\x01\x01\x03" + bytes(3)
    yield "buckets-mantissa-last", 530, b"\x09\xff\x01\x00\x00"
    for mantissa, bucket in ((0, 17), (1, 32), (2, 60)):
        extra = 40 * ((bucket >> mantissa) - 1)
        bits = varied(bytes(-(-extra // 8)))
        yield f"buckets-{bucket}-of-{mantissa}", 530, bytes([9, mantissa, 1, bucket]) + bits
    yield "extra-long", 531, b"\x09\x00\x01\x02\x06" + bytes(6)
    yield "extra-none", 531, b"\x09\x00\x01\x00\x01\x00"
    yield "split-period-none", 532, b"\x0a\x01\x00"
    yield "split-inner-none", 532, b"\x0a\x00\x02\x01\x00" + zeros
    yield "split-41", 532, b"\x0a\x01\x29\x01\x00" + zeros
    yield "split-product", 532, b"\x0a\x07\x06\x01\x00" + zeros
    yield "split-group-missing", 532, b"\x0a\x01\x03\x00\x00\x02\x00" + zeros * 2
    yield "matches-of-21", 533, b"\x0b\x15" + short * 2 + b"\x01\x01\x00\x00\x00"
    gap, length = b"\x01\x01\x00\x00\x00", b"\x01\x26\x00\x00\x00"
    yield "matches-beyond", 533, b"\x0b\x01" + gap + length + gap
    yield "matches-first-none", 534, b"\x0b\x01" + gap + short + short + zeros
    yield "matches-distance", 534, b"\x0b\x01" + gap + short + b"\x01\x02\x00\x00\x00" + zeros
    yield "matches-no-literals", 535, b"\x0b\x01" + gap + b"\x01\x25\x00\x00\x00" + gap + zeros + zeros


def larger_nodes() -> Iterator[tuple[str, int, int, int, bytes]]:
    """Name, requirement, elements, their bytes and node of what 40 elements of 2 bytes cannot show."""
    yield "of-none", 521, 0, 2, b"\x01\x00\x00"
    many = 65_540
    yield "palette-of-65537", 528, many, 4, b"\x07" + varint(65_537) + b"\x01" + bytes(4) + b"\x01" + bytes(2)
    yield "symbols-of-65537", 529, many, 4, b"\x08" + varint(65_537) + b"\x01\x05\x00"
    yield "buckets-of-57-bits", 530, 40, 8, b"\x09\x00\x01\x3a" + varied(bytes(40 * 57 // 8))
    yield "symbols-of-257-of-bytes", 529, 300, 1, b"\x08" + varint(257) + b"\x01\x05\x00"


def varied(data: bytes) -> bytes:
    """Bytes behind their length."""
    return varint(len(data)) + data


def stored(data: bytes, behind: bytes = b"") -> bytes:
    """Raw deflate of one block, as it is, behind its length."""
    size = len(data).to_bytes(2, "little")
    return varied(b"\x01" + size + bytes(255 - byte for byte in size) + data + behind)


def many_elements() -> bytes:
    """A few bytes that ask for more than 2^20 elements: lengths of runs, as bytes, are twice as many each time."""
    node, elements = b"\x01\x00", 40 << 14
    while elements > 40:
        elements //= 2
        node = b"\x05" + varint(elements // 2) + b"\x0c" + node
    return node
