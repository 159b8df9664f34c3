"""Tensors that are coded with loss: where format alignment, value alignment, codec and patches meet."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import (
    ChannelAligner,
    GlobalAligner,
    LayoutAligner,
    SideArray,
    TokenAligner,
    Tokens,
    ValueAligner,
    check_scale_codes,
    truncate,
)
from ..bitstream import Cursor, varint
from ..codec import Geometry, Parameters, TransformCodec, decode_lossless, encode_lossless
from ..errors import LayoutError, MalformedError
from ..types import ALIGNMENT_KINDS, DTYPES, AnyArray
from .coder import DeadZones, Encoded, Promise, Samples, Shapes, Symbols, Work, split
from .distortion import Distortion
from .numeric import cast_floats, to_floats, working_dtype
from .patches import Patches
from .setup import MAX_CHANNELS, OFFSETS, SCALES, TensorSetup

__all__ = ["TransformCoder", "channels_of", "value_aligner"]

PATCHED = 1
BLOCK_VALUES = 1 << 17
SAFE_INDEX = 1 << 23
"""Below, float32 represents every index and its neighbours, so quantisation errors stay within steps."""

SAFE_STEPS = 64
"""Errors beyond so many steps are no quantisation errors."""


@dataclass(frozen=True)
class _State:
    """What a decoded transform payload holds."""

    symbols: NDArray[np.int32]
    geometry: Geometry
    side: SideArray | None
    patches: Patches | None


def value_aligner(setup: TensorSetup, channels: int) -> ValueAligner:
    """The value aligner that a setup describes."""
    record = setup.alignment
    if record is None:
        return GlobalAligner(0.0, 1.0)
    if record.scope == 0:
        return GlobalAligner(record.offset, record.scale)
    if record.scope == 2:
        return TokenAligner(ALIGNMENT_KINDS[record.kind])
    offsets, scales = (setup.arrays.get(kind, np.empty(0, "<i2")) for kind in (OFFSETS, SCALES))
    if offsets.shape != (channels,) or scales.shape != (channels,):
        raise MalformedError(f"no statistics for {channels} channels", requirement=351, tensor=setup.name)
    return ChannelAligner(offsets, scales)


def channels_of(setup: TensorSetup) -> int:
    """Channels of a tensor that the transform codec codes.

    Raises:
        MalformedError: if there is no layout, their number varies, or there are too many.
    """
    if setup.layout is None:
        raise MalformedError("no layout", requirement=200, tensor=setup.name)
    sizes = [setup.template[axis] for axis in LayoutAligner(setup.layout).channel_axes]
    if None in sizes:
        raise MalformedError("the number of channels varies", requirement=66, tensor=setup.name)
    product = math.prod(size or 0 for size in sizes)
    if product > MAX_CHANNELS:
        raise MalformedError(f"{product} channels", requirement=66, tensor=setup.name)
    return product


def _stacked(samples: Samples, template: Sequence[int | None]) -> Samples:
    """Samples of one shape as one array."""
    if isinstance(samples, list) and None not in template:
        return np.stack(samples) if samples else np.empty((0, *(size or 0 for size in template)))
    return samples


class TransformCoder:
    """Codes floats: format alignment, value alignment, transform codec, patches."""

    def __init__(self, setup: TensorSetup, gain: float, bounded: bool, dead_zones: DeadZones) -> None:
        self.setup, self.gain = setup, gain
        if setup.layout is None:
            raise MalformedError("no layout", requirement=200, tensor=setup.name)
        self.format = LayoutAligner(setup.layout)
        self.channels = channels_of(setup)
        self.value = value_aligner(setup, self.channels)
        parameters = Parameters.from_fields(setup.parameters)
        self.codec = TransformCodec(parameters, setup.arrays, self.channels, bounded=bounded, thresholds=dead_zones)
        self.largest_step = float(self.codec.steps(gain).max())
        self.working = working_dtype(setup.dtype)
        self.part: Geometry | None = None

    def work(self, shapes: Shapes) -> Work:
        """Tokens, different grids, and products by the basis.

        Raises:
            MalformedError: for shapes that the layout does not fit.
        """
        samples = {shapes[0]: len(shapes)} if shapes and None not in self.setup.template else Counter(shapes)
        tokens = sum(count * self._tokens(shape) for shape, count in samples.items())
        grids = len({self.format.grid(shape) for shape in samples})
        products = 0 if self.codec.basis is None else tokens * self.codec.coded * self.channels
        return Work(tokens, grids, products)

    def encode(self, samples: Samples, promise: Promise) -> Encoded:
        stored = _stacked(samples, self.setup.template)
        floats = (
            [to_floats(s, self.setup.dtype) for s in stored]
            if isinstance(stored, list)
            else to_floats(stored, self.setup.dtype)
        )
        tokens = self.format.to_tokens(floats)
        matrix, lost = tokens.matrix, None
        if promise.nonfinite:
            lost = ~np.isfinite(matrix)
            matrix = np.where(lost, matrix.dtype.type(0), matrix) if lost.any() else matrix
        distortion = Distortion()
        clean = matrix
        if promise.truncate is not None:
            matrix, distortion.clipped = truncate(matrix, *promise.truncate)
        geometry = self.codec.geometry(tokens.grids, tokens.special)
        symbols, sides = np.empty((len(matrix), self.codec.coded), np.int32), []
        broken: NDArray[np.bool_] | None = None
        for rows, block in self._blocks(geometry):
            aligned, part_side = self.value.forward(matrix[rows])
            coefficients = self.codec.transform(aligned, block)
            part = self.codec.symbols(coefficients, block.bands, self.gain)
            error = to_floats(self._stored(part, block, part_side), self.setup.dtype)
            error -= clean[rows]
            mask = self._broken(error, part, part_side, promise, None if lost is None else lost[rows])
            if mask is not None:
                error[mask] = 0
                broken = np.zeros(matrix.shape, np.bool_) if broken is None else broken
                broken[rows] = mask
            distortion.add(clean[rows], error)
            symbols[rows] = part
            sides += [] if part_side is None else [part_side]
        side = np.concatenate(sides, axis=1) if sides else None
        patches = None
        if broken is not None:
            distortion.patched = int(broken.sum())
            patches = Patches.where(self._flat(broken, tokens), np.concatenate([s.ravel() for s in stored]))
        payload = self._payload(self.codec.encode(symbols, geometry), side, patches)
        return Encoded(payload, _covered(symbols, side, patches), distortion)

    def _blocks(self, geometry: Geometry) -> Iterator[tuple[slice, Geometry]]:
        """Runs of samples of so many values that they stay in the processor's caches, as rows and their geometry."""
        most = max(1, BLOCK_VALUES // max(1, self.channels))
        first = row = size = 0
        for number, tokens in enumerate(geometry.sizes):
            if size and size + tokens > most:
                yield slice(row, row + size), self._part(geometry, first, number)
                first, row, size = number, row + size, 0
            size += tokens
        yield slice(row, row + size), self._part(geometry, first, len(geometry.grids))

    def _part(self, geometry: Geometry, first: int, last: int) -> Geometry:
        """The geometry of some samples; equal ones are made once."""
        grids = geometry.grids[first:last]
        if self.part is None or self.part.grids != grids:
            self.part = Geometry(grids, geometry.special, geometry.spectral)
        return self.part

    def _stored(self, symbols: NDArray[np.int32], geometry: Geometry, side: SideArray | None) -> AnyArray:
        """What the decoder will store ``[N, C]``."""
        aligned = self.codec.reconstruct(symbols, geometry, self.gain, self.working)
        with np.errstate(over="ignore", invalid="ignore"):
            return cast_floats(self.value.inverse(aligned, side), self.setup.dtype)

    def _broken(
        self,
        error: NDArray[Any],
        symbols: NDArray[np.int32],
        side: SideArray | None,
        promise: Promise,
        lost: NDArray[np.bool_] | None,
    ) -> NDArray[np.bool_] | None:
        """Where the promise would be broken; None for nowhere."""
        mask: NDArray[np.bool_] | None = None
        if promise.max_error is not None:
            mask = ~(np.abs(error.astype(np.float64)) <= promise.max_error)
        elif symbols.size and int(symbols.max()) >= SAFE_INDEX:
            mask = ~(np.abs(error) <= SAFE_STEPS * self.largest_step * self.value.scales(side))
        if lost is not None:
            mask = lost if mask is None else mask | lost
        return mask if mask is not None and mask.any() else None

    def _flat(self, mask: NDArray[np.bool_], tokens: Tokens) -> NDArray[np.bool_]:
        """A mask ``[N, C]`` in the samples' own order, flat."""
        back = self.format.from_tokens(Tokens(mask, tokens.shapes, tokens.grids, tokens.special, tokens.stacked))
        return np.concatenate([part.ravel() for part in back])

    def _payload(self, words: bytes, side: SideArray | None, patches: Patches | None) -> bytes:
        """Flags, side array, patches, words [CAUF-0206]."""
        out = bytearray([PATCHED if patches is not None else 0])
        if side is not None:
            coded = encode_lossless(side.ravel(), rotate=False)
            out += varint(len(coded)) + coded
        if patches is not None:
            coded = patches.to_bytes()
            out += varint(len(coded)) + coded
        return bytes(out) + words

    def decode_symbols(self, payload: memoryview, shapes: Shapes) -> Symbols:
        counts = [self._tokens(shape) for shape in shapes]
        tokens, total = sum(counts), sum(self.setup.size(shape) for shape in shapes)
        cursor = Cursor(payload)
        flags = cursor.byte()
        if flags > PATCHED:
            raise MalformedError(f"payload flags {flags}", requirement=206, tensor=self.setup.name)
        side, patches = None, None
        if isinstance(self.value, TokenAligner):
            coded = cursor.take(cursor.varint())
            side = decode_lossless(coded, 2 * tokens, np.dtype("<i2"), rotate=False).reshape(2, tokens)
            check_scale_codes(side[1])
        if flags & PATCHED:
            patches = Patches.parse(cursor.take(cursor.varint()), self.setup.dtype, total)
        geometry = self.codec.geometry(tuple(self.format.grid(s) for s in shapes), self.format.layout.special)
        symbols = self.codec.decode_symbols(cursor.take(cursor.left), geometry)
        return Symbols(_State(symbols, geometry, side, patches), _covered(symbols, side, patches))

    def _tokens(self, shape: tuple[int, ...]) -> int:
        try:
            return self.format.size(shape)[0]
        except LayoutError as err:
            raise MalformedError(str(err), requirement=171, tensor=self.setup.name) from err

    def reconstruct(self, symbols: Symbols, shapes: Shapes) -> list[AnyArray] | AnyArray:
        state: _State = symbols.state
        stored = np.empty((len(state.symbols), self.channels), DTYPES[self.setup.dtype])
        for rows, block in self._blocks(state.geometry):
            side = None if state.side is None else state.side[:, rows]
            stored[rows] = self._stored(state.symbols[rows], block, side)
        stacked = None not in self.setup.template
        tokens = Tokens(stored, tuple(shapes), (), self.format.layout.special, stacked)
        samples = self.format.from_tokens(tokens)
        if state.patches is None:
            return samples
        flat = np.concatenate([np.ascontiguousarray(part).ravel() for part in samples])
        state.patches.apply(flat)
        return split(flat, shapes, stacked)


def _covered(symbols: NDArray[np.int32], side: SideArray | None, patches: Patches | None) -> list[bytes | memoryview]:
    """What the symbols' checksum covers, in order [CAUF-0118]."""
    parts: list[bytes | memoryview] = []
    if side is not None:
        parts.append(side.astype("<i2").tobytes())
    parts.append(symbols.astype("<i4", copy=False).view(np.uint8).data)
    if patches is not None:
        parts += [patches.positions.astype("<u4").tobytes(), patches.values.tobytes()]
    return parts
