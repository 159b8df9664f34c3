"""Storage read in order, as a binary file."""

from __future__ import annotations

import io
import os
from typing import BinaryIO, cast

from ..container_files import Bytes, open_binary
from ..limits import DEFAULT_LIMITS
from .base import Storage
from .url import UrlFile, is_url

__all__ = ["open_stream"]

AHEAD = 1 << 22
"""Bytes of a request."""


def open_stream(source: str | os.PathLike[str] | Bytes) -> BinaryIO:
    """A path, a URL or bytes as a binary file.

    Raises:
        OptionError: for what is neither.
        StorageError: if it is missing or cannot be read.
        MissingPackageError: for a URL without fsspec, or the package that it needs.
    """
    if not is_url(source):
        return open_binary(source)
    return cast(BinaryIO, io.BufferedReader(_InOrder(UrlFile(source, None, DEFAULT_LIMITS, cut=True)), AHEAD))


class _InOrder(io.RawIOBase):
    """Storage with an offset."""

    def __init__(self, storage: Storage) -> None:
        self.storage, self.offset = storage, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.offset, os.SEEK_END: self.storage.size}[whence]
        self.offset = base + offset
        return self.offset

    def readinto(self, room: memoryview, /) -> int:  # type: ignore[override]
        data = self.storage.read_at(self.offset, len(room))
        room[: len(data)] = data
        self.offset += len(data)
        return len(data)
