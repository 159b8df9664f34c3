"""Canonical msgpack: arrays of scalars, text and bytes, in exactly one form each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgpack

from ..errors import MalformedError

__all__ = ["check_depth", "no_extension", "no_map", "pack_array", "trimmed", "unpack_array"]

Refusal = Callable[[str], MalformedError]
"""What is wrong -> the error that says so."""

OFFSET = 10


def trimmed(fields: list[Any]) -> list[Any]:
    """Drop trailing None: absent and nil mean the same."""
    end = len(fields)
    while end and fields[end - 1] is None:
        end -= 1
    return fields[:end]


def pack_array(fields: list[Any]) -> bytes:
    """Pack a nested array; floats become 32-bit."""
    packed: bytes = msgpack.packb(fields, use_single_float=True)
    return packed


def no_map(refusal: Refusal) -> Callable[..., Any]:
    """A hook for msgpack that refuses maps."""
    return _refuse(refusal, "a map")


def no_extension(refusal: Refusal) -> Callable[..., Any]:
    """A hook for msgpack that refuses extension types."""
    return _refuse(refusal, "an extension type")


def _refuse(refusal: Refusal, what: str) -> Callable[..., Any]:
    def hook(*_: Any) -> Any:
        raise refusal(what)

    return hook


def _in_header(what: str) -> MalformedError:
    return MalformedError(f"{what} in the header", requirement=42, offset=OFFSET)


def _deep_or_cut(what: str) -> MalformedError:
    return MalformedError(f"the header is {what}", requirement=43 if "deep" in what else 41, offset=OFFSET)


def unpack_array(data: bytes, nesting: int) -> list[Any]:
    """Unpack a nested array [CAUF-0041, CAUF-0042].

    Raises:
        MalformedError: if the bytes are no array, nested too deep, not canonical, or hold maps, extension types or
            numbers that are not finite.
    """
    check_depth(data, nesting, _deep_or_cut)
    try:
        value = msgpack.unpackb(
            data,
            object_pairs_hook=no_map(_in_header),
            ext_hook=no_extension(_in_header),
            max_array_len=len(data),
            strict_map_key=False,
        )
    except (msgpack.UnpackException, ValueError, TypeError, RecursionError) as err:
        if isinstance(err, MalformedError):
            raise
        raise MalformedError(f"header: {err}", requirement=41, offset=OFFSET) from err
    if not isinstance(value, list):
        raise MalformedError("the header is no array", requirement=40, offset=OFFSET)
    _check_values(value)
    if _packed(value) != data:
        raise MalformedError("the header is not in canonical form", requirement=42, offset=OFFSET)
    return value


def _packed(value: list[Any]) -> bytes | None:
    """The canonical form; None for a float that 32 bits do not hold."""
    try:
        return pack_array(value)
    except OverflowError:
        return None


def check_depth(data: bytes, nesting: int, refusal: Refusal) -> None:
    """Bound the depth before anything is built, so that no parser's stack is at risk.

    Args:
        data: one msgpack value.
        nesting: levels of structure; each takes two arrays.
        refusal: makes the error for what is nested too deep, or cut.

    Raises:
        MalformedError: for these two.
    """
    unpacker = msgpack.Unpacker(None, max_buffer_size=len(data) + 1)
    unpacker.feed(data)
    open_arrays: list[int] = []
    try:
        while True:
            while open_arrays and open_arrays[-1] == 0:
                open_arrays.pop()
            if open_arrays:
                open_arrays[-1] -= 1
            if data[unpacker.tell() : unpacker.tell() + 1] in ARRAY_HEADS:
                open_arrays.append(unpacker.read_array_header())
                if len(open_arrays) > 2 * nesting + 4:
                    raise refusal("nested too deep")
            else:
                unpacker.skip()
            if not any(open_arrays):
                return
    except (msgpack.OutOfData, ValueError) as err:
        if isinstance(err, MalformedError):
            raise
        raise refusal("cut") from err


ARRAY_HEADS = frozenset([bytes([0x90 + n]) for n in range(16)] + [b"\xdc", b"\xdd"])


def _check_values(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _check_values(item)
    elif isinstance(value, float) and not math.isfinite(value):
        raise MalformedError("a number that is not finite", requirement=42, offset=OFFSET)
    elif isinstance(value, msgpack.Timestamp):
        raise MalformedError("an extension type in the header", requirement=42, offset=OFFSET)
