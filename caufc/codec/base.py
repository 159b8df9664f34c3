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
"""Integers ``[N, K]``, what a chunk's payload carries and its second checksum covers."""

Arrays = Mapping[int, NDArray[Any]]
"""Section type -> integers."""


class Codec(Protocol):
    """Codes aligned values ``[N, C]``; integers and floats are apart, so that symbols can be checked alone."""

    def transform(self, aligned: NDArray[Any], geometry: Geometry) -> NDArray[Any]:
        """Aligned values ``[N, C]`` to coefficients ``[N, K]``."""
        ...

    def symbols(self, coefficients: NDArray[Any], bands: NDArray[np.uint8], gain: float) -> Symbols:
        """Quantise coefficients ``[N, K]`` of tokens in these bands ``[N]`` to symbols, same shape."""
        ...

    def encode(self, symbols: Symbols, geometry: Geometry) -> bytes:
        """Entropy-code symbols ``[N, K]`` of tokens that lie as ``geometry`` says."""
        ...

    def decode_symbols(self, payload: bytes | memoryview, geometry: Geometry) -> Symbols:
        """Decode symbols ``[N, K]``.

        Raises:
            MalformedError: if the payload cannot be one of these tokens.
        """
        ...

    def reconstruct(self, symbols: Symbols, geometry: Geometry, gain: float, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Symbols ``[N, K]`` to aligned values ``[N, C]``."""
        ...
