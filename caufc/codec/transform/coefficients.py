"""Entropy coding of coefficients: passes, contexts, tables and rANS (spec, section 9.1 to 9.3)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import MalformedError
from .. import kernels
from ..buckets import BUCKETS, add_extra_bits, bucket_of, push_extra_bits
from ..entropy import RansDecoder, RansEncoder, TableModel, table_model
from ..kept import Kept
from ..table_runs import pull_runs, push_runs
from ..tables import check_levels, frequencies_of
from .compiled import MOST_SYMBOLS, Decoded, Given, decoded, decoded_both, grouped
from .contexts import CLASSES, CONTEXT_OF, CONTEXTS, ContextKeys, PassKeys, extents_of, magnitude_of
from .grids import Geometry

__all__ = ["CoefficientCoder", "ContextTables"]

Bytes = NDArray[np.uint8]
MAX_TABLES = 256

KEPT_BYTES, TABLE_BYTES = 1 << 24, 12_000
"""Bytes of models that are kept, and what those of a table come to hold, about."""

PAIR = 2
"""Chunks that the kernel decodes at a time."""

LAST_WORD = b"\1\0\0\0"
"""A stream of words does not end in 0."""


@dataclass(frozen=True)
class ContextTables:
    """What decides a symbol's table.

    Args:
        classes: of every band and channel ``[16, C]``, below ``K``.
        table_of: table of every context ``[K, 40]``.
        levels: the tables ``[T, 64]``.
        extents: whether blocks have extents.

    Raises:
        MalformedError: if the map or the tables break the specification.
    """

    classes: Bytes
    table_of: Bytes
    levels: Bytes
    extents: bool

    def __post_init__(self) -> None:
        if not 0 < len(self.levels) <= MAX_TABLES:
            raise MalformedError(f"{self.levels.size} levels are no tables of {BUCKETS}", requirement=203)
        if not 0 < len(self.table_of) <= CLASSES or int(self.table_of.max()) >= len(self.levels):
            raise MalformedError(
                f"a context map of {self.table_of.size} for {len(self.levels)} tables", requirement=216
            )


class TableModels:
    """The entropy coder's models of tables ``[T, 64]``, each made when it is first used.

    Raises:
        MalformedError: for tables that break the specification.
    """

    def __init__(self, levels: Bytes) -> None:
        check_levels(levels)
        self._levels = levels
        self._made: dict[int, TableModel] = {}

    def __len__(self) -> int:
        return len(self._levels)

    def of(self, table: int) -> TableModel:
        """The model of a table."""
        made = self._made.get(table)
        if made is None:
            made = self._made.setdefault(table, table_model(frequencies_of(self._levels[table : table + 1])[0]))
        return made

    @functools.cached_property
    def tables(self) -> object:
        """All of them as the kernel decodes with them."""
        return kernels.rans.tables_of(frequencies_of(self._levels), *self._levels.shape)

    @functools.cached_property
    def intervals(self) -> object:
        """All of them as the kernel encodes with them."""
        return kernels.rans.intervals_of(frequencies_of(self._levels), *self._levels.shape)


def models_of(levels: bytes) -> TableModels:
    """Models of tables as bytes: tensors share what is alike."""
    return _MODELS.get(levels, lambda: TableModels(np.frombuffer(levels, np.uint8).reshape(-1, BUCKETS)))


_MODELS: Kept[bytes, TableModels] = Kept(KEPT_BYTES, lambda models: TABLE_BYTES * len(models))


@functools.lru_cache(maxsize=64)
def tables_by_key(table_of: bytes) -> Bytes:
    """The table of every key of :class:`ContextKeys`, from those of contexts ``[K, 40]``."""
    by_context = np.frombuffer(table_of, np.uint8).reshape(-1, CONTEXTS)
    return by_context[:, CONTEXT_OF.ravel()].ravel()


class CoefficientCoder:
    """Codes symbols ``[N, C]``.

    Raises:
        MalformedError: for tables that break the specification.
    """

    def __init__(self, contexts: ContextTables) -> None:
        kinds = len(contexts.table_of)
        self.classes = np.minimum(contexts.classes, np.uint8(kinds - 1))
        self.extents, self.levels = contexts.extents, contexts.levels
        self.channels = contexts.classes.shape[1]
        self.models = models_of(contexts.levels.tobytes())
        self.table_of = contexts.table_of.ravel()

    def encode(self, symbols: NDArray[np.int32], geometry: Geometry) -> bytes:
        """Entropy-code symbols; all zeros are no bytes at all [CAUF-0205]."""
        if not symbols.any():
            return b""
        symbols = np.ascontiguousarray(symbols, np.int32)
        if self._compiled(geometry):
            table_of = self.table_of.tobytes()
            return grouped(symbols, geometry, self.classes, table_of, self.models, self.extents).finish()
        buckets = bucket_of(symbols)
        magnitudes = magnitude_of(buckets)
        keys = ContextKeys(self.classes, geometry, self.extents)
        extents = extents_of(magnitudes, geometry) if keys.has_extents else None
        encoder = RansEncoder()
        for number, part in enumerate(keys.walk(magnitudes, extents)):
            values = buckets[part.tokens]
            run = values.ravel() if part.live is None else values[part.live]
            push_runs(encoder, run, self._tables(part), self.models.of)
            if number == 0 and extents is not None:
                contexts = keys.extent_contexts(magnitudes).ravel()
                push_runs(encoder, extents.ravel(), self.table_of[contexts], self.models.of)
        push_extra_bits(encoder, symbols.ravel(), buckets.ravel())
        return encoder.finish()

    def decode_symbols(self, payload: bytes | memoryview, geometry: Geometry) -> NDArray[np.int32]:
        """Decode symbols ``[N, C]``.

        Raises:
            MalformedError: if the payload cannot be one of these tokens.
        """
        return self.decode_symbols_of([(payload, geometry)])[0]

    def decode_symbols_of(self, chunks: Sequence[tuple[bytes | memoryview, Geometry]]) -> list[NDArray[np.int32]]:
        """The same for several chunks, of which the kernel decodes two at a time.

        Raises:
            MalformedError: if a payload cannot be one of its tokens.
        """
        coded = [chunk for chunk in chunks if len(chunk[0])]
        groups = (coded[first : first + PAIR] for first in range(0, len(coded), PAIR))
        found = [part for group in groups for part in self._side_by_side(group)]
        if not all(used_up for _, used_up in found):
            raise MalformedError("words are left behind the last symbol", requirement=251)
        symbols = iter(found)
        return [
            next(symbols)[0] if len(payload) else np.zeros((geometry.tokens, self.channels), np.int32)
            for payload, geometry in chunks
        ]

    def drawn(self, geometry: Geometry, seed: int = 0) -> NDArray[np.int32]:
        """Symbols ``[N, C]``, each as often as its table says: what random words decode to."""
        words = np.random.PCG64(seed).random_raw(geometry.tokens * self.channels // 2 + 1)
        return self._decoded(words.astype("<u8").tobytes() + LAST_WORD, geometry)[0]

    @property
    def together(self) -> int:
        """Chunks that the kernel decodes at a time; 1 without it."""
        return 1 if kernels.coefficients is None or kernels.rans is None else PAIR

    def _side_by_side(self, chunks: Sequence[tuple[bytes | memoryview, Geometry]]) -> list[Decoded]:
        """Of one chunk or two: symbols, and whether the words are used up."""
        if len(chunks) == PAIR and all(self._compiled(geometry) for _, geometry in chunks):
            one, other = (self._given(*chunk) for chunk in chunks)
            return decoded_both(one, other)
        return [self._decoded(*chunk) for chunk in chunks]

    def _given(self, payload: bytes | memoryview, geometry: Geometry) -> Given:
        """What the kernel decodes."""
        return Given(payload, geometry, self.classes, self.table_of.tobytes(), self.models.tables, self.extents)

    def _decoded(self, payload: bytes | memoryview, geometry: Geometry) -> Decoded:
        """Symbols, and whether the words are used up."""
        if self._compiled(geometry):
            return decoded(self._given(payload, geometry))
        shape = (geometry.tokens, self.channels)
        decoder = RansDecoder(payload)
        if not shape[0] * shape[1]:
            return np.zeros(shape, np.int32), decoder.used_up
        buckets = np.zeros(shape, np.uint8)
        known = np.zeros((len(buckets) + 1, self.channels), np.uint8)
        keys = ContextKeys(self.classes, geometry, self.extents)
        extents: Bytes | None = None
        for number in range(len(geometry.passes)):
            part = keys.part(number, known, extents)
            run = pull_runs(decoder, self._tables(part), self.models.of)
            values = self._spread(run, part)
            buckets[part.tokens] = values
            known[part.tokens] = magnitude_of(values)
            if number == 0 and keys.has_extents:
                contexts = keys.extent_contexts(known)
                extents = pull_runs(decoder, self.table_of[contexts.ravel()], self.models.of).reshape(contexts.shape)
        symbols = add_extra_bits(decoder, buckets.ravel()).reshape(shape)
        return symbols, decoder.used_up

    def _compiled(self, geometry: Geometry) -> bool:
        here = kernels.coefficients is not None and kernels.rans is not None
        return here and geometry.tokens * self.channels <= MOST_SYMBOLS

    def _tables(self, part: PassKeys) -> Bytes:
        return np.take(tables_by_key(self.table_of.tobytes()), part.keys)

    def _spread(self, run: Bytes, part: PassKeys) -> Bytes:
        """Symbols of a pass ``[n, C]`` from those that are coded."""
        if part.live is None:
            return run.reshape(len(part.tokens), self.channels)
        values = np.zeros(part.live.shape, np.uint8)
        values[part.live] = run
        return values
