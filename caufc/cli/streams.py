"""``-`` and files: inputs that may be stdin, outputs that may be stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..descriptors import FeatureFormat
from ..errors import (
    CaufError,
    OptionError,
    OutputExistsError,
    StorageError,
)
from ..features import (
    known_suffixes,
    spool_stdin,
)
from ..features.formats import normal_suffix
from ..plugin_manager import default_manager

__all__ = [
    "binary_stdout",
    "check_container",
    "check_free",
    "input_file",
    "plugin_formats",
    "stdin_bytes",
    "with_suffix",
]


@contextmanager
def input_file(source: str, suffix: str | None = None) -> Iterator[Path]:
    """The path of an input; stdin becomes a temporary file while the body runs.

    Errors of the body are about ``source`` unless they name another file.

    Args:
        source: a path, or ``-``.
        suffix: the format of stdin; None finds it out.
    """
    path = Path(source) if source != "-" else spool_stdin(sys.stdin.buffer, suffix)
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
    """All of stdin."""
    return sys.stdin.buffer.read()


def binary_stdout(what: str) -> BinaryIO:
    """Stdout for bytes.

    Raises:
        OptionError: if it is a terminal.
    """
    if sys.stdout.isatty():
        raise OptionError(f"{what} is binary, and stdout is a terminal", file="-", remedy="give -o FILE, or a pipe")
    return sys.stdout.buffer


def with_suffix(source: str, suffix: str) -> str:
    """A path with its suffix replaced.

    Raises:
        StorageError: if it is no path of a file.
    """
    path = Path(source)
    if not path.name or source.endswith(("/", os.sep)):
        raise StorageError("is a directory", file=source or ".")
    return str(path.with_suffix(suffix))


def check_free(output: str, source: str, force: bool) -> None:
    """Check early that an output may be written.

    Raises:
        OptionError: if it is the input.
        OutputExistsError: if it exists and ``force`` is False.
    """
    if output == "-" or not Path(output).is_file():
        return
    if source != "-" and Path(source).exists() and Path(output).samefile(source):
        raise OptionError("is both input and output", file=output, remedy="give another -o OUT")
    if not force:
        raise OutputExistsError("exists already", file=output, remedy="use --force")


def check_container(output: str) -> None:
    """Check that an output has not the name of a feature file, which a ``.cauf`` file would not be.

    Raises:
        OptionError: if it has.
    """
    suffix = Path(output).suffix
    if suffix in ("", ".cauf"):
        return
    if normal_suffix(suffix) in known_suffixes(plugin_formats(suffix)):
        raise OptionError(f"a .cauf file under a name that ends in {suffix}", file=output, remedy="name it .cauf")


def plugin_formats(suffix: str) -> list[FeatureFormat]:
    """Formats of plugins, which are asked only for suffixes that caufc does not know."""
    if normal_suffix(suffix) in known_suffixes():
        return []
    return [item for _, item in default_manager().feature_formats()]
