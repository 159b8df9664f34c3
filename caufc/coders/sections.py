"""Section types: the integer arrays that a file carries by number, and by name within caufc (spec, section 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bitstream import METADATA, Section
from ..errors import MalformedError, UnsupportedError
from ..types import Arrays

__all__ = [
    "ELEMENTS",
    "METADATA_NAME",
    "NUMBERS",
    "OFFSETS",
    "SCALES",
    "TURNS",
    "WIDE_OFFSETS",
    "arrays_of",
    "name_of",
    "section_of",
]

OFFSETS, SCALES, WIDE_OFFSETS = "offset-codes", "scale-codes", "wide-offset-codes"
"""Sections of value alignment per channel ``[C]``."""

TURNS = "turns"
"""The section of turns that positions are undone by ``[1 + C]``."""

METADATA_NAME = "metadata"
"""The section of the file's own texts; no tensor's."""

_TYPES: Mapping[str, tuple[int, str]] = {
    OFFSETS: (1, "<i2"),
    SCALES: (2, "<i2"),
    "channel-levels": (3, "i1"),
    "tables": (4, "u1"),
    "context-map": (5, "u1"),
    "band-levels": (6, "i1"),
    "band-steps": (7, "i1"),
    "basis": (8, "i1"),
    "basis-scales": (9, "<i2"),
    "analysis": (10, "<i2"),
    "analysis-scales": (11, "<i2"),
    "network": (12, "<u2"),
    "gains": (13, "<i4"),
    "inverse-gains": (14, "<i4"),
    "latent-tables": (15, "u1"),
    "hyper-latent-tables": (16, "u1"),
    "hyper-synthesis": (17, "<i2"),
    "hyper-synthesis-biases": (18, "<i4"),
    "hyper-synthesis-shifts": (19, "u1"),
    "synthesis": (20, "<i2"),
    "synthesis-floats": (21, "<i4"),
    "model-analysis": (22, "<i2"),
    "model-analysis-floats": (23, "<i4"),
    "hyper-analysis": (24, "<i2"),
    "hyper-analysis-floats": (25, "<i4"),
    METADATA_NAME: (METADATA, "u1"),
    WIDE_OFFSETS: (27, "<i4"),
    "group-ranks": (28, "<i4"),
    TURNS: (29, "<i4"),
}
"""Name -> (section type, element type), as ``spec/registry.toml`` assigns them."""

NUMBERS: Mapping[str, int] = {name: number for name, (number, _) in _TYPES.items()}
ELEMENTS: Mapping[str, str] = {name: element for name, (_, element) in _TYPES.items()}
_NAMES: Mapping[int, str] = {number: name for name, number in NUMBERS.items()}


def name_of(section: Section) -> str:
    """The name of a section's type.

    Raises:
        UnsupportedError: for a type that this version does not know.
    """
    if section.type not in _NAMES:
        raise UnsupportedError.unknown(f"section type {section.type}")
    return _NAMES[section.type]


def section_of(tensor: int, name: str, array: NDArray[Any]) -> Section:
    """A tensor's integers as a section."""
    element = ELEMENTS[name]
    return Section(NUMBERS[name], tensor, element, array.astype(element).tobytes())


def arrays_of(sections: Sequence[Section], tensors: int) -> dict[int, Arrays]:
    """Integer arrays by tensor and name; later sections take the place of earlier ones.

    One without elements counts as absent: so a file leaves out what its profile has [CAUF-0095].

    Raises:
        MalformedError: for a tensor that there is not, and for other elements than the type's.
        UnsupportedError: for a type that this version does not know.
    """
    found: dict[int, dict[str, NDArray[Any]]] = {}
    for section in sections:
        name = name_of(section)
        if name == METADATA_NAME:
            continue
        if section.tensor >= tensors or section.element != ELEMENTS[name]:
            raise MalformedError(
                f"section '{name}' for tensor {section.tensor}, elements {section.element}", requirement=94
            )
        found.setdefault(section.tensor, {})[name] = np.frombuffer(section.data, section.element)
    return {tensor: {name: array for name, array in by_name.items() if array.size} for tensor, by_name in found.items()}
