"""Tables and rANS of the reference decoder: sections 9.2 and 9.3 of cauf-1.0.md."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

import numpy as np

from .container import Array, require

OCTAVE = (4096, 4467, 4871, 5312, 5793, 6317, 6889, 7512)
ONE = 1 << 24
Table = tuple[list[int], list[int]]  # frequencies; cumulative frequencies, which are one more


def expand(levels: list[int]) -> Table:
    """[CAUF-0230] to [CAUF-0232]"""
    require(max(levels) <= 193 and any(levels), 230, "a level is above 193, or all are 0")
    weight = [OCTAVE[(v - 1) % 8] << ((v - 1) // 8) if v else 0 for v in levels]
    total = sum(weight)
    freq = [1 + w * (ONE - len(levels)) // total for w in weight]
    freq[weight.index(max(weight))] += ONE - sum(freq)
    return freq, list(accumulate(freq, initial=0))


def uniform(bits: int) -> Table:
    return [ONE >> bits] * (1 << bits), list(range(0, ONE + 1, ONE >> bits))


class Rans:
    """[CAUF-0250], [CAUF-0251]"""

    def __init__(self, data: bytes) -> None:
        require(len(data) % 4 == 0, 250, "words are not a multiple of 4 bytes")
        self.words: list[int] = np.frombuffer(data, "<u4").tolist()
        require(not self.words or self.words[-1] != 0, 250, "the last word is 0")
        self.state = 0
        for _ in range(min(2, len(self.words))):
            self.state = self.state << 32 | self.words.pop()

    def decode(self, table: Table, count: int) -> Array:
        """The next `count` symbols, all of one table."""
        (freq, cum), state, words = table, self.state, self.words
        out = np.zeros(count, np.int32)
        for i in range(count):
            q = state & (ONE - 1)
            s = bisect_right(cum, q) - 1
            state = freq[s] * (state >> 24) + q - cum[s]
            out[i] = s
            if state < 1 << 32:
                if words:
                    state = state << 32 | words.pop()
                elif state == 0:  # from here on all symbols are 0, and the state stays
                    break
        self.state = state
        return out

    def close(self) -> None:
        require(self.state == 0, 251, "words or state are left after the last symbol")
