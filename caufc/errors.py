"""The error tree of caufc; every error that leaves the library is a :class:`CaufError`.

    CaufError
    ├── StorageError (OSError)              exit 1: missing, unreadable, full
    │   └── OutputExistsError
    ├── InputError (ValueError)             exit 2: what was asked for cannot be done with this input
    │   ├── OptionError                     contradictory or out-of-range options
    │   ├── UnknownNameError (LookupError)  unknown arch, tap, profile, codec, format
    │   ├── LayoutError                     a layout that is wrong or does not fit the shape
    │   ├── TensorError (TypeError)         object, sparse, quantised, complex tensors
    │   ├── NonFiniteError                  NaN or Inf where they were not asked for
    │   └── PluginError                     a plugin that is broken, collides, or lacks a package
    ├── FormatError (ValueError)            exit 3: malformed or damaged files
    │   ├── MalformedError                  breaks a numbered requirement of the specification
    │   ├── DamagedError                    a checksum differs, or the file is cut
    │   └── ForeignFormatError              not a feature file, or one that needs code to be read
    └── UnsupportedError                    exit 4: valid, but not for this version, these limits, or what is installed
        ├── VersionError
        ├── MissingPackageError (LookupError)
        ├── MissingProfileError (LookupError)
        ├── MissingWeightsError (LookupError)
        └── LimitError

Errors carry fields, so that callers need not parse text: ``file`` (path as given), ``tensor`` (name) and ``remedy``.
Remedies name options as Python has them; what the command line says is :meth:`CaufError.for_command`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from .terms import in_python

__all__ = [
    "CaufError",
    "DamagedError",
    "ForeignFormatError",
    "FormatError",
    "InputError",
    "LayoutError",
    "LimitError",
    "MalformedError",
    "MissingPackageError",
    "MissingProfileError",
    "MissingWeightsError",
    "NonFiniteError",
    "OptionError",
    "OutputExistsError",
    "PluginError",
    "StorageError",
    "TensorError",
    "UnknownNameError",
    "UnsupportedError",
    "VersionError",
]

MOST_LISTED = 20
"""Names that a message lists."""


class CaufError(Exception):
    """Root of the tree.

    Args:
        message: what is wrong, one line.
        file: the path (or ``-``) that the error is about, as the user gave it.
        tensor: the name of the tensor that the error is about.
        remedy: what the user can do, with options as the command line has them.
    """

    exit_code = 2

    def __init__(
        self, message: str, *, file: str | None = None, tensor: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.tensor = tensor
        self.command_remedy = remedy

    @property
    def remedy(self) -> str | None:
        """What the user can do, in Python."""
        return None if self.command_remedy is None else in_python(self.command_remedy)

    @remedy.setter
    def remedy(self, remedy: str | None) -> None:
        self.command_remedy = remedy

    def __str__(self) -> str:
        return self._line(self.remedy)

    def for_command(self) -> str:
        """The line that the command line says."""
        return self._line(self.command_remedy)

    def _line(self, remedy: str | None) -> str:
        where = "" if self.file is None else f"{self.file}: "
        which = "" if not self.tensor else f"tensor '{self.tensor}': "
        cure = "" if remedy is None else f"; {remedy}"
        return " ".join(f"{where}{which}{self.message}{cure}".split())

    def __reduce__(self) -> tuple[Any, ...]:
        """As processes hand it to each other: the constructors of subclasses take other arguments."""
        return _restored, (type(self), self.args, self.__dict__)

    def locate(self, *, file: str | None = None, tensor: str | None = None) -> CaufError:
        """Add the caller's context where the error has none yet; returns the error itself, for ``raise``."""
        self.file = self.file if self.file is not None else file
        self.tensor = self.tensor if self.tensor is not None else tensor
        return self


def _restored(kind: type[CaufError], arguments: tuple[Any, ...], fields: dict[str, Any]) -> CaufError:
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(fields)
    return error


class StorageError(CaufError, OSError):
    exit_code = 1


class OutputExistsError(StorageError, FileExistsError):
    pass


class InputError(CaufError, ValueError):
    exit_code = 2


class OptionError(InputError):
    pass


