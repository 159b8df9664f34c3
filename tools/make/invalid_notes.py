"""Notes, keys and metadata that decoders refuse, a file for each clause of sections 3.2 and 3.3."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import msgpack

from tools.make.file_parts import Case, Parts, chunk, malformed, unsupported, with_record
from tools.make.invalid_chunks import indexed

__all__ = ["note_clauses"]

LARGEST_NOTE = 1 << 22


def note_clauses() -> Iterator[Case]:
    """All of them."""
    yield from leaves()
    yield from notes()
    yield from keys()


def beside(*leaves: Any) -> Parts:
    """A file with these leaves beside its tensor."""
    fields: list[Any] = [*Parts().fields]
    fields[4] = [1, [], [0, *leaves]]
    return Parts(fields=fields)


def raw(data: bytes) -> bytes:
    """Raw deflate."""
    return zlib.compress(data, 9)[2:-4]


def leaves() -> Iterator[Case]:
    """0501, 0502, 0006."""
    for packing in (2, 1 << 40):
        yield unsupported(f"note-packing-{packing}", 6, beside([3, b"\xc0", packing]))
    yield unsupported("tree-kind-next", 6, beside([4, [], []]))
    for name, leaf in (
        ("alone", [3]), ("packing-none", [3, b"\xc0", 0]), ("packing-boolean", [3, b"\xc0", True]),
        ("packing-nil", [3, b"\xc0", None]), ("long", [3, b"\xc0", 1, 1]), ("number", [3, 5]),
    ):  # fmt: skip
        yield malformed(f"note-leaf-{name}", 501, beside(leaf))
    yield malformed("note-zlib", 501, beside([3, zlib.compress(b"\xc0"), 1]))
    yield malformed("note-deflate-left", 501, beside([3, raw(b"\xc0") + b"\x00", 1]))
    yield malformed("note-deflate-cut", 501, beside([3, raw(b"\xa5ghost")[:-1], 1]))
    half = raw(b"\xdb" + struct.pack(">I", LARGEST_NOTE - 5 - 9) + bytes(LARGEST_NOTE - 5 - 9))
    yield malformed("notes-long-together", 502, beside([3, half, 1], [3, b"\xa9123456789"]))
    long = raw(b"\xdb" + struct.pack(">I", LARGEST_NOTE - 4) + bytes(LARGEST_NOTE - 4))
    yield malformed("note-longer", 502, beside([3, long, 1]))


def notes() -> Iterator[Case]:
    """0500, 0503."""
    forms = {
        "uint8": b"\xcc\x7f", "uint16": b"\xcd\x00\xff", "uint32": b"\xce\x00\x00\xff\xff",
        "uint64": b"\xcf\x00\x00\x00\x00\xff\xff\xff\xff", "int8": b"\xd0\xe0", "int16": b"\xd1\xff\x80",
        "int32": b"\xd2\xff\xff\x80\x00", "int64": b"\xd3\xff\xff\xff\xff\x80\x00\x00\x00", "signed": b"\xd0\x05",
        "text8": b"\xd9\x01a", "text16": b"\xda\x00\x01a", "text32": b"\xdb\x00\x00\x00\x01a",
        "bytes16": b"\xc5\x00\x01a", "bytes32": b"\xc6\x00\x00\x00\x01a", "array16": b"\xdc\x00\x03\x01\x90\x90",
        "array32": b"\xdd\x00\x00\x00\x03\x01\x90\x90", "map": b"\x81\xa1a\x01", "map16": b"\xde\x00\x00",
        "extension": b"\xd4\x01\x00", "extension8": b"\xc7\x00\x01", "never": b"\xc1", "not-utf-8": b"\xa1\xff",
        "text-cut": b"\xa5abc", "array-cut": b"\x93\x01\x90", "number-cut": b"\xcd\x01", "empty": b"",
        "more": b"\x01\x01", "float32": b"\xca\x3f\x80\x00\x00",
    }  # fmt: skip
    for name, form in forms.items():
        yield malformed(f"note-form-{name}", 500, beside([3, form]))
    branches: dict[str, Any] = {
        "two": [1, []], "four": [1, [], [], 1], "none": [], "kind-text": ["a", [], []], "kind-negative": [-1, [], []],
        "kind-boolean": [False, [], []], "kind-three": [3, [], []], "names-text": [0, "a", [1]],
        "names-nil": [1, None, []], "children-text": [0, ["a"], "b"], "children-nil": [1, [], None],
        "name-float": [0, [1.5], [1]], "name-nil": [0, [None], [1]], "name-boolean": [0, [True], [1]],
        "name-bytes": [0, [b"a"], [1]], "name-array": [0, [[]], [1]], "more-names": [0, ["a", "b"], [1]],
        "fewer-names": [0, ["a"], [1, 2]], "twice": [0, ["a", "b", "a"], [1, 2, 3]], "list-names": [1, ["a"], [1]],
        "tuple-names": [2, ["a"], [1]], "inner": [1, [], [[0, ["a"], []]]], "inner-two": [1, [], [[1, []]]],
    }  # fmt: skip
    for name, value in branches.items():
        yield malformed(f"note-branch-{name}", 500, beside([3, msgpack.packb(value)]))
    deep: Any = 5
    for _ in range(19):
        deep = [1, [], [deep]]
    yield malformed("note-38-deep", 500, beside([3, msgpack.packb(deep)]))
    for name, payload in (("sample-more", b"\x00\xc0\xc0"), ("sample-map", b"\x00\x81\xc0")):
        sample = with_record(dtype=18, codec=0, shape=[len(payload) - 1], layout=None, parameters=None)
        sample.sections, sample.chunks = [], [chunk(count=1, payload=payload, symbols=payload[1:])]
        sample.end = b"\x01"
        yield malformed(f"note-{name}", 500, sample)
    for name, shape in (("no-axis", []), ("two-axes", [1, 1])):
        axes = with_record(dtype=18, codec=0, shape=shape, layout=None, parameters=None)
        axes.sections, axes.chunks = [], [chunk(payload=b"\x01\xc0", symbols=b"\xc0" * 2)]
        yield malformed(f"note-{name}", 503, axes)


def keys() -> Iterator[Case]:
    """0504 to 0507."""
    fields: list[Any] = [6, *Parts().fields[1:]]

    def keyed(*chunks: bytes, samples: int = 2) -> Parts:
        bodies = [chunk(first=2 * n) + data for n, data in enumerate(chunks)]
        return Parts(fields=fields, chunks=bodies, end=bytes([samples]))

    good = b"\x00\x92\xa1a\xa1b"
    bad: tuple[tuple[str, bytes, int], ...] = (
        ("none", b"\x00\x90", 506),
        ("more", b"\x00\x93\xa1a\xa1b\xa1c", 506),
        ("text", b"\x00\xa1a", 506),
        ("number", b"\x00\x02", 506),
        ("map", b"\x00\x80", 506),
        ("cut", b"\x00\x92\xa1a", 506),
        ("empty", b"\x00", 506),
        ("behind", good + b"\xc0", 506),
        ("form", b"\x00\xdc\x00\x02\xa1a\xa1b", 506),
        ("nil", b"\x00\x92\xa1a\xc0", 505),
        ("float", b"\x00\x92\xa1a\xcb" + bytes(8), 505),
        ("bytes", b"\x00\x92\xa1a\xc4\x01b", 505),
        ("array", b"\x00\x92\xa1a\x90", 505),
        ("integer-twice", b"\x00\x92\x07\x07", 505),
        ("zlib", b"\x01" + zlib.compress(good[1:]), 92),
        ("deflate-left", b"\x01" + raw(good[1:]) + b"\x00", 92),
        ("missing", b"", 3),
    )
    for name, data, requirement in bad:
        yield malformed(f"keys-of-{name}", requirement, keyed(data))
    for packing in (2, 255):
        yield unsupported(f"keys-packing-{packing}", 6, keyed(bytes([packing]) + good[1:]))
    yield malformed("keys-of-two-chunks", 505, keyed(good, b"\x00\x92\xa1c\xa1a", samples=4))
    yield malformed("keys-of-a-batch", 4, Parts(chunks=[chunk() + good]))
    yield malformed("index-keys-order", 507, indexed(keyed(good), behind=b"\x00\x92\xa1b\xa1a"))
    yield malformed("index-keys-missing", 3, indexed(keyed(good)))
    yield malformed("index-keys-of-a-batch", 4, indexed(Parts(), behind=good))
