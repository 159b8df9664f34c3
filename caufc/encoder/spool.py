"""Spools: passes that are kept aside until it is known which of them is wanted."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass

from .file_writer import FilePass, Sink

__all__ = ["Spool", "Tried", "least"]

MEMORY = 1 << 26
"""Bytes of a pass that are kept in memory; larger ones go to a temporary file."""

BLOCK = 1 << 20


class Spool:
    """Where a pass goes that may not be wanted."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=MEMORY)  # noqa: SIM115

    def __del__(self) -> None:
        self._file.close()

    def write(self, data: bytes, /) -> object:
        return self._file.write(data)

    def copy_to(self, sink: Sink) -> None:
        """Write all that came into another sink."""
        self._file.seek(0)
        shutil.copyfileobj(self._file, sink, BLOCK)


@dataclass(frozen=True)
class Tried:
    """A pass, and its bytes."""

    done: FilePass
    spool: Spool

    def into(self, sink: Sink) -> FilePass:
        """The pass, once its bytes are where they belong."""
        self.spool.copy_to(sink)
        return self.done


def least(*tried: Tried | None) -> Tried:
    """The smallest of some passes, the first of equal ones."""
    return min((one for one in tried if one is not None), key=lambda one: one.done.bytes_out)
