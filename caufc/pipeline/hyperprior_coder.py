"""Tensors that the learned codec codes: alignment, the plane of a chunk's tokens, outliers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import SideArray, TokenAligner, truncate
from ..codec.hyperprior import HyperpriorCodec, Latents, Weights
from ..errors import MalformedError
from ..types import AnyArray
from .coder import Encoded, Promise, Samples, Shapes, Symbols, Work
from .distortion import Distortion
from .numeric import cast_floats, to_floats
from .payload import Payload
from .setup import TensorSetup
from .token_coder import TokenCoder

__all__ = ["HyperpriorCoder", "LearnedCodecs", "rate_of"]


def rate_of(setup: TensorSetup) -> int:
    """The rate in a setup's parameters.

    Raises:
        MalformedError: if they are no rate.
    """
    if [type(field) for field in setup.parameters] != [int] or setup.parameters[0] < 0:
        raise MalformedError(f"codec parameters {list(setup.parameters)}", requirement=400, tensor=setup.name)
    return int(setup.parameters[0])


@dataclass(frozen=True)
class _State:
    """What a decoded payload holds."""

    latents: Latents
    tokens: int
    payload: Payload


class LearnedCodecs:
    """The learned codecs of one file: tensors share its weights, and those of one rate its tables."""

    def __init__(self) -> None:
        self.weights: Weights | None = None
        self.by_rate: dict[int, HyperpriorCodec] = {}

    def of(self, setup: TensorSetup) -> HyperpriorCodec:
        """The codec of a tensor.

        Raises:
            MalformedError: if weights or rate break the specification.
        """
        rate = rate_of(setup)
        if self.weights is None:
            self.weights = Weights.from_arrays(setup.arrays)
        if rate not in self.by_rate:
            self.by_rate[rate] = HyperpriorCodec(self.weights, rate)
        return self.by_rate[rate]


class HyperpriorCoder(TokenCoder):
    """Codes floats: format alignment, truncation and normalisation, the learned codec, outliers as patches."""

    def __init__(self, setup: TensorSetup, codec: HyperpriorCodec) -> None:
        super().__init__(setup)
        self.codec = codec

    def work(self, shapes: Shapes) -> Work:
        """Tokens, and what the networks do with their plane.

        Raises:
            MalformedError: for shapes that the layout does not fit.
        """
        tokens = self.count_all_tokens(self.samples_by_shape(shapes))
        weights = self.codec.weights
        products, latents = (cost(tokens, self.channels) for cost in (weights.products_of, weights.symbols_of))
        return Work(tokens, 1, products, latents)

    def encode(self, samples: Samples, promise: Promise) -> Encoded:
        stored = self.stacked(samples)
        tokens = self.tokens_of(stored)
        clean, exact = tokens.matrix, np.zeros(tokens.matrix.shape, np.bool_)
        if promise.nonfinite:
            exact = ~np.isfinite(clean)
            clean = np.where(exact, clean.dtype.type(0), clean)
        matrix, distortion = clean, Distortion()
        if promise.truncate is not None:
            matrix, distortion.clipped = truncate(clean, *promise.truncate)
            if promise.outliers:
                exact |= matrix != clean
                distortion.clipped = 0
        aligned, side = self.value.forward(matrix)
        latents = self.codec.symbols(aligned)
        error = to_floats(self._stored(latents, len(matrix), side), self.setup.dtype) - clean
        error[exact] = 0
        distortion.add(clean, error)
        distortion.patched = int(np.count_nonzero(exact))
        patches = self.patches_where(exact, tokens, stored) if distortion.patched else None
        payload = Payload(self.codec.encode(latents, *matrix.shape), side, patches)
        return Encoded(payload.to_bytes(), payload.covered([latents.hyper, latents.latents]), distortion)

    def decode_symbols(self, payload: memoryview, shapes: Shapes) -> Symbols:
        tokens = sum(self.count_tokens(shape) for shape in shapes)
        total = sum(self.setup.size(shape) for shape in shapes)
        own = tokens if isinstance(self.value, TokenAligner) else None
        parsed = Payload.parse(payload, self.setup.dtype, own, total)
        latents = self.codec.decode_symbols(parsed.words, tokens, self.channels)
        return Symbols(_State(latents, tokens, parsed), parsed.covered([latents.hyper, latents.latents]))

    def reconstruct(self, symbols: Symbols, shapes: Shapes) -> list[AnyArray] | AnyArray:
        state: _State = symbols.state
        stored = self._stored(state.latents, state.tokens, state.payload.side)
        return self.samples_of(stored, shapes, state.payload.patches)

    def _stored(self, latents: Latents, tokens: int, side: SideArray | None) -> AnyArray:
        """What the decoder will store ``[N, C]``, within the truncation range [CAUF-0422]."""
        aligned: NDArray[Any] = self.codec.reconstruct(latents, tokens, self.channels).astype(self.working, copy=False)
        with np.errstate(over="ignore", invalid="ignore"):
            values = self.value.inverse(aligned, side)
            if self.setup.alignment is not None and self.setup.alignment.truncate is not None:
                values = np.clip(values, *(values.dtype.type(end) for end in self.setup.alignment.truncate))
            return cast_floats(values, self.setup.dtype)
