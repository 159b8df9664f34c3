"""rANS with exact integer frequencies; the only module that imports constriction (spec, section 9.3).

The compiled kernel codes and decodes; where it is not built, constriction does, with the same words; where that is
not installed, :mod:`caufc.codec.rans`, slowly. Coding is last in, first out: :class:`RansEncoder` gathers runs of
symbols in decoding order and codes them backwards. Prior art: asymmetric numeral systems (Duda 2013).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import MalformedError
from . import kernels, rans

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "PRECISION",
    "Heap",
    "RansDecoder",
    "RansEncoder",
    "Run",
    "TableModel",
    "UniformModel",
    "table_model",
    "uniform_model",
]

PRECISION = 24
BLOCK = 1 << 20
WIDENED = 1 << 16
"""Symbols that are widened at a time, so that they stay in the processor's caches."""

WORD = np.dtype("<u4")

FIRST_TABLE = np.zeros(1, np.uint8)


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
        """What the kernel decodes with."""
        return kernels.rans.tables_of(np.ascontiguousarray(self.frequencies, np.int64), 1, len(self.frequencies))

    @functools.cached_property
    def intervals(self) -> Any:
        """What the kernel encodes with."""
        return kernels.rans.intervals_of(np.ascontiguousarray(self.frequencies, np.int64), 1, len(self.frequencies))


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


class Batch(Protocol):
    """Runs of symbols that follow each other."""

    @property
    def most(self) -> int:
        """Words that they take, at most."""

    def onto(self, heap: Heap) -> None:
        """Push all with the kernel, the last one first."""

    def onto_coder(self, coder: Any) -> None:
        """Push all with constriction, the last one first."""


class TableSet(Protocol):
    """Tables of equally many symbols, by number."""

    @property
    def intervals(self) -> Any:
        """What the kernel encodes with."""

    def of(self, table: int) -> TableModel:
        """The model of a table."""


@dataclass(frozen=True)
class Runs:
    """Runs that follow each other.

    Args:
        symbols: of all runs ``[n]``.
        numbers: the table of each run, uint8 ``[R]``.
        stops: where each ends, int64 ``[R]``.
        tables: of these numbers.
    """

    symbols: NDArray[np.integer[Any]]
    numbers: NDArray[np.uint8]
    stops: NDArray[np.int64]
    tables: TableSet

    @property
    def most(self) -> int:
        return self.symbols.size

    def onto(self, heap: Heap) -> None:
        """Push all with the kernel."""
        symbols = np.ascontiguousarray(self.symbols)
        heap.place = kernels.rans.encode(
            heap.words, *heap.place, symbols, symbols.itemsize, self.tables.intervals, self.numbers, self.stops
        )

    def onto_coder(self, coder: Any) -> None:
        """Push all with constriction."""
        models = {number: self.tables.of(number) for number in set(self.numbers.tolist())}
        of_runs = [models[number] for number in self.numbers.tolist()]
        _encode_backwards(coder, self.symbols, [0, *self.stops.tolist()], of_runs)


@dataclass(frozen=True)
class Run:
    """A run of symbols ``[n]`` of one model."""

    symbols: NDArray[np.integer[Any]]
    model: Model

    @property
    def most(self) -> int:
        return self.symbols.size

    def onto(self, heap: Heap) -> None:
        """Push it with the kernel."""
        if isinstance(self.model, UniformModel):
            symbols = np.ascontiguousarray(self.symbols, np.int32)
            heap.place = kernels.rans.encode_bits(heap.words, *heap.place, symbols, self.model.bits)
            return
        symbols, stops = np.ascontiguousarray(self.symbols), np.array([len(self.symbols)], np.int64)
        heap.place = kernels.rans.encode(
            heap.words, *heap.place, symbols, symbols.itemsize, self.model.intervals, FIRST_TABLE, stops
        )

    def onto_coder(self, coder: Any) -> None:
        """Push it with constriction."""
        _encode_backwards(coder, self.symbols, [0, len(self.symbols)], [self.model])


class Heap:
    """The kernel's words.

    Args:
        most: how many there may be.

    Attributes:
        words: uint32 ``[W]``.
        place: how many of them are written, and the coder's state.
    """

    def __init__(self, most: int) -> None:
        self.words = np.empty(most + 2, np.uint32)
        self.place: tuple[int, int] = (0, 0)

    def finish(self) -> bytes:
        """The words, the state's as the last ones."""
        filled, state = self.place
        while state:
            self.words[filled] = state & 0xFFFFFFFF
            filled, state = filled + 1, state >> 32
        return self.words[:filled].tobytes()


class RansEncoder:
    """Gathers runs of symbols, each with its model, in decoding order."""

    def __init__(self) -> None:
        self._batches: list[Batch] = []

    def push(self, symbols: NDArray[np.integer[Any]], model: Model) -> None:
        """Append a run."""
        if symbols.size:
            self.push_batch(Run(symbols, model))

    def push_runs(
        self,
        symbols: NDArray[np.integer[Any]],
        numbers: NDArray[np.uint8],
        stops: NDArray[np.int64],
        tables: TableSet,
    ) -> None:
        """Append runs that follow each other in one array ``[n]``, each with its table's number and its end ``[R]``."""
        self.push_batch(Runs(symbols, numbers, stops, tables))

    def push_batch(self, batch: Batch) -> None:
        """Append runs."""
        self._batches.append(batch)

    def finish(self) -> bytes:
        """The words of all runs, as bytes."""
        if kernels.rans is not None:
            heap = Heap(sum(batch.most for batch in self._batches))
            for batch in reversed(self._batches):
                batch.onto(heap)
            return heap.finish()
        coder = _coder()
        for batch in reversed(self._batches):
            batch.onto_coder(coder)
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
