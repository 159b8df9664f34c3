"""Where writers write: an atomic file, a stream that can seek, or one that cannot."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import numpy as np

from ..descriptors import FeatureFormat
from ..errors import InputError, PluginError
from ..plugin_border import translated
from ..types import AnyArray
from .atomic import AtomicFile, atomic_output
from .leaf import storing

__all__ = ["Dump", "Output", "can_seek", "copying", "saving"]

_COPY = 1 << 20

Dump = Callable[[Any, IO[bytes]], None]
"""(features, binary stream) -> None: saves them."""


def saving(dump: Dump) -> Callable[[Path, Any], None]:
    """(path, features) -> None: saves to a file, which appears whole or not at all, in place of one that is there."""

    def write(path: Path, features: Any) -> None:
        with atomic_output(path, force=True) as file:
            dump(features, file)

    return write


def copying(item: FeatureFormat) -> Dump:
    """Saving with a format that writes files only."""

    def dump(features: Any, stream: IO[bytes]) -> None:
        with tempfile.TemporaryDirectory(prefix="caufc-") as folder:
            path = Path(folder) / f"features{item.suffix.lower()}"
            with translated(item.origin, f"writing {item.suffix.lower()}"):
                item.write(path, features)
            if not path.is_file():
                raise PluginError("wrote no file", plugin=item.origin)
            with path.open("rb") as written:
                shutil.copyfileobj(written, stream)

    return dump


class Output:
    """A place for bytes.

    Args:
        path: a file, which appears whole or not at all; or None.
        stream: a binary stream, if there is no path; it is flushed, and stays open.
        seeks: whether bytes will be written out of order: a stream that cannot seek is then spooled.
        force: whether an existing file may be replaced.

    Raises:
        StorageError: if the file cannot be made.
        OutputExistsError: if it exists and ``force`` is False.
    """

    def __init__(self, path: Path | None, stream: BinaryIO | None, *, seeks: bool, force: bool) -> None:
        if (path is None) == (stream is None):
            raise InputError("a writer needs either a path or a stream")
        self.name = "-" if path is None else str(path)
        self._at = self._end = 0
        self._spool: IO[bytes] | None = None
        self._atomic = None if path is None else AtomicFile(path, force)
        self._stream: IO[bytes]
        if self._atomic is not None:
            self._stream = self._atomic.file
        elif stream is not None:
            self._stream = stream
        with storing(self.name):
            self._can_seek = can_seek(self._stream)
            if seeks and not self._can_seek:
                self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed by commit and discard
            self._base = self._stream.tell() if self._can_seek else 0

    def file(self) -> IO[bytes]:
        """A file to write to: it seeks only where that can be relied on, and writes all that it is given."""
        if self._spool is not None or self._can_seek:
            return self._spool or self._stream
        return cast("IO[bytes]", _Filler(self._stream))

    def write(self, data: bytes | memoryview) -> None:
        """Write bytes where the last ones ended.

        Raises:
            StorageError: if they cannot be written.
        """
        with storing(self.name):
            self._at += _Filler(self._spool or self._stream).write(data)
        self._end = max(self._end, self._at)

    def write_at(self, offset: int, array: AnyArray) -> None:
        """Write the values of an array, C order, ``offset`` bytes from the start.

        Raises:
            StorageError: if they cannot be written.
            InputError: if they are out of order and the stream cannot seek.
        """
        if array.size == 0:
            return
        if offset != self._at:
            if self._spool is None and not self._can_seek:
                raise InputError("samples are out of order, and the output cannot seek", file=self.name)
            with storing(self.name):
                if self._spool is not None:
                    self._spool.seek(offset)
                else:
                    self._stream.seek(self._base + offset)
            self._at = offset
        self.write(array.reshape(-1).view(np.uint8).data)

    def commit(self) -> None:
        """Make the output whole.

        Raises:
            StorageError: if it cannot be written.
            OutputExistsError: if the file appeared meanwhile.
        """
        if self._spool is not None:
            with storing(self.name):
                self._spool.seek(0)
                shutil.copyfileobj(self._spool, _Filler(self._stream), _COPY)
            self._spool.close()
        if self._atomic is not None:
            self._atomic.commit()
            return
        with storing(self.name):
            if self._at != self._end and self._spool is None:
                self._stream.seek(self._base + self._end)
            self._stream.flush()

    def discard(self) -> None:
        """Remove what is not whole; a stream keeps what was written to it."""
        if self._spool is not None:
            self._spool.close()
        if self._atomic is not None:
            self._atomic.discard()


class _Filler:
    """Writes each block whole: an unbuffered pipe may take a part only."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def write(self, data: bytes | memoryview) -> int:
        view = memoryview(data)
        size = len(view)
        while len(view):
            view = view[self._stream.write(view) :]
        return size

    def flush(self) -> None:
        self._stream.flush()


def can_seek(stream: IO[bytes]) -> bool:
    """Whether bytes land where a seek says; in append mode they do not, though the stream says that it can seek."""
    if not stream.seekable():
        return False
    try:
        import fcntl
        import os

        return not fcntl.fcntl(stream.fileno(), fcntl.F_GETFL) & os.O_APPEND
    except (ImportError, OSError):
        return True
