"""Names of files that are written: what they may be called, and whether they may be replaced."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .descriptors import FeatureFormat, normal_suffix
from .errors import OptionError, OutputExistsError, StorageError, UnknownNameError
from .features import check_place, known_suffixes
from .plugin_manager import default_manager

__all__ = ["check_container", "check_free", "check_output", "plugin_formats", "with_suffix"]


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


def check_output(output: str, sources: Iterable[str], force: bool) -> None:
    """Check early that an output can be written, before its inputs are read and work is done for it.

    Raises:
        OptionError: if it is one of the inputs.
        OutputExistsError: if it exists and ``force`` is False.
        StorageError: if its folder is missing or may not be written in, or it is a folder.
    """
    if output == "-":
        return
    check_place(Path(output))
    for source in sources:
        check_free(output, source, force)


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
    """Formats of plugins, which are asked only for suffixes that caufc does not know.

    Raises:
        PluginError: if two plugins bring the suffix.
    """
    if normal_suffix(suffix) in known_suffixes():
        return []
    manager = default_manager()
    with suppress(UnknownNameError):  # the caller knows the built-in ones beside those of plugins
        manager.find_feature_format(suffix)
    return [item for _, item in manager.feature_formats()]


def with_suffix(source: str, suffix: str) -> str:
    """A path with its suffix replaced.

    Raises:
        StorageError: if it is no path of a file.
    """
    path = Path(source)
    if not path.name or source.endswith(("/", os.sep)):
        raise StorageError("is a directory", file=source or ".")
    return str(path.with_suffix(suffix))
