"""The coder of the transform codec: tensors whose aligned tokens are transformed, quantised and entropy-coded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import TokenScales
from ..codec.buckets import zigzag
from ..codec.transform.codec import TransformCodec
from ..codec.transform.coefficients import CoefficientCoder
from ..codec.transform.grids import Geometry
from ..codec.transform.parameters import Parameters
from ..errors import OptionError
from .base import FileShare, Shapes, Terms, Work, outliers_of
from .blocks import BlockInput, Mask
from .config import TensorConfig
from .dtypes import to_floats
from .lossy import LossyCoder
from .told_errors import ToldErrors, decoded_tokens

__all__ = ["TransformCoder"]

BLOCK_VALUES, SEARCHED_VALUES = 1 << 17, 1 << 19
"""Values that are coded at a time, so that they stay in the processor's caches; a search goes through many tokens side
by side."""

KEPT_GEOMETRIES, KEPT_TOKENS = 4, 1 << 15
"""So many chunks' geometries are kept, of so many tokens each at most."""

MOST_DECODED = 0.25
"""Share of a block's tokens that are decoded by themselves for their errors; with more, all are."""

SAFE_INDEX = 1 << 23
"""Below, float32 represents every index and its neighbours, so quantisation errors stay within steps."""

SAFE_STEPS = 64
"""Errors beyond so many steps are no quantisation errors."""

Symbols = NDArray[np.int32]
Grids = tuple[tuple[int, ...], ...]


