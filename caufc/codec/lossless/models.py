"""Byte planes of the lossless codec: how elements fall apart, and which model codes which byte (spec, section 11)."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MalformedError, UnsupportedError
from .. import kernels
from ..entropy import CompiledCoder, RansDecoder, RansEncoder, TableModel, table_model
from ..kernels.pieces import in_one_piece
from ..tables import Frequencies, code_lengths, frequencies_of, levels_of

__all__ = ["PlaneModel", "RawBytes", "join_planes", "looked_up", "push_part", "read_part", "split_planes"]

Bytes = NDArray[np.uint8]

RAW, CONSTANT, TABLE = range(3)

SEARCHED = 3
"""Up to so many contexts are looked for one by one; more are sorted."""


@dataclass(frozen=True)
class ContextModel:
    """How the bytes of one context are coded: raw, one constant byte, or a table of 256 levels."""

    kind: int
    constant: int = 0
    levels: Bytes | None = None

    @functools.cached_property
    def frequencies(self) -> Frequencies:
        """The table's frequencies ``[256]``, absent bytes included."""
        table: Frequencies = frequencies_of(np.asarray(self.levels)[None])[0]
        return table

    def favourite(self) -> int:
        """The most frequent byte, -1 where bytes are raw."""
        if self.kind == TABLE:
            return int(np.argmax(self.frequencies))
        return self.constant if self.kind == CONSTANT else -1

    def to_bytes(self) -> bytes:
        if self.kind == TABLE:
            levels = np.asarray(self.levels)
            return bytes([TABLE]) + np.packbits(levels > 0).tobytes() + levels[levels > 0].tobytes()
        return bytes([CONSTANT, self.constant]) if self.kind == CONSTANT else bytes([RAW])

    @classmethod
    def parse(cls, data: memoryview) -> tuple[ContextModel, memoryview]:
        """Read a model; also the bytes behind it.

        Raises:
            MalformedError: if it breaks the specification.
        """
        kind = data[0] if len(data) else -1
        if kind == RAW:
            return cls(RAW), data[1:]
        if kind == CONSTANT and len(data) >= 2:
            return cls(CONSTANT, data[1]), data[2:]
        if kind > TABLE:
            raise UnsupportedError.unknown(f"context model {kind}")
        if kind != TABLE or len(data) < 33:
            raise MalformedError(f"context model {kind}", requirement=321)
        present = np.unpackbits(np.frombuffer(data[1:33], np.uint8)).astype(bool)
        end = 33 + int(present.sum())
        levels = np.zeros(256, np.uint8)
        if len(data) < end:
            raise MalformedError("a table is cut", requirement=322)
        levels[present] = np.frombuffer(data[33:end], np.uint8)
        if not levels[present].all():
            raise MalformedError("a level that is announced is 0", requirement=322)
        return cls(TABLE, levels=levels), data[end:]


