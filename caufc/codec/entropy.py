"""rANS with exact integer frequencies; the only module that imports constriction (spec, section 9.3).

Encoding calls constriction; where it is not installed, :mod:`caufc.codec.rans` does the same slowly. Decoding calls the
compiled kernel where there is one, which reads the same words. Coding is last in, first out: :class:`RansEncoder`
gathers runs of symbols in decoding order and codes them backwards. Prior art: asymmetric numeral systems (Duda 2013).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import MalformedError
from . import kernels, rans

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["PRECISION", "RansDecoder", "RansEncoder", "TableModel", "UniformModel", "table_model", "uniform_model"]

PRECISION = 24
BLOCK = 1 << 20
WIDENED = 1 << 16
"""Symbols that are widened at a time, so that they stay in the processor's caches."""

WORD = np.dtype("<u4")


@functools.cache
def _stream() -> ModuleType | None:
    """constriction, or None where it is not installed."""
    try:
        import constriction
    except ImportError:
        return None
    return cast("ModuleType", constriction.stream)


class TableModel:
    """A table's model, for constriction and for the kernel, each made when it is first used.

    Args:
        frequencies: all at least 1, their sum 2^24, at least 2 of them.
    """

    def __init__(self, frequencies: NDArray[np.int64]) -> None:
        self.frequencies = frequencies

    @functools.cached_property
    def model(self) -> Any:
        """What the entropy coder takes."""
        stream = _stream()
        if stream is None:
            return rans.Categorical(self.frequencies)
        return stream.model.Categorical((self.frequencies - 1).astype(np.float64), perfect=False)

    @functools.cached_property
    def tables(self) -> Any:
        """What the kernel takes."""
        return kernels.rans.tables_of(np.ascontiguousarray(self.frequencies, np.int64), 1, len(self.frequencies))


class UniformModel:
    """The model of ``2^bits`` equally likely symbols, 1 to 16 bits."""

    def __init__(self, bits: int) -> None:
        self.bits = bits

    @functools.cached_property
    def model(self) -> Any:
        """What the entropy coder takes."""
        stream = _stream()
        return rans.Uniform(1 << self.bits) if stream is None else stream.model.Uniform(1 << self.bits)


Model = TableModel | UniformModel


def table_model(frequencies: NDArray[np.int64]) -> TableModel:
    """A model with exactly these frequencies, all at least 1, their sum 2^24, at least 2 of them."""
    return TableModel(frequencies)


def uniform_model(bits: int) -> UniformModel:
    """A model of ``2^bits`` equally likely symbols, 1 to 16 bits."""
    return UniformModel(bits)


def _coder(words: NDArray[np.uint32] | None = None) -> Any:
    """A coder, empty or with words."""
    stream = _stream()
    if stream is None:
        return rans.AnsCoder(words)
    return stream.stack.AnsCoder() if words is None else stream.stack.AnsCoder(words)


class RansEncoder:
    """Gathers runs of symbols, each with its model, in decoding order."""

    def __init__(self) -> None:
        self._batches: list[tuple[NDArray[np.integer[Any]], list[int], Sequence[Model]]] = []

    def push(self, symbols: NDArray[np.integer[Any]], model: Model) -> None:
        """Append a run."""
        if symbols.size:
            self._batches.append((symbols, [0, len(symbols)], [model]))

    def push_all(self, symbols: NDArray[np.integer[Any]], stops: Sequence[int], models: Sequence[Model]) -> None:
        """Append runs that follow each other in one array, each with its end and its model."""
        self._batches.append((symbols, [0, *stops], models))

    def finish(self) -> bytes:
        """The words of all runs, as bytes."""
        coder = _coder()
        for symbols, bounds, models in reversed(self._batches):
            _encode_backwards(coder, symbols, bounds, models)
        return cast(bytes, coder.get_compressed().astype(WORD).tobytes())


def _encode_backwards(
    coder: Any, symbols: NDArray[np.integer[Any]], bounds: Sequence[int], models: Sequence[Model]
) -> None:
    """Code runs between bounds from the last one on; symbols are widened in spans, for there are many short runs."""
    encode, base = coder.encode_reverse, len(symbols)
    wide = np.empty(0, np.int32)
    for run in range(len(models) - 1, -1, -1):
        start, stop, model = bounds[run], bounds[run + 1], models[run].model
        while stop > start:
            low = max(start, stop - WIDENED)
            if low < base:
                base = max(0, stop - WIDENED)
                wide = symbols[base:stop].astype(np.int32, copy=False)
            encode(wide[low - base : stop - base], model)
            stop = low


def words_of(data: bytes | memoryview) -> NDArray[np.uint32]:
    """Bytes as words ``[W]``, aligned and in the machine's order.

    Raises:
        MalformedError: if the bytes are no words, or end in a zero word.
    """
    if len(data) % WORD.itemsize:
        raise MalformedError(f"{len(data)} bytes are no whole words", requirement=250)
    words = np.frombuffer(data, WORD).astype(np.uint32)
    if len(words) and words[-1] == 0:
        raise MalformedError("the last word is zero", requirement=250)
    return words


class RansDecoder:
    """Decodes runs in the order in which they were pushed.

    Raises:
        MalformedError: if the bytes are no words, or end in a zero word.
    """

    def __init__(self, data: bytes | memoryview) -> None:
        words = words_of(data)
        self.coder = _coder(words) if kernels.rans is None else CompiledCoder(words)

    def pull(self, count: int, model: Model) -> Iterator[NDArray[np.int32]]:
        """The next ``count`` symbols, in parts."""
        for start in range(0, count, BLOCK):
            part = np.empty(min(BLOCK, count - start), np.int32)
            self.pull_into(part, model)
            yield part

    def pull_into(self, out: NDArray[np.integer[Any]], model: Model) -> None:
        """Fill ``out`` ``[n]`` with the next symbols."""
        if isinstance(self.coder, CompiledCoder):
            self.coder.decode_into(out, model)
            return
        for start in range(0, len(out), BLOCK):
            part = out[start : start + BLOCK]
            part[:] = self.coder.decode(model.model, len(part))

    @property
    def used_up(self) -> bool:
        """Whether no words are left."""
        return bool(self.coder.is_empty())

    def end(self) -> None:
        """Check that all words are used up.

        Raises:
            MalformedError: if words are left.
        """
        if not self.used_up:
            raise MalformedError("words are left behind the last symbol", requirement=251)


class CompiledCoder:
    """The kernel's decoder of words ``[W]``: how many are left, and the state."""

    def __init__(self, words: NDArray[np.uint32]) -> None:
        self.words = words
        self.left, self.state = kernels.rans.start(words)

    def decode_into(self, out: NDArray[np.integer[Any]], model: Model) -> None:
        """Fill ``out`` with the next symbols."""
        if isinstance(model, UniformModel):
            part = out if out.itemsize == 4 else np.empty(len(out), np.int32)
            self.left, self.state = kernels.rans.decode_bits(self.words, self.left, self.state, model.bits, part)
            out[:] = part
            return
        self.left, self.state = kernels.rans.decode(
            self.words, self.left, self.state, model.tables, 0, out, out.itemsize
        )

    def is_empty(self) -> bool:
        """Whether all words are used up."""
        return self.left == 0 and self.state == 0
