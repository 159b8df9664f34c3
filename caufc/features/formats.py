"""The registry of feature file formats, and reading by suffix."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..descriptors import FeatureFormat
from ..errors import (
    CaufError,
    PluginError,
    StorageError,
    UnknownNameError,
)
from ..limits import (
    DEFAULT_LIMITS,
    Limits,
)
from . import (
    npy,
    npz,
    pt,
    safetensors,
)
from .leaf import (
    open_input,
    storing,
)

__all__ = ["known_suffixes", "normal_suffix", "plugin_formats", "plugin_name", "read", "sniff"]

ENCODED = ".cauf"
"""The suffix of what features are encoded to."""

_READERS: dict[str, Callable[[Path, Limits], Any]] = {
    ".npy": npy.read,
    ".npz": npz.read,
    ".pt": pt.read,
    ".pth": pt.read,
    ".safetensors": safetensors.read,
}


def known_suffixes(extra: Iterable[FeatureFormat] = ()) -> tuple[str, ...]:
    """Suffixes that can be read and written, with their dots: the built-in ones, then those of plugins."""
    return (*_READERS, *plugin_formats(extra))


def plugin_formats(extra: Iterable[FeatureFormat]) -> dict[str, FeatureFormat]:
    """Plugins' formats by suffix.

    Raises:
        PluginError: if two formats have one suffix.
    """
    found: dict[str, FeatureFormat] = {}
    for item in extra:
        suffix = normal_suffix(item.suffix)
        if suffix in _READERS or suffix in found:
            raise PluginError(f"the suffix '{suffix}' is taken", plugin=plugin_name(item))
        found[suffix] = item
    return found


def plugin_name(item: FeatureFormat) -> str:
    """The module that a format comes from, to name it in errors."""
    return str(getattr(item.read, "__module__", None) or item.suffix)


def normal_suffix(suffix: str) -> str:
    """A suffix in lower case, with its dot."""
    return "." + suffix.lower().removeprefix(".")


def read(
    path: Path | str,
    suffix: str | None = None,
    extra: Iterable[FeatureFormat] = (),
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> Any:
    """Features from a file: nested dicts, lists and tuples whose leaves :func:`~caufc.features.to_source` takes.

    Leaves read from the file when they are asked for: it must stay as it is until then.

    Args:
        path: the file.
        suffix: the format, where the file's own suffix does not tell.
        extra: formats of plugins.
        limits: what the file may ask for.

    Raises:
        StorageError: if the file is missing or cannot be read.
        UnknownNameError: for an unknown suffix.
        ForeignFormatError: if the file is malformed, or needs code to be read.
        TensorError: for tensors that caufc does not code.
        LimitError: if the file asks for too much.
        PluginError: if a plugin's reader fails.
    """
    path, extra = Path(path), tuple(extra)
    if "\0" in str(path):
        raise StorageError("a path cannot hold a NUL", file=str(path))
    with storing(str(path)):
        mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise StorageError("is a directory", file=str(path))
    if not stat.S_ISREG(mode):
        raise StorageError("is not a regular file", file=str(path), remedy="pipe it to '-' instead")
    wanted = normal_suffix(path.suffix if suffix is None else suffix)
    formats = plugin_formats(extra)
    try:
        if wanted in _READERS:
            return _READERS[wanted](path, limits)
        if wanted not in formats:
            if wanted == ENCODED:
                raise _encoded(known_suffixes(extra))
            raise UnknownNameError("format", wanted.removesuffix(".") or "", known_suffixes(extra))
        return _read_with(formats[wanted], path)
    except CaufError as err:
        raise err.locate(file=str(path)) from err.__cause__


def _encoded(known: Iterable[str]) -> UnknownNameError:
    error = UnknownNameError("format", ENCODED, known)
    error.remedy = "it is encoded already: caufc decode gives its features"
    return error


def _read_with(item: FeatureFormat, path: Path) -> Any:
    try:
        with storing(str(path)):
            return item.read(path)
    except CaufError:
        raise
    except Exception as err:  # a plugin may raise anything; the error names it
        raise PluginError(f"cannot read {path}: {err}", plugin=plugin_name(item)) from err


def sniff(path: Path) -> str | None:
    """The built-in suffix whose format a file's first bytes (for zip archives, its members) show; None if none does.

    Raises:
        StorageError: if the file cannot be read.
    """
    with open_input(path) as stream, storing(str(path)):
        head = stream.read(16)
        if head.startswith(npy.MAGIC):
            return ".npy"
        if head.startswith(pt.LEGACY_MAGIC):
            return ".pt"
        if head[8:9] == b"{":
            return ".safetensors"
        if not head.startswith(b"PK"):
            return None
        try:
            with npz.unzipping(str(path)), zipfile.ZipFile(stream) as archive:
                names = archive.namelist()
        except CaufError:
            return None
    if any(name.rpartition("/")[2] == "data.pkl" for name in names):
        return ".pt"
    return ".npz" if all(name.endswith(".npy") for name in names) else None
