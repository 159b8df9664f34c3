"""What all coders with loss share: format and value alignment, a codec behind them, and exact values as patches."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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
    truncate,
)
from ..codec.transform.grids import Geometry
from ..descriptors import ALIGNMENT_KINDS, ALIGNMENT_SCOPES
from ..errors import LayoutError, MalformedError
from ..types import DTYPES, AnyArray
from .base import DecodedSymbols, EncodedPayload, Samples, Shapes, Terms, Work, split
from .config import MAX_CHANNELS, TensorConfig
from .distortion import Distortion
from .dtypes import cast_floats, to_floats, working_dtype
from .patches import Patches
from .payload import Payload
from .sections import OFFSETS, SCALES

__all__ = ["LossyCoder", "Mask", "channels_of", "value_aligner"]


def value_aligner(config: TensorConfig, channels: int) -> ValueAligner:
    """The value aligner that a configuration describes."""
    record = config.alignment
    if record is None:
        return GlobalAligner(0.0, 1.0)
    scope = ALIGNMENT_SCOPES[record.scope]
    if scope == "global":
        return GlobalAligner(record.offset, record.scale)
    if scope == "token":
        return TokenAligner(ALIGNMENT_KINDS[record.kind])
    offsets, scales = (config.arrays.get(name, np.empty(0, "<i2")) for name in (OFFSETS, SCALES))
    if offsets.shape != (channels,) or scales.shape != (channels,):
        raise MalformedError(f"no statistics for {channels} channels", requirement=351, tensor=config.name)
    return ChannelAligner(offsets, scales)


def channels_of(config: TensorConfig) -> int:
    """Channels of a tensor that is coded with loss.

    Raises:
        MalformedError: if there is no layout, their number varies, or there are too many.
    """
    if config.layout is None:
        raise MalformedError("no layout", requirement=200, tensor=config.name)
    sizes = [config.template[axis] for axis in LayoutAligner(config.layout).channel_axes]
    if None in sizes:
        raise MalformedError("the number of channels varies", requirement=66, tensor=config.name)
    product = math.prod(size or 0 for size in sizes)
    if product > MAX_CHANNELS:
        raise MalformedError(f"{product} channels", requirement=66, tensor=config.name)
    return product


Mask = NDArray[np.bool_] | None
"""Where values ``[n, C]`` are stored exactly; None for nowhere."""


@dataclass(frozen=True)
class _State:
    """What a decoded payload holds: the codec's symbols, where their tokens lie, and the rest of the payload."""

    symbols: Any
    geometry: Geometry
    payload: Payload


class EntropyCodec(Protocol):
    """The integer half of a codec of aligned tokens; it places symbols by what :meth:`LossyCoder._place` says."""

    def encode(self, symbols: Any, *place: Any) -> bytes:
        """Symbols to words."""
        ...

    def decode_symbols(self, payload: bytes | memoryview, *place: Any) -> Any:
        """Words to symbols."""
        ...


