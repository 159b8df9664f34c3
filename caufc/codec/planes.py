"""Byte planes of the lossless codec: how elements fall apart, and which model codes which byte (spec, section 11)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MalformedError
from .entropy import Decoder, table_model
from .tables import Frequencies, code_lengths, frequencies_of, levels_of

__all__ = ["PlaneModel", "choose_groups", "choose_plane", "join_planes", "next_context", "read_plane", "split_planes"]

Bytes = NDArray[np.uint8]

RAW, CONSTANT, TABLE = range(3)
MAX_GROUPS = 8
MIN_SHARE = 1 / 128
SKEWED_BITS = 7.5


@dataclass(frozen=True)
class ContextModel:
    """How the bytes of one context are coded: raw, one constant byte, or a table of 256 levels."""

    kind: int
    constant: int = 0
    levels: Bytes | None = None

    def frequencies(self) -> Frequencies:
        """The table's frequencies ``[256]``, absent bytes included."""
        table: Frequencies = frequencies_of(np.asarray(self.levels)[None])[0]
        return table

    def favourite(self) -> int:
        """The most frequent byte, -1 where bytes are raw."""
        if self.kind == TABLE:
            return int(np.argmax(self.frequencies()))
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
        if kind != TABLE or len(data) < 33:
            raise MalformedError(f"context model {kind}", requirement=321)
        present = np.unpackbits(np.frombuffer(data[1:33], np.uint8)).astype(bool)
        end = 33 + int(present.sum())
        levels = np.zeros(256, np.uint8)
        if len(data) < end:
            raise MalformedError("a table is cut", requirement=322)
        levels[present] = np.frombuffer(data[33:end], np.uint8)
        return cls(TABLE, levels=levels), data[end:]


@dataclass(frozen=True)
class PlaneModel:
    """The models of one plane, one a context."""

    models: tuple[ContextModel, ...]

    def favourites(self) -> NDArray[np.int16]:
        return np.array([model.favourite() for model in self.models], np.int16)

    def to_bytes(self) -> bytes:
        return b"".join(model.to_bytes() for model in self.models)

    @classmethod
    def parse(cls, data: memoryview, contexts: int) -> tuple[PlaneModel, memoryview]:
        models = []
        for _ in range(contexts):
            model, data = ContextModel.parse(data)
            models.append(model)
        return cls(tuple(models)), data


def split_planes(values: NDArray[Any], rotate: bool) -> list[Bytes]:
    """Unsigned integers to bytes, the most significant plane first; floats are rotated left by one bit first."""
    width = values.dtype.itemsize
    if rotate:
        values = values << 1 | values >> 8 * width - 1
    table = np.ascontiguousarray(values.astype(f"<u{width}")).view(np.uint8).reshape(-1, width)
    return [np.ascontiguousarray(table[:, column]) for column in reversed(range(width))]


def join_planes(planes: Sequence[Bytes], rotate: bool) -> NDArray[Any]:
    """The inverse of :func:`split_planes`."""
    width = len(planes)
    table = np.empty((len(planes[0]), width), np.uint8)
    for column, plane in zip(reversed(range(width)), planes, strict=True):
        table[:, column] = plane
    values = table.view(f"<u{width}").ravel()
    return (values >> 1 | values << 8 * width - 1) if rotate else values


def choose_groups(planes: Sequence[Bytes]) -> Bytes:
    """First-plane bytes that deserve contexts of their own: frequent ones, behind which bytes are not noise."""
    if len(planes) < 2:
        return np.empty(0, np.uint8)
    counts = np.bincount(planes[0], minlength=256)
    groups = []
    for byte in np.argsort(-counts, kind="stable")[: MAX_GROUPS - 1]:
        if counts[byte] < MIN_SHARE * len(planes[0]):
            break
        behind = np.bincount(planes[1][planes[0] == byte], minlength=256)
        if _bits(behind) < SKEWED_BITS * behind.sum():
            groups.append(byte)
    return np.array(sorted(groups), np.uint8)


def next_context(model: PlaneModel, groups: Bytes, first: Bytes, plane: Bytes, context: Bytes, number: int) -> Bytes:
    """Contexts of the plane behind plane ``number``: twice the group of the first byte, plus whether the plane's byte
    was its context's favourite (never behind the first plane) [CAUF-0315]."""
    group_of = np.zeros(256, np.uint8)
    group_of[groups] = 2 * np.arange(1, len(groups) + 1)
    following = group_of[first]
    if number:
        following += model.favourites()[context] == plane
    return following


def choose_plane(plane: Bytes, context: Bytes, contexts: int) -> PlaneModel:
    """The cheapest model of every context."""
    counts = np.bincount(context.astype(np.int32) * 256 + plane, minlength=contexts * 256).reshape(contexts, 256)
    return PlaneModel(tuple(_cheapest(row) for row in counts))


def _bits(counts: NDArray[Any]) -> float:
    total = counts.sum()
    present = counts[counts > 0]
    return float(total * np.log2(total) - (present * np.log2(present)).sum()) if total else 0.0


def _cheapest(counts: NDArray[np.int64]) -> ContextModel:
    present = np.flatnonzero(counts)
    if len(present) == 1:
        return ContextModel(CONSTANT, int(present[0]))
    if not len(present):
        return ContextModel(RAW)
    levels = levels_of(counts[None])
    bits = float(counts @ code_lengths(frequencies_of(levels))[0]) + 8 * (32 + len(present))
    return ContextModel(TABLE, levels=levels[0]) if bits < 8 * counts.sum() else ContextModel(RAW)


def by_context(context: Bytes, contexts: int) -> Iterator[NDArray[np.intp]]:
    """Positions of every context's elements, in order."""
    if contexts == 1:
        yield np.arange(len(context))
        return
    order = np.argsort(context, kind="stable")
    bounds = np.searchsorted(context[order], np.arange(contexts + 1))
    for number in range(contexts):
        yield order[bounds[number] : bounds[number + 1]]


def read_plane(model: PlaneModel, context: Bytes, decoder: Decoder, raw: Bytes) -> tuple[Bytes, Bytes]:
    """Decode a plane; also the raw bytes behind those that it took.

    Raises:
        MalformedError: if there are too few raw bytes.
    """
    plane = np.empty(len(context), np.uint8)
    for kind, where in zip(model.models, by_context(context, len(model.models)), strict=True):
        if kind.kind == TABLE:
            part = np.empty(len(where), np.uint8)
            decoder.pull_into(part, table_model(kind.frequencies()))
            plane[where] = part
        elif kind.kind == CONSTANT:
            plane[where] = kind.constant
        elif len(where) > len(raw):
            raise MalformedError("raw bytes are cut", requirement=312)
        else:
            plane[where], raw = raw[: len(where)], raw[len(where) :]
    return plane, raw
