"""Containers as binary files: opened by path or from bytes, read in parts or at offsets, written, named in errors."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .decoder.random_access import ReadAt
from .errors import CaufError, StorageError

__all__ = ["located", "name_of", "open_binary", "parts_of", "read_at_of"]

PART = 1 << 20
"""Bytes to read at a time."""

MOST_AT_ONCE = 1 << 30
"""Bytes that every operating system reads in one call."""


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
    """Reading at offsets of an open file; threads and forked processes do not disturb each other."""
    if isinstance(file, io.BytesIO):
        data = file.getvalue()
        return lambda offset, length: data[offset : offset + length]
    if not (hasattr(os, "pread") and isinstance(getattr(file, "raw", None), io.FileIO)):
        return _seeking(file, threading.Lock())

    def read_at(offset: int, length: int) -> bytes:
        parts: list[bytes] = []
        while length and (part := os.pread(file.fileno(), min(length, MOST_AT_ONCE), offset)):
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    return read_at


def _seeking(file: BinaryIO, lock: threading.Lock) -> ReadAt:
    def read_at(offset: int, length: int) -> bytes:
        with lock:
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
