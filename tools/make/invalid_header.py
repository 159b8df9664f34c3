"""Headers that decoders refuse, a file for each clause of section 3; tools.make.invalid_vectors writes them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import msgpack

from caufc.bitstream import varint
from tools.make.file_parts import Case, Parts, chunk, framed, malformed, packed_header, unsupported

__all__ = ["header_clauses"]

NIL = msgpack.packb([3, b"\xc0"])


def header_clauses() -> Iterator[Case]:
    """All of them."""
    yield from container()
    yield from forms()
    yield from fields()
    yield from trees()


def container() -> Iterator[Case]:
    """Varints, version, checksums, blocks: sections 1 and 2."""
    yield malformed("varint-ten-bytes", 2, Parts(end=b"\x82" + b"\x80" * 8 + b"\x01"))
    yield unsupported("newer-major-of-another-form", 11, Parts(version=b"\x02\x00", packed=b"\xc1"))
    whole = Parts().to_bytes()
    yield unsupported("newer-major-alone", 11, whole[:8] + b"\x02\x00")
    yield "header-flipped-to-a-map", 12, "DamagedError", whole[:11] + b"\x80" + whole[12:]
    extra = Parts(extra=[("x", b"ancillary")]).to_bytes()
    place = extra.index(b"ancillary")
    yield "ancillary-flipped", 13, "DamagedError", extra[:place] + b"A" + extra[place + 1 :]
    yield "tag-flipped", 13, "DamagedError", extra[: place - 2] + b"z" + extra[place - 1 :]
    yield malformed("tag-no-ascii", 21, Parts(extra=[("\xe9", b"")]))
    yield malformed("index-unannounced", 22, Parts(index=b"\x00\x00"))
    flagged: list[Any] = [0, None, 1, *Parts().fields[3:]]
    yield malformed("index-missing", 22, Parts(fields=flagged))
    index = varint(len(Parts(fields=flagged, chunks=[]).to_bytes()) - len(framed("E", b"\x02", 0))) + b"\x00"
    yield malformed("index-twice", 22, Parts(fields=flagged, index=index, extra=[("I", index)], chunks=[]))
    yield malformed("index-before-chunks", 22, Parts(fields=flagged, extra=[("I", index)]))


def forms() -> Iterator[Case]:
    """Values that have a shorter form, or none that is allowed: 0041 to 0043."""
    names = {
        "uint8": b"\xcc\x7f", "uint16": b"\xcd\x00\xff", "uint32": b"\xce" + struct.pack(">I", 65535),
        "uint64": b"\xcf" + struct.pack(">Q", (1 << 32) - 1), "int8": b"\xd0\xe0", "int16": b"\xd1\xff\x80",
        "int32": b"\xd2" + struct.pack(">i", -(1 << 15)), "int64": b"\xd3" + struct.pack(">q", -(1 << 31)),
        "signed": b"\xd1\x00\x80", "signed-large": b"\xd3" + struct.pack(">q", 1 << 32),
        "text8": b"\xd9\x1f" + b"a" * 31, "text16": b"\xda\x00\xff" + b"a" * 255, "text32": b"\xdb\x00\x00\x00\x01a",
    }  # fmt: skip
    for name, form in names.items():
        yield malformed(f"form-{name}", 42, packed_header(tree=b"\x93\x00\x91" + form + b"\x91\x00"))
    notes = b"\x00" + NIL * 14
    yield malformed("form-array16", 42, packed_header(tree=b"\x93\x01\x90\xdc\x00\x0f" + notes))
    yield malformed("form-array32", 42, packed_header(tree=b"\x93\x01\x90\xdd\x00\x00\x00\x01\x00"))
    text = msgpack.packb("a" * 253)
    for name, form in (("bytes16", b"\xc5\x00\xff" + text), ("bytes32", b"\xc6\x00\x00\x00\x01\xc0")):
        yield malformed(f"form-{name}", 42, packed_header(tree=b"\x93\x01\x90\x92\x00\x92\x03" + form))
    yield malformed("form-float64", 42, packed_header(gain=struct.pack(">Bd", 0xCB, 2.0)))
    yield malformed("form-infinity", 42, packed_header(gain=struct.pack(">Bf", 0xCA, float("inf"))))
    yield malformed("form-extension", 42, packed_header(arch=b"\xd4\x01\x00"))
    yield malformed("form-map16", 42, packed_header(tree=b"\x93\x00\x91\xa1a\xde\x00\x00"))
    yield malformed("text-not-utf-8", 41, packed_header(arch=b"\xa1\xff"))
    yield malformed("text-cut", 41, packed_header(arch=b"\xa9text"))
    yield malformed("array-cut", 41, packed_header(arch=b"\x9f\x01"))
    yield malformed("header-empty", 41, Parts(packed=b""))
    for depth, requirement in ((36, 50), (37, 43)):
        deep: list[Any] = []
        for _ in range(depth - 2):
            deep = [deep]
        yield malformed(
            f"header-{depth}-deep", requirement, Parts(fields=[*Parts().fields[:4], deep, Parts().fields[5]])
        )


def fields() -> Iterator[Case]:
    """Fields of another type, out of range, or too many: 0044 to 0054."""
    base = [*Parts().fields, *[None] * 4]
    cases: tuple[tuple[str, int, Any, int], ...] = (
        ("content-boolean", 0, False, 45), ("content-nil", 0, None, 45), ("content-negative", 0, -1, 45),
        ("content-float", 0, 0.0, 45), ("profile-long", 1, b"a" * 17, 46), ("profile-text", 1, "a" * 16, 46),
        ("flags-boolean", 2, False, 47), ("flags-nil", 2, None, 47), ("flags-float", 2, 0.0, 47),
        ("gain-integer", 3, 2, 48), ("gain-negative", 3, -2.0, 48), ("gain-boolean", 3, True, 48),
        ("tensors-number", 5, 5, 44), ("tensors-text", 5, "abc", 44), ("arch-bytes", 6, b"abc", 44),
        ("arch-long", 6, "é" * 4097, 49), ("weights-long", 7, b"a" * 17, 53), ("weights-text", 7, "a" * 16, 53),
        ("control-bytes", 8, b"q50", 550), ("software-array", 9, [], 551), ("software-boolean", 9, True, 551),
    )  # fmt: skip
    for name, position, value, requirement in cases:
        parts = Parts(fields=[*base[:position], value, *base[position + 1 :]])
        while parts.fields[-1] is None:
            parts.fields.pop()
        yield malformed(f"header-{name}", requirement, parts)
    full = [*base[:6], "arch", None, "q50", "software", "more"]
    yield malformed("header-field-too-many", 44, Parts(fields=full))
    empty: dict[str, Any] = {"fields": [5], "sections": [], "chunks": [], "end": b"\x00"}
    flags: dict[str, Any] = {**empty, "fields": [5, None, 1], "index": b"\x00\x00"}
    yield malformed("weights-with-flags", 54, Parts(**flags))
    for name, position, value in (("gain", 3, 2.0), ("tree", 4, 0), ("control", 8, "q50"), ("software", 9, "x")):
        more: list[Any] = [5, None, 0, *[None] * 6]
        more[position:] = [value]
        yield malformed(f"weights-with-{name}", 54, Parts(**{**empty, "fields": more}))


def trees() -> Iterator[Case]:
    """Structures that are none: 0049 to 0052."""
    yield malformed("tree-name-long", 49, Parts(fields=[0, None, 0, None, [0, ["a" * 4097], [0]], Parts().fields[5]]))
    note = [3, b"\xc0"]
    cases: tuple[tuple[str, Any, int], ...] = (
        ("text", "a", 50), ("boolean", False, 50), ("empty", [], 50), ("short", [1, []], 50),
        ("long", [1, [], [0], 5], 50), ("kind-boolean", [True, [], [0]], 50), ("kind-negative", [-1, [], [0]], 50),
        ("names-nil", [1, None, [0]], 50), ("names-text", [0, "a", [0]], 50), ("children-number", [1, [], 0], 50),
        ("children-text", [1, [], "a"], 50), ("twice", [0, ["a", "a"], [0, note]], 51),
        ("twice-integer", [0, [7, 7], [0, note]], 51), ("more-names", [0, ["a", "b"], [0]], 51),
        ("fewer-names", [0, [], [0]], 51), ("name-float", [0, [1.5], [0]], 51), ("name-nil", [0, [None], [0]], 51),
        ("name-boolean", [0, [True], [0]], 51), ("name-bytes", [0, [b"a"], [0]], 51),
        ("tuple-names", [2, ["a"], [0]], 51), ("second", 1, 52), ("negative", -1, 52),
    )  # fmt: skip
    for name, tree, requirement in cases:
        fields: list[Any] = [*Parts().fields]
        fields[4] = tree
        yield malformed(f"tree-{name}", requirement, Parts(fields=fields))
    two = [*Parts().fields[:5], [*Parts().fields[5] * 2]]
    none: dict[str, Any] = {"chunks": [], "end": b"\x00"}
    yield malformed("tree-nil-of-two", 52, Parts(fields=two, **none))
    for name, tree in (("order", [1, [], [1, 0]]), ("missing", [1, [], [0]]), ("outside", [1, [], [0, 2]])):
        yield malformed(f"tree-{name}-of-two", 52, Parts(fields=[*two[:4], tree, two[5]], **none))
    yield malformed("tree-of-none", 52, Parts(fields=[*two[:4], 0, []], sections=[], **none))
    deep: Any = 0
    for _ in range(16):
        deep = [1, [], [deep, 1]]
    yield malformed("levels-16", 52, Parts(fields=[*two[:4], deep, two[5][:1]], chunks=[chunk()]))
