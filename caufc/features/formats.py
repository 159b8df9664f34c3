"""The table of feature file formats, and reading by suffix."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..bitstream import SIGNATURE
from ..descriptors import FeatureFormat, normal_suffix
from ..errors import (
    CaufError,
    ForeignFormatError,
    InputError,
    MissingPackageError,
    PluginError,
    StorageError,
    UnknownNameError,
)
from ..hookspecs import hookimpl
from ..limits import DEFAULT_LIMITS, Limits
from ..packages import is_installed
from ..plugin_border import translated
from ..types import NOTE, Framework, Structure
from . import hdf5, npy, npz, parquet, pt, safetensors
from .archive import unzipping
from .leaf import open_input, storing

__all__ = [
    "BUILT_IN",
    "caufc_feature_formats",
    "check_holds",
    "check_installed",
    "default_suffix",
    "find_format",
    "holds",
    "known_suffixes",
    "plugin_formats",
    "read",
    "sniff",
]

ENCODED = ".cauf"
"""The suffix of what features are encoded to."""

BY_CONTENT = (".", ".bin", ".ckpt", ".pth", ".pkl", ".pickle")
"""Suffixes that do not tell a format (a name without one has the first): the file's first bytes do."""

BUILT_IN = (npy.FORMAT, npz.FORMAT, pt.FORMAT, safetensors.FORMAT, hdf5.FORMAT, parquet.FORMAT)
"""The formats that come with caufc."""


@hookimpl
def caufc_feature_formats() -> Iterable[FeatureFormat]:
    """The formats that come with caufc."""
    return BUILT_IN


_BUILT_IN = {suffix: item for item in BUILT_IN for suffix in item.suffixes}
"""The built-in formats by suffix: looking one up discovers no plugin."""


def known_suffixes(extra: Iterable[FeatureFormat] = ()) -> tuple[str, ...]:
    """Suffixes that can be read and written, with their dots: the built-in ones, then those of plugins."""
    return (*_BUILT_IN, *plugin_formats(extra))


def plugin_formats(extra: Iterable[FeatureFormat]) -> dict[str, FeatureFormat]:
    """Plugins' formats by suffix; the built-in ones, which come through the same hook, are left out.

    Raises:
        PluginError: if two formats have one suffix.
    """
    found: dict[str, FeatureFormat] = {}
    for item in extra:
        if any(item is own for own in BUILT_IN):
            continue
        for suffix in item.suffixes:
            if suffix in _BUILT_IN or suffix in found:
                raise PluginError(f"the suffix '{suffix}' is taken", plugin=item.origin)
            found[suffix] = item
    return found


def find_format(suffix: str, extra: Iterable[FeatureFormat] = ()) -> FeatureFormat:
    """The format of a suffix.

    Args:
        suffix: with or without its dot, in any case.
        extra: formats of plugins.

    Raises:
        UnknownNameError: if there is none.
        PluginError: if two formats have one suffix.
    """
    extra = tuple(extra)
    wanted = normal_suffix(suffix)
    found = (_BUILT_IN | plugin_formats(extra)).get(wanted)
    if found is None:
        raise UnknownNameError("format", wanted.removesuffix("."), known_suffixes(extra))
    return found


def check_holds(item: FeatureFormat, structure: Structure, names: Sequence[str], dtypes: Sequence[str]) -> None:
    """Check that a format can hold an object as it is.

    Args:
        item: the format.
        structure: of the object.
        names: of its tensors, by tensor number.
        dtypes: of its tensors, by tensor number.

    Raises:
        InputError: if it cannot; names the tensor, and the built-in formats that can.
    """
    problem = None if item.problem is None else item.problem(structure, names, dtypes)
    if problem is None:
        return
    message, tensor = problem
    # Those that need no other package stand first.
    able = [
        other for other in sorted(BUILT_IN, key=lambda own: len(own.requires)) if holds(other, structure, names, dtypes)
    ]
    remedy = f"write {' or '.join(other.suffix for other in able)}"
    raise InputError(f"{normal_suffix(item.suffix)} cannot hold {message}", tensor=tensor, remedy=remedy)


def holds(item: FeatureFormat, structure: Structure, names: Sequence[str], dtypes: Sequence[str]) -> bool:
    """Whether a format says that it can hold an object as it is."""
    return item.problem is not None and item.problem(structure, names, dtypes) is None


def check_installed(item: FeatureFormat) -> None:
    """Check that the packages are there that reading and writing a format need.

    Raises:
        MissingPackageError: if one is not.
    """
    for package in item.requires:
        if not is_installed(package):
            raise MissingPackageError(package, f"a {normal_suffix(item.suffix)} file")


