"""PNG pictures, as short as deflate makes them (ISO/IEC 15948): colours by a palette, or red, green and blue."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

__all__ = ["data_uri", "palette_png", "rgb_png"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RGB, PALETTE = 2, 3

Bytes = NDArray[np.uint8]


def rgb_png(pixels: Bytes) -> bytes:
    """Pixels ``[H, W, 3]`` as a PNG."""
    return _png(pixels.reshape(len(pixels), -1), pixels.shape[1], RGB, b"")


def palette_png(levels: Bytes, palette: Bytes) -> bytes:
    """Levels ``[H, W]`` as a PNG, each of the colour that stands there in the palette ``[P, 3]``, P up to 256."""
    return _png(levels, levels.shape[1], PALETTE, _chunk(b"PLTE", palette.tobytes()))


def data_uri(png: bytes) -> str:
    """A picture as the address of an ``<img>``."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _png(rows: Bytes, width: int, colour_type: int, palette: bytes) -> bytes:
    """A picture of rows of bytes ``[H, n]``, none of them filtered."""
    head = struct.pack(">IIBBBBB", width, len(rows), 8, colour_type, 0, 0, 0)
    lines = np.concatenate([np.zeros((len(rows), 1), np.uint8), rows], axis=1)
    body = _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9))
    return SIGNATURE + _chunk(b"IHDR", head) + palette + body + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
