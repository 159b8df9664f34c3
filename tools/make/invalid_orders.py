"""Files that decoders refuse for one of two reasons, or for a number at the end of a range: which kind of refusal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from caufc.bitstream import varint
from tools.make.file_parts import Case, Parts, lossless, malformed, planes, record, unsupported, with_record
from tools.make.invalid_learned import learned_file
from tools.make.plain_weights import plain_arrays, plain_sections

__all__ = ["order_clauses", "wrapping_nodes"]

LARGEST = (1 << 64) - 1


def order_clauses() -> Iterator[Case]:
    """All of them."""
    yield from numbers()
    yield from orders()
    yield from samples()


def numbers() -> Iterator[Case]:
    """The largest int, where no version assigns it; a signature that is cut."""
    fields = Parts().fields
    yield unsupported("header-content-largest", 6, Parts(fields=[LARGEST, *fields[1:]]))
    yield unsupported("header-flags-largest", 6, Parts(fields=[*fields[:2], LARGEST, *fields[3:]]))
    for name, tree in (
        ("tree-kind-largest", [LARGEST, [], [0]]),
        ("note-packing-largest", [1, [], [0, [3, b"\xc0", LARGEST]]]),
    ):
        yield unsupported(name, 6, Parts(fields=[*fields[:4], tree, fields[5]]))
    yield unsupported("dtype-largest", 61, with_record(dtype=LARGEST))
    yield unsupported("codec-largest", 61, with_record(codec=LARGEST))
    yield unsupported("alignment-kind-largest", 352, with_record(alignment=[LARGEST, 0, 0.0, 1.0]))
    plain = record(shape=[5, 2, LARGEST], codec=0, parameters=None)
    yield "size-largest", 370, "LimitError", Parts(fields=[*fields[:5], [plain]]).to_bytes()
    led = [*fields[:4], [1, [], [0, 1]], [record(), record(leader=LARGEST)]]
    yield malformed("leader-largest", 562, Parts(fields=led))
    yield unsupported("transforms-largest", 6, with_record(parameters=[0.5, 0, LARGEST, 20]))
    yield malformed("record-framework-negative", 60, with_record(framework=-1))
    yield malformed(
        "note-packing-negative", 501, Parts(fields=[*fields[:4], [1, [], [0, [3, b"\xc0", -1]]], fields[5]])
    )
    grid = b"\x01" + np.array([769_546, 494_770, 48_448_661], "<u4").tobytes()  # their product is 2^64 + 4
    yield malformed("lattice-wrapped", 317, lossless(planes(grid)))
    whole = Parts().to_bytes()
    yield "signature-cut", 10, "DamagedError", whole[:5]
    yield "signature-alone", 20, "DamagedError", whole[:8]
    yield malformed("signature-cut-and-wrong", 10, b"\x89CAUX")


def orders() -> Iterator[Case]:
    """Types before flags, flags before ranges."""
    yield malformed("types-before-flags", 201, with_record(parameters=[1, 0, 8, 20]))
    yield malformed("types-behind-flags", 201, with_record(parameters=[0.5, 0, 8, 20.0]))
    yield unsupported("flags-before-level", 6, with_record(parameters=[0.5, 0, 8, 256]))
    network = learned_file(plain_arrays())
    network.sections[0] = plain_sections({12: np.array([0, 1, 1, 2], "<u2")})[0]
    yield unsupported("hyperprior-flags-before-ranges", 6, network)
    yield malformed("alignment-scope-before-kind", 62, with_record(alignment=[5, -1, 0.0, 1.0]))


def samples() -> Iterator[Case]:
    """0370: more samples than a decoder has to list; those of a batch count where they have no value."""
    most, each = (1 << 24) + 1, 1 << 16
    firsts = range(0, most, each)
    bodies = [varint(first) + varint(min(each, most - first)) + bytes(4) for first in firsts]
    for name, content in (("samples", 1), ("samples-of-batch", 0)):
        fields = [content, None, 0, None, [1, [], []], []]
        yield (
            f"limit-{name}",
            370,
            "LimitError",
            Parts(fields=fields, sections=[], chunks=bodies, end=varint(most)).to_bytes(),
        )


def wrapping_nodes() -> Iterator[tuple[str, int, bytes]]:
    """Nodes of 40 elements of 2 bytes whose numbers of elements would fit if they wrapped at 2^32."""

    def raw(*elements: int) -> bytes:
        return b"\x00" + np.array(elements, "<u4").tobytes()

    zeros: Any = b"\x01\x00\x00"
    yield "runs-wrapped", 527, b"\x05\x02" + raw((1 << 32) - 1, 39) + zeros
    yield "runs-wrapped-together", 527, b"\x05\x03" + raw((1 << 31) - 1, (1 << 31) - 1, 39) + zeros
    yield "matches-wrapped", 533, b"\x0b\x02" + raw(1, 0) + raw((1 << 32) - 2, 5) + raw(1, 1) + zeros
    yield "gaps-wrapped", 533, b"\x0b\x02" + raw(1 << 31, 1 << 31) + raw(0, 0) + raw(1, 1) + zeros
