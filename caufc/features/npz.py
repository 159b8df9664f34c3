"""``.npz`` files: zip archives of ``.npy`` members, stored or deflated."""

from __future__ import annotations

import errno
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import IO

from ..errors import (
    CaufError,
    ForeignFormatError,
    StorageError,
)
from ..limits import (
    DEFAULT_LIMITS,
    Limits,
)
from ..types import (
    AnyArray,
    Framework,
    Leaf,
)
from .leaf import (
    FileStamp,
    FortranLeaf,
    blank,
    fill,
    open_input,
    settle,
    storing,
)
from .npy import (
    ArrayHeader,
    leaf_at,
    read_header,
)

__all__ = ["members", "read", "unzipping"]

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_ENCRYPTED = 1
_BLOCK = 1 << 20


@contextmanager
def unzipping(file: str, member: str | None = None) -> Iterator[None]:
    """Turn what ``zipfile`` raises on bad archives into :class:`~caufc.errors.ForeignFormatError`."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError) as err:
        reason = " ".join(str(err).split())[:120] or type(err).__name__
        raise ForeignFormatError(f"damaged zip archive: {reason}", file=file, tensor=member) from err
    except CaufError:
        raise
    except (OverflowError, ValueError) as err:
        raise ForeignFormatError("damaged zip archive", file=file, tensor=member) from err
    except OSError as err:
        # zipfile seeks to wherever a damaged directory points.
        if err.errno != errno.EINVAL:
            raise
        raise ForeignFormatError("damaged zip archive", file=file, tensor=member) from err


def members(archive: zipfile.ZipFile, file: str, size: int, limits: Limits) -> list[zipfile.ZipInfo]:
    """The members of an archive, once their names and sizes make sense.

    Args:
        archive: the open archive.
        file: its path, for errors.
        size: its length in bytes.
        limits: the most members, and the most bytes that they may unpack to.

    Raises:
        ForeignFormatError: for duplicate names, encryption, compression other than deflate, and members that overlap.
        LimitError: for too many members or bytes.
    """
    found = archive.infolist()
    limits.check("tensors", len(found))
    names = set[str]()
    for info in found:
        if info.filename in names:
            raise ForeignFormatError("two members of the archive have this name", file=file, tensor=info.filename)
        names.add(info.filename)
        if info.flag_bits & _ENCRYPTED:
            raise ForeignFormatError("is encrypted", file=file, tensor=info.filename)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ForeignFormatError(
                f"uses compression method {info.compress_type}",
                file=file,
                tensor=info.filename,
                remedy="write it with numpy.savez or numpy.savez_compressed",
            )
        if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
            raise ForeignFormatError("is stored with two different sizes", file=file, tensor=info.filename)
    if sum(info.compress_size for info in found) > size:
        raise ForeignFormatError("its members are larger than the archive", file=file)
    limits.check("output_bytes", sum(info.file_size for info in found))
    return found


def read(path: Path, limits: Limits = DEFAULT_LIMITS) -> dict[str, Leaf]:
    """The arrays of a ``.npz`` file by name; member names are keys, never paths.

    Stored arrays are read in parts. Deflated ones are unpacked as their rows are asked for, in order at best: going
    back starts again at the first row.

    Raises:
        StorageError: if the file cannot be read.
        ForeignFormatError: if it is no archive of ``.npy`` members whose sizes are what their headers declare.
        TensorError: for object arrays and others that caufc does not code.
        LimitError: for too many arrays, dimensions or bytes.
    """
    file = str(path)
    found: dict[str, Leaf] = {}
    with open_input(path) as stream, storing(file), unzipping(file), zipfile.ZipFile(stream) as archive:
        stamp = FileStamp.of(stream)
        for info in members(archive, file, stamp.size, limits):
            name = info.filename.removesuffix(".npy")
            if name in found:
                raise ForeignFormatError("two members of the archive have this name", file=file, tensor=name)
            if name == info.filename:
                raise ForeignFormatError("is no .npy member", file=file, tensor=name)
            with archive.open(info) as member:
                header = read_header(member, file, name, limits)
                begin = member.tell()
            if begin + header.size != info.file_size:
                raise ForeignFormatError(
                    f"declares {header.size:,} bytes of values, but holds {info.file_size - begin:,}",
                    file=file,
                    tensor=name,
                )
            if info.compress_type == zipfile.ZIP_STORED:
                found[name] = leaf_at(path, stamp, _data_offset(stream, info, stamp.size, file) + begin, header)
            else:
                found[name] = _deflated(path, stamp, info, begin, header)
    return found


def _data_offset(stream: FileIO, info: zipfile.ZipInfo, size: int, file: str) -> int:
    """Where a stored member's bytes begin: after its local header, which has a length of its own."""
    stream.seek(info.header_offset)
    raw = stream.read(_LOCAL_HEADER.size)
    signature, _, _, method, _, _, _, _, _, name, extra = _LOCAL_HEADER.unpack(raw)
    offset = info.header_offset + _LOCAL_HEADER.size + name + extra
    if signature != b"PK\x03\x04" or method != info.compress_type or offset + info.file_size > size:
        raise ForeignFormatError("damaged zip archive: a local header differs", file=file, tensor=info.filename)
    return int(offset)


