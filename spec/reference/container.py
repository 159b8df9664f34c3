"""The container half of the reference decoder: bytes to header, blocks, sections; sections 1 to 6 of cauf-1.0.md.

Numbers in calls of `require`, and in docstrings, are those of the specification's requirements.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Sections = dict[tuple[int, int], Array]  # by type and tensor

CONTENT = ("batch", "list", "tuple", "single", "profile", "weights", "keyed")
BATCH, SINGLE, PROFILE, WEIGHTS, KEYED = 0, 3, 4, 5, 6
CODEC = ("lossless", "transform", "hyperprior")
DTYPE = ("fp32", "fp16", "bf16", "fp64", *(f"{sign}int{n}" for sign in ("", "u") for n in (8, 16, 32, 64)), "bool")
DTYPE += ("fp8_e4m3fn", "fp8_e5m2", "fp8_e4m3fnuz", "fp8_e5m2fnuz", "fp8_e8m0fnu", "note")
STORAGE = ("<f4", "<f2", "<u2", "<f8", *(f"<{sign}{n}" for sign in "iu" for n in (1, 2, 4, 8)), *["|u1"] * 7)
ELEMENT = ("<i1", "<i2", "<i4", "<u1", "<u2")
SECTION_ELEMENT = {1: 1, 2: 1, 3: 0, 4: 3, 5: 3, 6: 0, 7: 0, 8: 0, 9: 1, 10: 1, 11: 1, 27: 2, 28: 2, 29: 2}
WEIGHTS_ELEMENT = {12: 4, 13: 2, 14: 2, 15: 3, 16: 3, 17: 1, 18: 2, 19: 3, 20: 1, 21: 2, 22: 1, 23: 2, 24: 1, 25: 2}
SECTION_ELEMENT |= WEIGHTS_ELEMENT
METADATA, NOTE_KIND, MAX_NOTE, MAX_INT = 26, 3, 1 << 22, (1 << 64) - 1
SECTION_ELEMENT[METADATA] = 3
GLOBAL, CHANNEL, TOKEN = 0, 1, 2  # scopes of alignment
MAX_HEADER, MAX_SECTIONS, MAX_TENSORS, MAX_AXES, MAX_LEVELS = 1 << 20, 64 << 20, 65536, 8, 16  # section 12
MAX_CHUNK_VALUES, MAX_FILE_VALUES, MAX_OUT, MAX_LISTED = 1 << 28, 1 << 34, 64 << 30, 1 << 24
MAX_CHANNELS, MAX_TOKENS, MAX_GRIDS, MAX_ARRAYS, MAX_LATENTS = 1 << 25, 1 << 24, 1 << 16, 1 << 22, 1 << 26
MAX_CHUNK_PRODUCTS, MAX_FILE_PRODUCTS = 1 << 38, 1 << 45


class CaufError(Exception):
    """Why a file is not decoded; `requirement` is the number of the requirement, 0 where there is none."""

    def __init__(self, requirement: int, message: str) -> None:
        super().__init__(f"[CAUF-{requirement:04}] {message}" if requirement else message)
        self.requirement = requirement


class CaufViolation(CaufError):  # noqa: N818
    """The file violates a requirement."""


class Damaged(CaufViolation):
    """The file was cut or lengthened, or a checksum differs."""


class Unsupported(CaufError):  # noqa: N818
    """A version, number or profile that this decoder does not know."""


class LimitExceeded(CaufError):  # noqa: N818
    """The file asks for more work than section 12 allows."""


def require(condition: bool, requirement: int, message: str, error: type[CaufError] = CaufViolation) -> None:
    if not condition:
        raise error(requirement, message)


def limit(value: int, most: int, what: str) -> None:
    """[CAUF-0370]"""
    require(value <= most, 370, f"{value} {what}, the limit is {most}", LimitExceeded)


class Reader:
    """Bytes, read from front to back (section 1)."""

    def __init__(self, data: bytes, requirement: int = 3, error: type[CaufError] = CaufViolation) -> None:
        self.data, self.at, self.requirement, self.error = data, 0, requirement, error

    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, size: int, requirement: int = 0) -> bytes:
        message = f"{size} bytes expected, {self.left()} there"
        require(size <= self.left(), requirement or self.requirement, message, self.error)
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def varint(self) -> int:
        """[CAUF-0001], [CAUF-0002]"""
        value = 0
        for group in range(9):
            byte = self.take(1)[0]
            value |= (byte & 127) << (7 * group)
            if byte < 128:
                require(byte > 0 or group == 0, 2, "varint is not in its shortest form")
                return value
        raise CaufViolation(2, "varint of more than 9 bytes")

    def rest(self) -> bytes:
        return self.take(self.left())

    def close(self, requirement: int = 4) -> None:
        require(self.left() == 0, requirement, f"{self.left()} bytes left over")


# --- The header: section 3. First the msgpack types with a number or length behind the code: its form, and the least
# value that has no shorter form (for negative integers, the greatest).
MSGPACK = {0xC4: (">B", 0), 0xC5: (">H", 1 << 8), 0xC6: (">I", 1 << 16), 0xCA: (">f", -math.inf)}
MSGPACK |= {0xCC: (">B", 128), 0xCD: (">H", 1 << 8), 0xCE: (">I", 1 << 16), 0xCF: (">Q", 1 << 32)}
MSGPACK |= {0xD0: (">b", -33), 0xD1: (">h", -129), 0xD2: (">i", -(1 << 15) - 1), 0xD3: (">q", -(1 << 31) - 1)}
MSGPACK |= {0xD9: (">B", 32), 0xDA: (">H", 1 << 8), 0xDB: (">I", 1 << 16), 0xDC: (">H", 16), 0xDD: (">I", 1 << 16)}


def unpack(r: Reader, depth: int = 1) -> Any:
    """One value of the msgpack subset, in its only form: [CAUF-0041] to [CAUF-0043]."""
    code = r.take(1)[0]
    if code < 0x80 or code >= 0xE0:
        return code if code < 0x80 else code - 256
    if code in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[code]
    size = code & (15 if code < 0xA0 else 31)
    if code in MSGPACK:
        form, least = MSGPACK[code]
        size = r.number(form)
        shortest = math.isfinite(size) if form == ">f" else size >= least >= 0 or size <= least < 0
        require(shortest, 42, f"{size} is not finite, or not in its shortest form")
    if code == 0xCA or 0xCC <= code <= 0xD3:
        return size
    require(0x90 <= code < 0xC0 or code in MSGPACK, 42, f"msgpack type {code:02X} is not allowed")
    require(size <= r.left(), 41, "header ends within a value")
    if 0x90 <= code < 0xA0 or code in (0xDC, 0xDD):
        require(depth <= 36, 43, "arrays nest too deep")
        return [unpack(r, depth + 1) for _ in range(size)]
    if 0xC4 <= code <= 0xC6:
        return r.take(size)
    try:
        text = r.take(size).decode()
    except UnicodeDecodeError:
        raise CaufViolation(41, "text is not UTF-8") from None
    require(len(text) <= 4096, 49, "text is too long")
    return text


def fields(value: Any, count: int, requirement: int) -> list[Any]:
    """An array with fields at fixed positions, its trailing nils put back."""
    valid = isinstance(value, list) and len(value) <= count and (not value or value[-1] is not None)
    require(valid, requirement, f"no array of up to {count} fields without trailing nils")
    return [*value, *[None] * (count - len(value))]


def is_int(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


class Header(NamedTuple):
    """Fields as in the file; records are filled up with nils, and complete once the profile has supplied its share."""

    content: int
    profile: bytes | None
    flags: int
    gain: float | None
    tree: Any
    records: list[list[Any]] | None
    arch: str | None
    version: tuple[int, int]
    weights: bytes | None
    control: str | None
    software: str | None


def parse_header(data: bytes, version: tuple[int, int]) -> Header:
    """[CAUF-0040] to [CAUF-0049], [CAUF-0550], [CAUF-0551]"""
    r = Reader(data, 41)
    value = unpack(r)
    r.close(41)
    require(isinstance(value, list), 40, "header is no array")
    content, profile, flags, gain, tree, records, arch, weights, control, software = fields(value, 10, 44)
    require(is_int(content, 0, MAX_INT), 45, "content is no number")
    require(content <= 6, 6, f"content {content}", Unsupported)
    require(profile is None or (isinstance(profile, bytes) and len(profile) == 16), 46, "profile is not 16 bytes")
    require(is_int(flags, 0, MAX_INT), 47, "flags are no number")
    require(flags <= 1, 6, f"flags {flags}", Unsupported)
    require(gain is None or (isinstance(gain, float) and gain > 0), 48, "gain is no positive float")
    require(isinstance(arch, str | None) and isinstance(records, list | None), 44, "arch or tensors of another type")
    require(weights is None or (isinstance(weights, bytes) and len(weights) == 16), 53, "weights are not 16 bytes")
    for requirement, note in ((550, control), (551, software)):
        require(note is None or (isinstance(note, str) and len(note) <= 64), requirement, "control or software")
    if content == WEIGHTS:
        absent = [profile, gain, tree, records, weights, control, software] == [None] * 7
        require(absent and flags == 0, 54, "weights with more than a name")
    else:
        require(records is not None or profile is not None, 49, "neither tensors nor profile")
    limit(len(records or ()), MAX_TENSORS, "tensors")
    records = None if records is None else [parse_record(record) for record in records]
    return Header(content, profile, flags, gain, tree, records, arch, version, weights, control, software)


def parse_record(value: Any) -> list[Any]:
    """A record with fields of the right types: [CAUF-0060] to [CAUF-0062], [CAUF-0352]."""
    record = fields(value, 9, 60)
    types = (int, int, list, str, str, int, list, list, int)
    typed = all(value is None or type(value) is kind for value, kind in zip(record, types, strict=True))
    require(typed, 60, "a field has another type")
    dtype, framework, shape, _layout, _tap, codec, alignment, parameters, leader = record
    require(all(number is None or number >= 0 for number in (dtype, codec)), 60, f"dtype {dtype}, codec {codec}")
    known = dtype in (None, *range(len(DTYPE))) and codec in (None, *range(len(CODEC)))
    require(known, 61, f"dtype {dtype}, codec {codec}", Unsupported)
    require(framework in (None, 0, 1), 60, f"framework {framework}")
    require(all(n is None or is_int(n, 0, MAX_INT) for n in shape or ()), 60, "shape holds more than sizes and nils")
    limit(len(shape or ()), MAX_AXES, "axes")
    require(all(type(x) in (int, float) for x in parameters or ()), 60, "parameters are no numbers")
    require(leader is None or is_int(leader, 0, MAX_INT), 60, f"leader {leader}")
    if alignment is not None:
        typed = [type(x) for x in alignment] in ([int, int, float, float], [int, int, *[float] * 4])
        ordered = typed and alignment[3] > 0 and (len(alignment) < 6 or alignment[4] <= alignment[5])
        require(ordered, 62, f"alignment {alignment}")
        require(min(alignment[:2]) >= 0, 62, f"alignment {alignment}")
        known = 0 <= alignment[0] <= 4 and 0 <= alignment[1] <= 2
        require(known, 352, f"alignment of kind {alignment[0]}, scope {alignment[1]}", Unsupported)
    return record


def leaves(tree: Any, path: str = "", level: int = 0) -> Iterator[tuple[int, str]]:
    """Tensors from left to right, each with its dotted path: [CAUF-0050], [CAUF-0051], [CAUF-0501]."""
    if type(tree) is int:
        yield tree, path
        return
    if isinstance(tree, list) and tree and is_int(tree[0], NOTE_KIND, NOTE_KIND):
        unknown = len(tree) == 3 and is_int(tree[2], 2, MAX_INT)
        require(not unknown, 6, "packing of a note", Unsupported)
        packed = len(tree) == 3 and is_int(tree[2], 1, 1)
        require((len(tree) == 2 or packed) and isinstance(tree[1], bytes), 501, "a note, but not kind, bytes, packing")
        return
    later = isinstance(tree, list) and bool(tree) and is_int(tree[0], NOTE_KIND + 1, MAX_INT)
    require(not later, 6, "a branch of another kind", Unsupported)
    require(isinstance(tree, list) and len(tree) == 3, 50, "tree is neither a number nor an array of 3")
    kind, names, children = tree
    require(is_int(kind, 0, 2) and isinstance(names, list) and isinstance(children, list), 50, f"branch {kind}")
    limit(level + 1, MAX_LEVELS, "levels of structure")
    distinct = all(type(name) in (str, int) for name in names) and len(set(names)) == len(names) == len(children)
    require(distinct if kind == 0 else not names, 51, "names of a dict's children, or names of a list's")
    for name, child in zip(names or range(len(children)), children, strict=True):
        yield from leaves(child, f"{path}.{name}" if level else str(name), level + 1)


def notes(tree: Any) -> Iterator[bytes]:
    """Notes of a tree whose leaves are valid: [CAUF-0501]."""
    if isinstance(tree, list) and tree[0] == NOTE_KIND:
        yield inflate(tree[1], MAX_NOTE, 501) if len(tree) == 3 else tree[1]
    elif isinstance(tree, list):
        for child in tree[2]:
            yield from notes(child)


TERM = r"(?:[thwncdg]|\((?:[1-9][0-9]{0,4} \+ )?[thwn](?: [thwn])*\))"


def parse_layout(text: str) -> tuple[list[int], int]:
    """How many grid letters every axis joins (0: a channel axis), and the number of special tokens: [CAUF-0064]."""
    require("b" not in text, 65, f"layout {text!r} has an axis of samples")
    require(re.fullmatch(f"{TERM}(?: {TERM})*", text) is not None, 64, f"layout {text!r}")
    terms, letters = re.findall(TERM, text), re.findall("[a-z]", text)
    require(len(letters) == len(set(letters)), 64, f"layout {text!r}: a letter stands twice")
    specials = [int(n) for n in re.findall("[0-9]+", text)]
    grids = [term for term in terms if term not in "cdg"]
    require(not specials or (len(grids) == 1 and specials[0] <= 65535), 64, f"layout {text!r}: special tokens")
    return [sum(letter in "thwn" for letter in term) for term in terms], sum(specials)


# --- The file: sections 2, 4, 5
class Block(NamedTuple):
    tag: str
    start: int
    end: int
    body: bytes


def read_file(data: bytes) -> tuple[Header, list[Block]]:
    """Header and blocks, their checksums and order: [CAUF-0010] to [CAUF-0022]."""
    r = Reader(data, 20, Damaged)
    cut = len(data) < 8 and b"\x89CAUF\r\n\x1a".startswith(data)
    require(not cut, 10, "the file ends within the signature", Damaged)
    require(data[:8] == b"\x89CAUF\r\n\x1a", 10, "no CAUF signature")
    _, major, minor = r.take(8), *r.take(2)
    require(major == 1, 11, f"version {major}.{minor}", Unsupported)
    size = r.varint()
    limit(size, MAX_HEADER, "bytes of header")
    packed = r.take(size)
    header_sum = zlib.crc32(data[: r.at])
    require(r.number("<I") == header_sum, 12, "header is damaged", Damaged)
    header = parse_header(packed, (major, minor))
    blocks: list[Block] = []
    while not blocks or blocks[-1].tag != "E":
        start, tag = r.at, chr(r.take(1)[0])
        body = r.take(r.varint())
        expected = zlib.crc32(data[start : r.at], header_sum)
        require(r.number("<I") == expected, 13, f"block at {start} is damaged", Damaged)
        require(tag.isascii() and tag.isalpha(), 21, f"tag {tag!r} is no letter")
        require(tag.islower() or tag in "SCIE", 21, f"block {tag}", Unsupported)
        blocks.append(Block(tag, start, r.at, body))
    require(r.left() == 0, 22, f"{r.left()} bytes behind the end", Damaged)
    order = "".join(block.tag for block in blocks if block.tag.isupper())
    require(re.fullmatch("S*C*" + "I" * header.flags + "E", order) is not None, 22, f"order of blocks: {order[-80:]}")
    return header, blocks


def inflate(data: bytes, most: int, requirement: int) -> bytes:
    """Raw deflate; its output is cut behind `most` + 1 bytes: [CAUF-0092], [CAUF-0302]."""
    inflater = zlib.decompressobj(-15)
    try:
        out = inflater.decompress(data, most + 1)
    except zlib.error as error:
        raise CaufViolation(requirement, str(error)) from None
    ended = inflater.eof and not inflater.unused_data
    require(ended or len(out) > most, requirement, "deflated data does not end where its last block ends")
    return out


def read_sections(blocks: list[Block], tensors: int) -> Sections:
    """[CAUF-0090] to [CAUF-0094]; empty ones stay, to take the place of a profile's."""
    sections: Sections = {}
    budget = MAX_SECTIONS
    for block in (block for block in blocks if block.tag == "S"):
        r = Reader(block.body)
        kind = r.varint()
        if 256 <= kind < 512:
            continue
        tensor, element, packing = r.varint(), *r.take(2)
        require(kind in SECTION_ELEMENT, 94, f"section of type {kind}", Unsupported)
        there = tensor < tensors or (kind == METADATA and tensor == 0)
        require(there, 94, f"section of tensor {tensor}, there are {tensors}")
        require(element < len(ELEMENT) and packing <= 1, 6, f"element {element}, packing {packing}", Unsupported)
        require(element == SECTION_ELEMENT[kind], 94, f"section of type {kind} with element {element}")
        data = inflate(r.rest(), budget, 92) if packing else r.rest()
        limit(len(data), budget, "bytes of sections are left")
        budget -= len(data)
        require(len(data) % np.dtype(ELEMENT[element]).itemsize == 0, 93, "section does not hold whole elements")
        sections[kind, tensor] = np.frombuffer(data, ELEMENT[element])
    return sections


