"""Storage behind URLs: fsspec's file systems, in few requests and none but ranges of bytes."""

from __future__ import annotations

import os
import pickle
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..decoder.random_access import TAIL
from ..decoder.tail import head_length, told_by_tail
from ..errors import CaufError, MissingPackageError, StorageError
from ..limits import Limits
from ..packages import needing
from .base import Storage

__all__ = ["UrlFile", "is_open_file", "is_url", "matching_urls"]

AHEAD = 1 << 22
"""Bytes that are read at once of a file without an index, which is read from its beginning to its end."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(://|::)")


def is_url(source: object) -> bool:
    """Whether text is a URL, or a chain of them (``zip://a.cauf::https://...``), rather than a path."""
    return isinstance(source, str) and _URL.match(source) is not None


def is_open_file(source: object) -> bool:
    """Whether an object is fsspec's description of a file to be opened."""
    return type(source).__name__ == "OpenFile" and hasattr(source, "fs") and hasattr(source, "path")


def matching_urls(url: str, options: Mapping[str, Any] | None) -> list[Any]:
    """The files that a URL with ``*`` in it stands for, in order of their names.

    Raises:
        StorageError: if they cannot be listed.
        MissingPackageError: without fsspec, or the package that it needs.
    """
    with needing("fsspec", "a URL"):
        import fsspec
    with _asking(url):
        return sorted(fsspec.open_files(url, **(options or {})), key=lambda file: str(file.path))


class UrlFile(Storage):
    """A file of fsspec: a header, index or chunk is one request each; that of the index tells the file's size too.

    Args:
        source: the URL, or fsspec's ``OpenFile``.
        options: of the file system, as fsspec takes them.
        limits: on the index.
        cut: whether the file may lack its end, which then tells nothing.

    Raises:
        StorageError: if it is missing or cannot be read.
        MissingPackageError: without fsspec, or the package that it needs.
    """

    def __init__(self, source: Any, options: Mapping[str, Any] | None, limits: Limits, *, cut: bool = False) -> None:
        super().__init__(source if is_url(source) else str(source.full_name))
        self.source, self.limits, self.cut = source, limits, cut
        self.windows: list[tuple[int, bytes]] = []
        if is_open_file(source):
            self.fs, self.path = source.fs, source.path
        else:
            with needing("fsspec", "a URL"):
                import fsspec.core
            with _asking(self.name):
                self.fs, self.path = fsspec.core.url_to_fs(source, **(options or {}))
        self.process, self.lock = os.getpid(), threading.Lock()
        self.indexed = False
        self._size = self._told_size()

    @property
    def size(self) -> int:
        return self._size

    def _told_size(self) -> int:
        """The file's size, with what comes along: its last bytes, and all that stands before the chunks."""
        if self.cut:
            return self._asked_size()
        tail = self._fetch(-TAIL, None)
        if len(tail) != TAIL:  # the whole file: it is short, or the server knows no ranges
            self.windows.append((0, tail))
            return len(tail)

        def longer(length: int) -> bytes:
            nonlocal tail
            tail = tail if length <= len(tail) else self._fetch(-length, None)
            return tail

        told = told_by_tail(longer, self.limits)
        if told is None:
            return self._asked_size()
        self.indexed = True
        self.windows.append((told.size - told.tail, tail[-told.tail :]))
        self.windows.append((0, self._fetch(0, min(told.size, head_length(told.first)))))
        return told.size

    def _asked_size(self) -> int:
        with _asking(self.name):
            return int(self._system.info(self.path)["size"])

    def read_at(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self._size - offset))
        for start, window in self.windows:
            if start <= offset and offset + length <= start + len(window):
                return window[offset - start : offset - start + length]
            if self.indexed and offset < start < offset + length <= start + len(window):
                return self._fetch(offset, start) + window[: offset + length - start]
        if self.indexed:
            return self._fetch(offset, offset + length)
        ahead = self._fetch(offset, min(self._size, offset + max(length, AHEAD)))
        self.windows = [(offset, ahead)]
        return ahead[:length]

    def _fetch(self, start: int, stop: int | None) -> bytes:
        """One request; a negative start counts from the end."""
        if start == stop:
            return b""
        with _asking(self.name):
            system = self._system
            if getattr(system, "async_impl", False):
                data = bytes(system.cat_file(self.path, start=start, end=stop))
            else:  # some of these share one offset
                with self.lock:
                    data = bytes(system.cat_file(self.path, start=start, end=stop))
        if stop is not None and len(data) > stop - start:  # the server knows no ranges
            data = data[start:stop]
        return data

    @property
    def _system(self) -> Any:
        """The file system; a forked process has its own."""
        if os.getpid() != self.process:
            self.fs = pickle.loads(pickle.dumps(self.fs))
            self.process, self.lock = os.getpid(), threading.Lock()
        return self.fs

    def again(self) -> Any:
        return self.source


@contextmanager
def _asking(name: str) -> Iterator[None]:
    """Turn what file systems raise into errors about the URL."""
    try:
        yield
    except CaufError:
        raise
    except ImportError as err:
        missing = err.__cause__ if isinstance(err.__cause__, ImportError) else err
        raise MissingPackageError(missing.name or "fsspec", name, None if missing.name else str(err)) from err
    except FileNotFoundError as err:
        raise StorageError("no such file", file=name) from err
    except Exception as err:  # each file system has exceptions of its own
        raise StorageError(f"{type(err).__name__}: {err}", file=name) from err
