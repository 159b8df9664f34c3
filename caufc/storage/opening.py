"""What to open a source with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..container_files import view_of
from ..errors import OptionError
from ..limits import DEFAULT_LIMITS, Limits
from .base import Storage
from .local import Buffered, FileObject, Function, LocalFile
from .url import UrlFile, is_open_file, is_url

__all__ = ["open_storage"]


def open_storage(
    source: Any,
    *,
    size: int | None = None,
    options: Mapping[str, Any] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    cut: bool = False,
) -> Storage:
    """The storage of a source.

    Args:
        source: see :data:`caufc.storage.Openable`.
        size: of the file in bytes, beside a function.
        options: of the file system, beside a URL.
        limits: on an index.
        cut: whether the file may lack its end.

    Raises:
        OptionError: for what cannot be opened.
        StorageError: if it is missing or cannot be read.
        MissingPackageError: for a URL without fsspec, or the package that it needs.
    """
    if size is not None and not callable(source):
        raise OptionError("size= is that of what a function reads", remedy="leave it out")
    if is_url(source) or is_open_file(source):
        return UrlFile(source, options, limits, cut=cut)
    if options:
        raise OptionError("storage_options= are for URLs", remedy="leave them out")
    if isinstance(source, str | os.PathLike):
        return LocalFile(source)
    view = view_of(source)
    if view is not None:
        return Buffered(source, view)
    if hasattr(source, "read") and hasattr(source, "seek"):
        return FileObject(source)
    if not callable(source):
        raise OptionError(
            f"cannot open a {type(source).__name__}",
            remedy="give a path, a URL, bytes, a memory map, a binary file, or a function read_at(offset, length)",
        )
    if size is None or size < 0:
        raise OptionError("a function that reads at offsets needs size=, in bytes", remedy="caufc.open(read_at, size=)")
    return Function(source, size)
