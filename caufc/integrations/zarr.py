"""An array-to-bytes codec of zarr's format 3, ``caufc``, found by entry point; it reads parts of chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarr.abc.codec import ArrayBytesCodec, ArrayBytesCodecPartialDecodeMixin

import caufc

from .array_codec import ArrayCodec

__all__ = ["CaufCodec"]

NAME = "caufc"


@dataclass(frozen=True, repr=False)
class CaufCodec(ArrayCodec, ArrayBytesCodec, ArrayBytesCodecPartialDecodeMixin):
    """The serializer of an array: each of its chunks, or inner chunks of a shard, is a ``.cauf`` file.

    Reading a few rows of a chunk decodes the pieces that they are in. It takes the arguments of
    :class:`caufc.integrations.array_codec.ArrayCodec`.
    """

    is_fixed_size = False

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CaufCodec:
        """The codec of a ``zarr.json``.

        Raises:
            OptionError: for a configuration that this version does not know.
            CaufError: for options or a profile that cannot be.
        """
        given = dict(data.get("configuration") or {})
        unknown = given.keys() - cls.__dataclass_fields__.keys()
        if data.get("name") != NAME or unknown:
            what = f"options {', '.join(sorted(unknown))}" if unknown else f"a codec {data.get('name')!r}"
            raise caufc.OptionError(f"{what}, which the zarr codec '{NAME}' does not know", remedy="upgrade caufc")
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        """As it stands in ``zarr.json``."""
        return {"name": NAME, "configuration": self.config}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        """Check an array's dtype, and the layout against its chunks, before anything is written.

        Raises:
            InputError: for dtypes that caufc does not code, and a layout that does not fit.
        """
        self.check(getattr(chunk_grid, "chunk_shape", shape), dtype.to_native_dtype())

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        raise NotImplementedError("the size of what is encoded depends on the values")

    def _encode_sync(self, chunk_array: Any, chunk_spec: Any) -> Any:
        return chunk_spec.prototype.buffer.from_bytes(self.pack(chunk_array.as_numpy_array()))

    def _decode_sync(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        return _buffer(_fitting(self.unpack(chunk_bytes.to_bytes()), chunk_spec), chunk_spec)

    async def _encode_single(self, chunk_array: Any, chunk_spec: Any) -> Any:
        return await asyncio.to_thread(self._encode_sync, chunk_array, chunk_spec)

    async def _decode_single(self, chunk_bytes: Any, chunk_spec: Any) -> Any:
        return await asyncio.to_thread(self._decode_sync, chunk_bytes, chunk_spec)

    async def _decode_partial_single(self, byte_getter: Any, selection: Any, chunk_spec: Any) -> Any:
        found = await byte_getter.get(prototype=chunk_spec.prototype)
        if found is None:
            return None
        return await asyncio.to_thread(self._decode_part, found.to_bytes(), selection, chunk_spec)

    def _decode_part(self, data: bytes, selection: Any, chunk_spec: Any) -> Any:
        """What a selection takes of a chunk: only the rows that it needs are decoded, if they are not all."""
        taken = selection if isinstance(selection, tuple) else (selection,)
        rows = np.arange(chunk_spec.shape[0])[taken[0]] if chunk_spec.shape and taken and taken[0] is not ... else None
        wanted, places = np.unique([] if rows is None else rows, return_inverse=True)
        if rows is None or len(wanted) == chunk_spec.shape[0]:
            return _buffer(_fitting(self.unpack(data), chunk_spec)[selection], chunk_spec)
        part = self.unpack_rows(data, wanted.tolist(), chunk_spec.shape[0])
        part = _fitting(part, chunk_spec, rows=len(wanted))
        return _buffer(part[(places.reshape(np.shape(rows)), *taken[1:])], chunk_spec)


def _fitting(array: NDArray[Any], chunk_spec: Any, rows: int | None = None) -> NDArray[Any]:
    """An array that is a chunk of this kind, or some rows of one, in its byte order.

    Raises:
        ForeignFormatError: if it is none: the file is not of this array.
    """
    shape = tuple(chunk_spec.shape) if rows is None else (rows, *chunk_spec.shape[1:])
    dtype = chunk_spec.dtype.to_native_dtype()
    if array.shape != shape or array.dtype != dtype.newbyteorder("="):
        found, wanted = (f"{kind.name} {list(sizes)}" for kind, sizes in ((array.dtype, array.shape), (dtype, shape)))
        raise caufc.ForeignFormatError(f"a chunk is {found}, where the array has {wanted}", remedy="write it again")
    return array.astype(dtype, copy=False)


def _buffer(array: NDArray[Any], chunk_spec: Any) -> Any:
    return chunk_spec.prototype.nd_buffer.from_numpy_array(array)
