"""A small valid file in parts that can be replaced one by one: what invalid vectors are made of."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import msgpack

from caufc.bitstream import SIGNATURE, varint

__all__ = [
    "MAP",
    "RECORD",
    "TABLE",
    "UINT16",
    "Case",
    "Parts",
    "chunk",
    "framed",
    "lossless",
    "malformed",
    "packed_header",
    "planes",
    "record",
    "refusal",
    "section",
    "unsupported",
    "with_record",
    "with_sections",
]

Case = tuple[str, int, str, bytes]
"""An invalid vector: name, requirement, caufc's error, bytes."""

RECORD = [0, 0, [5, 2, 2], "c h w", None, 1, None, [0.5, 0, 0, 20]]
TABLE = bytes([1, 0] * 32)
MAP = bytes(40)
UINT16 = 9


def section(kind: int, data: bytes) -> bytes:
    """The body of a section of tensor 0."""
    element = {1: 1, 2: 1, 4: 3, 5: 3, 9: 1, 10: 1, 11: 1, 27: 2, 28: 2, 29: 2}.get(kind, 0)
    return varint(kind) + b"\x00" + bytes([element, 0]) + data


@dataclass
class Parts:
    """A file in parts that can be replaced one by one."""

    fields: list[Any] = field(default_factory=lambda: [0, None, 0, None, None, [list(RECORD)]])
    packed: bytes | None = None
    signature: bytes = SIGNATURE
    version: bytes = b"\x01\x00"
    sections: list[bytes] = field(default_factory=lambda: [section(4, TABLE), section(5, MAP)])
    chunks: list[bytes] = field(default_factory=lambda: [chunk()])
    index: bytes | None = None
    end: bytes = b"\x02"
    extra: list[tuple[str, bytes]] = field(default_factory=list)
    behind: bytes = b""

    def to_bytes(self) -> bytes:
        packed = self.packed if self.packed is not None else msgpack.packb(self.fields, use_single_float=True)
        head = self.signature + self.version + varint(len(packed)) + packed
        seed = zlib.crc32(head)
        out = head + seed.to_bytes(4, "little")
        blocks = [("S", body) for body in self.sections] + self.extra + [("C", body) for body in self.chunks]
        blocks += [("I", self.index)] if self.index is not None else []
        for tag, body in [*blocks, ("E", self.end)]:
            out += framed(tag, body, seed)
        return out + self.behind


def framed(tag: str, body: bytes, seed: int) -> bytes:
    data = tag.encode("latin-1") + varint(len(body)) + body
    return data + zlib.crc32(data, seed).to_bytes(4, "little")


def chunk(
    first: int = 0, count: int = 2, payload: bytes = b"\x00", symbols: bytes | None = None, shapes: bytes = b""
) -> bytes:
    """A chunk body; without words, all 40 symbols are zero."""
    covered = bytes(4 * 20 * count) if symbols is None else symbols
    crc = zlib.crc32(covered).to_bytes(4, "little")
    return varint(first) + varint(count) + shapes + varint(len(payload)) + crc + payload


def record(**changes: Any) -> list[Any]:
    """The tensor record with some fields replaced."""
    names = ["dtype", "framework", "shape", "layout", "tap", "codec", "alignment", "parameters", "leader"]
    fields = [*RECORD, None]
    for name, value in changes.items():
        fields[names.index(name)] = value
    while fields and fields[-1] is None:
        fields.pop()
    return fields


def with_record(**changes: Any) -> Parts:
    parts = Parts()
    parts.fields[5] = [record(**changes)]
    return parts


def with_sections(*added: bytes, **changes: Any) -> bytes:
    """A file with these sections besides its tables."""
    parts = with_record(**changes)
    parts.sections += added
    return parts.to_bytes()


def lossless(payload: bytes, dtype: int = 0) -> Parts:
    """A file of one lossless tensor of 2 x 20 values."""
    parts = with_record(dtype=dtype, codec=0, parameters=None)
    parts.sections = []
    parts.chunks = [chunk(payload=payload, symbols=b"")]
    return parts


def planes(models: bytes, words_: bytes = b"", raw: bytes = b"") -> bytes:
    return b"\x03" + len(models).to_bytes(4, "little") + len(words_).to_bytes(4, "little") + models + words_ + raw


def refusal(requirement: int) -> str:
    """The kind of refusal of what breaks a requirement; 6 is that of numbers that a later version may assign."""
    return "UnsupportedError" if requirement == 6 else "MalformedError"


def malformed(name: str, requirement: int, parts: Parts | bytes) -> Case:
    """A file that violates a requirement."""
    return name, requirement, "MalformedError", parts if isinstance(parts, bytes) else parts.to_bytes()


def unsupported(name: str, requirement: int, parts: Parts | bytes) -> Case:
    """A file with what no decoder knows."""
    kind = "VersionError" if requirement == 11 else "UnsupportedError"
    return name, requirement, kind, parts if isinstance(parts, bytes) else parts.to_bytes()


def packed_header(**raw: bytes) -> Parts:
    """A file of a header with fields that stand there as given, in whatever form."""
    names = ("content", "profile", "flags", "gain", "tree", "tensors", "arch", "weights", "control", "software")
    values = [*Parts().fields, *[None] * 4]
    pieces = [
        raw.get(name, msgpack.packb(value, use_single_float=True)) for name, value in zip(names, values, strict=True)
    ]
    while pieces[-1] == b"\xc0":
        pieces.pop()
    return Parts(packed=bytes([0x90 + len(pieces)]) + b"".join(pieces))
