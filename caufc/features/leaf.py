"""Tensors that are read in parts: from memory, or from a place in a file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CaufError, LimitError, StorageError
from ..limits import Limits
from ..types import DTYPES, AnyArray, Framework, Leaf

__all__ = [
    "ArrayLeaf",
    "FileLeaf",
    "FileStamp",
    "FortranLeaf",
    "blank",
    "extent",
    "fill",
    "open_input",
    "settle",
    "storing",
]

_BLOCK = 1 << 24


@contextmanager
def storing(name: str) -> Iterator[None]:
    """Turn an ``OSError`` of the body into a :class:`~caufc.errors.StorageError` about the file ``name``."""
    try:
        yield
    except CaufError:
        raise
    except FileNotFoundError as err:
        raise StorageError("no such file", file=name) from err
    except IsADirectoryError as err:
        raise StorageError("is a directory", file=name) from err
    except OSError as err:
        raise StorageError((err.strerror or str(err) or type(err).__name__).lower(), file=name) from err


def open_input(path: Path) -> FileIO:
    """Open a file for reading, unbuffered.

    Raises:
        StorageError: if it is missing, a directory, or may not be read.
    """
    with storing(str(path)):
        return FileIO(path, "rb")


def extent(shape: tuple[int, ...], itemsize: int, limits: Limits) -> int:
    """Bytes of an array of ``shape``, which a file declares.

    Raises:
        LimitError: if it has too many dimensions, or if no array could be that large.
    """
    limits.check("dimensions", len(shape))
    # numpy refuses shapes whose nonzero dimensions overflow, even where another one is zero.
    if (most := math.prod(max(length, 1) for length in shape) * itemsize) >= 1 << 63:
        raise LimitError("output_bytes", most, limits.output_bytes)
    return math.prod(shape) * itemsize


@dataclass(frozen=True)
class ArrayLeaf:
    """An array in memory.

    Args:
        array: the values; ``bf16`` as 16-bit patterns, any byte order. It is not copied, and readers get views.
        dtype: a name of :data:`caufc.types.DTYPES`.
        framework: where the array came from.
    """

    array: AnyArray
    dtype: str
    framework: Framework = "numpy"

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def read(self) -> AnyArray:
        """The whole tensor."""
        return self.array.astype(DTYPES[self.dtype], copy=False)

    def rows(self, start: int, stop: int) -> AnyArray:
        """Rows ``[start, stop)`` of the first axis."""
        return self.array[start:stop].astype(DTYPES[self.dtype], copy=False)


@dataclass(frozen=True)
class FileStamp:
    """What tells whether a file is still the one that was opened: its length in bytes, time, and identity."""

    size: int
    mtime_ns: int
    inode: tuple[int, int]

    @classmethod
    def of(cls, stream: FileIO) -> FileStamp:
        status = os.fstat(stream.fileno())
        return cls(status.st_size, status.st_mtime_ns, (status.st_dev, status.st_ino))

    def check(self, stream: FileIO, path: Path) -> None:
        """
        Raises:
            StorageError: if the open file is not the one that the stamp was taken of, or was changed since.
        """
        if FileStamp.of(stream) != self:
            raise StorageError("changed while it was read", file=str(path))


def fill(array: AnyArray, stream: Any, path: Path) -> None:
    """Read ``array``'s bytes from where ``stream`` stands.

    Raises:
        StorageError: if the stream ends first.
    """
    view = array.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(view):
        count = stream.readinto(view[done : done + _BLOCK])
        if not count:
            raise StorageError("changed while it was read", file=str(path))
        done += count


def blank(shape: tuple[int, ...], stored: np.dtype[Any]) -> AnyArray:
    """An array to fill with stored bytes; bools as bytes, since a file may hold others than 0 and 1."""
    return np.empty(shape, np.dtype("u1") if stored.kind == "b" else stored)


def settle(array: AnyArray, dtype: str) -> AnyArray:
    """A filled array in the numpy form of ``dtype``."""
    return array != 0 if dtype == "bool" else array.astype(DTYPES[dtype], copy=False)


@dataclass(frozen=True)
class FileLeaf:
    """An array that lies in a file in C order; reading holds only the rows asked for in memory.

    Args:
        path: the file.
        stamp: taken when the file was opened; reading checks it.
        offset: of the first value, in bytes.
        shape: of the tensor.
        dtype: a name of :data:`caufc.types.DTYPES`.
        framework: what the tensor becomes after decoding.
        stored: the numpy dtype in the file, which may be big-endian.
    """

    path: Path
    stamp: FileStamp
    offset: int
    shape: tuple[int, ...]
    dtype: str
    framework: Framework
    stored: np.dtype[Any]

    def read(self) -> AnyArray:
        """The whole tensor.

        Raises:
            StorageError: if the file cannot be read or has changed.
        """
        return self._read(self.offset, self.shape)

    def rows(self, start: int, stop: int) -> AnyArray:
        """Rows ``[start, stop)`` of the first axis.

        Raises:
            StorageError: if the file cannot be read or has changed.
        """
        start, stop, _ = slice(start, stop).indices(self.shape[0])
        step = self.stored.itemsize * math.prod(self.shape[1:])
        return self._read(self.offset + start * step, (max(stop - start, 0), *self.shape[1:]))

    def _read(self, offset: int, shape: tuple[int, ...]) -> AnyArray:
        array = blank(shape, self.stored)
        with open_input(self.path) as stream, storing(str(self.path)):
            self.stamp.check(stream, self.path)
            stream.seek(offset)
            fill(array, stream, self.path)
        return settle(array, self.dtype)


class FortranLeaf:
    """An array whose values lie in Fortran order: its rows are scattered, so it is read whole, once.

    Args:
        flat: the values as they lie, ``[numel]``.
        shape: of the tensor.
    """

    def __init__(self, flat: Leaf, shape: tuple[int, ...]) -> None:
        self._flat = flat
        self._whole: AnyArray | None = None
        self.shape = shape
        self.dtype = flat.dtype
        self.framework: Framework = flat.framework

    def read(self) -> AnyArray:
        """The whole tensor."""
        if self._whole is None:
            self._whole = self._flat.read().reshape(self.shape, order="F")
        return self._whole

    def rows(self, start: int, stop: int) -> AnyArray:
        """Rows ``[start, stop)`` of the first axis."""
        return self.read()[start:stop]
