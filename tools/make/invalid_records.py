"""Records, sections and profiles that decoders refuse, a file for each clause of sections 3.1 to 5."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import msgpack

from caufc.bitstream import varint
from tools.make.file_parts import (
    TABLE,
    Case,
    Parts,
    malformed,
    record,
    unsupported,
    with_record,
    with_sections,
)

__all__ = ["record_clauses"]


def record_clauses() -> Iterator[Case]:
    """All of them."""
    yield from records()
    yield from layouts()
    yield from sections()
    yield from limits()


def wide_stack() -> Parts:
    """Two tensors of 2^23 + 1 channels, which are coded as one."""
    parts = with_record(shape=[(1 << 23) + 1], layout="c")
    follower = record(shape=[(1 << 23) + 1], layout="c", leader=0)
    parts.fields[4], parts.fields[5] = [1, [], [0, 1]], [*parts.fields[5], follower]
    return parts


def records() -> Iterator[Case]:
    """0060 to 0067, 0352, 0200."""
    for name, value in (("long", [*record(leader=0), 1]), ("nil", [*record(), None]), ("text", "abc"), ("number", 5)):
        yield malformed(f"record-{name}", 60, Parts(fields=[*Parts().fields[:5], [value]]))
    fields: tuple[tuple[str, str, Any], ...] = (
        ("dtype-text", "dtype", "a"), ("dtype-boolean", "dtype", False), ("dtype-float", "dtype", 0.0),
        ("framework-two", "framework", 2), ("framework-boolean", "framework", True), ("shape-number", "shape", 5),
        ("size-negative", "shape", [5, 2, -2]), ("size-float", "shape", [5, 2, 2.0]),
        ("size-boolean", "shape", [5, 2, True]), ("layout-number", "layout", 7), ("layout-bytes", "layout", b"c h w"),
        ("tap-number", "tap", 7), ("codec-text", "codec", "a"), ("codec-boolean", "codec", True),
        ("alignment-number", "alignment", 5), ("parameters-number", "parameters", 5),
        ("parameter-text", "parameters", ["a", 0, 0, 20]), ("parameter-boolean", "parameters", [0.5, False, 0, 20]),
        ("parameter-nil", "parameters", [0.5, None, 0, 20]), ("leader-text", "leader", "a"),
        ("leader-negative", "leader", -1), ("leader-boolean", "leader", False),
        ("dtype-negative", "dtype", -1), ("codec-negative", "codec", -1),
    )  # fmt: skip
    for name, field, value in fields:
        yield malformed(f"record-{name}", 60, with_record(**{field: value}))
    for name, position in (("dtype", 0), ("framework", 1), ("codec", 5)):
        values = record()
        values[position] = None
        yield malformed(f"record-no-{name}", 61, Parts(fields=[*Parts().fields[:5], [values]]))
    yield unsupported("dtype-next", 61, with_record(dtype=19))
    yield unsupported("codec-next", 61, with_record(codec=3))
    yield unsupported("flags-before-ranges", 6, with_record(parameters=[-1.0, 0, 8, 0]))
    yield malformed("stack-channels", 66, wide_stack())
    alignments: tuple[tuple[str, list[Any]], ...] = (
        ("short", [1, 0, 0.0]),
        ("empty", []),
        ("five", [1, 0, 0.0, 1.0, 0.0]),
        ("long", [1, 0, 0.0, 1.0, 0.0, 1.0, 2.0]),
        ("nil", [1, 0, None, 1.0]),
        ("offset-integer", [1, 0, 0, 1.0]),
        ("scale-integer", [1, 0, 0.0, 1]),
        ("end-integer", [1, 0, 0.0, 1.0, 0, 1.0]),
        ("kind-float", [1.0, 0, 0.0, 1.0]),
        ("scope-boolean", [1, False, 0.0, 1.0]),
        ("scale-negative", [1, 0, 0.0, -1.0]),
        ("kind-negative", [-1, 0, 0.0, 1.0]),
        ("scope-negative", [1, -1, 0.0, 1.0]),
    )
    for name, alignment in alignments:
        yield malformed(f"alignment-{name}", 62, with_record(alignment=alignment))
    yield unsupported("alignment-kind-next", 352, with_record(alignment=[5, 0, 0.0, 1.0]))
    yield unsupported("alignment-scope-next", 352, with_record(alignment=[1, 3, 0.0, 1.0]))
    yield malformed("channels-many", 66, with_record(shape=[(1 << 24) + 1, 1, 1]))
    yield malformed("channels-many-of-two", 66, with_record(shape=[1 << 13, 1 << 12, 1], layout="c d h"))
    single = with_record(codec=0, shape=[None, 2], layout=None, parameters=None)
    yield malformed("batch-varies-lossless", 67, single)
    yield malformed("transform-bool", 200, with_record(dtype=12))
    yield malformed("transform-int8", 200, with_record(dtype=4))
    yield malformed("hyperprior-integers", 200, with_record(dtype=6, codec=2, parameters=[0]))
    yield malformed("hyperprior-no-layout", 200, with_record(codec=2, parameters=[0], layout=None))


def layouts() -> Iterator[Case]:
    """0064, 0065."""
    bad: tuple[tuple[str, str, list[int]], ...] = (
        ("letter-twice", "c h h", [5, 2, 2]), ("letter-twice-joined", "c (h h) w", [5, 4, 2]),
        ("two-spaces", "c h  w", [5, 2, 2]), ("space-before", " c h w", [5, 2, 2]),
        ("space-behind", "c h w ", [5, 2, 2]),
        ("no-space", "ch w", [10, 2]), ("channels-joined", "(c d) h", [10, 2]), ("channel-in-grid", "(h c) w", [10, 2]),
        ("count-zero", "(0 + h) c", [4, 5]), ("count-leading-zero", "(01 + h) c", [4, 5]),
        ("count-large", "(65536 + h) c", [65536, 1]), ("count-alone", "(1) c", [4, 5]), ("open", "(h w c", [4, 5]),
        ("count-of-some", "(1 + h) w c", [2, 2, 5]), ("counts", "(1 + h) (1 + w) c", [2, 2, 5]), ("empty", "", []),
        ("none", "()", [4]), ("capitals", "C H W", [5, 2, 2]), ("count-spaces", "(1  + h) c", [4, 5]),
        ("count-tight", "(1+h) c", [4, 5]), ("line", "c h\nw", [5, 2, 2]), ("line-behind", "c h w\n", [5, 2, 2]),
    )  # fmt: skip
    for name, layout, shape in bad:
        yield malformed(f"layout-{name}", 64, with_record(layout=layout, shape=shape))
    yield malformed("layout-batch-of-none", 65, with_record(layout="b c h w", shape=[5, 2, 2]))
    yield malformed("layout-batch", 65, with_record(layout="b c h w", shape=[2, 5, 2, 2]))
    plain: dict[str, Any] = {"codec": 0, "parameters": None}
    yield malformed("layout-of-lossless", 64, with_record(layout="c q w", **plain))
    yield malformed("layout-axes-of-lossless", 65, with_record(layout="c h", **plain))
    yield malformed("layout-axes-more", 65, with_record(layout="c h w n"))


def sections() -> Iterator[Case]:
    """0006, 0091 to 0095, 0501, 0510."""

    def one(body: bytes) -> Parts:
        return Parts(sections=[*Parts().sections, body])

    yield unsupported("section-element-next", 6, one(b"\x03\x00\x05\x00" + bytes(5)))
    yield unsupported("section-packing-next", 6, one(b"\x03\x00\x00\x02" + bytes(5)))
    packed = zlib.compress(bytes(5))[2:-4]
    yield malformed("section-zlib", 92, one(b"\x03\x00\x00\x01" + zlib.compress(bytes(5))))
    yield malformed("section-deflate-more", 92, one(b"\x03\x00\x00\x01" + packed + b"\x00"))
    yield malformed("section-deflate-cut", 92, one(b"\x03\x00\x00\x01" + packed[:-1]))
    yield malformed("section-part-deflated", 93, one(b"\x01\x00\x01\x01" + zlib.compress(bytes(3))[2:-4]))
    yield malformed("section-part-twice", 93, Parts(sections=[b"\x01\x00\x01\x00abc", b"\x01\x00\x01\x00"]))
    yield malformed("section-tensor-next", 94, one(b"\x03\x01\x00\x00" + bytes(5)))
    yield malformed("section-cut", 3, one(b"\x03\x00\x00"))
    yield malformed("section-empty", 3, one(b""))
    for kind in (0, 30, 255, 512, 1 << 40):
        yield unsupported(f"section-{kind}", 94, one(varint(kind) + b"\x00\x03\x00" + TABLE))
    elements = {1: 2, 2: 0, 3: 3, 4: 0, 5: 0, 6: 3, 7: 3, 8: 3, 9: 4, 10: 4, 11: 4, 12: 1, 26: 0, 27: 1, 28: 1, 29: 1}
    for kind, element in elements.items():
        body = varint(kind) + bytes([0, element, 0]) + bytes(8)
        yield malformed(f"section-{kind}-element", 94, one(body))
    for name, note in (
        ("number", 5), ("text", "a"), ("nil", None), ("number-by-name", [0, ["a"], [1]]),
        ("by-number", [0, [1], ["a"]]), ("list-of-text", [1, [], ["a"]]), ("deep", [0, ["a"], [[0, [], []]]]),
    ):  # fmt: skip
        yield malformed(f"metadata-of-{name}", 510, with_sections(b"\x1a\x00\x03\x00" + msgpack.packb(note)))
    yield malformed("metadata-no-note", 500, with_sections(b"\x1a\x00\x03\x00\xc1"))


def limits() -> Iterator[Case]:
    """0370: of headers and structures."""
    whole = Parts().to_bytes()
    yield "limit-header", 370, "LimitError", whole[:10] + varint((1 << 20) + 1) + whole[11:]
    half = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = half.compress(bytes(40 << 20)) + half.flush()
    twice = [b"\x08\x00\x00\x01" + data] * 2
    yield "limit-sections-together", 370, "LimitError", Parts(sections=twice).to_bytes()
    many = b"\x96\x00\xc0\x00\xc0\xc0\xdd" + struct.pack(">I", 65537) + b"\x90" * 65537
    yield "limit-tensors", 370, "LimitError", Parts(packed=many).to_bytes()
