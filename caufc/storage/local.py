"""Storage on this machine: files by path, file objects, buffers, and functions that read at offsets."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import Any, BinaryIO

from ..container_files import open_binary, read_at_of
from ..decoder.random_access import ReadAt
from ..errors import CaufError, InputError, OptionError, StorageError
from .base import Storage

__all__ = ["Buffered", "FileObject", "Function", "LocalFile"]

IN_MEMORY = "-"


class LocalFile(Storage):
    """A file by its path; forked processes share it, as reading moves no offset.

    Raises:
        StorageError: if it is missing or cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(os.fspath(path))
        self.path = path
        self.file = open_binary(Path(path))
        self._size = self.file.seek(0, os.SEEK_END)
        self._read_at = read_at_of(self.file)

    @property
    def size(self) -> int:
        return self._size

    def read_at(self, offset: int, length: int) -> bytes:
        with self._reading():
            return self._read_at(offset, length)

    def close(self) -> None:
        super().close()
        self.file.close()

    def again(self) -> str | os.PathLike[str]:
        return self.path


class Buffered(Storage):
    """Bytes, a memory map, or what else has a buffer.

    Args:
        data: what has it.
        view: its bytes.
    """

    def __init__(self, data: Any, view: memoryview) -> None:
        super().__init__(IN_MEMORY)
        self.data, self.view = data, view

    @property
    def size(self) -> int:
        return self.view.nbytes

    def read_at(self, offset: int, length: int) -> bytes:
        with self._reading():
            return bytes(self.view[offset : offset + length])

    def close(self) -> None:
        super().close()
        self.view.release()

    def again(self) -> bytes:
        if isinstance(self.data, bytes):
            return self.data
        with self._reading():
            return bytes(self.view)


class FileObject(Storage):
    """A binary file that can seek; it stays open, and threads take turns, for it has one offset.

    Raises:
        OptionError: if it is open for text, or cannot seek.
    """

    def __init__(self, file: BinaryIO) -> None:
        name = getattr(file, "name", None)
        super().__init__(name if isinstance(name, str) else IN_MEMORY)
        if isinstance(file, io.TextIOBase):
            raise OptionError("is open for text", file=self.name, remedy="open it with 'rb'")
        if getattr(file, "closed", False):
            raise OptionError("the file is closed", file=self.name, remedy="give one that is open")
        if not file.seekable():
            raise OptionError("cannot seek", file=self.name, remedy="read its bytes and open these")
        self.file, self.lock, self.process = file, threading.Lock(), os.getpid()
        with self.lock:
            self._size = file.seek(0, os.SEEK_END)

    @property
    def size(self) -> int:
        return self._size

    def read_at(self, offset: int, length: int) -> bytes:
        if os.getpid() != self.process:
            raise InputError(
                "a file object has one offset, which forked processes would move for each other",
                file=self.name,
                remedy="open it by its path",
            )
        parts: list[bytes] = []
        with self._reading(), self.lock:  # its owner may have closed it
            self.file.seek(offset)
            while length and (part := self.file.read(length)):
                parts.append(part)
                length -= len(part)
        return b"".join(parts)


class Function(Storage):
    """A function that reads at offsets, and the size of what it reads."""

    def __init__(self, function: ReadAt, size: int) -> None:
        super().__init__(IN_MEMORY)
        self.function, self._size = function, size

    @property
    def size(self) -> int:
        return self._size

    def read_at(self, offset: int, length: int) -> bytes:
        wanted = max(0, min(length, self._size - offset))
        try:
            data = bytes(self.function(offset, wanted)) if wanted else b""
        except CaufError:
            raise
        except Exception as err:  # it may raise anything
            raise StorageError(f"read_at failed: {type(err).__name__}: {err}", file=self.name) from err
        if len(data) != wanted:
            raise StorageError(f"read_at gave {len(data)} bytes of {wanted} at {offset}", file=self.name)
        return data

    def again(self) -> ReadAt:
        return self.function
