"""The border around a plugin's code: what it raises, prints and exits with stops here."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from .errors import CaufError, PluginError, StorageError

__all__ = ["is_signal", "keep_stdout_clean", "printing_to_stderr", "translated"]


@contextmanager
def translated(plugin: str, doing: str) -> Iterator[None]:
    """Raise a plugin's foreign exceptions as :class:`PluginError`; caufc's own pass.

    What the operating system refuses, a full disk for instance, is a :class:`StorageError` that names the plugin.
    """
    try:
        with printing_to_stderr():
            yield
    except (CaufError, MemoryError):
        raise
    except (Exception, SystemExit) as err:
        if is_signal(err):
            raise
        if isinstance(err, OSError) and err.errno is not None:
            name = err.filename if isinstance(err.filename, str) else None
            reason = (err.strerror or str(err)).lower()
            raise StorageError(f"plugin '{plugin}': {doing} failed: {reason}", file=name) from err
        raise PluginError(f"{doing} failed: {type(err).__name__}: {err}", plugin=plugin) from err


def is_signal(error: BaseException) -> bool:
    """Whether an exception is a signal's that came meanwhile: ``sys.exit`` raises a plain ``SystemExit``."""
    return isinstance(error, KeyboardInterrupt) or (isinstance(error, SystemExit) and type(error) is not SystemExit)


class _Diversion:
    """Stdout replaced by stderr while any thread is inside, in a process that wants it so."""

    def __init__(self) -> None:
        self.wanted = False
        self._lock, self._inside = threading.Lock(), 0
        self._stdout: TextIO | None = None

    def enter(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._stdout, sys.stdout = sys.stdout, sys.stderr
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                sys.stdout = self._stdout


_diversion = _Diversion()


def keep_stdout_clean() -> None:
    """Have what plugins print from now on go to stderr: a command's stdout holds data, or a report."""
    _diversion.wanted = True


@contextmanager
def printing_to_stderr() -> Iterator[None]:
    """Send what the body prints to stderr, where stdout is to stay clean; a library leaves it as it is."""
    if not _diversion.wanted:
        yield
        return
    _diversion.enter()
    try:
        yield
    finally:
        _diversion.leave()
