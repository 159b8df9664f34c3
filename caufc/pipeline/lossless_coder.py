"""Tensors that are coded without loss: integers, booleans, and floats where asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..codec import Geometry, Lattice, decode_lossless, encode_lossless
from ..errors import MalformedError
from ..types import DTYPES, FLOATS, GRID_LETTERS, AnyArray, Layout
from .coder import Encoded, Promise, Samples, Shapes, Symbols, Work, split
from .distortion import Distortion
from .numeric import to_floats
from .setup import TensorSetup

__all__ = ["LosslessCoder", "lattice_of", "lattice_of_tokens"]


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

    def __init__(self, setup: TensorSetup) -> None:
        self.setup = setup
        self.rotate = setup.dtype in FLOATS
        self.dtype = np.dtype("u1") if setup.dtype == "bool" else DTYPES[setup.dtype]

    def work(self, shapes: Shapes) -> Work:  # noqa: ARG002
        """Nothing besides its values."""
        return Work()

    def encode(self, samples: Samples, promise: Promise) -> Encoded:  # noqa: ARG002
        parts = samples if isinstance(samples, list) else [samples]
        flat = np.concatenate([np.ascontiguousarray(part).ravel() for part in parts]).view(self.dtype)
        distortion = Distortion()
        if self.rotate:
            floats = to_floats(flat, self.setup.dtype)
            finite = floats[np.isfinite(floats)]
            distortion.add(finite, np.zeros_like(finite))
        lattice = lattice_of(self.setup.layout, [sample.shape for sample in samples])
        return Encoded(encode_lossless(flat, rotate=self.rotate, lattice=lattice), [flat.tobytes()], distortion)

    def decode_symbols(self, payload: memoryview, shapes: Shapes) -> Symbols:
        total = sum(self.setup.size(shape) for shape in shapes)
        flat = decode_lossless(payload, total, self.dtype, rotate=self.rotate)
        if self.setup.dtype == "bool" and total and int(flat.max()) > 1:
            raise MalformedError("a boolean that is neither 0 nor 1", requirement=303, tensor=self.setup.name)
        return Symbols(flat, [flat.view(np.uint8).data])

    def reconstruct(self, symbols: Symbols, shapes: Shapes) -> list[AnyArray] | AnyArray:
        flat: AnyArray = symbols.state.view(DTYPES[self.setup.dtype])
        return split(flat, shapes, None not in self.setup.template)
