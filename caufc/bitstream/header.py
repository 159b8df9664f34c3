"""The header: scalars that say what a file holds, as one msgpack array."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import DamagedError, MalformedError, UnsupportedError, VersionError
from ..limits import Limits
from .block import CHECKSUM_BYTES, checksum
from .msgpack_array import pack_array, trimmed, unpack_array
from .record import RecordBranch, RecordTree, TensorRecord, field_list, malformed, pack_tree, text, unpack_tree
from .varint import MAX_BYTES, Cursor, varint

__all__ = ["CONTENTS", "PROFILE_ID_BYTES", "SIGNATURE", "VERSION", "Header", "HeaderParser", "leaves", "seed_of"]

SIGNATURE = b"\x89CAUF\r\n\x1a"
VERSION = (1, 0)
CONTENTS = ("batch", "list", "tuple", "single", "profile", "weights", "keyed")
"""Content codes 0 to 6."""
INDEXED = 1
PROFILE_ID_BYTES = 16
MAX_NOTE = 64
"""Most characters of what a header says of how its file was made [CAUF-0550], [CAUF-0551]."""
START = len(SIGNATURE) + len(VERSION)


@dataclass(frozen=True)
class Header:
    """The header of a file.

    Args:
        content: one of :data:`CONTENTS`.
        profile: content hash of the profile that supplies what is None here.
        indexed: whether an index stands before the end.
        gain: factor on the steps of all tensors, a float32; None is 1.
        tree: structure of a sample; None for a lone tensor, or as in the profile.
        tensors: one record per tensor; None for all as in the profile.
        arch: architecture ID.
        weights: content hash of the weights that its tensors of the learned codec need.
        control: the rate control that the file was coded with, a code for people.
        software: name and version of what wrote the file.
    """

    content: str
    profile: bytes | None = None
    indexed: bool = False
    gain: float | None = None
    tree: RecordTree | None = None
    tensors: tuple[TensorRecord, ...] | None = None
    arch: str | None = None
    weights: bytes | None = None
    control: str | None = None
    software: str | None = None

    def to_bytes(self) -> bytes:
        """Signature, version, length, msgpack array and checksum [CAUF-0040]."""
        fields: list[Any] = [
            CONTENTS.index(self.content),
            self.profile,
            INDEXED if self.indexed else 0,
            self.gain,
            None if self.tree is None else pack_tree(self.tree),
            None if self.tensors is None else [tensor.to_fields() for tensor in self.tensors],
            self.arch,
            self.weights,
            self.control,
            self.software,
        ]
        packed = pack_array(trimmed(fields))
        head = SIGNATURE + bytes(VERSION) + varint(len(packed)) + packed
        return head + checksum(head).to_bytes(CHECKSUM_BYTES, "little")


def seed_of(head: bytes) -> int:
    """What the checksums of all blocks behind a header begin with: the header's own."""
    return int.from_bytes(head[-CHECKSUM_BYTES:], "little")


