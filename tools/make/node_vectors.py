"""Valid nodes of integers by hand, at the ends of what section 11.1 allows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from caufc.bitstream import varint
from spec.reference.lossless import decode_lossless
from tools.make.file_parts import Parts, chunk, lossless, record

__all__ = ["node_files"]

DTYPES = {1: 8, 2: 9, 4: 10, 8: 11}
"""Unsigned integers, by bytes."""


def node_files() -> Iterator[tuple[str, str, Parts]]:
    """Name, what it is, and file."""
    for name, what, count, width, node in nodes():
        yield f"nodes-{name}", what, node_file(node, count, width)


def node_file(node: bytes, count: int, width: int) -> Parts:
    """A file of one sample with so many integers."""
    payload = b"\x04" + node
    elements = decode_lossless(payload, count, f"<u{width}", rotated=False)
    parts = lossless(payload, dtype=DTYPES[width])
    parts.fields[5] = [record(dtype=DTYPES[width], shape=[count], layout=None, codec=0, parameters=None)]
    parts.chunks = [chunk(count=1, payload=payload, symbols=elements.tobytes())]
    parts.end = b"\x01"
    return parts


def raw(*elements: int, width: int) -> bytes:
    """A node of elements as they are."""
    return b"\x00" + np.array(elements, f"<u{width}").tobytes()


def zigzag(number: int) -> bytes:
    """A signed number as a varint."""
    return varint(2 * number if number >= 0 else -2 * number - 1)


def nodes() -> Iterator[tuple[str, str, int, int, bytes]]:
    """Name, what it is, elements, their bytes, node."""
    steps = raw(*range(0, 250, 10), width=1)
    yield "deep", "nodes 32 deep", 40, 2, b"\x03\x02\x00" * 31 + b"\x01\x05\x00"
    yield (
        "elements",
        "almost as many elements as nodes can have",
        4000,
        8,
        b"\x0c" + b"\x04\x00\x01\x05" * 30 + b"\x01\x01",
    )
    yield (
        "in-a-row",
        "more than 32 nodes, none of them deep",
        80,
        1,
        (b"\x0a\x01\x28" + raw(*range(40), width=1) + b"".join(b"\x01" + bytes([group]) for group in range(40))),
    )
    yield "narrow", "a step of 2, a negative base", 25, 8, b"\x03\x11" + zigzag(-30) + b"\x02" + steps
    yield (
        "narrow-far",
        "a base of 63 bits, and a step",
        25,
        8,
        b"\x03\x11" + zigzag(-(1 << 61)) + varint(1 << 55) + steps,
    )
    yield (
        "narrow-same",
        "elements as wide as those around, modulo 2^16",
        25,
        2,
        (b"\x03\x12" + zigzag(-7) + varint(60_001) + raw(*range(0, 65_000, 2600), width=2)),
    )
    far = raw(*(index * 9973 % 65_536 for index in range(40)), width=2)
    for mode in range(3):
        yield (
            f"delta-{mode}",
            "the largest start, a stride of n - 1",
            40,
            2,
            bytes([4, mode, 39]) + varint(65_535) + far,
        )
        yield f"delta-{mode}-three", "a stride of 3", 40, 2, bytes([4, mode, 3]) + varint(40_000) + far
    yield "bits", "three spare bits", 13, 1, b"\x06" + raw(0b10110011, 0b01101000, width=1)
    lengths = raw(*[1] * 18, 0, 2, width=4)
    yield "runs", "as many runs as there may be", 40, 2, b"\x05\x14" + lengths + raw(*range(300, 320), width=2)
    yield (
        "palette",
        "as many values as elements",
        25,
        2,
        b"\x07\x19" + raw(*range(700, 725), width=2) + (raw(*reversed(range(25)), width=1)),
    )
    for k, size in ((256, 1), (257, 2)):
        indexes = raw(*(index * 7 % k for index in range(600)), width=size)
        yield (
            f"palette-{k}",
            "indexes of one byte, and of two",
            600,
            2,
            (b"\x07" + varint(k) + raw(*range(5000, 5000 + k), width=2) + indexes),
        )
    yield "symbols", "an alphabet larger than there are elements", 40, 2, b"\x08\x80\x02\x01\x05\x00"
    yield "symbols-of-many", "an alphabet as large as there are elements", 300, 2, b"\x08\xac\x02\x01\x05\x00"
    for mantissa in range(3):
        buckets = [0, 1, (1 << mantissa) - 1, 1 << mantissa, (2 << mantissa) - 1, 2 << mantissa, (3 << mantissa) + 1,
                   (57 << mantissa) + (1 << mantissa) - 1, 57 << mantissa, 9 << mantissa]  # fmt: skip
        sizes = [max((bucket >> mantissa) - 1, 0) for bucket in buckets]
        bits = sum(sizes)
        extra = (0x9E3779B97F4A7C15F39CC0605CEDC834 & ((1 << bits) - 1)).to_bytes(-(-bits // 8), "little")
        yield (
            f"buckets-{mantissa}",
            "up to 56 extra bits",
            10,
            8,
            (bytes([9, mantissa]) + raw(*buckets, width=1) + varint(len(extra)) + extra),
        )
        last = (8 - mantissa) << mantissa
        yield (
            f"buckets-{mantissa}-of-bytes",
            "as large as fits a byte",
            8,
            1,
            (bytes([9, mantissa]) + raw(*[last] * 8, width=1) + varint(7 - mantissa) + bytes(7 - mantissa)),
        )
    yield "split", "inner times period is n", 40, 2, (
        b"\x0a\x04\x0a" + raw(0, 1, 2, 1, 0, 2, 2, 1, 0, 0, width=1)
        + raw(*range(16), width=2) + raw(*range(100, 112), width=2) + raw(*range(200, 212), width=2)
    )  # fmt: skip
    yield "split-ragged", "places that do not divide n", 41, 2, (
        b"\x0a\x03\x04" + raw(1, 0, 1, 2, width=1)
        + raw(*range(9), width=2) + raw(*range(100, 123), width=2) + raw(*range(200, 209), width=2)
    )  # fmt: skip
    yield (
        "matches",
        "one element, copied to the end",
        40,
        2,
        (b"\x0b\x01" + raw(1, width=4) + raw(37, width=4) + raw(1, width=4) + raw(777, width=2)),
    )
    yield "matches-in-a-row", "as many matches as there may be, distances again", 41, 2, (
        b"\x0b\x14" + raw(1, *[0] * 19, width=4) + raw(*[0] * 20, width=4)
        + raw(1, 0, 3, 0, 0, 2, *[0] * 14, width=4) + raw(9, width=2)
    )  # fmt: skip
    yield "matches-apart", "gaps, copies that overlap, literals at the end", 40, 2, (
        b"\x0b\x03" + raw(4, 2, 0, width=4) + raw(5, 1, 3, width=4) + raw(3, 4, 0, width=4)
        + raw(*range(50, 50 + 40 - 7 - 3 - 5), width=2)
    )  # fmt: skip
    yield "bytes", "the bytes of elements", 5, 4, b"\x0c" + raw(*range(20), width=1)
