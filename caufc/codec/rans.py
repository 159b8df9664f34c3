"""rANS in plain Python, for machines that constriction has no build for: the same words, some hundred times slower.

The classes do what constriction's of the same names do, as far as :mod:`caufc.codec.entropy` needs it; spec, 9.3.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["AnsCoder", "Categorical", "Uniform"]

PRECISION = 24
TOTAL = 1 << PRECISION
WORD_BITS = 32
LOWEST = 1 << WORD_BITS
"""A state below takes in a word when it decodes."""


class Categorical:
    """Symbols with these frequencies, all at least 1, their sum 2^24."""

    def __init__(self, frequencies: NDArray[np.int64]) -> None:
        self.frequencies: list[int] = frequencies.tolist()
        self.starts = [0, *accumulate(self.frequencies)][:-1]

    def find(self, quantile: int) -> tuple[int, int, int]:
        """Symbol, frequency and start of the interval that holds a quantile."""
        symbol = bisect_right(self.starts, quantile) - 1
        return symbol, self.frequencies[symbol], self.starts[symbol]

    def interval(self, symbol: int) -> tuple[int, int]:
        """Frequency and start."""
        return self.frequencies[symbol], self.starts[symbol]


class Uniform:
    """Equally likely symbols, a power of 2 of them."""

    def __init__(self, count: int) -> None:
        self.frequency = TOTAL // count

    def find(self, quantile: int) -> tuple[int, int, int]:
        symbol = quantile // self.frequency
        return symbol, self.frequency, symbol * self.frequency

    def interval(self, symbol: int) -> tuple[int, int]:
        return self.frequency, symbol * self.frequency


Model = Categorical | Uniform


class AnsCoder:
    """A stack of symbols: what is encoded last is decoded first.

    Args:
        words: that a coder has made, the last one not 0.
    """

    def __init__(self, words: NDArray[np.uint32] | None = None) -> None:
        self.words: list[int] = [] if words is None else words.tolist()
        self.state = 0
        for _ in range(min(2, len(self.words))):
            self.state = self.state << WORD_BITS | self.words.pop()

    def decode(self, model: Model, count: int) -> NDArray[np.int32]:
        """The next ``count`` symbols."""
        state, words, find = self.state, self.words, model.find
        symbols = np.zeros(count, np.int32)
        for place in range(count):
            if not state and not words:  # from here on all symbols are the first
                break
            quantile = state & (TOTAL - 1)
            symbol, frequency, start = find(quantile)
            state = frequency * (state >> PRECISION) + quantile - start
            if state < LOWEST and words:
                state = state << WORD_BITS | words.pop()
            symbols[place] = symbol
        self.state = state
        return symbols

    def encode_reverse(self, symbols: NDArray[Any], model: Model) -> None:
        """Push symbols, the last one first."""
        state, words = self.state, self.words
        for symbol in reversed(symbols.tolist()):
            frequency, start = model.interval(symbol)
            if state >> (2 * WORD_BITS - PRECISION) >= frequency:
                words.append(state & (LOWEST - 1))
                state >>= WORD_BITS
            state = (state // frequency << PRECISION) + state % frequency + start
        self.state = state

    def get_compressed(self) -> NDArray[np.uint32]:
        """The words."""
        words, state = list(self.words), self.state
        while state:
            words.append(state & (LOWEST - 1))
            state >>= WORD_BITS
        return np.array(words, np.uint32)

    def is_empty(self) -> bool:
        """Whether all words are used up."""
        return not self.words and self.state == 0
