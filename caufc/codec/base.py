"""The codec interface.

Two codecs share an ID if and only if each decodes what the other encoded. Nothing in this package knows an
architecture: a codec sees matrices of aligned values, and what it needs to decode travels as parameters and sections.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .geometry import Geometry

__all__ = ["Arrays", "Codec", "Symbols"]

Symbols = NDArray[np.int32]
"""Integers ``[N, C]``, what a chunk's payload carries and its second checksum covers."""

Arrays = Mapping[int, NDArray[Any]]
"""Section type -> integers."""


class Codec(Protocol):
    """Codes aligned values ``[N, C]``; integers and floats are apart, so that symbols can be checked alone."""

    def symbols(self, aligned: NDArray[Any], gain: float) -> Symbols:
        """Quantise ``[N, C]`` to symbols, same shape."""
        ...

    def encode(self, symbols: Symbols, geometry: Geometry) -> bytes:
        """Entropy-code symbols ``[N, C]`` of tokens that lie as ``geometry`` says."""
        ...

    def decode_symbols(self, payload: bytes | memoryview, geometry: Geometry) -> Symbols:
        """Decode symbols ``[N, C]``.

        Raises:
            MalformedError: if the payload cannot be one of these tokens.
        """
        ...

    def reconstruct(self, symbols: Symbols, gain: float, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Symbols ``[N, C]`` to aligned values, same shape."""
        ...