def _deflated(path: Path, stamp: FileStamp, info: zipfile.ZipInfo, begin: int, header: ArrayHeader) -> Leaf:
    numel = header.size // header.stored.itemsize
    leaf = DeflatedLeaf(path, stamp, info, begin, (numel,) if header.fortran else header.shape, header)
    return FortranLeaf(leaf, header.shape) if header.fortran else leaf


class DeflatedLeaf:
    """A deflated array in C order; keeps its place in the stream, so that rows in order are unpacked once.

    Args:
        path, stamp: the archive.
        info: the member.
        begin: bytes of the member before the values.
        shape: of the tensor.
        header: the rest of what is known about the values.
    """

    framework: Framework = "numpy"

    def __init__(
        self,
        path: Path,
        stamp: FileStamp,
        info: zipfile.ZipInfo,
        begin: int,
        shape: tuple[int, ...],
        header: ArrayHeader,
    ) -> None:
        self.shape = shape
        self.dtype = header.dtype
        self._path, self._stamp, self._info, self._begin, self._header = path, stamp, info, begin, header
        self._file: FileIO | None = None
        self._stream: IO[bytes] | None = None

    def read(self) -> AnyArray:
        """The whole tensor.

        Raises:
            StorageError: if the file cannot be read or has changed.
            ForeignFormatError: if its bytes are damaged.
        """
        return self._read(0, self.shape)

    def rows(self, start: int, stop: int) -> AnyArray:
        """Rows ``[start, stop)`` of the first axis; the same errors."""
        start, stop, _ = slice(start, stop).indices(self.shape[0])
        step = self._header.stored.itemsize * math.prod(self.shape[1:])
        return self._read(start * step, (max(stop - start, 0), *self.shape[1:]))

    def _read(self, offset: int, shape: tuple[int, ...]) -> AnyArray:
        array = blank(shape, self._header.stored)
        with storing(str(self._path)), unzipping(str(self._path), self._info.filename):
            stream = self._at(self._begin + offset)
            fill(array, stream, self._path)
            if stream.tell() == self._info.file_size:
                self._close()
        return settle(array, self.dtype)

    def _at(self, offset: int) -> IO[bytes]:
        """The unpacked member, standing at ``offset``."""
        if self._stream is None or self._stream.tell() > offset:
            self._close()
            stream = open_input(self._path)
            try:
                self._stamp.check(stream, self._path)
                self._stream = zipfile.ZipFile(stream).open(self._info)  # noqa: SIM115 - kept until the last row
            except BaseException:
                stream.close()
                raise
            self._file = stream
        while (left := offset - self._stream.tell()) > 0:
            if not self._stream.read(min(left, _BLOCK)):
                raise StorageError("changed while it was read", file=str(self._path))
        return self._stream

    def __del__(self) -> None:
        self._close()

    def _close(self) -> None:
        for stream in (self._stream, self._file):
            if stream is not None:
                stream.close()
        self._stream = self._file = None
