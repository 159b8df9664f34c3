"""What a payload of a codec with loss is made of besides its words (spec, sections 9 and 10)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import SideArray, TokenScales, check_scale_codes
from ..bitstream import Cursor, varint
from ..codec.lossless.codec import decode_lossless, encode_lossless
from ..errors import UnsupportedError
from .patches import Patches

__all__ = ["Payload", "part_lengths"]

PATCHED, SCALED = 1, 2

KEPT_BYTES, KEPT_CODES = 1 << 13, 256
"""Codes of tokens of at most so many bytes are kept as they are coded, and of how many chunks."""


@dataclass(frozen=True)
class Payload:
    """A payload.

    Args:
        words: of the entropy coder.
        side: statistics of tokens, where alignment has them.
        patches: values that are stored exactly.
        scales: of tokens that are coded as if they were so much smaller or larger.
    """

    words: bytes | memoryview
    side: SideArray | None = None
    patches: Patches | None = None
    scales: TokenScales | None = None

    def to_bytes(self) -> bytes:
        """Flags, side array, scales of tokens, patches, words [CAUF-0206]."""
        flags = (PATCHED if self.patches is not None else 0) | (SCALED if self.scales is not None else 0)
        out = bytearray([flags])
        if self.side is not None:
            coded = _coded(self.side.ravel(), briefly=False)
            out += varint(len(coded)) + coded
        if self.scales is not None:
            coded = _coded(self.scales.codes, briefly=True)
            out += varint(len(coded)) + coded
        if self.patches is not None:
            coded = self.patches.to_bytes()
            out += varint(len(coded)) + coded
        return bytes(out) + self.words

    @classmethod
    def parse(cls, data: memoryview, dtype: str, tokens: int, values: int, *, sided: bool) -> Payload:
        """Read a payload.

        Args:
            data: its bytes.
            dtype: of the tensor.
            tokens: of all samples.
            values: of all samples.
            sided: whether tokens have statistics.

        Raises:
            MalformedError: if it breaks the specification.
        """
        cursor = Cursor(data)
        flags = cursor.byte()
        if flags > (PATCHED | SCALED):
            raise UnsupportedError.unknown(f"a part of a payload, by its flags {flags},")
        side, scales, patches = None, None, None
        if sided:
            coded = cursor.take(cursor.varint())
            side = decode_lossless(coded, 2 * tokens, np.dtype("<i2"), rotate=False).reshape(2, tokens)
            check_scale_codes(side[1])
        if flags & SCALED:
            codes = decode_lossless(cursor.take(cursor.varint()), tokens, np.dtype("<i2"), rotate=False)
            scales = TokenScales(codes)
        if flags & PATCHED:
            patches = Patches.parse(cursor.take(cursor.varint()), dtype, values)
        return cls(cursor.take(cursor.left), side, patches, scales)

    def covered(self, symbols: Sequence[NDArray[Any]]) -> list[bytes | memoryview]:
        """What the symbols' checksum covers, in order [CAUF-0118]."""
        parts: list[bytes | memoryview] = []
        if self.side is not None:
            parts.append(self.side.astype("<i2").tobytes())
        if self.scales is not None:
            parts.append(self.scales.codes.astype("<i2").tobytes())
        parts += [part.astype("<i4", copy=False).view(np.uint8).data for part in symbols]
        if self.patches is not None:
            parts += [self.patches.positions.astype("<u4").tobytes(), self.patches.values.tobytes()]
        return parts


def _coded(codes: NDArray[np.int16], *, briefly: bool) -> bytes:
    """Codes of tokens without loss; those of few tokens are kept for a next pass, whose steps change none of them."""
    if codes.nbytes > KEPT_BYTES:
        return encode_lossless(codes, rotate=False, briefly=briefly)
    return _coded_once(codes.astype("<i2", copy=False).tobytes(), briefly)


@functools.lru_cache(maxsize=KEPT_CODES)
def _coded_once(codes: bytes, briefly: bool) -> bytes:
    return encode_lossless(np.frombuffer(codes, "<i2"), rotate=False, briefly=briefly)


def part_lengths(data: memoryview, *, sided: bool) -> dict[str, int]:
    """Bytes of a payload's parts by name, in order; together they are all of it.

    Args:
        data: its bytes, which :meth:`Payload.parse` has read.
        sided: whether tokens have statistics.
    """
    cursor = Cursor(data)
    flags = cursor.byte()
    found: dict[str, int] = {}
    start = 0
    there = (sided, flags & SCALED, flags & PATCHED)
    for name in (name for name, held in zip(("statistics", "scales", "patches"), there, strict=True) if held):
        cursor.take(cursor.varint())
        found[name], start = cursor.position - start, cursor.position
    return {**found, "symbols": len(data) - start}
