"""Output files that appear whole or not at all."""

from __future__ import annotations

import atexit
import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import CaufError, OptionError, OutputExistsError, StorageError
from .leaf import storing

__all__ = ["PARTIAL", "AtomicFile", "PartialFile", "atomic_output", "check_place", "path_to_write", "remove_stale"]

PARTIAL = ".partial"
"""What stands behind the name of a file that is not finished."""


_NO_LINKS = {errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}


# Names of files that a process holds open: the name must not be replaced, whatever stands behind it.
_OPEN_FILES = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/self/fd/")

_TEMPORARY = re.compile(r"(\..*\.)([1-9][0-9]{0,9})(?:-[0-9]+)?\.cauf-tmp", re.DOTALL)


class AtomicFile:
    """A temporary file beside its target, which takes the target's place when :meth:`commit` is called.

    Devices, FIFOs and names such as ``/dev/stdout`` are opened directly: they cannot be replaced.

    Args:
        path: the target; a symbolic link is followed.
        force: whether an existing file may be replaced.

    Raises:
        OutputExistsError: if the target exists and ``force`` is False.
        StorageError: if its folder is missing, it is a folder, or no file can be made there.
    """

    def __init__(self, path: Path, force: bool = False) -> None:
        self.path, self.force = path, force
        if "\0" in str(path):
            raise StorageError("a path cannot hold a NUL", file=str(path))
        self._target = Path(os.path.realpath(path))
        self._temporary: Path | None = None
        with storing(str(path)):
            if _is_special(path):
                self.file: BinaryIO = path.open("wb")
                return
            _check_folder(path, self._target)
            if self._target.exists() and not force:
                raise self._exists()
            self._temporary, self.file = self._opened(self._target)

    def _opened(self, target: Path) -> tuple[Path, BinaryIO]:
        """A file beside the target, and its name."""
        return _open_beside(target)

    def commit(self) -> None:
        """Close the file and put it in its place.

        Raises:
            OutputExistsError: if another file has appeared there meanwhile and ``force`` is False.
            StorageError: if the last bytes cannot be written.
        """
        try:
            with storing(str(self.path)):
                self.file.flush()
                if self._temporary is None:
                    self.file.close()
                    return
                os.fsync(self.file.fileno())
                self.file.close()
                if self.force:
                    self._temporary.replace(self._target)
                else:
                    self._place(self._temporary)
        except BaseException:
            self.discard()
            raise
        _unfinished.discard(self._temporary)
        self._temporary = None

    def discard(self) -> None:
        """Close and remove the temporary file; safe to call twice, or after :meth:`commit`."""
        with suppress(OSError):
            self.file.close()
        if self._temporary is not None:
            with suppress(OSError):
                self._temporary.unlink()
            _unfinished.discard(self._temporary)

    def _place(self, temporary: Path) -> None:
        # A link, unlike a rename, fails if the name is taken: of two writers one wins and the other is told.
        try:
            os.link(temporary, self._target)
        except FileExistsError as err:
            raise self._exists() from err
        except OSError as err:
            if err.errno not in _NO_LINKS:
                raise
            if self._target.exists():
                raise self._exists() from err
            temporary.replace(self._target)
        else:
            temporary.unlink()

    def _exists(self) -> OutputExistsError:
        return OutputExistsError("exists already", file=str(self.path), remedy="use --force")


class PartialFile(AtomicFile):
    """A file that stands beside its target as ``OUT.partial`` until it is committed, and stays there if it is not.

    The arguments and errors are those of :class:`AtomicFile`.

    Raises:
        OutputExistsError: if there is an ``OUT.partial`` too, and ``force`` is False.
    """

    def _opened(self, target: Path) -> tuple[Path, BinaryIO]:
        name = target.with_name(target.name + PARTIAL)
        try:
            return name, name.open("w+b" if self.force else "x+b")
        except FileExistsError as err:
            raise OutputExistsError(
                "exists already: it was not finished, or is being written",
                file=str(name),
                remedy="read it with recover=True and remove it, or give force=True",
            ) from err

    def sync(self) -> None:
        """Wait until the disk has all that was written.

        Raises:
            StorageError: if it cannot be written.
        """
        with storing(str(self.path)):
            self.file.flush()
            if self._temporary is not None:
                os.fsync(self.file.fileno())

    def discard(self) -> None:
        """Close the file, which stays what it is."""
        with suppress(OSError):
            self.file.close()


