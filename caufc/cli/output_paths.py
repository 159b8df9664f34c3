"""Where the outputs of many inputs go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from ..errors import InputError, OptionError, StorageError
from ..features import read_entries
from ..output_names import with_suffix
from .failure import say

__all__ = ["LIST_SUFFIX", "Entry", "expand", "is_folder", "make_folder", "targets"]

LIST_SUFFIX = ".txt"


@dataclass(frozen=True)
class Entry:
    """An input.

    Args:
        path: where it is.
        written: as it was written on the command line or in the list; it decides the output's name.
    """

    path: str
    written: str


def expand(sources: Sequence[str], *, quiet: bool = False) -> list[Entry]:
    """Inputs, lists replaced by what they name; a list that names nothing is worth a warning, unless ``quiet``.

    Raises:
        StorageError: if a list cannot be read.
        InputError: for a list with lines that are no paths.
    """
    found: list[Entry] = []
    for source in sources:
        if source.lower().endswith(LIST_SUFFIX):
            named = read_entries(Path(source))
            if not named and not quiet:
                say(f"warning: {source}: names no file; one path a line")
            found += [Entry(path, written) for path, written in named.items()]
        else:
            found.append(Entry(source, source))
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


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it.

    Raises:
        StorageError: if that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise StorageError(f"cannot make the folder: {(err.strerror or str(err)).lower()}", file=str(folder)) from err
