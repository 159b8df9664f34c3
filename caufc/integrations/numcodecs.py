"""A codec of numcodecs, ``caufc``, found by entry point: for zarr's format 2 and whoever else takes such codecs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ensure_bytes, ndarray_copy

import caufc

from .array_codec import ArrayCodec

__all__ = ["Cauf"]


class Cauf(ArrayCodec, Codec):
    """Arrays of floats to ``.cauf`` bytes and back, with the shape and dtype in them; integers are kept exactly.

    It takes the arguments of :class:`caufc.integrations.array_codec.ArrayCodec`.
    """

    codec_id = "caufc"

    def encode(self, buf: Any) -> bytes:
        """The bytes of an array.

        Raises:
            InputError: for what cannot be coded as asked: text, objects, complex numbers, and Fortran's order, which
                would be lost where callers go by the order in memory, as zarr's format 2 does.
        """
        array = np.asarray(buf if hasattr(buf, "dtype") else memoryview(buf))
        if array.flags.f_contiguous and not array.flags.c_contiguous:
            raise caufc.InputError(
                "an array in Fortran's order", remedy="give order='C', or np.ascontiguousarray(array)"
            )
        return self.pack(array)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """The array of some bytes, in ``out`` if it is given.

        Raises:
            FormatError: for damaged or malformed bytes.
            UnsupportedError: for newer versions, missing profiles, and over limits.
        """
        return ndarray_copy(self.unpack(ensure_bytes(buf)), out)

    def get_config(self) -> dict[str, Any]:
        """The options that are not the default, with the codec's name."""
        return {"id": self.codec_id, **self.config}
