"""Keys of keyed samples: in each chunk, and again in the index, where they are found without reading the chunks."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import msgpack

from ..errors import MalformedError, UnsupportedError
from ..limits import Limits
from .section import DEFLATE, RAW, inflate
from .varint import Cursor

__all__ = ["Key", "keys_bytes", "parse_keys"]

Key = str | int
"""Keys are those of a Python dict that a file can hold."""

HEADS = {range(0x90, 0xA0): 0, range(0xDC, 0xDD): 2, range(0xDD, 0xDE): 4}
"""First bytes of msgpack arrays -> bytes of the number of elements behind them."""


def keys_bytes(keys: Sequence[Key]) -> bytes:
    """Packing, then the keys as msgpack [CAUF-0506], deflated where that is shorter."""
    packed = msgpack.packb(list(keys))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated = packer.compress(packed) + packer.flush()
    return bytes([DEFLATE]) + deflated if len(deflated) < len(packed) else bytes([RAW]) + packed


def parse_keys(cursor: Cursor, samples: int, limits: Limits) -> tuple[Key, ...]:
    """The keys of a chunk or an index.

    Args:
        cursor: where they begin; they end where it ends.
        samples: how many there are.
        limits: on their bytes, inflated.

    Raises:
        LimitError: if they are too long.
        MalformedError: if they break the specification.
    """
    packing, data = cursor.byte(), bytes(cursor.take(cursor.left))
    if packing > DEFLATE:
        raise UnsupportedError.unknown(f"packing {packing} of keys")
    if packing == DEFLATE:
        data = inflate(data, cursor.offset, limits, "index_bytes")
    if _elements(data) != limits.check("list_samples", samples):
        raise MalformedError(f"not one key for each of {samples} samples", requirement=506, offset=cursor.offset)
    try:
        keys: Any = msgpack.unpackb(data, max_array_len=samples, strict_map_key=True)
    except (msgpack.UnpackException, ValueError, TypeError, RecursionError) as err:
        raise MalformedError(f"keys: {err}", requirement=506, offset=cursor.offset) from err
    found = tuple(map(_checked, keys))
    if len(set(found)) != len(found):
        raise MalformedError("a key stands twice", requirement=505, offset=cursor.offset)
    if msgpack.packb(keys) != data:
        raise MalformedError("keys are not in their only form", requirement=506, offset=cursor.offset)
    return found


def _checked(key: object) -> Key:
    """A key, if it is one.

    Raises:
        MalformedError: if it is neither text nor an integer.
    """
    if isinstance(key, str) or type(key) is int:
        return key
    raise MalformedError(f"a key is a {type(key).__name__}", requirement=505)


def _elements(data: bytes) -> int:
    """How many elements a msgpack array announces; -1 for what is none."""
    for heads, size in HEADS.items():
        if data and data[0] in heads:
            return int.from_bytes(data[1 : 1 + size], "big") if size else data[0] - heads.start
    return -1
