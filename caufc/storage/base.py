"""The interface of storage: the bytes of one container, read at offsets."""

from __future__ import annotations

import mmap
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from ..decoder.random_access import ReadAt
from ..errors import InputError, StorageError

__all__ = ["Openable", "Storage"]

Openable = str | os.PathLike[str] | bytes | bytearray | memoryview | mmap.mmap | BinaryIO | ReadAt
"""A path or URL; bytes, a memory map or another buffer; a binary file that can seek, or an ``OpenFile`` of fsspec; a
function ``(offset, length) -> bytes``, beside which the size of the file is given."""


class Storage(ABC):
    """The bytes of one container, read at offsets; threads may share it.

    Args:
        name: how errors name it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = False

    @property
    @abstractmethod
    def size(self) -> int:
        """Of the file, in bytes."""

    @abstractmethod
    def read_at(self, offset: int, length: int) -> bytes:
        """That many bytes, fewer only at the end of the file.

        Raises:
            StorageError: if they cannot be read.
            InputError: if the storage is closed.
        """

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Errors of the body as those of this storage, which another thread may close meanwhile."""
        try:
            yield
        except (OSError, ValueError) as err:
            if self.closed:
                raise InputError("the reader is closed", file=self.name, remedy="open the file again") from err
            raise StorageError(str(getattr(err, "strerror", None) or err), file=self.name) from err

    def close(self) -> None:
        """Close what was opened here; what the caller has opened stays open."""
        self.closed = True

    def again(self) -> Any:
        """What a copy in another process opens.

        Raises:
            InputError: if another process cannot open it.
        """
        raise InputError("cannot be opened by another process", file=self.name, remedy="open it by its path or URL")
