"""Where weights of the learned codec come from: those that ship with caufc, and files."""

from __future__ import annotations

import functools
import json
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from .coders.side_files import (
    WeightsFile,
    content_id,
    read_weights,
)
from .errors import (
    ForeignFormatError,
    FormatError,
    MissingWeightsError,
    StorageError,
    UnknownNameError,
)
from .limits import (
    DEFAULT_LIMITS,
    Limits,
)

__all__ = ["UNIVERSAL", "find_weights", "weights_by_id", "weights_names"]

SUFFIX = ".caufw"
UNIVERSAL = "universal"
"""The set that is used unless another is named."""


def _folder() -> Traversable:
    return resources.files("caufc") / "data" / "weights"


@functools.cache
def _shipped() -> dict[str, str]:
    """Content hashes of the shipped weights in hex, by name; a name may move on, the files stay."""
    names: dict[str, str] = json.loads((_folder() / "index.json").read_text("utf-8"))
    return names


@functools.lru_cache(4)
def _shipped_weights(digest: str) -> WeightsFile | None:
    """Shipped weights by content hash; None if there are none."""
    path = _folder() / f"{digest}{SUFFIX}"
    return read_weights(path.read_bytes(), DEFAULT_LIMITS, shipped=True) if path.is_file() else None


def weights_names() -> list[str]:
    """Names of the weights that ship with caufc."""
    return sorted(_shipped())


def find_weights(name: str | Path, limits: Limits = DEFAULT_LIMITS) -> WeightsFile:
    """The weights of a name, or of a ``.caufw`` file.

    Raises:
        CaufError: if there are none of this name, or the file is damaged.
    """
    text = str(name)
    if text in _shipped():
        return weights_by_id(bytes.fromhex(_shipped()[text]))
    path = Path(text)
    if not text.endswith(SUFFIX) and not path.is_file():
        raise UnknownNameError("weights", text, weights_names())
    try:
        data = path.read_bytes()
    except OSError as err:
        raise StorageError(err.strerror or str(err), file=text) from err
    try:
        return _shipped_weights(content_id(data).hex()) or read_weights(data, limits)
    except FormatError as err:
        if text.endswith(SUFFIX):
            raise err.locate(file=text) from err.__cause__
        raise ForeignFormatError(
            f"not weights ({SUFFIX})", file=text, remedy=f"give a {SUFFIX} file, or the name of weights"
        ) from err


def weights_by_id(digest: bytes, given: WeightsFile | None = None) -> WeightsFile:
    """The weights of a content hash: those that are given, or ship with caufc.

    Raises:
        MissingWeightsError: if they are neither.
    """
    if given is not None and given.id == digest:
        return given
    found = _shipped_weights(digest.hex())
    if found is None:
        raise MissingWeightsError(digest.hex())
    return found
