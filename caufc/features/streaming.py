"""Writing ``.npy`` and ``.safetensors``, whose values lie at known places: rows are written as they come."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..types import (
    DTYPES,
    AnyArray,
)
from .npy import npy_format
from .output import Output
from .safetensors import CODES

__all__ = ["Place", "StreamingWriter", "npy_plan", "safetensors_plan"]

_CODE_OF = {name: code for code, name in CODES.items()}


@dataclass(frozen=True)
class Place:
    """Where a tensor's values lie, in C order.

    Args:
        offset: of the first value, in bytes.
        shape: of the whole tensor.
        dtype: a name of :data:`caufc.types.DTYPES`.
    """

    offset: int
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * DTYPES[self.dtype].itemsize


def npy_plan(shape: tuple[int, ...], dtype: str) -> tuple[bytes, list[Place]]:
    """Header and place of the array of a ``.npy`` file."""
    head = io.BytesIO()
    descr = npy_format.dtype_to_descr(DTYPES[dtype])
    npy_format.write_array_header_1_0(head, {"descr": descr, "fortran_order": False, "shape": shape})
    return head.getvalue(), [Place(head.tell(), shape, dtype)]


def safetensors_plan(
    names: Sequence[str], shapes: Sequence[tuple[int, ...]], dtypes: Sequence[str]
) -> tuple[bytes, list[Place]]:
    """Header and places of the tensors of a ``.safetensors`` file, in the order of ``names``.

    Values lie by falling item size, so that each tensor is aligned, as the reference implementation lays them.
    """
    offsets = [0] * len(names)
    end = 0
    for index in sorted(range(len(names)), key=lambda index: -DTYPES[dtypes[index]].itemsize):
        offsets[index] = end
        end += Place(0, shapes[index], dtypes[index]).size
    places = [Place(*found) for found in zip(offsets, shapes, dtypes, strict=True)]
    entries = {
        name: {
            "dtype": _CODE_OF[place.dtype],
            "shape": list(place.shape),
            "data_offsets": [place.offset, place.offset + place.size],
        }
        for name, place in zip(names, places, strict=True)
    }
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    head = len(text).to_bytes(8, "little") + text
    return head, [Place(len(head) + place.offset, place.shape, place.dtype) for place in places]


class StreamingWriter:
    """A :class:`~caufc.features.writer.Writer` that holds nothing.

    Args:
        output: where to.
        head: the bytes before the values.
        places: of the tensors, by tensor number.
        batch: whether each tensor's first axis counts samples.
    """

    def __init__(self, output: Output, head: bytes, places: Sequence[Place], *, batch: bool) -> None:
        self._output, self._places, self._batch = output, places, batch
        self._left = [place.size for place in places]
        try:
            output.write(head)
        except BaseException:
            output.discard()
            raise

    def put(self, tensor: int, start: int, arrays: AnyArray | list[AnyArray]) -> None:
        """Samples from ``start`` on: ``[k, ...]`` for a batch, a list of one array otherwise.

        Raises:
            StorageError: if they cannot be written.
            InputError: if they do not fit the tensor's shape.
        """
        place = self._places[tensor]
        array = np.asarray(arrays if self._batch else arrays[0], DTYPES[place.dtype], order="C")
        wanted = (len(array), *place.shape[1:]) if self._batch else place.shape
        if array.shape != wanted or (self._batch and not 0 <= start <= place.shape[0] - len(array)):
            raise InputError(f"samples of shape {array.shape} at {start} in {place.shape}", file=self._output.name)
        step = DTYPES[place.dtype].itemsize * math.prod(place.shape[1:]) if self._batch else 0
        self._output.write_at(place.offset + start * step, array)
        self._left[tensor] -= array.nbytes

    def close(self) -> None:
        """Make the file whole.

        Raises:
            StorageError: if it cannot be written.
            InputError: if samples are missing.
        """
        try:
            if any(self._left):
                raise InputError("samples are missing", file=self._output.name)
            self._output.commit()
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Drop what was written to a file."""
        self._output.discard()
