"""Tensors that are coded without loss: integers, booleans, and floats where asked for."""

from __future__ import annotations

import numpy as np

from ..codec import decode_lossless, encode_lossless
from ..errors import MalformedError
from ..types import DTYPES, FLOATS, AnyArray
from .coder import Encoded, Promise, Samples, Shapes, Symbols, split
from .distortion import Distortion
from .numeric import to_floats
from .setup import TensorSetup

__all__ = ["LosslessCoder"]


class LosslessCoder:
    """Codes any dtype without loss, as flat little-endian elements."""

    def __init__(self, setup: TensorSetup) -> None:
        self.setup = setup
        self.rotate = setup.dtype in FLOATS
        self.dtype = np.dtype("u1") if setup.dtype == "bool" else DTYPES[setup.dtype]

    def encode(self, samples: Samples, promise: Promise) -> Encoded:  # noqa: ARG002
        parts = samples if isinstance(samples, list) else [samples]
        flat = np.concatenate([np.ascontiguousarray(part).ravel() for part in parts]).view(self.dtype)
        distortion = Distortion()
        if self.rotate:
            floats = to_floats(flat, self.setup.dtype)
            finite = floats[np.isfinite(floats)]
            distortion.add(finite, np.zeros_like(finite))
        return Encoded(encode_lossless(flat, rotate=self.rotate), [flat.tobytes()], distortion)

    def decode_symbols(self, payload: memoryview, shapes: Shapes) -> Symbols:
        total = sum(self.setup.size(shape) for shape in shapes)
        flat = decode_lossless(payload, total, self.dtype, rotate=self.rotate)
        if self.setup.dtype == "bool" and total and int(flat.max()) > 1:
            raise MalformedError("a boolean that is neither 0 nor 1", requirement=303, tensor=self.setup.name)
        return Symbols(flat, [flat.view(np.uint8).data])

    def reconstruct(self, symbols: Symbols, shapes: Shapes) -> list[AnyArray] | AnyArray:
        flat: AnyArray = symbols.state.view(DTYPES[self.setup.dtype])
        return split(flat, shapes, None not in self.setup.template)