class TransformCoder(LossyCoder):
    """Codes floats with the transform codec."""

    def __init__(self, config: TensorConfig, share: FileShare) -> None:
        super().__init__(config)
        self.gain = share.gain
        self.codec = TransformCodec(Parameters.from_fields(config.parameters), config.arrays, self.channels)
        self.largest_step = float(self.codec.steps(self.gain).max())
        self._block: Geometry | None = None
        self._kept: Mapping[Grids, Geometry] = {}

    def work(self, shapes: Shapes) -> Work:
        """Tokens, different grids, and products by the basis.

        Raises:
            MalformedError: for shapes that the layout does not fit.
        """
        samples = self._samples_by_shape(shapes)
        tokens = self._count_all_tokens(samples)
        grids = len({self.format.grid(shape) for shape in samples})
        products = 0 if self.codec.basis is None else tokens * self.codec.basis.products
        return Work(tokens, grids, products)

    def _geometry(self, grids: tuple[tuple[int, ...], ...], special: int) -> Geometry:
        """The geometry of a chunk; the last few are kept, if they are small: most chunks of a file have the same."""
        found = self._kept.get(grids)
        if found is None:
            found = self.codec.geometry(grids, special)
            if found.tokens <= KEPT_TOKENS:
                last = [*self._kept.items()][1 - KEPT_GEOMETRIES :]
                self._kept = dict([*last, (grids, found)])  # threads may do so side by side
        return found

    def _blocks(self, geometry: Geometry) -> Iterator[tuple[slice, Geometry]]:
        """Runs of whole samples."""
        values = SEARCHED_VALUES if self.codec.parameters.dependent else BLOCK_VALUES
        most = max(1, values // max(1, self.channels))
        if geometry.alike:
            yield from self._alike_blocks(geometry, most)
            return
        first = row = size = 0
        for number, tokens in enumerate(geometry.sizes):
            if size and size + tokens > most:
                yield slice(row, row + size), self._block_of(geometry, first, number)
                first, row, size = number, row + size, 0
            size += tokens
        yield slice(row, row + size), self._block_of(geometry, first, len(geometry.grids))

    def _alike_blocks(self, geometry: Geometry, most: int) -> Iterator[tuple[slice, Geometry]]:
        """Runs of so many tokens at most of samples with one grid."""
        each, samples = geometry.sizes[0], len(geometry.grids)
        run = max(1, most // max(1, each))
        for first in range(0, samples, run):
            last = min(first + run, samples)
            yield slice(first * each, last * each), self._block_of(geometry, first, last)

    def _block_of(self, geometry: Geometry, first: int, last: int) -> Geometry:
        """The geometry of some samples; equal ones are made once. Threads may do so at the same time."""
        if last - first == len(geometry.grids):
            return geometry
        grids = geometry.grids[first:last]
        block = self._block
        if block is None or block.grids != grids:
            block = self._block = Geometry(grids, geometry.special, geometry.spectral)
        return block

    def _symbols(self, aligned: NDArray[Any], block: Geometry, terms: Terms) -> tuple[Symbols, NDArray[Any]]:
        if terms.quantizer is None:
            raise OptionError("the transform codec needs a quantizer to encode")
        directions = self.codec.along_channels(aligned)
        steps = self.codec.steps(self.gain).astype(np.float64)
        indices = terms.quantizer(self.codec.along_grid(directions, block), steps, block.bands)
        return zigzag(indices), directions

    def _told(
        self, part: BlockInput, symbols: Symbols, directions: NDArray[Any], block: Geometry, terms: Terms
    ) -> ToldErrors | None:
        if terms.transfer is None or self.config.stacked > 1:
            return None
        mask = outliers_of(part.clean, terms)
        decoded = decoded_tokens(len(part.clean), mask, part.exact)
        if decoded.mean() > MOST_DECODED:
            return None
        points = self.codec.from_grid(self.codec.points(symbols, block, self.gain, self.working), block)
        factors = None if part.scales is None else part.scales.factors
        sums = terms.transfer.sums(part.clean, directions, points, factors)
        showing = terms.transfer.showing(len(decoded)) & ~decoded
        rows = decoded | showing
        error = self._error_of(part, points, rows, block) if rows.any() else np.empty((0, self.channels), self.working)
        if terms.transfer.share:
            times = terms.transfer.shown(error[showing[rows]], sums.squares[showing])
            if times is None:
                return None
            sums = sums.with_errors(times)
        if decoded.any():
            sums = sums.part(~decoded)
        of_decoded = (None if given is None else given[decoded] for given in (mask, part.exact))
        return ToldErrors(sums, decoded, error[decoded[rows]], *of_decoded)

    def _error_of(
        self, part: BlockInput, points: NDArray[Any], rows: NDArray[np.bool_], block: Geometry
    ) -> NDArray[Any]:
        """Errors of some tokens ``[m, C]``, decoded from what the decoder has for the directions of all."""
        scales = None if part.scales is None else TokenScales(part.scales.codes[rows])
        positions = self._positions(block) if self.turns is None else self._positions(block)[rows]
        stored = self._finished(self.codec.from_channels(points[rows]), positions, None, scales)
        error: NDArray[Any] = to_floats(stored, self.config.dtype) - part.clean[rows]
        if part.exact is not None:
            error[part.exact[rows]] = 0
        return error

    def _joined(self, blocks: Sequence[Symbols], geometry: Geometry) -> Symbols:
        if len(blocks) == 1:
            return blocks[0]
        return np.concatenate(blocks, out=np.empty((geometry.tokens, self.codec.coded), np.int32))

    def _part(self, symbols: Symbols, rows: slice) -> Symbols:
        return symbols[rows]

    def _restored(self, symbols: Symbols, block: Geometry) -> NDArray[Any]:
        return self.codec.reconstruct(symbols, block, self.gain, self.working)

    @property
    def entropy(self) -> CoefficientCoder:
        """The coder of coefficients."""
        return self.codec.coder

    def _place(self, geometry: Geometry) -> tuple[Geometry]:
        return (geometry,)

    @property
    def together(self) -> int:
        """Two, with compiled kernels."""
        return self.entropy.together

    def _decoded(self, chunks: Sequence[tuple[bytes | memoryview, Geometry]]) -> Sequence[Symbols]:
        return self.entropy.decode_symbols_of(chunks)

    def _integers(self, symbols: Symbols) -> list[Symbols]:
        return [symbols]

    def _sound(self, symbols: Symbols, terms: Terms) -> bool:
        promised = terms.max_error is not None or terms.token_snr is not None
        return not promised and _safe(symbols)

    def _broken(self, error: NDArray[Any], symbols: Symbols, scales: NDArray[Any], terms: Terms) -> Mask:
        """Beyond the bound; or, without one, where indices were too large to be exact."""
        if terms.max_error is not None:
            return ~(np.abs(error.astype(np.float64)) <= terms.max_error)
        if _safe(symbols):
            return None
        bound = SAFE_STEPS * self.largest_step * scales
        beyond: NDArray[np.bool_] = ~(np.abs(error) <= bound)
        return beyond


def _safe(symbols: Symbols) -> bool:
    """Whether indices are so small that errors stay within steps."""
    return not symbols.size or int(symbols.max()) < SAFE_INDEX
