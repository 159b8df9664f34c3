"""Containers as binary files: opened by path or from bytes, read in parts or at offsets, written, named in errors."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .decoder.random_access import ReadAt
from .errors import CaufError, StorageError

__all__ = ["located", "name_of", "open_binary", "parts_of", "read_at_of"]

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
