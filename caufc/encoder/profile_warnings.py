"""Warnings of reports about profiles: one that is most of its file, and one that a file needs for next to nothing."""

from __future__ import annotations

from collections.abc import Sequence

from ..bitstream import section_bytes
from ..coders.sections import section_of
from ..coders.side_files import ProfileFile
from .options import EncodeOptions
from .plan import TensorPlan

__all__ = ["profile_warnings"]

NAMED = 32
"""Bytes that a file takes about to name a profile: to spare as few is no use."""


def profile_warnings(
    profile: ProfileFile | None, options: EncodeOptions, plans: Sequence[TensorPlan], size: int
) -> list[str]:
    """A sentence if an embedded profile is most of the file, or if next to nothing of a needed one is used.

    Args:
        profile: that was given.
        options: what was asked for.
        plans: that the file is coded by.
        size: of the file, in bytes.
    """
    if profile is None or not profile.sections:
        return []
    known = {(section.type, section.tensor): section for section in profile.sections}
    own = [
        section_of(number, name, array)
        for number, plan in enumerate(plans)
        for name, array in plan.config.arrays.items()
    ]
    shared = [section for section in own if known.get((section.type, section.tensor)) == section]
    embedded = sum(len(section_bytes(section)) for section in shared)
    if options.relies_on(profile):
        if len(shared) == len(known) or embedded > NAMED:
            return []
        used = f"{embedded} bytes" if shared else "nothing"
        return [
            f"the file needs the profile, of which it uses {used}: other options take the place of its basis, tables "
            "and statistics; leave the profile or these options out"
        ]
    if 2 * embedded <= size:
        return []
    return [
        f"{embedded:,} of {size:,} bytes are the profile, more than the rest: with --no-embed-profile files "
        "hold none of it, and decoding needs it beside them"
    ]
