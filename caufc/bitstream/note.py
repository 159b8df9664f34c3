"""Notes: text, numbers, booleans, None and bytes beside tensors, and lists, tuples and dicts of such, as msgpack."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import msgpack

from ..errors import MalformedError, UnsupportedError
from ..limits import DEFAULT_LIMITS
from .msgpack_array import check_depth, no_extension, no_map
from .section import DEFLATE

__all__ = ["MAX_NOTE", "MAX_NOTE_IN_HEADER", "note_bytes", "note_value", "pack_note", "unpack_note"]

NOTE_KIND = 3
"""Kind of a leaf of the header's tree that is a note."""

MAX_NOTE = 1 << 22
"""Most bytes of a note, and of all notes of a tree [CAUF-0502]: parsed, they can be 64 times as large."""

MAX_NOTE_IN_HEADER = 4096
"""Bytes of a note from which it is better coded than left in the header."""

DICT, LIST, TUPLE = 0, 1, 2
SCALARS = (bool, int, float, str, bytes)


def note_bytes(value: object) -> bytes:
    """A note as msgpack [CAUF-0500]: a scalar, or an array of kind, names and children.

    Raises:
        OverflowError: for an integer of more than 64 bits.
        UnicodeEncodeError: for text that is not valid Unicode.
    """
    packed: bytes = msgpack.packb(_packable(value))
    return packed


def pack_note(data: bytes) -> list[Any]:
    """A note as a leaf of the header's tree [CAUF-0501], deflated where that is shorter."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated = packer.compress(data) + packer.flush()
    return [NOTE_KIND, data] if len(data) <= len(deflated) + 1 else [NOTE_KIND, deflated, DEFLATE]


def unpack_note(leaf: list[Any], left: int) -> bytes:
    """The bytes of a note from a leaf of the header's tree, checked.

    Args:
        leaf: an array that begins with the kind of notes.
        left: bytes that notes of the tree may still have.

    Raises:
        MalformedError: if it breaks the specification.
    """
    if len(leaf) == 3 and type(leaf[2]) is int and leaf[2] > DEFLATE:
        raise UnsupportedError.unknown(f"packing {leaf[2]} of a note")
    packed = len(leaf) == 3 and type(leaf[2]) is int and leaf[2] == DEFLATE
    if not (packed or len(leaf) == 2) or type(leaf[1]) is not bytes:
        raise MalformedError("header: a note that is not kind 3, bytes and packing", requirement=501)
    data: bytes = leaf[1]
    if packed:
        unpacker = zlib.decompressobj(-15)
        try:
            data = unpacker.decompress(data, left + 1)
        except zlib.error as err:
            raise MalformedError(f"header: deflate: {err}", requirement=501) from err
        if len(data) <= left and (not unpacker.eof or unpacker.unused_data):
            raise MalformedError("header: a note is cut or has bytes behind it", requirement=501)
    if len(data) > left:
        raise MalformedError(f"header: notes of more than {MAX_NOTE:,} bytes", requirement=502)
    note_value(data)
    return data


def _packable(value: object) -> Any:
    if isinstance(value, Mapping):
        return [DICT, list(value), [_packable(child) for child in value.values()]]
    if isinstance(value, list | tuple):
        return [TUPLE if isinstance(value, tuple) else LIST, [], [_packable(child) for child in value]]
    return value


def note_value(data: bytes | memoryview) -> Any:
    """The note that its bytes stand for.

    Raises:
        MalformedError: if the bytes are no note in its only form, too many, or nested too deep.
    """
    raw = bytes(data)
    if len(raw) > MAX_NOTE:
        raise MalformedError(f"a note of {len(raw):,} bytes", requirement=502)
    check_depth(raw, DEFAULT_LIMITS.nesting, _malformed)
    try:
        value = msgpack.unpackb(
            raw, object_pairs_hook=no_map(_malformed), ext_hook=no_extension(_malformed), max_array_len=len(raw)
        )
    except MalformedError:
        raise
    except (msgpack.UnpackException, ValueError, TypeError, RecursionError) as err:
        raise _malformed(str(err)) from err
    if msgpack.packb(value, default=_unpackable) != raw:
        raise _malformed("it is not in its only form")
    return _noted(value)


def _unpackable(value: object) -> Any:
    raise _malformed(f"it holds a {type(value).__name__}")


def _noted(value: Any) -> Any:
    """What a parsed value stands for."""
    if value is None or isinstance(value, SCALARS):
        return value
    if not isinstance(value, list) or len(value) != 3:
        raise _malformed("it holds an array that is not kind, names and children")
    kind, names, children = value
    if type(kind) is not int or not DICT <= kind <= TUPLE or not isinstance(children, list):
        raise _malformed(f"it holds a branch of kind {kind!r}")
    named = isinstance(names, list) and all(type(name) in (str, int) for name in names)
    if not named or len(names) != (len(children) if kind == DICT else 0) or len(set(names)) != len(names):
        raise _malformed("the names in it are not one per child, or not distinct")
    inner = [_noted(child) for child in children]
    if kind == DICT:
        return dict(zip(names, inner, strict=True))
    return tuple(inner) if kind == TUPLE else inner


def _malformed(what: str) -> MalformedError:
    return MalformedError(f"a note is malformed: {' '.join(what.split())[:120]}", requirement=500)
