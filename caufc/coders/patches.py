"""Patches: values stored exactly where the codec would not keep its promise (spec, section 10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bitstream import Cursor, varint
from ..codec.lossless.codec import decode_lossless, encode_lossless
from ..errors import MalformedError
from ..types import DTYPES, AnyArray

__all__ = ["Patches"]

POSITION = np.dtype("<u4")


@dataclass(frozen=True)
class Patches:
    """Exact values by position.

    Args:
        positions: ascending, in the chunk's samples one after the other, each in C order.
        values: in the stored form of the tensor's dtype.
    """

    positions: NDArray[Any]
    values: AnyArray

    @classmethod
    def where(cls, mask: NDArray[np.bool_], stored: AnyArray) -> Patches:
        """Patches for flat stored values where ``mask`` is set."""
        positions = np.flatnonzero(mask)
        return cls(positions, stored[positions])

    def to_bytes(self) -> bytes:
        """Count, gaps and values [CAUF-0330]."""
        gaps = np.diff(self.positions, prepend=-1) - 1
        coded = encode_lossless(gaps.astype(POSITION), rotate=False)
        return varint(len(self.positions)) + varint(len(coded)) + coded + encode_lossless(self.values, rotate=True)

    @classmethod
    def parse(cls, data: memoryview, dtype: str, total: int) -> Patches:
        """Read patches for ``total`` values.

        Raises:
            MalformedError: if they break the specification or lie outside.
        """
        cursor = Cursor(data)
        count = cursor.varint()
        if not 0 < count <= total:
            raise MalformedError(f"{count} patches for {total} values", requirement=331)
        gaps = decode_lossless(cursor.take(cursor.varint()), count, POSITION, rotate=False)
        positions = np.cumsum(gaps.astype(np.int64) + 1) - 1
        if positions[-1] >= total:
            raise MalformedError(f"a patch at {positions[-1]} of {total} values", requirement=332)
        values = decode_lossless(cursor.take(cursor.left), count, DTYPES[dtype], rotate=True)
        return cls(positions, values)

    def apply(self, flat: AnyArray) -> None:
        """Overwrite the flat values in place."""
        flat[self.positions] = self.values
