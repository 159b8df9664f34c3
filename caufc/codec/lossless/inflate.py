"""Raw deflate, inflated to a size that is known before."""

from __future__ import annotations

import zlib

from ...errors import MalformedError

__all__ = ["inflated"]


def inflated(data: bytes | memoryview, size: int, *, requirement: int) -> bytes:
    """Exactly ``size`` bytes.

    Raises:
        MalformedError: if the data is no deflate, holds another number of bytes, or goes on behind its end.
    """
    unpacker = zlib.decompressobj(-15)
    try:
        out = unpacker.decompress(data, size + 1)
    except zlib.error as err:
        raise MalformedError(f"deflate: {err}", requirement=requirement) from err
    if len(out) != size or not unpacker.eof or unpacker.unused_data:
        raise MalformedError("deflate data of another length", requirement=requirement)
    return out
