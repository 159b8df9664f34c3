"""Tensors that are coded without loss: integers, booleans, and floats where asked for."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import LayoutAligner, truncate
from ..bitstream import note_value
from ..codec.lossless.codec import decode_lossless, encode_lossless
from ..codec.lossless.grid import Lattice
from ..codec.transform.grids import Geometry
from ..errors import MalformedError
from ..layouts import GRID_LETTERS, Layout
from ..types import DTYPES, FLOATS, AnyArray
from .base import (
    DecodedSymbols,
    EncodedPayload,
    FileShare,
    Samples,
    Shapes,
    Terms,
    Work,
    flat,
    outliers_of,
    shapes_of,
    split,
)
from .config import TensorConfig
from .distortion import Distortion
from .dtypes import cast_floats, to_floats

__all__ = ["LosslessCoder", "lattice_of", "lattice_of_tokens", "strides_of"]


def lattice_of(layout: Layout | None, shapes: Sequence[tuple[int, ...]]) -> Lattice:
    """Where the values of samples, one after the other, lie on token grids, as far as a lattice can say that.

    The last token axis counts columns, and the axis before it rows if it is one of tokens. Samples of several lengths
    are one long sequence if their tokens come first, else all their values are.
    """
    if layout is None or not shapes or not sum(map(math.prod, shapes)):
        return Lattice()
    grid = [axis for axis, term in enumerate(layout.sample_terms) if term[0] in GRID_LETTERS]
    if not grid:
        return Lattice()
    last, shape = grid[-1], shapes[0]
    if len(set(shapes)) > 1:
        same = last == 0 and len({other[1:] for other in shapes}) == 1
        inner = math.prod(shape[1:]) if same else 1
        return Lattice(1, sum(map(math.prod, shapes)) // inner, inner)
    rows = shape[last - 1] if last - 1 in grid else 1
    return Lattice(rows, shape[last], math.prod(shape[last + 1 :]))


def strides_of(shapes: Sequence[tuple[int, ...]]) -> list[int]:
    """Elements between neighbours along all axes but the last, the axis of samples too, ascending.

    Of samples of several shapes, those axes count behind which all sizes are the same.
    """
    if not shapes:
        return []
    first, same = shapes[0], len(shapes[0])
    for shape in set(shapes):
        while same and shape[len(shape) - same :] != first[len(first) - same :]:
            same -= 1
    sizes = itertools.accumulate(reversed(first[len(first) - same :]), operator.mul)
    return sorted({size for size in sizes if size > 1})


def lattice_of_tokens(geometry: Geometry, channels: int) -> Lattice:
    """The lattice of a matrix of tokens ``[N, C]``: much like that of the samples that it was made from."""
    grids = set(geometry.grids)
    if not geometry.tokens * channels:
        return Lattice()
    if len(grids) > 1:
        return Lattice(1, geometry.tokens, channels)
    (grid,) = grids
    if geometry.special:
        return Lattice(1, geometry.sizes[0], channels)
    rows, columns = (1, 1, *grid)[-2:]
    return Lattice(rows, columns, channels)


class LosslessCoder:
    """Codes any dtype without loss, as flat little-endian elements."""

    def __init__(self, config: TensorConfig, share: FileShare) -> None:  # noqa: ARG002
        self.config = config
        self.rotate = config.dtype in FLOATS
        self.dtype = np.dtype("u1") if config.dtype == "bool" else DTYPES[config.dtype]

    @property
    def channels(self) -> int:
        """None are coded with loss."""
        return 0

    @property
    def together(self) -> int:
        """Chunks gain nothing by each other."""
        return 1

    def work(self, shapes: Shapes) -> Work:  # noqa: ARG002
        """Nothing besides its values."""
        return Work()

    def encode(self, samples: Samples, terms: Terms) -> EncodedPayload:
        """Samples to a payload; floats are clipped first where the terms have a range."""
        shapes, distortion = shapes_of(samples), Distortion()
        values = np.ascontiguousarray(flat(samples)).view(self.dtype)
        if self.rotate and (terms.measured or terms.truncate is not None):
            values = self._measured(values, samples, terms, distortion)
        if self.rotate:
            payload = encode_lossless(values, rotate=True, lattice=lattice_of(self.config.layout, shapes))
        else:
            payload = encode_lossless(values, rotate=False, strides=strides_of(shapes))
        return EncodedPayload(payload, [values.tobytes()], [distortion])

    def _measured(self, values: AnyArray, samples: Samples, terms: Terms, distortion: Distortion) -> AnyArray:
        """What is stored of flat values, which are clipped where the terms have a range; errors are added."""
        floats = to_floats(values, self.config.dtype)
        there = np.isfinite(floats)
        if terms.truncate is not None:
            finite = np.where(there, floats, floats.dtype.type(0))
            kept, distortion.clipped = truncate(finite, *terms.truncate)
            if distortion.clipped:
                shapes = shapes_of(samples)
                tokens, error = (self._tokens(part, samples, shapes) for part in (finite, kept - finite))
                distortion.add(tokens, error, outliers_of(tokens, terms))
                return np.where(there, cast_floats(kept, self.config.dtype), values)
        distortion.add_exact((floats if there.all() else floats[there])[None])
        return values

    def _tokens(self, values: NDArray[Any], samples: Samples, shapes: Shapes) -> NDArray[Any]:
        """Values of samples as tokens ``[n, C]``; without a layout as one token."""
        if self.config.layout is None:
            return values[None]
        return LayoutAligner(self.config.layout).to_tokens(split(values, shapes, not isinstance(samples, list))).matrix

    def decode_symbols_of(self, chunks: Sequence[tuple[memoryview, Shapes]]) -> list[DecodedSymbols]:
        """Of several chunks, one by one."""
        return [self.decode_symbols(payload, shapes) for payload, shapes in chunks]

    def decode_symbols(self, payload: memoryview, shapes: Shapes) -> DecodedSymbols:
        total = self.config.values(shapes)
        flat = decode_lossless(payload, total, self.dtype, rotate=self.rotate)
        if self.config.dtype == "bool" and total and int(flat.max()) > 1:
            raise MalformedError("a boolean that is neither 0 nor 1", requirement=303, tensor=self.config.name)
        if self.config.noted:
            for note in split(flat, shapes, stacked=False):
                note_value(note.tobytes())
        return DecodedSymbols(flat, [flat.view(np.uint8).data])

    def reconstruct(self, symbols: DecodedSymbols, shapes: Shapes) -> Samples:
        flat: AnyArray = symbols.state.view(DTYPES[self.config.dtype])
        return split(flat, shapes, None not in self.config.template)
