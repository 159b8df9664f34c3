"""rANS with exact integer frequencies; the only module that imports constriction (spec, section 9.3).

Where constriction is not installed, :mod:`caufc.codec.rans` does the same slowly. Coding is last in, first out:
:class:`RansEncoder` gathers runs of symbols in decoding order and codes them backwards. Prior art: asymmetric numeral
systems (Duda 2013).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import MalformedError
from . import rans

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["PRECISION", "RansDecoder", "RansEncoder", "table_model", "uniform_model"]

PRECISION = 24
BLOCK = 1 << 20
WORD = np.dtype("<u4")


@functools.cache
def _stream() -> ModuleType | None:
    """constriction, or None where it is not installed."""
    try:
        import constriction
    except ImportError:
        return None
    return cast("ModuleType", constriction.stream)


def table_model(frequencies: NDArray[np.int64]) -> Any:
    """A model with exactly these frequencies, all at least 1, their sum 2^24, at least 2 of them."""
    stream = _stream()
    if stream is None:
        return rans.Categorical(frequencies)
    return stream.model.Categorical((frequencies - 1).astype(np.float64), perfect=False)


def uniform_model(bits: int) -> Any:
    """A model of ``2^bits`` equally likely symbols, 1 to 16 bits."""
    stream = _stream()
    return rans.Uniform(1 << bits) if stream is None else stream.model.Uniform(1 << bits)


def _coder(words: NDArray[np.uint32] | None = None) -> Any:
    """A coder, empty or with words."""
    stream = _stream()
    if stream is None:
        return rans.AnsCoder(words)
    return stream.stack.AnsCoder() if words is None else stream.stack.AnsCoder(words)


class RansEncoder:
    """Gathers runs of symbols, each with its model, in decoding order."""

    def __init__(self) -> None:
        self.runs: list[tuple[NDArray[np.int32], Any]] = []

    def push(self, symbols: NDArray[Any], model: Any) -> None:
        """Append a run."""
        if symbols.size:
            self.runs.append((symbols, model))

    def finish(self) -> bytes:
        """The words of all runs, as bytes."""
        coder = _coder()
        for symbols, model in reversed(self.runs):
            for start in reversed(range(0, len(symbols), BLOCK)):
                coder.encode_reverse(symbols[start : start + BLOCK].astype(np.int32), model)
        return cast(bytes, coder.get_compressed().astype(WORD).tobytes())


class RansDecoder:
    """Decodes runs in the order in which they were pushed.

    Raises:
        MalformedError: if the bytes are no words, or end in a zero word.
    """

    def __init__(self, data: bytes | memoryview) -> None:
        if len(data) % WORD.itemsize:
            raise MalformedError(f"{len(data)} bytes are no whole words", requirement=250)
        words = np.frombuffer(data, WORD).astype(np.uint32)
        if len(words) and words[-1] == 0:
            raise MalformedError("the last word is zero", requirement=250)
        self.coder = _coder(words)

    def pull(self, count: int, model: Any) -> Iterator[NDArray[np.int32]]:
        """The next ``count`` symbols, in parts."""
        for start in range(0, count, BLOCK):
            yield self.coder.decode(model, min(BLOCK, count - start))

    def pull_into(self, out: NDArray[Any], model: Any) -> None:
        """Fill ``out`` with the next symbols."""
        start = 0
        for part in self.pull(len(out), model):
            out[start : start + len(part)] = part
            start += len(part)

    def end(self) -> None:
        """Check that all words are used up.

        Raises:
            MalformedError: if words are left.
        """
        if not self.coder.is_empty():
            raise MalformedError("words are left behind the last symbol", requirement=251)
