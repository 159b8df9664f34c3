"""What a file says of how it was made: the rate control and the software, for people."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from importlib import metadata

from ..coders.control import EVERY_BIT, control_code
from .options import EncodeOptions

__all__ = ["Origin"]


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
    def of(cls, options: EncodeOptions, *, smallest: bool) -> Origin:
        """What a file says.

        Args:
            options: what was asked for.
            smallest: whether the file is a lone sample that relies on a profile, which says as little as it can.
        """
        target, software = options.target, f"caufc {_version()}" if options.software and _version() else None
        control = None if smallest else control_code(target.kind, target.value, by_token=target.by_token)
        return cls(control, software)

    def without_loss(self) -> Origin:
        """What the same file says if its rate allowed to keep all: it is that of the control without loss."""
        return self if self.control is None else replace(self, control=EVERY_BIT)


@functools.cache
def _version() -> str:
    """The version of caufc; empty where it is not installed."""
    try:
        return metadata.version("caufc")
    except metadata.PackageNotFoundError:
        return ""
