"""Metadata of a file: texts by name, in a section of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import MalformedError
from .note import note_bytes, note_value
from .section import Section

__all__ = ["METADATA", "metadata_of", "metadata_section"]

METADATA = 26
"""The section type of metadata. It is of tensor 0, whether there is one or not: metadata belong to the file."""


def metadata_section(metadata: Mapping[str, str]) -> Section:
    """Texts by name as a section [CAUF-0510]."""
    return Section(METADATA, 0, "u1", note_bytes(dict(metadata)))


def metadata_of(sections: Sequence[Section]) -> dict[str, str]:
    """The metadata among a file's sections; of several, the last counts.

    Raises:
        MalformedError: unless each is a note that is a dict of texts.
    """
    found: dict[str, str] = {}
    for section in sections:
        if section.type == METADATA:
            found = _parsed(section)
    return found


def _parsed(section: Section) -> dict[str, str]:
    if section.tensor or section.element != "u1":
        raise MalformedError(f"metadata for tensor {section.tensor}, elements {section.element}", requirement=94)
    value = note_value(section.data) if section.data else {}
    if not isinstance(value, dict) or any(type(item) is not str for pair in value.items() for item in pair):
        raise MalformedError("metadata are no texts by name", requirement=510)
    return value
