"""The codec interface.

Two codecs share an ID if and only if each decodes what the other encoded. Nothing in this package knows an
architecture: a codec sees matrices of aligned values, and what it needs to decode travels as parameters and sections.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Arrays", "Codec", "Parameters", "Symbols"]

Symbols = NDArray[np.int32]
"""Integers in coding order, what a chunk's payload carries and its second checksum covers."""

Arrays = Mapping[int, NDArray[Any]]
"""Section type -> integers."""

Parameters = tuple[int | float, ...]


class Codec(Protocol):
    """Codes aligned values ``[N, C]``; integers and floats are apart, so that symbols can be checked alone."""

    def symbols(self, aligned: NDArray[Any], gain: float) -> Symbols:
        """Quantise ``[N, C]`` to symbols in coding order."""
        ...

    def encode(self, symbols: Symbols) -> bytes:
        """Entropy-code symbols."""
        ...

    def decode_symbols(self, payload: bytes | memoryview, tokens: int) -> Symbols:
        """Decode the symbols of ``[tokens, C]``.

        Raises:
            MalformedError: if the payload cannot be one of so many tokens.
        """
        ...

    def reconstruct(self, symbols: Symbols, tokens: int, gain: float, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Symbols to aligned values ``[tokens, C]``."""
        ...
