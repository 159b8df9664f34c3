"""Standard input as a file: feature formats need to seek."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from ..descriptors import normal_suffix
from ..errors import ForeignFormatError
from .formats import known_suffixes, sniff
from .leaf import storing

__all__ = ["spool_stdin"]

_BLOCK = 1 << 20


def spool_stdin(stream: BinaryIO, suffix: str | None = None) -> Path:
    """Copy a stream into a temporary file whose suffix is its format; the caller deletes it.

    Args:
        stream: binary, read to its end.
        suffix: the format; None finds it out.

    Raises:
        StorageError: if the stream cannot be read, or the temporary folder is full.
        ForeignFormatError: if no suffix was given and the bytes are of no known format.
    """
    with storing("-"):
        handle, name = tempfile.mkstemp(prefix="caufc-", suffix=normal_suffix(suffix) if suffix else "")
    path = Path(name)
    try:
        with storing("-"), os.fdopen(handle, "wb") as file:
            while block := stream.read(_BLOCK):
                file.write(block)
        if suffix:
            return path
        found = sniff(path)
        if found is None:
            known = ", ".join(known_suffixes())
            raise ForeignFormatError("not a feature file", file="-", remedy=f"name its format with --format: {known}")
        with storing("-"):
            return path.rename(path.with_name(path.name + found))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
