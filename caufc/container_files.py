"""Containers as binary files: opened by path or from bytes, read in parts or at offsets, written, named in errors."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .decoder.random_access import ReadAt
from .errors import CaufError, StorageError
from .features.output import can_seek

__all__ = ["FileSink", "located", "name_of", "open_binary", "parts_of", "read_at_of"]

PART = 1 << 20
"""Bytes to read at a time."""


def name_of(source: str | Path | bytes) -> str:
    """How errors name a source: its path, or ``-`` for bytes."""
    return "-" if isinstance(source, bytes) else str(source)


def open_binary(source: str | Path | bytes) -> BinaryIO:
    """A file for reading.

    Raises:
        StorageError: if it is missing or cannot be read.
    """
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return Path(source).open("rb")
    except FileNotFoundError as err:
        raise StorageError("no such file", file=str(source)) from err
    except OSError as err:
        raise StorageError(err.strerror or str(err), file=str(source)) from err


def parts_of(file: BinaryIO, progress: Callable[[int], None] | None = None) -> Iterator[bytes]:
    """The bytes of a file in parts; ``progress`` is called with the number of bytes that were read so far."""
    done = 0
    while part := file.read(PART):
        yield part
        done += len(part)
        if progress is not None:
            progress(done)


def read_at_of(file: BinaryIO) -> ReadAt:
    """Reading at offsets of a file that can seek."""

    def read_at(offset: int, length: int) -> bytes:
        file.seek(offset)
        return file.read(length)

    return read_at


@contextmanager
def located(file: str | Path) -> Iterator[None]:
    """Errors of the body name the file."""
    try:
        yield
    except CaufError as err:
        err.locate(file=str(file))
        raise


class FileSink:
    """A binary file as a place for a container; it restarts where bytes can be taken back.

    Args:
        file: open for writing, at the place where the container starts.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.start = file.tell() if can_seek(file) and _can_truncate(file) else None

    def write(self, data: bytes, /) -> object:
        return self.file.write(data)

    def restart(self) -> bool:
        if self.start is None:
            return False
        self.file.seek(self.start)
        self.file.truncate()
        return True


def _can_truncate(file: BinaryIO) -> bool:
    """A buffer can, and a regular file; a device such as ``/dev/null`` seeks, but keeps no length."""
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except OSError:
        return True
