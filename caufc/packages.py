"""Packages that caufc can do without: imported where they are used, and a clear error where one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from .errors import MissingPackageError

__all__ = ["MissingPackageWarning", "is_installed", "needing"]


class MissingPackageWarning(UserWarning):
    """Something comes in another form than it should, since a package is missing."""


def is_installed(package: str) -> bool:
    """Whether a package can be found; it is not imported."""
    try:
        return find_spec(package) is not None
    except ValueError:  # a module that somebody put together by hand
        return True


@contextmanager
def needing(package: str, what: str) -> Iterator[None]:
    """Turn the error of an import in the body into a :class:`~caufc.errors.MissingPackageError`.

    Args:
        package: as pip knows it.
        what: needs it; a noun, for the message.
    """
    try:
        yield
    except (ImportError, OSError) as err:
        raise MissingPackageError(package, what, None if not is_installed(package) else str(err)) from err