class UnknownNameError(InputError, LookupError):
    """An unknown name; lists what exists and suggests the nearest.

    Args:
        kind: what was looked up, a noun (``tap``, ``arch``, ``profile``, ``codec``).
        name: the name that was not found.
        known: the names that exist.
    """

    def __init__(
        self, kind: str, name: str, known: Iterable[str], *, file: str | None = None, tensor: str | None = None
    ) -> None:
        name = str(name)  # callers may have been given anything
        self.kind, self.name, self.known = kind, name, tuple(known)
        near = difflib.get_close_matches(name, self.known, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        more = f", and {len(self.known) - MOST_LISTED:,} more" if len(self.known) > MOST_LISTED else ""
        listed = f"{', '.join(self.known[:MOST_LISTED])}{more}"
        remedy = f"{hint}known: {listed}" if self.known else "none is installed"
        super().__init__(f"unknown {kind} '{name}'", file=file, tensor=tensor, remedy=remedy)


class LayoutError(InputError):
    pass


class TensorError(InputError, TypeError):
    pass


class NonFiniteError(InputError):
    pass


class PluginError(InputError):
    """A plugin fault; ``plugin`` names the culprit."""

    def __init__(self, message: str, *, plugin: str, remedy: str | None = None) -> None:
        super().__init__(f"plugin '{plugin}': {message}", remedy=remedy)
        self.plugin = plugin


class FormatError(CaufError, ValueError):
    exit_code = 3


class MalformedError(FormatError):
    """The bytes break the specification.

    Args:
        requirement: number of the broken requirement, as in ``CAUF-0123``.
        offset: byte offset of the structure in the file, where known.
        remedy: if there is a better one than to suspect the file.
    """

    def __init__(
        self,
        message: str,
        *,
        requirement: int,
        offset: int | None = None,
        file: str | None = None,
        tensor: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.requirement, self.offset = requirement, offset
        at = "" if offset is None else f" at byte {offset}"
        super().__init__(
            f"malformed{at}: {message} [CAUF-{requirement:04d}]",
            file=file,
            tensor=tensor,
            remedy=remedy or "the file was not written by a conforming encoder, or was changed",
        )


class DamagedError(FormatError):
    """A checksum differs or bytes are missing; ``offset`` is where, in bytes."""

    def __init__(self, message: str, *, offset: int | None = None, file: str | None = None) -> None:
        self.offset = offset
        at = "" if offset is None else f" at byte {offset}"
        super().__init__(f"damaged{at}: {message}", file=file, remedy="fetch the file again")


class ForeignFormatError(FormatError):
    pass


class UnsupportedError(CaufError):
    exit_code = 4

    @classmethod
    def unknown(cls, what: str, *, tensor: str | None = None) -> UnsupportedError:
        """That of a number to which a later version may give a meaning [CAUF-0006]."""
        return cls(f"{what} is unknown", remedy="upgrade caufc", tensor=tensor)


class VersionError(UnsupportedError):
    """The file needs another decoder, mostly a newer one; ``found`` and ``known`` are major versions."""

    def __init__(self, found: int, known: int, *, file: str | None = None) -> None:
        self.found, self.known = found, known
        if found < known:
            message = f"format version {found} is not known; this caufc reads {known}"
            super().__init__(message, file=file, remedy="fetch the file again, or encode it anew")
            return
        super().__init__(
            f"format version {found} is newer than {known}, the newest that this caufc reads",
            file=file,
            remedy="upgrade caufc",
        )


class MissingPackageError(UnsupportedError, LookupError):
    """A package is missing, or cannot be imported.

    Args:
        package: as pip knows it.
        what: needs it; a noun.
        reason: why it cannot be imported, if it is there.
    """

    def __init__(self, package: str, what: str, reason: str | None = None) -> None:
        self.package = package
        fault = "is not installed" if reason is None else f"cannot be imported ({reason})"
        super().__init__(f"{what} needs {package}, which {fault}", remedy=f"pip install {package}")


class MissingProfileError(UnsupportedError, LookupError):
    """The file needs a profile that neither ships with caufc nor was given.

    Args:
        digest: its content hash in hex.
        given: that of the one that was given, which is another.
    """

    def __init__(self, digest: str, *, given: str | None = None, file: str | None = None) -> None:
        self.digest, self.given = digest, given
        lacking = "which is not here" if given is None else f"and the one that was given is another, {given}"
        remedy = "give it with --profile FILE"
        super().__init__(f"needs profile {digest}, {lacking}", file=file, remedy=remedy)


class MissingWeightsError(UnsupportedError, LookupError):
    """The file needs weights that neither ship with caufc nor were given.

    Args:
        digest: their content hash in hex.
        given: that of those that were given, which are others.
    """

    def __init__(self, digest: str, *, given: str | None = None, file: str | None = None) -> None:
        self.digest, self.given = digest, given
        lacking = "which are not here" if given is None else f"and those that were given are others, {given}"
        remedy = "give them with --weights FILE"
        super().__init__(f"needs weights {digest}, {lacking}", file=file, remedy=remedy)


class LimitError(UnsupportedError):
    """A limit was exceeded; ``limit`` names it, as in :class:`caufc.limits.Limits`."""

    def __init__(self, limit: str, value: int, maximum: int, *, file: str | None = None) -> None:
        self.limit, self.value, self.maximum = limit, value, maximum
        super().__init__(
            f"{limit.replace('_', ' ')}: {value:,} is over the limit of {maximum:,}",
            file=file,
            remedy=f"raise it with --limit {limit}=N if you trust the file",
        )
