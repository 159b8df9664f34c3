"""The lossless codec: byte planes with contexts, rANS where it pays (spec, section 11)."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MalformedError
from .grid import Lattice
from .planes import decode_planes, encode_planes

__all__ = ["decode_lossless", "encode_lossless"]

STORED, CONSTANT, DEFLATED, PLANES = range(4)
"""Methods, the first byte of a payload [CAUF-0300]."""

SMALL = 1 << 12
"""Bytes up to which tables weigh so much that more ways are tried."""

NOWHERE = Lattice()
"""The lattice of elements without neighbours."""


def encode_lossless(values: NDArray[Any], *, rotate: bool, lattice: Lattice = NOWHERE) -> bytes:
    """Code a flat array, the shortest way that is found.

    Args:
        values: ``[M]``, in a little-endian dtype.
        rotate: whether the elements are floats.
        lattice: where they lie; its sizes divide M.
    """
    raw = np.ascontiguousarray(values).view(np.uint8)
    if not raw.size:
        return bytes([STORED])
    bits = values.view(_bits(values))
    if (bits == bits[0]).all():
        return bytes([CONSTANT]) + raw[: values.itemsize].tobytes()
    stored = bytes([STORED]) + raw.tobytes()
    ways = [stored, bytes([PLANES]) + encode_planes(bits, rotate, lattice)]
    small = values.nbytes < SMALL
    if small and not lattice.flat:
        ways.append(bytes([PLANES]) + encode_planes(bits, rotate, NOWHERE))
    if small or not rotate:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        ways.append(bytes([DEFLATED]) + packer.compress(raw.tobytes()) + packer.flush())
    return min(ways, key=len)


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
    if method == DEFLATED:
        return np.frombuffer(_inflate(data, size), dtype).copy()
    if method != STORED or len(data) != size:
        raise MalformedError(f"lossless method {method} with {len(data)} bytes for {size}", requirement=300)
    return np.frombuffer(data, dtype).copy()


def _bits(values: NDArray[Any]) -> np.dtype[Any]:
    """The unsigned integer dtype of the same width."""
    return np.dtype(f"<u{values.dtype.itemsize}")


def _inflate(data: memoryview, size: int) -> bytes:
    unpacker = zlib.decompressobj(-15)
    try:
        out = unpacker.decompress(data, size + 1)
    except zlib.error as err:
        raise MalformedError(f"deflate: {err}", requirement=302) from err
    if len(out) != size or not unpacker.eof or unpacker.unused_data:
        raise MalformedError("deflate data of another length", requirement=302)
    return out
