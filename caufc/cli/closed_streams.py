"""Standard streams that whoever started the process has closed (``>&-``)."""

from __future__ import annotations

import io
import os
import sys
from typing import NoReturn

from ..errors import StorageError

__all__ = ["ClosedStdout", "closed", "replace_closed_streams"]


class ClosedStdout(io.TextIOBase):
    """Stands for a stdout that is closed.

    Raises:
        StorageError: when something is written to it.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> NoReturn:  # noqa: ARG002 - a stream's signature
        raise closed("stdout")


def closed(name: str) -> StorageError:
    """The error of a stream that is needed and closed."""
    remedy = "open it, as in '> FILE'" if name == "stdout" else "open it, as in '< FILE', or name a file"
    return StorageError(f"{name} is closed", file="-", remedy=remedy)


def replace_closed_streams() -> None:
    """Put something in the place of closed standard streams, which Python has as None.

    Stdout tells whoever needs it that it is closed; what goes to stderr is lost. Their numbers go to no other file:
    what libraries print would end up in an output.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    if sys.stdout is None:
        sys.stdout = ClosedStdout()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - as long as the process
