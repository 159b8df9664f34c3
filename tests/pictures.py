"""What is in a PNG, read by the letter of ISO/IEC 15948."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

RGB, PALETTE = 2, 3


def chunks(png: bytes) -> dict[bytes, bytes]:
    """Its chunks by name; checksums must hold, and nothing may stand behind the last."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    found, start = {}, 8
    while start < len(png):
        (length,) = struct.unpack_from(">I", png, start)
        name, data = png[start + 4 : start + 8], png[start + 8 : start + 8 + length]
        (checksum,) = struct.unpack_from(">I", png, start + 8 + length)
        assert zlib.crc32(name + data) == checksum
        found[name], start = data, start + 12 + length
    assert name == b"IEND"
    return found


def pixels(png: bytes) -> NDArray[np.uint8]:
    """Its pixels ``[H, W, 3]``; of pictures without filters, in colours or by a palette."""
    parts = chunks(png)
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    assert (depth, rest) == (8, [0, 0, 0])
    rows = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, -1)
    assert not rows[:, 0].any(), "a filter"
    if colour == RGB:
        return rows[:, 1:].reshape(height, width, 3)
    assert colour == PALETTE and rows.shape[1] == width + 1
    return np.frombuffer(parts[b"PLTE"], np.uint8).reshape(-1, 3)[rows[:, 1:]]