@dataclass(frozen=True)
class PlaneModel:
    """The models of one plane, one per context."""

    models: tuple[ContextModel, ...]

    @classmethod
    def cheapest(cls, counts: NDArray[np.int64]) -> PlaneModel:
        """The best models for histograms ``[contexts, 256]``."""
        present, totals = np.count_nonzero(counts, axis=1), counts.sum(axis=1)
        models = [
            ContextModel(CONSTANT, int(row.argmax())) if n == 1 else ContextModel(RAW)
            for n, row in zip(present, counts, strict=True)
        ]
        several = np.flatnonzero(present > 1)
        levels = levels_of(counts[several])
        lengths = code_lengths(frequencies_of(levels))
        for number, of_row, bits in zip(several.tolist(), levels, lengths, strict=True):
            table = float(counts[number] @ bits) + 8 * (32 + int(present[number]))
            if table < 8 * totals[number]:
                models[number] = ContextModel(TABLE, levels=of_row)
        return cls(tuple(models))

    @functools.cached_property
    def kinds(self) -> Bytes:
        """Kind of every context, filled up to 256."""
        return np.array([model.kind for model in self.models] + [RAW] * (256 - len(self.models)), np.uint8)

    @functools.cached_property
    def tables(self) -> dict[int, TableModel]:
        """The entropy coder's model of every context that has a table, in ascending order."""
        return {n: table_model(model.frequencies) for n, model in enumerate(self.models) if model.kind == TABLE}

    @functools.cached_property
    def favourites(self) -> Bytes:
        """Favourite of every context, filled up to 256; what stands for raw contexts means nothing."""
        found = [max(model.favourite(), 0) for model in self.models]
        return np.array(found + [0] * (256 - len(found)), np.uint8)

    @functools.cached_property
    def compiled(self) -> object:
        """The tables of all contexts that have one, as the kernel takes them; None for none."""
        found = [model.frequencies for model in self.models if model.kind == TABLE]
        return kernels.rans.tables_of(np.stack(found), len(found), 256) if found else None

    @functools.cached_property
    def alike(self) -> NDArray[np.int16]:
        """Favourite of every context, -1 where bytes are raw."""
        return np.where(self.kinds == RAW, np.int16(-1), self.favourites.astype(np.int16))

    def hits(self, plane: Bytes, context: Bytes) -> Bytes:
        """1 where an element is its context's favourite [CAUF-0315]."""
        if not self.kinds.any():
            return np.zeros(len(plane), np.uint8)
        if kernels.planes is not None:
            out = np.empty(len(plane), np.uint8)
            kernels.planes.hits(context, plane, self.alike, out)
            return out
        there = looked_up((self.kinds != RAW).astype(np.uint8), context)
        found: Bytes = (looked_up(self.favourites, context) == plane) & there
        return found

    def to_bytes(self) -> bytes:
        return b"".join(model.to_bytes() for model in self.models)

    @classmethod
    def parse(cls, data: memoryview, contexts: int) -> tuple[PlaneModel, memoryview]:
        models = []
        for _ in range(contexts):
            model, data = ContextModel.parse(data)
            models.append(model)
        return cls(tuple(models)), data


def looked_up(table: Bytes, values: Bytes) -> Bytes:
    """``table[values]`` for a table ``[256]``; several times faster than numpy's."""
    if kernels.planes is not None and values.flags.c_contiguous:
        out = np.empty(values.shape, np.uint8)
        kernels.planes.look_up(table, values, out)
        return out
    return np.frombuffer(values.tobytes().translate(table.tobytes()), np.uint8).reshape(values.shape)


def split_planes(values: NDArray[Any], rotate: bool) -> list[Bytes]:
    """Unsigned integers to bytes, the most significant plane first.

    The sign of floats goes behind the eight bits that follow it: it becomes the top bit of plane 1 [CAUF-0319].
    """
    width = values.dtype.itemsize
    if kernels.planes is not None:
        planes = np.empty((width, len(values)), np.uint8)
        kernels.planes.split(in_one_piece(values), planes, width, rotate)
        return list(planes)
    if rotate:
        upper, sign, rest = _fields(values.dtype)
        values = (values << 1 & upper) | (values >> 8 & sign) | (values & rest)
    table = np.ascontiguousarray(values.astype(f"<u{width}", copy=False)).view(np.uint8).reshape(-1, width)
    return [np.ascontiguousarray(table[:, column]) for column in reversed(range(width))]


def join_planes(planes: Sequence[Bytes] | Bytes, rotate: bool) -> NDArray[Any]:
    """The inverse of :func:`split_planes`."""
    width = len(planes)
    if kernels.planes is not None:
        values = np.empty(len(planes[0]), f"<u{width}")
        kernels.planes.join(np.ascontiguousarray(planes), values, width, rotate)
        return values
    table = np.empty((len(planes[0]), width), np.uint8)
    for column, plane in zip(reversed(range(width)), planes, strict=True):
        table[:, column] = plane
    values = table.view(f"<u{width}").ravel()
    if not rotate:
        return values
    upper, sign, rest = _fields(values.dtype)
    return np.asarray((values & upper) >> 1 | (values & sign) << 8 | (values & rest))


