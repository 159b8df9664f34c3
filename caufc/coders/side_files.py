"""Profiles and weights: containers of sections alone, named by a hash of what they hold (spec, sections 5 and 14.5)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..bitstream import End, Header, Section, block_bytes, end_bytes, section_bytes, seed_of
from ..codec.hyperprior.weights import WEIGHTS_SECTIONS, Weights
from ..errors import MalformedError
from ..limits import Limits
from ..types import Arrays
from .prelude import Prelude, read_prelude
from .sections import ELEMENTS, NUMBERS, name_of, section_of

__all__ = [
    "ProfileFile",
    "WeightsFile",
    "content_id",
    "read_profile",
    "read_weights",
    "side_file_bytes",
    "weights_bytes",
]

CONTENT_ID_BYTES = 16


@dataclass(frozen=True)
class ProfileFile:
    """A profile that has been read.

    Args:
        id: content hash of its file.
        header: its header.
        sections: its sections.
        shipped: whether every caufc has it, so that files may rely on it.
        data: its file.
    """

    id: bytes
    header: Header
    sections: tuple[Section, ...]
    shipped: bool = False
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class WeightsFile:
    """Weights that have been read.

    Args:
        id: content hash of their file.
        sections: of tensor 0.
        weights: the model that they hold.
        shipped: whether every caufc has them, so that files may rely on them.
    """

    id: bytes
    sections: tuple[Section, ...]
    weights: Weights
    shipped: bool = False


def content_id(data: bytes) -> bytes:
    """The content hash by which files name a profile or weights: 16 bytes of its SHA-256 [CAUF-0161]."""
    return hashlib.sha256(data).digest()[:CONTENT_ID_BYTES]


def side_file_bytes(header: Header, sections: Sequence[Section]) -> bytes:
    """A profile or weights: header, sections, and an end without samples [CAUF-0160]."""
    head = header.to_bytes()
    seed = seed_of(head)
    bodies = b"".join(block_bytes("S", section_bytes(section), seed) for section in sections)
    return head + bodies + block_bytes("E", end_bytes(End(0, None)), seed)


def read_profile(data: bytes, limits: Limits, *, shipped: bool = False) -> ProfileFile:
    """Read a profile file.

    Raises:
        FormatError: if it is damaged, malformed, or no profile.
    """
    prelude = read_prelude(iter([data]), limits)
    if prelude.header.content != "profile" or prelude.header.profile is not None:
        raise MalformedError("not a profile", requirement=160)
    _check_end(prelude, "a profile", 160)
    return ProfileFile(content_id(data), prelude.header, prelude.sections, shipped, data)


def _check_end(prelude: Prelude, what: str, requirement: int) -> None:
    """Behind the sections stands an end without samples, and nothing more."""
    if prelude.first.tag != "E" or prelude.header.indexed or bytes(prelude.first.body) != end_bytes(End(0, None)):
        raise MalformedError(f"{what} with samples or an index", requirement=requirement, offset=prelude.first.offset)
    prelude.stream.finish()


def read_weights(data: bytes, limits: Limits, *, shipped: bool = False) -> WeightsFile:
    """Read a weights file.

    Raises:
        FormatError: if it is damaged, malformed, or holds no weights.
    """
    prelude = read_prelude(iter([data]), limits)
    if prelude.header.content != "weights":
        raise MalformedError("not weights", requirement=165)
    _check_end(prelude, "weights", 165)
    known = {NUMBERS[name]: ELEMENTS[name] for name in WEIGHTS_SECTIONS}
    for section in prelude.sections:
        if known.get(section.type) != section.element or section.tensor:
            raise MalformedError(f"weights with a section of type {section.type}", requirement=166)
    arrays = {name_of(section): np.frombuffer(section.data, section.element) for section in prelude.sections}
    return WeightsFile(content_id(data), prelude.sections, Weights.from_arrays(arrays), shipped)


def weights_bytes(arrays: Arrays, name: str | None = None) -> bytes:
    """A weights file.

    Args:
        arrays: sections by name.
        name: what they were trained on; informative.
    """
    sections = [section_of(0, kind, arrays[kind]) for kind in WEIGHTS_SECTIONS if kind in arrays]
    return side_file_bytes(Header("weights", arch=name), sections)
