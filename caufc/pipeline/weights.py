"""Weights of the learned codec: containers of sections alone, named by what they hold (spec, section 14.5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..bitstream import Header, Section
from ..codec import Arrays
from ..codec.hyperprior import WEIGHTS_ELEMENTS, Weights
from ..errors import MalformedError
from ..limits import Limits
from .prelude import read_prelude
from .profile import profile_bytes, profile_id

__all__ = ["WeightsFile", "read_weights", "weights_bytes"]


@dataclass(frozen=True)
class WeightsFile:
    """Weights that have been read.

    Args:
        id: the first 8 bytes of the SHA-256 of their file.
        sections: of tensor 0.
        weights: the model that they hold.
        shipped: whether every caufc has them, so that files may rely on them.
    """

    id: bytes
    sections: tuple[Section, ...]
    weights: Weights
    shipped: bool = False


def read_weights(data: bytes, limits: Limits, *, shipped: bool = False) -> WeightsFile:
    """Read a weights file.

    Raises:
        FormatError: if it is damaged, malformed, or holds no weights.
    """
    prelude = read_prelude(iter([data]), limits)
    if prelude.header.content != "weights" or prelude.first.tag != "E":
        raise MalformedError("not weights", requirement=165)
    arrays = {}
    for section in prelude.sections:
        if WEIGHTS_ELEMENTS.get(section.type) != section.element or section.tensor:
            raise MalformedError(f"weights with a section of type {section.type}", requirement=166)
        arrays[section.type] = np.frombuffer(section.data, section.element)
    return WeightsFile(profile_id(data), prelude.sections, Weights.from_arrays(arrays), shipped)


def weights_bytes(arrays: Arrays, name: str | None = None) -> bytes:
    """A weights file.

    Args:
        arrays: sections.
        name: what they were trained on; informative.
    """
    sections = [
        Section(kind, 0, element, arrays[kind].astype(element).tobytes())
        for kind, element in WEIGHTS_ELEMENTS.items()
        if kind in arrays
    ]
    return profile_bytes(Header("weights", arch=name), sections)