def check_place(path: Path) -> None:
    """Check early that a file can be made at a path, or replaced, before work is done for it.

    Raises:
        StorageError: if its folder is missing or may not be written in, or it is a folder.
    """
    with storing(str(path)):
        if _is_special(path):
            return
        target = Path(os.path.realpath(path))
        _check_folder(path, target)
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise StorageError("its folder may not be written in", file=str(path), remedy="check its permissions")


def path_to_write(path: object, function: str) -> Path:
    """The path that a function was given.

    Raises:
        OptionError: for what is no path.
    """
    if not isinstance(path, str | os.PathLike):
        remedy = "file.write(caufc.encode(...))" if hasattr(path, "write") else "give a path"
        raise OptionError(f"{function} takes the path of a file, not a {type(path).__name__}", remedy=remedy)
    return Path(path)


@contextmanager
def atomic_output(path: Path, force: bool = False) -> Iterator[BinaryIO]:
    """A binary file to write and seek in, which appears at ``path`` when the body ends, and not if it raises.

    The same arguments and errors as :class:`AtomicFile`; an ``OSError`` of the body (a full disk) becomes a
    :class:`~caufc.errors.StorageError`.
    """
    output = AtomicFile(path, force)
    try:
        yield output.file
    except CaufError:
        output.discard()
        raise
    except OSError as err:
        output.discard()
        name = err.filename if isinstance(err.filename, str) else str(path)
        raise StorageError((err.strerror or type(err).__name__).lower(), file=name) from err
    except BaseException:
        output.discard()
        raise
    output.commit()


def remove_stale(*paths: Path) -> list[Path]:
    """Remove temporary files that writers of ``paths`` left when they were killed; returns those removed.

    A folder is listed once, however many of its files are named. A process of another machine that shares the folder
    counts as dead: call this only where none writes ``paths``.
    """
    stems: dict[Path, set[str]] = {}
    for path in paths:
        target = Path(os.path.realpath(path))
        stems.setdefault(target.parent, set()).add(_stem(target))
    removed: list[Path] = []
    for folder, known in stems.items():
        with suppress(OSError):
            for entry in sorted(folder.iterdir()):
                match = _TEMPORARY.fullmatch(entry.name)
                if match and match[1] in known and not _is_alive(int(match[2])):
                    with suppress(OSError):
                        entry.unlink()
                        removed.append(entry)
    return removed


def _check_folder(path: Path, target: Path) -> None:
    if target.is_dir():
        raise StorageError("is a directory", file=str(path))
    if not target.parent.is_dir():
        raise StorageError("its folder does not exist", file=str(path), remedy="make the folder first")


def _is_special(path: Path) -> bool:
    if str(path).startswith(_OPEN_FILES):
        return True
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _stem(target: Path) -> str:
    # A name may have 255 bytes; 40 are left for the rest.
    return f".{os.fsdecode(os.fsencode(target.name)[:210])}."


_unfinished: set[Path] = set()
"""Temporary files of this process: a signal may come before anyone holds the file that has just been opened."""


@atexit.register
def _remove_unfinished() -> None:
    own = re.compile(rf".*\.{os.getpid()}(-\d+)?\.cauf-tmp", re.DOTALL)
    for temporary in filter(lambda path: own.fullmatch(path.name), _unfinished):
        with suppress(OSError):
            temporary.unlink()


def _open_beside(target: Path) -> tuple[Path, BinaryIO]:
    serial = 0
    while True:
        again = f"-{serial}" if serial else ""
        temporary = target.with_name(f"{_stem(target)}{os.getpid()}{again}.cauf-tmp")
        if temporary not in _unfinished and not temporary.exists():
            _unfinished.add(temporary)
            try:
                return temporary, temporary.open("x+b")
            except FileExistsError:
                _unfinished.discard(temporary)
            except OSError:
                _unfinished.discard(temporary)
                raise
        serial += 1


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # os.kill(pid, 0) would end the process there
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
