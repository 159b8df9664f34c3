"""Effort: how much time an encoder may take to find a smaller file."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import OptionError

__all__ = ["EFFORTS", "Effort"]

SMALL_SAMPLE = 1 << 19
"""Values that are sampled of any file, if it has as many."""

TABLE_TOKENS = 1024
"""Tokens of a sample, to find each channel's class."""

PROFILED_PART = 4
"""Samples are so much smaller where a profile has made most choices, unless the file is large."""


@dataclass(frozen=True)
class Effort:
    """One level of effort.

    Args:
        sample_values: values of a file that choices are made on, at most.
        sample_share: share of a file that they are made on, at most, unless it is small.
        searched: whether dependent indices are searched for.
        stacked: whether bases across alike tensors are.
        table_values: values that tables are made on, at most, unless there are many channels.
    """

    sample_values: int
    sample_share: float = 0.25
    searched: bool = True
    stacked: bool = True
    table_values: int = 1 << 19

    def tables_of(self, channels: int) -> int:
        """Values that tables are made on, at most: what they need grows with the channels, whose classes they find."""
        return max(self.table_values, TABLE_TOKENS * channels)

    def sample_of(self, numel: int, *, profiled: bool = False) -> int:
        """Values to sample of a file of so many; small files need fewer where a profile has made most choices."""
        wanted = max(SMALL_SAMPLE, int(self.sample_share * numel))
        return min(self.sample_values, wanted // PROFILED_PART if profiled else wanted)

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
    "fast": Effort(1 << 20, searched=False, stacked=False),
    "default": Effort(1 << 20),
    "best": Effort(1 << 23, sample_share=1.0, table_values=1 << 23),
}
