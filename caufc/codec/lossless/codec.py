"""The lossless codec: byte planes with contexts for floats, a tree of nodes for integers (spec, section 11)."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MalformedError, UnsupportedError
from .grid import Lattice
from .inflate import inflated
from .integers.codec import decode_integers, encode_integers
from .planes import decode_planes, encode_planes, fewest_bytes
from .recurrence import SHOWN, follows, recurs, stretch_of

__all__ = ["decode_lossless", "encode_lossless"]

STORED, CONSTANT, DEFLATED, PLANES, INTEGERS = range(5)
"""Methods, the first byte of a payload [CAUF-0300]."""

SMALL = 1 << 12
"""Bytes up to which tables weigh so much that more ways are tried."""

SHORT_OF = 32
"""So many times shorter, an array is not worth the search for an even shorter way."""

CLEARLY = 0.9
"""Share of the bytes of planes that integers must take of a stretch, to be tried on all: they take their time."""

NOWHERE = Lattice()
"""The lattice of elements without neighbours."""


def encode_lossless(
    values: NDArray[Any],
    *,
    rotate: bool,
    lattice: Lattice = NOWHERE,
    strides: Sequence[int] = (),
    briefly: bool = False,
) -> bytes:
    """Code a flat array, the shortest way that is found.

    Args:
        values: ``[M]``, in a little-endian dtype.
        rotate: whether the elements are floats.
        lattice: where floats lie; its sizes divide M.
        strides: integers between neighbours along the axes of their tensor, where it has more than one.
        briefly: whether integers hardly depend on each other, so that this is not looked for.
    """
    raw = np.ascontiguousarray(values).view(np.uint8)
    if not raw.size:
        return bytes([STORED])
    bits = values.view(_bits(values))
    if (bits == bits[0]).all():
        return bytes([CONSTANT]) + raw[: values.itemsize].tobytes()
    small, ways = values.nbytes < SMALL, [bytes([STORED]) + raw.tobytes()]
    if small:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        ways.append(bytes([DEFLATED]) + packer.compress(raw.tobytes()) + packer.flush())
        if SHORT_OF * len(ways[-1]) <= raw.size:
            return min(ways, key=len)
    whole = len(bits) <= SHOWN
    as_integers = not rotate or recurs(bits) or (follows(bits) and (whole or _shorter_as_integers(bits)))
    if as_integers:
        ways.append(bytes([INTEGERS]) + encode_integers(bits, strides, briefly=briefly))
    if rotate and 1 + fewest_bytes(values.itemsize) < len(min(ways, key=len)):
        ways.append(bytes([PLANES]) + encode_planes(bits, rotate, lattice))
    if small and rotate and not lattice.flat:
        ways.append(bytes([PLANES]) + encode_planes(bits, rotate, NOWHERE))
    return min(ways, key=len)


def _shorter_as_integers(bits: NDArray[Any]) -> bool:
    """Whether a stretch of floats is."""
    stretch = stretch_of(bits, SHOWN)
    return len(encode_integers(stretch)) < CLEARLY * len(encode_planes(stretch, True, NOWHERE))


def decode_lossless(payload: bytes | memoryview, count: int, dtype: np.dtype[Any], *, rotate: bool) -> NDArray[Any]:
    """Decode ``count`` elements ``[M]``.

    Raises:
        MalformedError: if the payload breaks the specification.
    """
    if not len(payload):
        raise MalformedError("a lossless payload without method", requirement=300)
    method, data = payload[0], memoryview(payload)[1:]
    size = count * dtype.itemsize
    if method == CONSTANT:
        if len(data) != dtype.itemsize:
            raise MalformedError(f"a constant of {len(data)} bytes", requirement=301)
        return np.tile(np.frombuffer(data, dtype), count)
    if method == PLANES:
        return decode_planes(data, count, dtype.itemsize, rotate).view(dtype)
    if method == INTEGERS:
        return decode_integers(data, count, dtype.itemsize).view(dtype)
    if method == DEFLATED:
        return np.frombuffer(inflated(data, size, requirement=302), dtype).copy()
    if method > INTEGERS:
        raise UnsupportedError.unknown(f"lossless method {method}")
    if len(data) != size:
        raise MalformedError(f"lossless method {method} with {len(data)} bytes for {size}", requirement=300)
    return np.frombuffer(data, dtype).copy()


def _bits(values: NDArray[Any]) -> np.dtype[Any]:
    """The unsigned integer dtype of the same width."""
    return np.dtype(f"<u{values.dtype.itemsize}")
