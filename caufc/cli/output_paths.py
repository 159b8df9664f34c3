"""Where the outputs of many inputs go."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

from ..descriptors import normal_suffix
from ..errors import InputError, OptionError, StorageError
from ..features import known_suffixes, read_entries
from ..output_names import with_suffix
from .failure import say

__all__ = [
    "CONTAINER",
    "LIST_SUFFIX",
    "Entry",
    "containers",
    "expand",
    "feature_suffixes",
    "is_folder",
    "is_many",
    "made_folder",
    "make_folder",
    "targets",
]

LIST_SUFFIX, CONTAINER = ".txt", ".cauf"


@dataclass(frozen=True)
class Entry:
    """An input.

    Args:
        path: where it is.
        written: as it was written on the command line or in the list; it decides the output's name.
    """

    path: str
    written: str


def is_many(source: str) -> bool:
    """Whether an input stands for several: a list, a folder, or a pattern."""
    return source.lower().endswith(LIST_SUFFIX) or Path(source).is_dir() or _is_pattern(source)


def _is_pattern(source: str) -> bool:
    return re.search(r"[*?]|\[.+\]", source) is not None and not Path(source).exists()


def feature_suffixes(given: str | None) -> tuple[str, ...]:
    """Suffixes of the files of a folder that are inputs: the format that was named, or all that can be read."""
    return known_suffixes() if given is None else (normal_suffix(given),)


def containers(sources: Sequence[str], *, quiet: bool = False) -> list[str]:
    """``.cauf`` files that inputs stand for."""
    return [entry.path for entry in expand(sources, (CONTAINER,), quiet=quiet)]


def expand(sources: Sequence[str], suffixes: Sequence[str], *, quiet: bool = False) -> list[Entry]:
    """Inputs: lists, folders and patterns replaced by what they stand for, the latter two in order of names.

    A folder stands for the files in it and in its folders that have one of the suffixes, but for hidden ones; their
    outputs are named by their place in it. A list that names nothing is worth a warning, unless ``quiet``.

    Raises:
        StorageError: if a list cannot be read, nothing matches, or no such file is in a folder.
        InputError: for a list with lines that are no paths.
    """
    found: list[Entry] = []
    for source in sources:
        if source.lower().endswith(LIST_SUFFIX):
            named = read_entries(Path(source))
            if not named and not quiet:
                say(f"warning: {source}: names no file; one path a line")
            found += [Entry(path, written) for path, written in named.items()]
        elif Path(source).is_dir():
            found += _inside(Path(source), suffixes)
        elif _is_pattern(source):
            matching = sorted(glob.glob(source, recursive=True))  # noqa: PTH207 - as it was written
            if not matching:
                raise StorageError("no file matches", file=source)
            found += [Entry(path, path) for path in matching]
        else:
            found.append(Entry(source, source))
    return found


def _inside(folder: Path, suffixes: Sequence[str]) -> list[Entry]:
    """The files of a folder and its folders with one of these suffixes."""
    found = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if (
            not any(part.startswith(".") for part in inside.parts)
            and path.is_file()
            and path.suffix.lower() in suffixes
        ):
            found.append(Entry(str(path), str(inside)))
    if not found:
        raise StorageError(f"is a directory without a file that ends in {', '.join(suffixes)}", file=str(folder))
    return found


def is_folder(output: str | None) -> bool:
    """Whether an ``-o`` names a folder: it ends with a slash, or is one."""
    return output is not None and output != "-" and (output.endswith("/") or Path(output).is_dir())


def targets(entries: Sequence[Entry], output: str | None, suffix: str) -> list[str]:
    """The output of each input: in the folder ``output``, or beside the input if that is None.

    A relative path keeps its folders, unless it leads upwards; an absolute one keeps its name only.

    Raises:
        OptionError: if ``output`` cannot be a folder.
        InputError: if an input is stdin, or two inputs have one output.
    """
    if output == "-" or (output is not None and Path(output).exists() and not Path(output).is_dir()):
        raise OptionError("is not a folder, and there are several inputs", file=output, remedy="give -o DIR")
    owners: dict[str, str] = {}
    for entry in entries:
        if entry.path == "-":
            raise InputError("stdin can only be the one input", file="-", remedy="leave the other inputs out")
        target = _target(entry, output, suffix)
        if target in owners:
            raise InputError(
                f"would become {target}, and so would {owners[target]}",
                file=entry.path,
                remedy="rename one, or give each a folder of its own",
            )
        owners[target] = entry.path
    return list(owners)


def _target(entry: Entry, output: str | None, suffix: str) -> str:
    if output is None:
        return with_suffix(entry.path, suffix)
    path = PurePath(entry.written)
    kept = path.name if path.is_absolute() or ".." in path.parts else entry.written
    return str(Path(output) / with_suffix(kept, suffix))


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """A folder for outputs of the body: what was made of it goes again if nothing was written there.

    Raises:
        StorageError: if it cannot be made.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    make_folder(folder)
    try:
        yield
    finally:
        with suppress(OSError):  # one that is not empty
            for path in missing:
                path.rmdir()


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it.

    Raises:
        StorageError: if that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise StorageError(f"cannot make the folder: {(err.strerror or str(err)).lower()}", file=str(folder)) from err
