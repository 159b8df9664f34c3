"""Which samples of a file are looked at, and which of them are drawn."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Self

import numpy as np

from .planes import places

__all__ = ["SampleChoice"]

MOST_CHUNKS = 32
"""That are decoded, besides those of samples that are named."""

MOST_VALUES = 1 << 22
"""That are looked at of a tensor, unless one sample has more."""

MOST_DECODED = 1 << 25
"""Values of a tensor that are decoded for them, unless one chunk has more."""

MOST_SAMPLES = 1024
DRAWN = 3
"""Samples that are drawn, where nobody names any."""


@dataclass(frozen=True)
class SampleChoice:
    """Numbers of samples.

    Args:
        numbers: that figures are computed from, ascending.
        drawn: those among them that are drawn.
        available: how many samples there are.
        chunks: how many chunks the looked-at ones are in.
        named: whether somebody chose those that are drawn.
    """

    numbers: tuple[int, ...]
    drawn: tuple[int, ...]
    available: int
    chunks: int
    named: bool = False

    @classmethod
    def of(cls, counts: Sequence[int], values: float, *, wanted: int | None = None, named: Sequence[int] = ()) -> Self:
        """Samples evenly spread over evenly spread chunks.

        Args:
            counts: samples of every chunk.
            values: of a sample of the largest tensor, on average.
            wanted: how many samples are looked at; None for as many as have some million values.
            named: samples that are drawn, and looked at too; empty for a few, evenly.
        """
        starts = list(accumulate(counts, initial=0))
        found: set[int] = set()
        if counts:
            most = wanted or max(1, min(MOST_SAMPLES, int(MOST_VALUES // max(1.0, values))))
            decoded = max(1.0, values * starts[-1] / len(counts))
            chunks = places(len(counts), max(1, min(MOST_CHUNKS, int(MOST_DECODED // decoded))))
            pool = np.concatenate([np.arange(starts[chunk], starts[chunk + 1]) for chunk in chunks])
            found = set(pool[places(len(pool), most)].tolist())
        numbers = sorted(found | set(named))
        drawn = tuple(dict.fromkeys(named)) or tuple(numbers[place] for place in places(len(numbers), DRAWN))
        held = np.searchsorted(starts, numbers, side="right")
        return cls(tuple(numbers), drawn, starts[-1], len(set(held.tolist())), bool(named))

    def by_chunk(self, counts: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
        """First sample of every chunk that holds some, and their places in it, ascending."""
        starts = list(accumulate(counts, initial=0))
        for chunk, held in groupby(self.numbers, lambda number: bisect_right(starts, number) - 1):
            yield starts[chunk], [number - starts[chunk] for number in held]