def _fields(dtype: np.dtype[Any]) -> tuple[Any, Any, Any]:
    """Masks of plane 0, of the bit behind it, and of all others."""
    bits = 8 * dtype.itemsize
    masks = (255 << bits - 8, 1 << bits - 9, (1 << bits - 9) - 1)
    upper, sign, rest = (dtype.type(mask) for mask in masks)
    return upper, sign, rest


class RawBytes:
    """Bytes that are stored as they are, read from front to back."""

    def __init__(self, data: memoryview) -> None:
        self.rest = np.frombuffer(data, np.uint8)

    def take(self, count: int) -> Bytes:
        """The next bytes.

        Raises:
            MalformedError: if there are too few.
        """
        if count > len(self.rest):
            raise MalformedError("raw bytes are cut", requirement=312)
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken


def _by_context(context: Bytes, numbers: Sequence[int]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Positions of the elements of each of these contexts, in order."""
    if len(numbers) <= SEARCHED:
        yield from ((number, np.flatnonzero(context == number)) for number in numbers)
        return
    order = np.argsort(context, kind="stable")
    ordered = context[order]
    starts, stops = np.searchsorted(ordered, numbers), np.searchsorted(ordered, numbers, side="right")
    for number, start, stop in zip(numbers, starts, stops, strict=True):
        yield number, order[start:stop]


def push_part(model: PlaneModel, part: Bytes, context: Bytes, encoder: RansEncoder, raw: bytearray) -> None:
    """Code a pass of a plane: tables by context, then what is raw."""
    if kernels.planes is not None and model.kinds.any():
        _push_compiled(model, part, context, encoder, raw)
        return
    for number, where in _by_context(context, list(model.tables)):
        encoder.push(part[where], model.tables[number])
    if not model.kinds.any():
        raw += part.tobytes()
    elif (model.kinds[: len(model.models)] == RAW).any():
        raw += part[looked_up(model.kinds, context) == RAW].tobytes()


def read_part(model: PlaneModel, context: Bytes, decoder: RansDecoder, raw: RawBytes) -> Bytes:
    """The inverse of :func:`push_part`.

    Raises:
        MalformedError: if there are too few raw bytes.
    """
    if not model.kinds.any():
        return raw.take(len(context))
    if kernels.planes is not None and isinstance(decoder.coder, CompiledCoder):
        return _read_compiled(model, context, decoder.coder, raw)
    part = np.array(looked_up(model.favourites, context))
    for number, where in _by_context(context, list(model.tables)):
        symbols = np.empty(len(where), np.uint8)
        decoder.pull_into(symbols, model.tables[number])
        part[where] = symbols
    if (model.kinds[: len(model.models)] == RAW).any():
        where = np.flatnonzero(looked_up(model.kinds, context) == RAW)
        part[where] = raw.take(len(where))
    return part


def _push_compiled(model: PlaneModel, part: Bytes, context: Bytes, encoder: RansEncoder, raw: bytearray) -> None:
    grouped, stops = np.empty(len(part), np.uint8), np.empty(257, np.int64)
    kernels.planes.group(part, context, model.kinds, grouped, stops)
    start = 0
    for of, stop in zip(model.tables.values(), stops.tolist(), strict=False):
        encoder.push(grouped[start:stop], of)
        start = stop
    raw += grouped[start : int(stops[len(model.tables)])].tobytes()


def _read_compiled(model: PlaneModel, context: Bytes, coder: CompiledCoder, raw: RawBytes) -> Bytes:
    part = np.empty(len(context), np.uint8)
    coder.left, coder.state, taken = kernels.planes.read(
        coder.words,
        coder.left,
        coder.state,
        model.compiled,
        context,
        model.kinds,
        model.favourites,
        raw.rest,
        part,
    )
    raw.take(taken if taken >= 0 else len(raw.rest) + 1)
    return part
