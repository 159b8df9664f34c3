"""The planes of a lossless payload, from elements to bytes and back (spec, section 11).

Plane 0 is coded in contexts of the neighbours' bytes: exponents near each other are alike. Plane 1 is coded in contexts
of the element's byte in plane 0 and of the neighbours' signs; later planes in contexts of the byte in plane 0, and of
whether the plane before had its context's most frequent byte. Exact zeros and saturated values then cost next to
nothing, while noise stays raw. Prior art: byte shuffling (HDF5, Blosc), and exponents coded apart (ZipNN 2024).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MalformedError
from .. import kernels
from ..entropy import RansDecoder, RansEncoder
from .grid import Lattice, LatticePass
from .intervals import FEWEST, choose_intervals, interval_of, parse_intervals
from .models import PlaneModel, RawBytes, join_planes, looked_up, push_part, read_part, split_planes

__all__ = ["decode_planes", "encode_planes", "fewest_bytes"]

Bytes = NDArray[np.uint8]

SIGNS = 3
"""Contexts of plane 1 on a grid: how many of two neighbours have their top bit set."""

NEIGHBOURLESS = 1
"""Which of them stands for elements without neighbours."""


def _mean(before: Bytes, behind: Bytes) -> Bytes:
    """Rounded up, within 8 bits [CAUF-0320]."""
    mean: Bytes = (before | behind) - ((before ^ behind) >> 1)
    return mean


def _signs(before: Bytes, behind: Bytes) -> Bytes:
    signs: Bytes = (before >> 7) + (behind >> 7)
    return signs


SUMMARIES: dict[Callable[[Bytes, Bytes], Bytes], int] = {_mean: 1, _signs: 2}
"""As the kernel knows them."""

EVERY_BYTE = np.arange(256, dtype=np.uint8)


@dataclass(frozen=True)
class PlaneContexts:
    """Contexts of a plane: those that the planes before give, plus one from the neighbours in the plane itself.

    Args:
        base: from planes before, laid out like the plane.
        summary: of two neighbours; None where neighbours do not matter.
        alone: what elements without neighbours add.
        table: what a summary adds, ``[256]``; None for itself.
    """

    base: Bytes
    summary: Callable[[Bytes, Bytes], Bytes] | None = None
    alone: int = 0
    table: Bytes | None = None

    def _compiled(self, step: LatticePass, plane: Bytes) -> Bytes:
        rows, columns = step.lines(plane.shape)
        out = np.empty(rows[2] * columns[2] * plane.shape[2], np.uint8)
        table = EVERY_BYTE if self.table is None else self.table
        summary = SUMMARIES[self.summary] if self.summary else 0
        kernels.planes.contexts(
            plane, self.base, table, out, plane.shape, rows, columns, step.axis or 0, step.distance, summary
        )
        return out

    def of(self, step: LatticePass, plane: Bytes) -> Bytes:
        """Of a pass's elements ``[n]``, when earlier passes of the plane are known."""
        base = step.of(self.base)
        if self.summary is None:
            return base.ravel()
        if step.axis is None:
            return (base + np.uint8(self.alone)).ravel()
        if kernels.planes is not None:
            return self._compiled(step, plane)
        found = self.summary(*step.neighbours(plane))
        return (base + (found if self.table is None else looked_up(self.table, found))).ravel()


def fewest_bytes(width: int) -> int:
    """What planes of elements of so many bytes take, however few and alike these are: lengths, heads, and models."""
    return 8 + 2 + 2 * width


def encode_planes(values: NDArray[Any], rotate: bool, lattice: Lattice) -> bytes:
    """Models, then one rANS stream for all coded bytes, then raw bytes.

    Args:
        values: ``[M]``, unsigned integers; not empty.
        rotate: whether they are the bits of floats.
        lattice: where they lie; its sizes divide M.
    """
    table = lattice.spread(values)
    planes = [plane.reshape(table.shape) for plane in split_planes(table.ravel(), rotate)]
    near, groups = _choose_near(planes[0], lattice), _choose_groups(planes, lattice)
    head = lattice.to_bytes() + (b"" if lattice.flat else bytes([len(near), *near])) + bytes([len(groups), *groups])
    encoder, models, raw = RansEncoder(), bytearray(head), bytearray()
    group = looked_up(interval_of(groups), planes[0])
    hits = np.zeros(table.shape, np.uint8)
    for number, plane in enumerate(planes):
        contexts = _contexts(number, near, group, hits, lattice)
        parts = [(step.of(plane).ravel(), contexts.of(step, plane)) for step in _passes(number, lattice)]
        counts = np.zeros((_count(number, near, groups, lattice), 256), np.int64)
        for part, context in parts:
            _add_histograms(counts, context, part)
        model = PlaneModel.cheapest(counts)
        models += model.to_bytes()
        for part, context in parts:
            push_part(model, part, context, encoder, raw)
        if 0 < number < len(planes) - 1:
            hits = _hits(model, number, plane, contexts, lattice)
    words = encoder.finish()
    return len(models).to_bytes(4, "little") + len(words).to_bytes(4, "little") + bytes(models) + words + bytes(raw)


