"""Where profiles come from: those that ship with caufc, plugins, and files."""

from __future__ import annotations

import functools
import json
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from .errors import ForeignFormatError, FormatError, MissingProfileError, StorageError, UnknownNameError
from .limits import DEFAULT_LIMITS, Limits
from .pipeline.profile import ProfileFile, ProfileLookup, profile_id, read_profile
from .plugin_manager import default_manager

__all__ = ["find_profile", "profile_lookup", "profile_names", "shipped_names"]

SUFFIX = ".caufp"


@functools.cache
def _shipped() -> dict[str, str]:
    """Content hashes of the shipped profiles in hex, by name; a name may move on, the files stay."""
    names: dict[str, str] = json.loads((_folder() / "index.json").read_text("utf-8"))
    return names


def _folder() -> Traversable:
    return resources.files("caufc") / "data" / "profiles"


def _shipped_bytes(digest: str) -> bytes | None:
    """The shipped profile of a content hash; None if there is none."""
    path = _folder() / f"{digest}{SUFFIX}"
    return path.read_bytes() if path.is_file() else None


def shipped_names() -> list[str]:
    """Names of the profiles that ship with caufc."""
    return sorted(_shipped())


def profile_names() -> list[str]:
    """Names of all profiles at hand."""
    return sorted({*_shipped(), *(profile.name for _, profile in default_manager().profiles())})


def find_profile(name: str | Path, limits: Limits = DEFAULT_LIMITS) -> ProfileFile:
    """The profile of a name, or of a ``.caufp`` file.

    Raises:
        CaufError: if there is none of this name, or the file is damaged.
    """
    text = str(name)
    shipped = _shipped_bytes(_shipped()[text]) if text in _shipped() else None
    if shipped is not None:
        return read_profile(shipped, limits, shipped=True)
    if text.endswith(SUFFIX):
        return _from_file(Path(text), limits)
    if text not in profile_names():
        if Path(text).is_file():
            return _from_any_file(Path(text), limits)
        raise UnknownNameError("profile", text, profile_names())
    return read_profile(default_manager().find_profile(text).read(), limits)


def _from_file(path: Path, limits: Limits) -> ProfileFile:
    try:
        data = path.read_bytes()
    except OSError as err:
        raise StorageError(err.strerror or str(err), file=str(path)) from err
    return read_profile(data, limits, shipped=_shipped_bytes(profile_id(data).hex()) == data)


def _from_any_file(path: Path, limits: Limits) -> ProfileFile:
    try:
        return _from_file(path, limits)
    except FormatError as err:
        raise ForeignFormatError(
            f"not a profile ({SUFFIX})", file=str(path), remedy=f"give a {SUFFIX} file, or the name of a profile"
        ) from err


def profile_lookup(given: ProfileFile | None = None, limits: Limits = DEFAULT_LIMITS) -> ProfileLookup:
    """Finds profiles by content hash: among those that ship, and the one that is given. No plugin is asked."""

    def lookup(digest: bytes) -> ProfileFile:
        if given is not None and given.id == digest:
            return given
        data = _shipped_bytes(digest.hex())
        if data is None:
            raise MissingProfileError(digest.hex())
        return read_profile(data, limits, shipped=True)

    return lookup