class LossyCoder(ABC):
    """Codes floats of one tensor; subclasses bring the codec of aligned tokens.

    Args:
        config: of the tensor.

    Raises:
        MalformedError: if layout or alignment do not fit the tensor.
    """

    def __init__(self, config: TensorConfig) -> None:
        self.config = config
        if config.layout is None:
            raise MalformedError("no layout", requirement=200, tensor=config.name)
        self.format = LayoutAligner(config.layout)
        self._channels = channels_of(config)
        self.value = value_aligner(config, self._channels)
        self.working = working_dtype(config.dtype)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self._channels

    @abstractmethod
    def work(self, shapes: Shapes) -> Work:
        """What decoding samples of these shapes costs."""

    @abstractmethod
    def _geometry(self, grids: tuple[tuple[int, ...], ...], special: int) -> Geometry:
        """Where the codec's tokens lie."""

    @abstractmethod
    def _blocks(self, geometry: Geometry) -> Iterator[tuple[slice, Geometry]]:
        """Rows that are transformed together, and their geometry."""

    @abstractmethod
    def _symbols(self, aligned: NDArray[Any], block: Geometry, terms: Terms) -> Any:
        """Symbols of a block of aligned tokens ``[n, C]``."""

    @abstractmethod
    def _joined(self, blocks: Sequence[Any], geometry: Geometry) -> Any:
        """Symbols of all blocks."""

    @abstractmethod
    def _part(self, symbols: Any, rows: slice) -> Any:
        """The inverse: symbols of a block."""

    @abstractmethod
    def _restored(self, symbols: Any, block: Geometry) -> NDArray[Any]:
        """Symbols of a block to aligned tokens ``[n, C]`` in the working dtype."""

    @property
    @abstractmethod
    def entropy(self) -> EntropyCodec:
        """What codes symbols."""

    @abstractmethod
    def _place(self, geometry: Geometry) -> tuple[Any, ...]:
        """Where symbols lie, as the entropy codec takes it."""

    @abstractmethod
    def _integers(self, symbols: Any) -> list[NDArray[np.int32]]:
        """Symbols as arrays, in the order in which their checksum covers them."""

    @abstractmethod
    def _broken(self, error: NDArray[Any], symbols: Any, side: SideArray | None, terms: Terms) -> Mask:
        """Where the errors of a block break the terms; None for nowhere."""

    def encode(self, samples: Samples, terms: Terms) -> EncodedPayload:
        """Samples to a payload; what the codec would not keep as the terms say is stored exactly."""
        stored = self._stacked(samples)
        tokens = self._tokens_of(stored)
        clean, exact = _cleaned(tokens.matrix, terms.nonfinite)
        distortion = Distortion()
        matrix = clean
        if terms.truncate is not None:
            matrix, distortion.clipped = truncate(clean, *terms.truncate)
            if terms.outliers:
                exact = matrix != clean if exact is None else exact | (matrix != clean)
                distortion.clipped = 0
        geometry = self._geometry(tokens.grids, tokens.special)
        blocks, sides = [], []
        patched: Mask = None
        for rows, block in self._blocks(geometry):
            aligned, side = self.value.forward(matrix[rows])
            symbols = self._symbols(aligned, block, terms)
            error = to_floats(self._stored(symbols, block, side), self.config.dtype)
            error -= clean[rows]
            broken = _either(self._broken(error, symbols, side, terms), None if exact is None else exact[rows])
            if broken is not None:
                error[broken] = 0
                patched = np.zeros(matrix.shape, np.bool_) if patched is None else patched
                patched[rows] = broken
            distortion.add(clean[rows], error)
            blocks.append(symbols)
            sides += [] if side is None else [side]
        patches = None
        if patched is not None:
            distortion.patched = int(np.count_nonzero(patched))
            patches = self._patches_where(patched, tokens, stored)
        whole = self._joined(blocks, geometry)
        words = self.entropy.encode(whole, *self._place(geometry))
        payload = Payload(words, np.concatenate(sides, axis=1) if sides else None, patches)
        return EncodedPayload(payload.to_bytes(), payload.covered(self._integers(whole)), distortion)

    def decode_symbols(self, payload: memoryview, shapes: Shapes) -> DecodedSymbols:
        """A payload to integers.

        Raises:
            MalformedError: if it cannot be one of these samples.
        """
        tokens = sum(self._count_tokens(shape) for shape in shapes)
        total = sum(self.config.size(shape) for shape in shapes)
        own = tokens if isinstance(self.value, TokenAligner) else None
        parsed = Payload.parse(payload, self.config.dtype, own, total)
        geometry = self._geometry(tuple(self.format.grid(s) for s in shapes), self.format.layout.special)
        symbols = self.entropy.decode_symbols(parsed.words, *self._place(geometry))
        return DecodedSymbols(_State(symbols, geometry, parsed), parsed.covered(self._integers(symbols)))

    def reconstruct(self, symbols: DecodedSymbols, shapes: Shapes) -> Samples:
        """Integers to samples."""
        state: _State = symbols.state
        stored = np.empty((state.geometry.tokens, self.channels), DTYPES[self.config.dtype])
        for rows, block in self._blocks(state.geometry):
            side = None if state.payload.side is None else state.payload.side[:, rows]
            stored[rows] = self._stored(self._part(state.symbols, rows), block, side)
        return self._samples_of(stored, shapes, state.payload.patches)

    def _stored(self, symbols: Any, block: Geometry, side: SideArray | None) -> AnyArray:
        """What the decoder will store of a block ``[n, C]``."""
        aligned = self._restored(symbols, block)
        with np.errstate(over="ignore", invalid="ignore"):
            return cast_floats(self._within_range(self.value.inverse(aligned, side)), self.config.dtype)

    def _within_range(self, values: NDArray[Any]) -> NDArray[Any]:
        """Features before the cast to the output dtype."""
        return values

    def _stacked(self, samples: Samples) -> Samples:
        """Samples of one shape as one array."""
        template: Sequence[int | None] = self.config.template
        if isinstance(samples, list) and None not in template:
            return np.stack(samples) if samples else np.empty((0, *(size or 0 for size in template)))
        return samples

    def _tokens_of(self, stored: Samples) -> Tokens:
        """Stored samples as tokens of working floats."""
        if isinstance(stored, list):
            return self.format.to_tokens([to_floats(sample, self.config.dtype) for sample in stored])
        return self.format.to_tokens(to_floats(stored, self.config.dtype))

    def _count_tokens(self, shape: tuple[int, ...]) -> int:
        """Tokens of a sample.

        Raises:
            MalformedError: if the layout does not fit its shape.
        """
        try:
            return self.format.size(shape)[0]
        except LayoutError as err:
            raise MalformedError(str(err), requirement=171, tensor=self.config.name) from err

    def _samples_by_shape(self, shapes: Shapes) -> Mapping[tuple[int, ...], int]:
        """How many samples have each shape."""
        if shapes and None not in self.config.template:
            return {shapes[0]: len(shapes)}
        return Counter(shapes)

    def _count_all_tokens(self, samples: Mapping[tuple[int, ...], int]) -> int:
        """Tokens of samples, counted by shape.

        Raises:
            MalformedError: if the layout does not fit a shape.
        """
        return sum(count * self._count_tokens(shape) for shape, count in samples.items())

    def _patches_where(self, mask: NDArray[np.bool_], tokens: Tokens, stored: Samples) -> Patches:
        """Patches for the values of tokens where ``mask`` ``[N, C]`` is set."""
        back = self.format.from_tokens(Tokens(mask, tokens.shapes, tokens.grids, tokens.special, tokens.stacked))
        flat = np.concatenate([part.ravel() for part in back])
        return Patches.where(flat, np.concatenate([part.ravel() for part in stored]))

    def _samples_of(self, stored: NDArray[Any], shapes: Shapes, patches: Patches | None) -> Samples:
        """Stored tokens ``[N, C]`` as samples, patched."""
        stacked = None not in self.config.template
        tokens = Tokens(stored, tuple(shapes), (), self.format.layout.special, stacked)
        samples = self.format.from_tokens(tokens)
        if patches is None:
            return samples
        flat = np.concatenate([np.ascontiguousarray(part).ravel() for part in samples])
        patches.apply(flat)
        return split(flat, shapes, stacked)


def _either(one: Mask, other: Mask) -> Mask:
    """Where either mask is set; None for nowhere."""
    both = one if other is None else other if one is None else one | other
    return both if both is not None and both.any() else None


def _cleaned(matrix: NDArray[Any], nonfinite: bool) -> tuple[NDArray[Any], Mask]:
    """Values with zeros where they are not finite, and where that is; None if none may be."""
    if not nonfinite:
        return matrix, None
    lost = ~np.isfinite(matrix)
    return (np.where(lost, matrix.dtype.type(0), matrix) if lost.any() else matrix), lost
