"""Where profiles come from: those that ship with caufc, plugins, and files."""

from __future__ import annotations

import functools
import json
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from .coders.side_files import (
    ProfileFile,
    WeightsFile,
    content_id,
    read_profile,
)
from .decoder.lookup import Lookup
from .errors import (
    ForeignFormatError,
    FormatError,
    MissingProfileError,
    StorageError,
    UnknownNameError,
)
from .limits import (
    DEFAULT_LIMITS,
    Limits,
)
from .plugin_manager import default_manager
from .weights import weights_by_id

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
        if _is_file(Path(text)):
            return _from_any_file(Path(text), limits)
        raise UnknownNameError("profile", text, profile_names())
    return read_profile(default_manager().find_profile(text).read(), limits)


def _is_file(path: Path) -> bool:
    """Whether there is such a file; names that no file can have are none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _from_file(path: Path, limits: Limits) -> ProfileFile:
    try:
        data = path.read_bytes()
    except OSError as err:
        raise StorageError(err.strerror or str(err), file=str(path)) from err
    return read_profile(data, limits, shipped=_shipped_bytes(content_id(data).hex()) == data)


def _from_any_file(path: Path, limits: Limits) -> ProfileFile:
    try:
        return _from_file(path, limits)
    except FormatError as err:
        raise ForeignFormatError(
            f"not a profile ({SUFFIX})", file=str(path), remedy=f"give a {SUFFIX} file, or the name of a profile"
        ) from err


class _Lookup:
    """Profiles and weights that ship with caufc, and those that are given."""

    def __init__(self, profile: ProfileFile | None, weights: WeightsFile | None, limits: Limits) -> None:
        self.given, self.given_weights, self.limits = profile, weights, limits

    def __call__(self, digest: bytes) -> ProfileFile:
        if self.given is not None and self.given.id == digest:
            return self.given
        data = _shipped_bytes(digest.hex())
        if data is None:
            raise MissingProfileError(digest.hex())
        return read_profile(data, self.limits, shipped=True)

    def weights(self, digest: bytes) -> WeightsFile:
        return weights_by_id(digest, self.given_weights)


def profile_lookup(
    given: ProfileFile | None = None, limits: Limits = DEFAULT_LIMITS, weights: WeightsFile | None = None
) -> Lookup:
    """Finds profiles and weights by content hash: those that ship, and those that are given. No plugin is asked."""
    return _Lookup(given, weights, limits)
