"""Where profiles and weights come from: those that ship with caufc, plugins, and files."""

from __future__ import annotations

import functools
import json
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from .coders.side_files import ProfileFile, WeightsFile, content_id, read_profile, read_weights
from .decoder.lookup import Lookup
from .errors import (
    CaufError,
    ForeignFormatError,
    FormatError,
    MissingProfileError,
    MissingWeightsError,
    PluginError,
    StorageError,
    UnknownNameError,
)
from .limits import DEFAULT_LIMITS, Limits
from .plugin_manager import default_manager

__all__ = [
    "UNIVERSAL",
    "find_profile",
    "find_weights",
    "lookup_of",
    "profile_names",
    "shipped_profiles",
    "weights_by_id",
    "weights_names",
]

PROFILE_SUFFIX, WEIGHTS_SUFFIX = ".caufp", ".caufw"

UNIVERSAL = "universal"
"""The weights that are used unless others are named."""


class Shelf:
    """Files of one kind that ship with caufc; a name may move on to another file, the files stay.

    Args:
        place: folder with an ``index.json`` from names to content hashes, and the files by hash.
        suffix: of the files.
    """

    def __init__(self, place: Traversable, suffix: str) -> None:
        self._place, self._suffix = place, suffix

    @functools.cached_property
    def digests(self) -> dict[str, str]:
        """Content hashes in hex, by name."""
        found: dict[str, str] = json.loads((self._place / "index.json").read_text("utf-8"))
        return found

    def data(self, digest: str) -> bytes | None:
        """The file of a content hash; None if there is none."""
        path = self._place / f"{digest}{self._suffix}"
        return path.read_bytes() if path.is_file() else None


_DATA = resources.files("caufc") / "data"
_PROFILES, _WEIGHTS = Shelf(_DATA / "profiles", PROFILE_SUFFIX), Shelf(_DATA / "weights", WEIGHTS_SUFFIX)


def shipped_profiles() -> list[str]:
    """Names of the profiles that ship with caufc."""
    return sorted(_PROFILES.digests)


def profile_names() -> list[str]:
    """Names of all profiles at hand."""
    return sorted({*_PROFILES.digests, *(profile.name for _, profile in default_manager().profiles())})


def weights_names() -> list[str]:
    """Names of the weights that ship with caufc."""
    return sorted(_WEIGHTS.digests)


def find_profile(source: str | Path | bytes | ProfileFile, limits: Limits = DEFAULT_LIMITS) -> ProfileFile:
    """The profile of a name, of a ``.caufp`` file, or of the bytes of one; one that has been read is itself.

    Raises:
        CaufError: if there is none of this name, or the file is damaged.
    """
    if isinstance(source, ProfileFile):
        return source
    if isinstance(source, bytes | bytearray | memoryview):
        source = bytes(source)
        return read_profile(source, limits, shipped=_PROFILES.data(content_id(source).hex()) == source)
    name = str(source)
    if name in _PROFILES.digests:
        return _shipped_profile(_PROFILES.digests[name], limits)
    if name.endswith(PROFILE_SUFFIX):
        return _profile_from(Path(name), limits)
    if name not in profile_names():
        if _is_file(Path(name)):
            return _profile_from_any(Path(name), limits)
        raise UnknownNameError("profile", name, profile_names())
    return _plugin_profile(name, limits)


def _plugin_profile(name: str, limits: Limits) -> ProfileFile:
    plugin, data = default_manager().profile_data(name)
    try:
        return read_profile(data, limits)
    except FormatError as err:
        raise PluginError(f"profile '{name}' is no profile file: {err.message}", plugin=plugin) from err
    except CaufError as err:
        raise err.locate(file=name) from err.__cause__


def _shipped_profile(digest: str, limits: Limits) -> ProfileFile:
    data = _PROFILES.data(digest)
    if data is None:
        raise MissingProfileError(digest)
    return read_profile(data, limits, shipped=True)


def _profile_from(path: Path, limits: Limits) -> ProfileFile:
    data = _bytes_of(path)
    return read_profile(data, limits, shipped=_PROFILES.data(content_id(data).hex()) == data)


def _profile_from_any(path: Path, limits: Limits) -> ProfileFile:
    try:
        return _profile_from(path, limits)
    except FormatError as err:
        raise _foreign("a profile", PROFILE_SUFFIX, path) from err


def find_weights(source: str | Path | WeightsFile, limits: Limits = DEFAULT_LIMITS) -> WeightsFile:
    """The weights of a name, or of a ``.caufw`` file; those that have been read are themselves.

    Raises:
        CaufError: if there are none of this name, or the file is damaged.
    """
    if isinstance(source, WeightsFile):
        return source
    name = str(source)
    if name in _WEIGHTS.digests:
        return weights_by_id(bytes.fromhex(_WEIGHTS.digests[name]))
    path = Path(name)
    if not name.endswith(WEIGHTS_SUFFIX) and not _is_file(path):
        raise UnknownNameError("weights", name, weights_names())
    data = _bytes_of(path)
    try:
        return _shipped_weights(content_id(data).hex()) or read_weights(data, limits)
    except FormatError as err:
        if name.endswith(WEIGHTS_SUFFIX):
            raise err.locate(file=name) from err.__cause__
        raise _foreign("weights", WEIGHTS_SUFFIX, path) from err


@functools.lru_cache(4)
def _shipped_weights(digest: str) -> WeightsFile | None:
    """Shipped weights by content hash; None if there are none."""
    data = _WEIGHTS.data(digest)
    return None if data is None else read_weights(data, DEFAULT_LIMITS, shipped=True)


def weights_by_id(digest: bytes, given: WeightsFile | None = None) -> WeightsFile:
    """The weights of a content hash: those that are given, or ship with caufc.

    Raises:
        MissingWeightsError: if they are neither.
    """
    if given is not None and given.id == digest:
        return given
    found = _shipped_weights(digest.hex())
    if found is None:
        raise MissingWeightsError(digest.hex(), given=None if given is None else given.id.hex())
    return found


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise StorageError(err.strerror or str(err), file=str(path)) from err


def _is_file(path: Path) -> bool:
    """Whether there is such a file; names that no file can have are none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _foreign(kind: str, suffix: str, path: Path) -> CaufError:
    remedy = f"give a {suffix} file, or the name of {kind}"
    return ForeignFormatError(f"not {kind} ({suffix})", file=str(path), remedy=remedy)


class _Lookup:
    """Profiles and weights that ship with caufc, and those that are given."""

    def __init__(self, profile: ProfileFile | None, weights: WeightsFile | None, limits: Limits) -> None:
        self.given, self.given_weights, self.limits = profile, weights, limits

    def __call__(self, digest: bytes) -> ProfileFile:
        if self.given is not None and self.given.id == digest:
            return self.given
        try:
            return _shipped_profile(digest.hex(), self.limits)
        except MissingProfileError as err:
            if self.given is None:
                raise
            raise MissingProfileError(digest.hex(), given=self.given.id.hex()) from err

    def weights(self, digest: bytes) -> WeightsFile:
        return weights_by_id(digest, self.given_weights)


def lookup_of(
    profile: str | Path | bytes | ProfileFile | None = None,
    weights: str | Path | WeightsFile | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Lookup:
    """Finds profiles and weights by content hash: those that ship, and those that are given. No plugin is asked.

    Raises:
        OptionError: for limits that are none.
        CaufError: if what is given by name or file is not there, or damaged.
    """
    limits = Limits.given(limits)
    given = None if profile is None else find_profile(profile, limits)
    return _Lookup(given, None if weights is None else find_weights(weights, limits), limits)
