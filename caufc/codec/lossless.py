"""The lossless codec: byte planes with contexts, rANS where it pays (spec, section 11).

Floats are rotated left by one bit, so that the exponent fills the first plane. Later planes are coded in contexts of
the first, and of whether the plane before had its context's most frequent byte: exact zeros and saturated values then
cost next to nothing, while noise stays raw.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MalformedError
from .entropy import Decoder, Encoder, table_model
from .planes import (
    MAX_GROUPS,
    RAW,
    TABLE,
    PlaneModel,
    by_context,
    choose_groups,
    choose_plane,
    join_planes,
    next_context,
    read_plane,
    split_planes,
)

__all__ = ["decode_lossless", "encode_lossless"]

STORED, CONSTANT, DEFLATED, PLANES = range(4)
"""Methods, the first byte of a payload [CAUF-0300]."""

Bytes = NDArray[np.uint8]


def encode_lossless(values: NDArray[Any], *, rotate: bool) -> bytes:
    """Code a flat array, the shortest way that is found.

    Args:
        values: ``[M]``, in a little-endian dtype.
        rotate: whether the elements are floats.
    """
    raw = np.ascontiguousarray(values).view(np.uint8)
    if not raw.size:
        return bytes([STORED])
    bits = values.view(_bits(values))
    if (bits == bits[0]).all():
        return bytes([CONSTANT]) + raw[: values.itemsize].tobytes()
    stored = bytes([STORED]) + raw.tobytes()
    ways = [stored, bytes([PLANES]) + _encode_planes(values, rotate)]
    if not rotate or values.nbytes < 1 << 12:
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
        return _decode_planes(data, count, dtype, rotate)
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


def _encode_planes(values: NDArray[Any], rotate: bool) -> bytes:
    """Groups and plane models, then one rANS stream for all coded bytes, then raw bytes."""
    planes = split_planes(values.view(_bits(values)), rotate)
    groups = choose_groups(planes)
    encoder, models, raw = Encoder(), bytearray([len(groups), *groups]), bytearray()
    context, contexts = np.zeros(len(values), np.uint8), 1
    for number, plane in enumerate(planes):
        model = choose_plane(plane, context, contexts)
        models += model.to_bytes()
        for kind, where in zip(model.models, by_context(context, contexts), strict=True):
            if kind.kind == TABLE:
                encoder.push(plane[where], table_model(kind.frequencies()))
            elif kind.kind == RAW:
                raw += plane[where].tobytes()
        context = next_context(model, groups, planes[0], plane, context, number)
        contexts = 2 * (len(groups) + 1)
    words = encoder.finish()
    return len(models).to_bytes(4, "little") + len(words).to_bytes(4, "little") + bytes(models) + words + bytes(raw)


def _decode_planes(data: memoryview, count: int, dtype: np.dtype[Any], rotate: bool) -> NDArray[Any]:
    if len(data) < 8:
        raise MalformedError("planes without lengths", requirement=310)
    model_bytes, word_bytes = int.from_bytes(data[:4], "little"), int.from_bytes(data[4:8], "little")
    if not 0 < model_bytes <= len(data) - 8 - word_bytes:
        raise MalformedError("planes are cut", requirement=310)
    models, words, rest = (
        data[8:][:model_bytes],
        data[8 + model_bytes :][:word_bytes],
        data[8 + model_bytes + word_bytes :],
    )
    groups, models = _parse_groups(models)
    decoder, raw = Decoder(words), np.frombuffer(rest, np.uint8)
    context, contexts, planes = np.zeros(count, np.uint8), 1, []
    for number in range(dtype.itemsize):
        model, models = PlaneModel.parse(models, contexts)
        plane, raw = read_plane(model, context, decoder, raw)
        planes.append(plane)
        context = next_context(model, groups, planes[0], plane, context, number)
        contexts = 2 * (len(groups) + 1)
    decoder.end()
    if len(models) or len(raw):
        raise MalformedError("planes leave bytes behind", requirement=311)
    return join_planes(planes, rotate).view(dtype)


def _parse_groups(models: memoryview) -> tuple[Bytes, memoryview]:
    """First-plane bytes with contexts of their own: a count, then bytes in ascending order [CAUF-0314]."""
    count = models[0]
    groups = np.frombuffer(models[1 : 1 + count], np.uint8)
    if count >= MAX_GROUPS or len(groups) != count or (np.diff(groups.astype(np.int16)) <= 0).any():
        raise MalformedError(f"{count} groups", requirement=314)
    return groups, models[1 + count :]