def supply(header: Header, data: bytes) -> tuple[Header, Sections]:
    """The header as the profile completes it, and the profile's sections: [CAUF-0160] to [CAUF-0163]."""
    require(hashlib.sha256(data).digest()[:16] == header.profile, 161, "profile has another content hash")
    profile, blocks = read_file(data)
    require(profile.content == PROFILE and profile.profile is None, 160, "not a profile, or with one of its own")
    only = not profile.flags and all(block.tag != "C" for block in blocks)
    require(only and blocks[-1].body == b"\0", 160, "profile with chunks, index or samples")
    records = profile.records or []
    sections = read_sections(blocks, len(records))
    if header.records is not None:
        require(len(header.records) == len(records), 162, "profile has another number of tensors")
        both = zip(header.records, records, strict=True)
        records = [[b if a is None else a for a, b in zip(own, other, strict=True)] for own, other in both]
    tree = profile.tree if header.tree is None else header.tree
    arch = profile.arch if header.arch is None else header.arch
    return header._replace(tree=tree, arch=arch, records=records), sections


def supply_weights(header: Header, data: bytes) -> Sections:
    """Sections of the weights that a file names: [CAUF-0165] to [CAUF-0167]."""
    require(hashlib.sha256(data).digest()[:16] == header.weights, 161, "weights have another content hash")
    weights, blocks = read_file(data)
    only = all(block.tag != "C" for block in blocks) and blocks[-1].body == b"\0"
    require(weights.content == WEIGHTS and only, 165, "not weights")
    sections = read_sections(blocks, 1 << 63)
    require(
        all(kind in WEIGHTS_ELEMENT and not tensor for kind, tensor in sections), 166, "weights with other sections"
    )
    return sections