def default_suffix(
    structure: Structure,
    names: Sequence[str],
    dtypes: Sequence[str],
    frameworks: Sequence[Framework],
    *,
    texts: bool = False,
) -> str:
    """The format to write an object in where nobody names one: that of its tensors, as far as they can be written.

    ``.pt`` for torch tensors; for numpy arrays ``.npy`` or ``.npz``, or ``.pt`` for what neither can hold. Where torch
    is not installed ``.safetensors`` takes its place.

    Args:
        structure: of the object.
        names, dtypes, frameworks: of its tensors, by tensor number.
        texts: whether the notes among these are arrays of text, which ``.npz`` holds.

    Raises:
        MissingPackageError: if nothing can hold the object but ``.pt``, and torch is not installed.
    """
    arrays = bool(frameworks) and "torch" not in frameworks
    if is_installed("torch"):
        choices = (npy.FORMAT, npz.FORMAT, pt.FORMAT) if arrays else (pt.FORMAT,)
    elif arrays:
        choices = (npy.FORMAT, npz.FORMAT, safetensors.FORMAT)
    else:
        choices = (safetensors.FORMAT, npz.FORMAT, npy.FORMAT)
    for item in choices:
        if NOTE in dtypes and not texts and item is npz.FORMAT:
            continue
        if holds(item, structure, names, dtypes):
            return item.suffix
    message, tensor = safetensors.problem(structure, names, dtypes) or ("such features", None)
    raise MissingPackageError("torch", f"{message}, which only .pt can hold,").locate(tensor=tensor)


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
        suffix: the format, where the file's own suffix does not tell. ``.pth``, ``.ckpt``, ``.bin``, ``.pkl`` and
            names without a suffix tell none: what such a file holds is seen by its first bytes.
        extra: formats of plugins.
        limits: what the file may ask for.

    Raises:
        StorageError: if the file is missing or cannot be read.
        UnknownNameError: for an unknown suffix.
        ForeignFormatError: if the file is malformed, or needs code to be read.
        TensorError: for tensors that caufc does not code.
        LimitError: if the file asks for too much.
        PluginError: if a plugin's reader fails.
        MissingPackageError: if the format needs a package that is not installed.
    """
    path, extra = Path(path), tuple(extra)
    if "\0" in str(path):
        raise StorageError("a path cannot hold a NUL", file=str(path))
    with storing(str(path)):
        status = path.stat()
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        raise StorageError("is a directory", file=str(path))
    if not stat.S_ISREG(mode):
        raise StorageError("is not a regular file", file=str(path), remedy="pipe it to '-' instead")
    wanted = normal_suffix(path.suffix if suffix is None else suffix)
    if wanted in BY_CONTENT and not any(wanted in item.suffixes for item in extra):
        wanted = _shown_by_content(path)
    try:
        item = find_format(wanted, extra)
        if wanted in _BUILT_IN and not status.st_size:
            raise ForeignFormatError("is empty", remedy="write it again")
        check_installed(item)
        if wanted not in _BUILT_IN:
            return _read_with(item, path, limits)
        return item.read(path) if item.read_within is None else item.read_within(path, limits)
    except CaufError as err:
        if isinstance(err, UnknownNameError) and wanted == ENCODED:
            err.remedy = "it is encoded already: caufc decode gives its features"
        raise err.locate(file=str(path)) from err.__cause__


def _read_with(item: FeatureFormat, path: Path, limits: Limits) -> Any:
    with translated(item.origin, f"reading {item.suffix.lower()}"):
        return item.read(path) if item.read_within is None else item.read_within(path, limits)


def sniff(path: Path) -> str | None:
    """The built-in suffix whose format a file's first bytes (for zip archives, its members) show; None if none does.

    Raises:
        StorageError: if the file cannot be read.
    """
    with open_input(path) as stream, storing(str(path)):
        head = stream.read(16)
        found = _recognised(head, None)
        if found is not None or not head.startswith(b"PK"):
            return found
        try:
            with unzipping(str(path)), zipfile.ZipFile(stream) as archive:
                names = archive.namelist()
        except CaufError:
            return None
    return _recognised(head, names)


def _shown_by_content(path: Path) -> str:
    found = sniff(path)
    if found is None:
        with open_input(path) as stream, storing(str(path)):
            encoded = stream.read(len(SIGNATURE)) == SIGNATURE
        if encoded:
            return ENCODED
        known = ", ".join(item.suffix for item in BUILT_IN)
        raise ForeignFormatError(
            "its first bytes are those of no feature file", file=str(path), remedy=f"caufc reads {known}"
        )
    return found


def _recognised(head: bytes, names: Sequence[str] | None) -> str | None:
    return next((item.suffix for item in BUILT_IN if item.recognise is not None and item.recognise(head, names)), None)
