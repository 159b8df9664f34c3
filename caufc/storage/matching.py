"""Many files by one name: a pattern, a folder, or a list."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import StorageError
from .url import is_open_file, is_url, matching_urls

__all__ = ["matching"]

SUFFIX = ".cauf"


def matching(source: Any, options: Mapping[str, Any] | None = None) -> list[Any] | None:
    """The containers that a source stands for, in order of their names; None for a single one.

    A list stands for what is in it, in its order. A folder stands for its ``.cauf`` files, a path with ``*``, ``?`` or
    ``[`` for those that match (``**`` for folders in folders), unless a file has that very name; a URL with ``*``
    likewise.

    Raises:
        StorageError: if nothing matches, or a URL cannot be listed.
    """
    if isinstance(source, list | tuple):
        return _listed(source, options)
    if is_url(source):
        return _found(matching_urls(source, options), source) if "*" in source else None
    if not isinstance(source, str | os.PathLike):
        return None
    path = os.fspath(source)
    if Path(path).is_dir():
        return _found(sorted(str(file) for file in Path(path).iterdir() if file.suffix == SUFFIX), path)
    if re.search(r"[*?]|\[.+\]", path) and not Path(path).exists():
        return _found(sorted(glob.glob(path, recursive=True)), path)  # noqa: PTH207 - any path, absolute ones too
    return None


def _listed(sources: Sequence[Any], options: Mapping[str, Any] | None) -> list[Any]:
    found: list[Any] = []
    for source in sources:
        several = None if is_open_file(source) else matching(source, options)
        found += [source] if several is None else several
    return found


def _found(files: list[Any], name: str) -> list[Any]:
    if not files:
        raise StorageError("no .cauf file there" if Path(name).is_dir() else "no file matches", file=name)
    return files
