"""Containers as binary files: opened by path or from bytes, read in parts or at offsets, written, named in errors."""

from __future__ import annotations

import io
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .decoder.random_access import ReadAt
from .errors import CaufError, OptionError, StorageError

__all__ = ["Bytes", "bytes_of", "located", "name_of", "open_binary", "parts_of", "read_at_of", "view_of"]

Bytes = bytes | bytearray | memoryview | mmap.mmap
"""What has the bytes of a file in memory; so have arrays of numpy and whatever else has a buffer."""

PART = 1 << 20
"""Bytes to read at a time."""

MOST_AT_ONCE = 1 << 30
"""Bytes that every operating system reads in one call."""


def view_of(source: object) -> memoryview | None:
    """The bytes of what has a buffer, one after the other; None for what has none.

    Raises:
        OptionError: for a buffer that is closed, or of other things than bytes and numbers.
    """
    try:
        view = memoryview(source)  # type: ignore[arg-type]
    except TypeError:
        return None
    except (ValueError, BufferError) as err:
        raise OptionError(f"no bytes in a {type(source).__name__}: {err}", remedy="give one that is open") from err
    if not view.c_contiguous or not view.nbytes:
        return memoryview(view.tobytes())
    try:
        return view.cast("B")
    except (TypeError, ValueError) as err:
        raise OptionError(f"no bytes in a {type(source).__name__}: {err}", remedy="give bytes") from err


def bytes_of(data: object, function: str) -> bytes | memoryview:
    """The bytes of a file that a function of that name was given.

    Raises:
        OptionError: for a path, a file object and whatever else has no bytes; it says what to call.
    """
    if isinstance(data, bytes):
        return data
    if isinstance(data, str | os.PathLike):
        raise OptionError(f"{function} takes the bytes of a file", file=str(data), remedy="caufc.load(path)")
    view = view_of(data)
    if view is None:
        remedy = "give file.read()" if hasattr(data, "read") else "give bytes, or a path to caufc.load"
        raise OptionError(f"{function} takes the bytes of a file, not a {type(data).__name__}", remedy=remedy)
    return view


def name_of(source: str | os.PathLike[str] | Bytes) -> str:
    """How errors name a source: its path, or ``-`` for bytes."""
    return str(source) if isinstance(source, str | os.PathLike) else "-"


def open_binary(source: str | os.PathLike[str] | Bytes) -> BinaryIO:
    """A file for reading.

    Raises:
        OptionError: for what is neither path nor bytes.
        StorageError: if it is missing or cannot be read.
    """
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if not isinstance(source, str | os.PathLike):
        view = view_of(source)
        if view is None:
            remedy = "give its path or file.read()" if hasattr(source, "read") else "give a path, a URL or bytes"
            raise OptionError(f"cannot read a {type(source).__name__}", remedy=remedy)
        return io.BytesIO(view)
    try:
        return Path(source).open("rb")
    except FileNotFoundError as err:
        raise StorageError("no such file", file=str(source)) from err
    except OSError as err:
        raise StorageError(err.strerror or str(err), file=str(source)) from err
    except ValueError as err:  # a null character, for one
        raise StorageError(str(err), file=str(source)) from err


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
