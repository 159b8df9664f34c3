"""Profiles: containers with sections and no samples, named by what they hold (spec, section 5)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from ..bitstream import End, Header, Section, block_bytes, end_bytes, section_bytes
from ..errors import MalformedError
from ..limits import Limits
from .prelude import read_prelude

__all__ = ["PROFILE_ID_BYTES", "ProfileFile", "profile_bytes", "profile_id", "read_profile"]

PROFILE_ID_BYTES = 8


@dataclass(frozen=True)
class ProfileFile:
    """A profile that has been read.

    Args:
        id: the first 8 bytes of the SHA-256 of its file.
        header: its header.
        sections: its sections.
        shipped: whether every caufc has it, so that files may rely on it.
    """

    id: bytes
    header: Header
    sections: tuple[Section, ...]
    shipped: bool = False


def profile_id(data: bytes) -> bytes:
    """The content hash by which files name a profile [CAUF-0161]."""
    return hashlib.sha256(data).digest()[:PROFILE_ID_BYTES]


def profile_bytes(header: Header, sections: Sequence[Section]) -> bytes:
    """A profile: header, sections, and an end without samples [CAUF-0160]."""
    head = header.to_bytes()
    seed = int.from_bytes(head[-4:], "little")
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

    if prelude.first.tag != "E":
        raise MalformedError("a profile with samples", requirement=160)
    return ProfileFile(profile_id(data), prelude.header, prelude.sections, shipped)
