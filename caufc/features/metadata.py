"""Metadata of feature files: texts by name, which ``.safetensors`` files have beside their tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..bitstream import MAX_NOTE, note_bytes
from ..errors import InputError

__all__ = ["NamedTensors", "check_metadata", "metadata_in"]


class NamedTensors(dict[str, Any]):
    """Tensors by name, as a file holds them.

    Args:
        metadata: of the file, texts by name.
    """

    metadata: Mapping[str, str] = {}


def metadata_in(features: object) -> Mapping[str, str]:
    """The metadata that came with features from a file; none for all others."""
    return features.metadata if isinstance(features, NamedTensors) else {}


def check_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Metadata, if a file can hold them.

    Raises:
        InputError: for what is no text by name, no valid Unicode, or too long.
    """
    if not isinstance(metadata, Mapping):
        raise InputError(
            f"metadata are text by name, not a {type(metadata).__name__}", remedy="give a dict, as meta={'run': '7'}"
        )
    for name, value in metadata.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InputError(f"metadata '{name}' is no text by name", remedy="give strings, as in meta={'run': '7'}")
    plain = {str.__str__(name): str.__str__(value) for name, value in metadata.items()}
    try:
        size = len(note_bytes(plain))
    except UnicodeEncodeError as err:
        raise InputError("metadata are not valid Unicode", remedy="give valid text") from err
    if size > MAX_NOTE:
        raise InputError(f"metadata of {size:,} bytes, at most {MAX_NOTE:,} are kept", remedy="leave some out")
    return plain
