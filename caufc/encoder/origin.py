"""What a file says of how it was made: the rate control and the software, for people."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import metadata

from ..coders.control import control_code
from .options import Target

__all__ = ["Origin"]

NAMES_SOFTWARE = 1 << 18
"""Values from which on a file names the software: fewer can be so few bytes that its name counts."""


@dataclass(frozen=True)
class Origin:
    """What a header says of how its file was made.

    Args:
        control: the code of the rate control.
        software: name and version of the encoder.
    """

    control: str | None = None
    software: str | None = None

    @classmethod
    def of(cls, target: Target, numel: int, *, smallest: bool) -> Origin:
        """What a file of so many values says.

        Args:
            target: the rate control.
            numel: number of values.
            smallest: whether the file is a lone sample that relies on a profile, which says as little as it can.
        """
        if smallest:
            return cls()
        software = f"caufc {_version()}" if numel >= NAMES_SOFTWARE and _version() else None
        return cls(control_code(target.kind, target.value, by_token=target.by_token), software)


@functools.cache
def _version() -> str:
    """The version of caufc; empty where it is not installed."""
    try:
        return metadata.version("caufc")
    except metadata.PackageNotFoundError:
        return ""
