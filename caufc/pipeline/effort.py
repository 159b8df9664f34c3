"""Effort: how much time an encoder may take to find a smaller file."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import OptionError

__all__ = ["EFFORTS", "Effort"]


@dataclass(frozen=True)
class Effort:
    """One level of effort.

    Args:
        sample_values: values of a file that choices are made on.
        transforms: whether transforms are compared; else values are coded as they are.
        own_tables: whether a file may have tables of its own.
    """

    sample_values: int
    transforms: bool = True
    own_tables: bool = True

    @classmethod
    def named(cls, name: str) -> Effort:
        """An effort by name.

        Raises:
            OptionError: for a name that there is not.
        """
        if name not in EFFORTS:
            raise OptionError(f"effort '{name}'", remedy=f"one of {', '.join(EFFORTS)}")
        return EFFORTS[name]


EFFORTS = {
    "fast": Effort(1 << 19, own_tables=False),
    "default": Effort(1 << 21),
    "best": Effort(1 << 23),
}
