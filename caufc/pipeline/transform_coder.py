"""Tensors that are coded with loss: where format alignment, value alignment, codec and patches meet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import (
    SideArray,
    TokenAligner,
    truncate,
)
from ..codec import Geometry, Parameters, TransformCodec
from ..types import DTYPES, AnyArray
from .coder import Costs, Encoded, Promise, Samples, Shapes, Symbols, Work
from .distortion import Distortion
from .numeric import cast_floats, to_floats
from .payload import Payload
from .setup import TensorSetup
from .token_coder import TokenCoder

__all__ = ["TransformCoder"]

BLOCK_VALUES, SEARCHED_VALUES = 1 << 17, 1 << 19
"""Values that are coded at a time; a search goes through many tokens side by side."""

SAFE_INDEX = 1 << 23
"""Below, float32 represents every index and its neighbours, so quantisation errors stay within steps."""

SAFE_STEPS = 64
"""Errors beyond so many steps are no quantisation errors."""


@dataclass(frozen=True)
class _State:
    """What a decoded transform payload holds."""

    symbols: NDArray[np.int32]
    geometry: Geometry
    payload: Payload


class TransformCoder(TokenCoder):
    """Codes floats: format alignment, value alignment, transform codec, patches."""

    def __init__(self, setup: TensorSetup, gain: float, bounded: bool, costs: Costs) -> None:
        super().__init__(setup)
        self.gain = gain
        parameters = Parameters.from_fields(setup.parameters)
        self.codec = TransformCodec(parameters, setup.arrays, self.channels, bounded=bounded, costs=costs)
        self.largest_step = float(self.codec.steps(gain).max())
        self.part: Geometry | None = None

    def work(self, shapes: Shapes) -> Work:
        """Tokens, different grids, and products by the basis.

        Raises:
            MalformedError: for shapes that the layout does not fit.
        """
        samples = self.samples_by_shape(shapes)
        tokens = self.count_all_tokens(samples)
        grids = len({self.format.grid(shape) for shape in samples})
        products = 0 if self.codec.basis is None else tokens * self.codec.coded * self.channels
        return Work(tokens, grids, products)

    def encode(self, samples: Samples, promise: Promise) -> Encoded:
        stored = self.stacked(samples)
        tokens = self.tokens_of(stored)
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
            patches = self.patches_where(broken, tokens, stored)
        payload = Payload(self.codec.encode(symbols, geometry), side, patches)
        return Encoded(payload.to_bytes(), payload.covered([symbols]), distortion)

    def _blocks(self, geometry: Geometry) -> Iterator[tuple[slice, Geometry]]:
        """Runs of samples of so many values that they stay in the processor's caches, as rows and their geometry."""
        values = SEARCHED_VALUES if self.codec.parameters.dependent else BLOCK_VALUES
        most = max(1, values // max(1, self.channels))
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

    def decode_symbols(self, payload: memoryview, shapes: Shapes) -> Symbols:
        tokens = sum(self.count_tokens(shape) for shape in shapes)
        total = sum(self.setup.size(shape) for shape in shapes)
        own = tokens if isinstance(self.value, TokenAligner) else None
        parsed = Payload.parse(payload, self.setup.dtype, own, total)
        geometry = self.codec.geometry(tuple(self.format.grid(s) for s in shapes), self.format.layout.special)
        symbols = self.codec.decode_symbols(parsed.words, geometry)
        return Symbols(_State(symbols, geometry, parsed), parsed.covered([symbols]))

    def reconstruct(self, symbols: Symbols, shapes: Shapes) -> list[AnyArray] | AnyArray:
        state: _State = symbols.state
        stored = np.empty((len(state.symbols), self.channels), DTYPES[self.setup.dtype])
        for rows, block in self._blocks(state.geometry):
            side = None if state.payload.side is None else state.payload.side[:, rows]
            stored[rows] = self._stored(state.symbols[rows], block, side)
        return self.samples_of(stored, shapes, state.payload.patches)