def decode_planes(data: memoryview, count: int, width: int, rotate: bool) -> NDArray[Any]:
    """The elements ``[M]``, unsigned integers of ``width`` bytes.

    Raises:
        MalformedError: if the payload breaks the specification.
    """
    if len(data) < 8:
        raise MalformedError("planes without lengths", requirement=310)
    model_bytes, word_bytes = int.from_bytes(data[:4], "little"), int.from_bytes(data[4:8], "little")
    if not 0 < model_bytes <= len(data) - 8 - word_bytes:
        raise MalformedError("planes are cut", requirement=310)
    models, rest = data[8:][:model_bytes], data[8 + model_bytes :]
    decoder, raw = RansDecoder(rest[:word_bytes]), RawBytes(rest[word_bytes:])
    lattice, models = Lattice.parse(models, count)
    near, models = (np.empty(0, np.uint8), models) if lattice.flat else parse_intervals(models)
    groups, models = parse_intervals(models)
    shape = (lattice.rows, lattice.columns, count // (lattice.rows * lattice.columns))
    group, hits = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    planes = np.empty((width, *shape), np.uint8)
    for number, plane in enumerate(planes):
        model, models = PlaneModel.parse(models, _count(number, near, groups, lattice))
        contexts = _contexts(number, near, group, hits, lattice)
        for step in _passes(number, lattice):
            target = step.of(plane)
            target[...] = read_part(model, contexts.of(step, plane), decoder, raw).reshape(target.shape)
        if number == 0:
            group = looked_up(interval_of(groups), plane)
        elif number < width - 1:
            hits = _hits(model, number, plane, contexts, lattice)
    decoder.end()
    if len(models) or len(raw.rest):
        raise MalformedError("planes leave bytes behind", requirement=311)
    return lattice.gather(join_planes(planes.reshape(width, count), rotate))


def _passes(number: int, lattice: Lattice) -> list[LatticePass]:
    """Planes 0 and 1 are coded in the lattice's passes, the others in one [CAUF-0318]."""
    return list(lattice.passes()) if number < 2 else [LatticePass(slice(None), slice(None))]


def _contexts(number: int, near: Bytes, group: Bytes, hits: Bytes, lattice: Lattice) -> PlaneContexts:
    """How contexts of plane ``number`` are found [CAUF-0315]."""
    if number > 1:
        return PlaneContexts(np.uint8(2) * group + hits)
    if number == 0:
        nothing = np.zeros_like(group)
        return (
            PlaneContexts(nothing)
            if lattice.flat
            else PlaneContexts(nothing, _mean, 0, interval_of(near) + np.uint8(1))
        )
    return PlaneContexts(group) if lattice.flat else PlaneContexts(np.uint8(SIGNS) * group, _signs, NEIGHBOURLESS)


def _count(number: int, near: Bytes, groups: Bytes, lattice: Lattice) -> int:
    """Contexts of plane ``number``."""
    if number == 0:
        return 1 if lattice.flat else len(near) + 2
    return (len(groups) + 1) * (2 if number > 1 else 1 if lattice.flat else SIGNS)


def _hits(model: PlaneModel, number: int, plane: Bytes, contexts: PlaneContexts, lattice: Lattice) -> Bytes:
    """1 where an element of the plane is its context's favourite."""
    out = np.zeros(plane.shape, np.uint8)
    if model.kinds.any():
        for step in _passes(number, lattice):
            target = step.of(out)
            target[...] = model.hits(step.of(plane).ravel(), contexts.of(step, plane)).reshape(target.shape)
    return out


def _choose_near(plane: Bytes, lattice: Lattice) -> Bytes:
    """Intervals of the mean of neighbours' bytes."""
    if lattice.flat or plane.size < FEWEST:
        return np.empty(0, np.uint8)
    means = PlaneContexts(np.zeros_like(plane), _mean)
    _, *steps = lattice.passes()
    counts = np.zeros((256, 256), np.int64)
    for step in steps:
        _add_histograms(counts, means.of(step, plane), step.of(plane).ravel())
    return choose_intervals(counts[:, None])


def _choose_groups(planes: list[Bytes], lattice: Lattice) -> Bytes:
    """Intervals of the byte in plane 0, behind which bytes in plane 1 are alike."""
    if len(planes) < 2 or planes[0].size < FEWEST:
        return np.empty(0, np.uint8)
    signs = PlaneContexts(np.zeros_like(planes[0]), None if lattice.flat else _signs, NEIGHBOURLESS)
    counts = np.zeros((256, SIGNS, 256), np.int64)
    for step in lattice.passes():
        side = signs.of(step, planes[1])
        part = step.of(planes[1]).ravel()
        _add_histograms(counts.reshape(-1, 256), step.of(planes[0]).ravel(), part, side, SIGNS)
    return choose_intervals(counts)


def _add_histograms(
    counts: NDArray[np.int64], context: Bytes, part: Bytes, side: Bytes | None = None, sides: int = 1
) -> None:
    """Add to counts ``[K, 256]`` how often each byte comes in each context, ``sides * context + side``."""
    if kernels.planes is not None:
        kernels.planes.count(context, side, sides, part, counts)
        return
    keys = context.astype(np.int32)
    if side is not None:
        keys = keys * sides + side
    counts += np.bincount(keys << 8 | part, minlength=counts.size).reshape(counts.shape)
