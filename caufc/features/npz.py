"""``.npz`` files: zip archives of ``.npy`` members, stored or deflated."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..descriptors import FeatureFormat, Problem
from ..errors import ForeignFormatError, InputError, StorageError
from ..limits import DEFAULT_LIMITS, Limits
from ..types import NOTE, AnyArray, Framework, Leaf, Structure
from .archive import data_offset, members, unzipping
from .leaf import FileStamp, FortranLeaf, blank, fill, open_input, settle, storing
from .npy import ArrayHeader, leaf_at, npy_format, read_header
from .output import saving
from .problems import array_problem, dict_problem, samples_problem
from .texts import check_texts, text_array

__all__ = ["FORMAT", "read"]

_BLOCK = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
_NAME_BYTES = 60_000


def read(path: Path, limits: Limits = DEFAULT_LIMITS) -> dict[str, Leaf | AnyArray]:
    """The arrays of a ``.npz`` file by name, those of text read; member names are keys, never paths.

    Stored arrays are read in parts. Deflated ones are unpacked as their rows are asked for, in order at best: going
    back starts again at the first row.

    Raises:
        StorageError: if the file cannot be read.
        ForeignFormatError: if it is no archive of ``.npy`` members whose sizes are what their headers declare.
        TensorError: for object arrays and others that caufc does not code.
        LimitError: for too many arrays, dimensions or bytes.
    """
    file = str(path)
    found: dict[str, Leaf | AnyArray] = {}
    texts = size = 0
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
            if header.dtype == NOTE:
                texts, size = texts + math.prod(header.shape), size + header.size
                check_texts(texts, size, name, limits)
                with archive.open(info) as member:
                    found[name] = _texts(member, begin, header)
                continue
            if info.compress_type == zipfile.ZIP_STORED:
                found[name] = leaf_at(path, stamp, data_offset(stream, info, stamp.size, file) + begin, header)
            else:
                found[name] = _deflated(path, stamp, info, begin, header)
    return found


def _texts(member: IO[bytes], begin: int, header: ArrayHeader) -> AnyArray:
    """An array of text, whose values begin at a byte of the member."""
    data = member.read()[begin:]
    # Texts of no length have no bytes.
    array: AnyArray = np.frombuffer(data, header.stored) if data else np.zeros(math.prod(header.shape), header.stored)
    return array.reshape(header.shape, order="F" if header.fortran else "C")


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


def _dump(features: Mapping[str, Any], stream: IO[bytes]) -> None:
    """Save as ``numpy.savez`` does, which cannot take names such as ``file``; the same input gives the same bytes."""
    with _archive(stream) as archive:
        for name, array in features.items():
            if not isinstance(name, str) or not _is_name(name):
                raise InputError(".npz cannot hold this name", tensor=str(name), remedy="write .pt")
            values = array if isinstance(array, np.ndarray) else text_array(array, name)
            with archive.open(zipfile.ZipInfo(f"{name}.npy", _EPOCH), "w", force_zip64=True) as member:
                npy_format.write_array(member, values, allow_pickle=False)


@contextmanager
def _archive(stream: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """An archive that is finished when its body ends, and dropped if it raises.

    A ``ZipFile`` that is closed while a member is being opened raises an error of its own, in place of an interrupt.
    """
    archive = zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, allowZip64=True)
    try:
        yield archive
    except BaseException:
        archive.fp = None
        raise
    archive.close()


def _problem(structure: Structure, names: Sequence[str], dtypes: Sequence[str]) -> Problem | None:
    if structure.kind in ("list", "tuple"):
        return samples_problem(structure, names)
    return array_problem(names, dtypes) or dict_problem(structure, names, dtypes, _is_name, texts=True)


def _is_name(name: str) -> bool:
    return not ("\0" in name or "\\" in name or len(name.encode()) > _NAME_BYTES)


FORMAT = FeatureFormat(
    ".npz",
    read,
    saving(_dump),
    read_within=read,
    recognise=lambda _head, names: names is not None and all(name.endswith(".npy") for name in names),
    problem=_problem,
    dump=_dump,
    framework="numpy",
)