class HeaderParser:
    """Reads a header from a stream of bytes, without reading anything itself: feed it until :meth:`next` gives one."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.buffer = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        self.buffer += data

    def next(self) -> tuple[Header, int, int] | None:
        """The header, its checksum and its length in bytes; None if more bytes are needed.

        Raises:
            DamagedError: if the checksum differs.
            LimitError: if it is too long.
            MalformedError: if it breaks the specification, or the bytes are no such file.
            VersionError: for a newer major version.
        """
        present = bytes(self.buffer[:START])
        if present[: len(SIGNATURE)] != SIGNATURE[: len(present)]:
            raise MalformedError(
                "not a CAUF file: it has no signature",
                requirement=10,
                offset=0,
                remedy="give a file that caufc wrote; caufc encode makes one from features",
            )
        if len(present) < START:
            return None
        if present[len(SIGNATURE)] != VERSION[0]:
            raise VersionError(present[len(SIGNATURE)], VERSION[0])
        sizes = self._sizes()
        if sizes is None or len(self.buffer) < sizes[1]:
            return None
        begin, total = sizes
        computed = checksum(bytes(self.buffer[: total - CHECKSUM_BYTES]))
        if computed != int.from_bytes(self.buffer[total - CHECKSUM_BYTES : total], "little"):
            raise DamagedError("checksum of the header differs", offset=0)
        header = parse_header(bytes(self.buffer[begin : total - CHECKSUM_BYTES]), self.limits)
        return header, computed, total

    def _sizes(self) -> tuple[int, int] | None:
        """Start of the msgpack array and length of the whole header."""
        length_bytes = bytes(self.buffer[START : START + MAX_BYTES])
        if len(length_bytes) < MAX_BYTES and all(byte > 127 for byte in length_bytes):
            return None
        cursor = Cursor(length_bytes, START)
        length = self.limits.check("header_bytes", cursor.varint())
        begin = START + cursor.position
        return begin, begin + length + CHECKSUM_BYTES


def parse_header(data: bytes, limits: Limits) -> Header:
    """Read the msgpack array of a header.

    Raises:
        LimitError: for more tensors, dimensions or nesting than allowed.
        MalformedError: if it breaks the specification.
    """
    fields = unpack_array(data, limits.nesting)
    content, profile, flags, gain, tree, tensors, arch, weights, control, software = field_list(fields, 10, "it")
    if type(content) is not int or content < 0:
        raise malformed(f"content {content!r}", 45)
    if content >= len(CONTENTS):
        raise UnsupportedError.unknown(f"content {content}")
    if profile is not None and (type(profile) is not bytes or len(profile) != PROFILE_ID_BYTES):
        raise malformed("the profile is no content hash of 16 bytes", 46)
    if type(flags) is not int or flags < 0:
        raise malformed(f"flags {flags!r}", 47)
    if flags > INDEXED:
        raise UnsupportedError.unknown(f"a feature that the file needs, by its flags {flags},")
    if gain is not None and (type(gain) is not float or gain <= 0):
        raise malformed(f"gain {gain!r}", 48)
    if weights is not None and (type(weights) is not bytes or len(weights) != PROFILE_ID_BYTES):
        raise malformed("the weights are no content hash of 16 bytes", 53)
    header = Header(
        content=CONTENTS[content],
        profile=profile,
        indexed=flags == INDEXED,
        gain=gain,
        tree=None if tree is None else unpack_tree(tree, limits),
        tensors=None if tensors is None else _tensors(tensors, limits),
        arch=text(arch, "arch"),
        weights=weights,
        control=_note(control, "control", 550),
        software=_note(software, "software", 551),
    )
    _check_tree(header)
    return header


def _note(value: Any, what: str, requirement: int) -> str | None:
    if value is not None and (type(value) is not str or len(value) > MAX_NOTE):
        raise malformed(f"{what} is no text of up to {MAX_NOTE} characters", requirement)
    return value


def _tensors(value: Any, limits: Limits) -> tuple[TensorRecord, ...]:
    if not isinstance(value, list):
        raise malformed("tensors are no array")
    limits.check("tensors", len(value))
    return tuple(TensorRecord.from_fields(fields, limits) for fields in value)


def _check_tree(header: Header) -> None:
    """Every tensor is a leaf once, in ascending order [CAUF-0052]; weights have none [CAUF-0054]."""
    if header.content == "weights":
        if header != Header("weights", arch=header.arch):
            raise malformed("weights with more than a name", 54)
        return
    if header.tensors is None:
        if header.profile is None:
            raise malformed("neither tensors nor a profile", 49)
        return
    tree = header.tree if header.tree is not None else 0
    if header.profile is None and list(leaves(tree)) != list(range(len(header.tensors))):
        raise malformed("the structure does not name every tensor once, in order", 52)


def leaves(tree: RecordTree) -> Iterator[int]:
    """Tensor numbers of a structure, from left to right."""
    if isinstance(tree, int):
        yield tree
    if isinstance(tree, RecordBranch):
        for child in tree.children:
            yield from leaves(child)
