"""One thread of BLAS: sums are taken in one order whatever the machine would use, and ours are all the threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread"]

Before = list[tuple[Any, int]]
"""Libraries, and how many threads they had."""


class _Limit:
    """The process's limit: it holds while anybody is inside, and the last one out puts back what was.

    Libraries upon OpenMP count for each of our threads by itself, and so does this.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside: list[int] = []
        self.before: Before = []
        self.libraries: tuple[list[Any], list[Any]] | None = None

    def enter(self, holder: int) -> Before:
        """Hold the limit; gives what :meth:`leave` puts back for this thread."""
        with self.lock:
            shared, by_thread = self.libraries = self.libraries or _libraries()
            if not self.inside:
                self.before = _limited(shared)
            self.inside.append(holder)
        return _limited(by_thread)

    def leave(self, holder: int, own: Before) -> None:
        _restore(own)
        with self.lock:
            self.inside.remove(holder)
            if not self.inside:
                _restore(self.before)

    def forked(self) -> None:
        """In a child process only the thread that forked goes on: the others never leave."""
        self.lock = threading.Lock()
        was = bool(self.inside)
        self.inside = [holder for holder in self.inside if holder == threading.get_ident()]
        if was and not self.inside:
            _restore(self.before)


def _libraries() -> tuple[list[Any], list[Any]]:
    """Those of BLAS that are loaded: with one number of threads for the process, and with one for each thread."""
    found = [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]
    by_thread = [library for library in found if getattr(library, "threading_layer", None) == "openmp"]
    return [library for library in found if library not in by_thread], by_thread


def _limited(libraries: list[Any]) -> Before:
    before = [(library, library.get_num_threads()) for library in libraries]
    _restore([(library, 1) for library, count in before if count not in (None, 1)])
    return [(library, count) for library, count in before if count not in (None, 1)]


def _restore(before: Before) -> None:
    for library, count in before:
        # threadpoolctl 3.8 obeys only the thread that was first to set a number, which may not be the last one
        # out; who may set it is decided here.
        getattr(library, "_real_set_num_threads", library.set_num_threads)(count)


_LIMIT = _Limit()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_LIMIT.forked)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Products and eigenvectors of the body do not depend on the number of threads; bodies may nest and overlap.

    In the calling thread, and mostly in all others meanwhile.
    """
    holder = threading.get_ident()
    own = _LIMIT.enter(holder)
    try:
        yield
    finally:
        _LIMIT.leave(holder, own)
