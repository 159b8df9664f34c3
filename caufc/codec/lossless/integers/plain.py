"""Nodes that hold integers as they are: raw, constant, deflated, and bits (spec, section 11.1)."""

from __future__ import annotations

import zlib

import numpy as np

from ....bitstream import Cursor, varint
from ....errors import MalformedError
from ..inflate import inflated
from .nodes import Child, Integers, Kind, unsigned

__all__ = [
    "as_bytes",
    "bits",
    "constant",
    "decode_as_bytes",
    "decode_bits",
    "decode_constant",
    "decode_deflated",
    "decode_raw",
    "deflated",
    "packed",
    "raw",
]


def raw(values: Integers) -> bytes:
    return bytes([Kind.RAW]) + values.tobytes()


def decode_raw(cursor: Cursor, count: int, width: int, child: Child) -> Integers:  # noqa: ARG001
    """Elements as they are."""
    return np.frombuffer(cursor.take(count * width), unsigned(width)).copy()


def constant(value: Integers) -> bytes:
    """``value``: the one integer ``[1]`` that all are equal to."""
    return bytes([Kind.CONSTANT]) + value.tobytes()


def decode_constant(cursor: Cursor, count: int, width: int, child: Child) -> Integers:  # noqa: ARG001
    """One element, that all are equal to."""
    return np.full(count, np.frombuffer(cursor.take(width), unsigned(width))[0])


def deflated(values: Integers, level: int) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    data = packer.compress(values.tobytes()) + packer.flush()
    return bytes([Kind.DEFLATED]) + varint(len(data)) + data


def decode_deflated(cursor: Cursor, count: int, width: int, child: Child) -> Integers:  # noqa: ARG001
    """Raw deflate of the elements [CAUF-0523]."""
    data = inflated(cursor.take(cursor.varint()), count * width, requirement=523)
    return np.frombuffer(data, unsigned(width)).copy()


def as_bytes(of: bytes) -> bytes:
    """``of``: the node of all bytes, one by one."""
    return bytes([Kind.BYTES]) + of


def decode_as_bytes(cursor: Cursor, count: int, width: int, child: Child) -> Integers:  # noqa: ARG001
    """Elements from their bytes."""
    return child(count * width, 1).view(unsigned(width))


def packed(values: Integers) -> Integers:
    """Zeros and ones to bytes, the first in the highest bit."""
    return np.packbits(values.astype(np.uint8, copy=False))


def bits(of: bytes) -> bytes:
    """``of``: the node of packed bytes."""
    return bytes([Kind.BITS]) + of


def decode_bits(cursor: Cursor, count: int, width: int, child: Child) -> Integers:  # noqa: ARG001
    """Eight elements per byte, spare bits 0 [CAUF-0526]."""
    found = np.unpackbits(child(-(-count // 8), 1))
    if found[count:].any():
        raise MalformedError("spare bits that are not 0", requirement=526)
    return found[:count].astype(unsigned(width), copy=False)
