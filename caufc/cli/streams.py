"""``-`` and files: inputs that may be stdin, outputs that may be stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from ..errors import CaufError, OptionError
from ..features import spool_stdin
from ..features.leaf import storing
from .closed_streams import ClosedStdout, closed

__all__ = ["binary_stdout", "input_file", "stdin_bytes", "tell"]


@contextmanager
def input_file(source: str, suffix: str | None = None) -> Iterator[Path]:
    """The path of an input; stdin becomes a temporary file while the body runs.

    Errors of the body are about ``source`` unless they name another file.

    Args:
        source: a path, or ``-``.
        suffix: the format of stdin; None finds it out.
    """
    path = Path(source) if source != "-" else spool_stdin(_binary_stdin(), suffix)
    try:
        yield path
    except CaufError as err:
        if err.file in (None, str(path)):
            err.file = source
        raise
    finally:
        if source == "-":
            path.unlink(missing_ok=True)


def stdin_bytes() -> bytes:
    """All of stdin.

    Raises:
        StorageError: if it is closed, or cannot be read.
    """
    stream = _binary_stdin()
    with storing("-"):
        return stream.read()


def _binary_stdin() -> BinaryIO:
    if sys.stdin is None:
        raise closed("stdin")
    return sys.stdin.buffer


def binary_stdout(what: str) -> BinaryIO:
    """Stdout for bytes.

    Raises:
        OptionError: if it is a terminal.
        StorageError: if it is closed.
    """
    if isinstance(sys.stdout, ClosedStdout):
        raise closed("stdout")
    if sys.stdout.isatty():
        raise OptionError(f"{what} is binary, and stdout is a terminal", file="-", remedy="give -o FILE, or a pipe")
    return sys.stdout.buffer


def tell(text: str, *, to_stderr: bool = False) -> None:
    """Print what was done, of a command whose product are files: if stdout is closed, nobody asked for it."""
    if to_stderr or not isinstance(sys.stdout, ClosedStdout):
        click.echo(text, err=to_stderr)
