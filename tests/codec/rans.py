"""rANS as section 9.2 of the specification describes it, one symbol at a time in plain integers."""

from __future__ import annotations

import bisect
import itertools
import struct
from collections.abc import Sequence

BITS = 24
TOTAL = 1 << BITS


def cumulative(frequencies: Sequence[int]) -> list[int]:
    return [0, *itertools.accumulate(frequencies)][:-1]


class PlainDecoder:
    """Pops words from the end of the bytes."""

    def __init__(self, data: bytes) -> None:
        self.words = list(struct.unpack(f"<{len(data) // 4}I", data))
        self.state = 0
        for _ in range(2):
            if self.words:
                self.state = self.state << 32 | self.words.pop()

    def table(self, frequencies: Sequence[int], cumulated: Sequence[int]) -> int:
        quantile = self.state & (TOTAL - 1)
        symbol = bisect.bisect_right(cumulated, quantile) - 1
        self._step(frequencies[symbol], quantile - cumulated[symbol])
        return symbol

    def uniform(self, bits: int) -> int:
        quantile = self.state & (TOTAL - 1)
        frequency = TOTAL >> bits
        self._step(frequency, quantile % frequency)
        return quantile // frequency

    def _step(self, frequency: int, rest: int) -> None:
        self.state = frequency * (self.state >> BITS) + rest
        if self.state < 1 << 32 and self.words:
            self.state = self.state << 32 | self.words.pop()

    @property
    def finished(self) -> bool:
        return not self.words and self.state == 0


def encode(symbols: Sequence[tuple[int, int]]) -> bytes:
    """Words for (frequency, cumulative frequency) of every symbol, in decoding order."""
    words: list[int] = []
    state = 0
    for frequency, start in reversed(symbols):
        if state >> (64 - BITS) >= frequency:
            words.append(state & 0xFFFFFFFF)
            state >>= 32
        state = (state // frequency << BITS) + state % frequency + start
    while state:
        words.append(state & 0xFFFFFFFF)
        state >>= 32
    return struct.pack(f"<{len(words)}I", *words)
