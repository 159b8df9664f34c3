"""What all coders with loss share: format and value alignment, a codec behind them, and exact values as patches."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
    TokenScales,
    Turns,
    ValueAligner,
    positions_of,
    truncate,
)
from ..codec.transform.grids import Geometry
from ..descriptors import ALIGNMENT_KINDS, ALIGNMENT_SCOPES
from ..errors import LayoutError, MalformedError
from ..types import AnyArray, Arrays
from .base import Apart, DecodedSymbols, EncodedPayload, Samples, Shapes, Terms, Work, flat, outliers_of, split
from .blocks import BlockInput, CodedBlock, Mask, either
from .config import MAX_CHANNELS, TensorConfig
from .distortion import Distortion
from .dtypes import cast_floats, to_floats, working_dtype
from .patches import Patches
from .payload import Payload
from .sections import OFFSETS, SCALES, TURNS, WIDE_OFFSETS
from .told_errors import ToldErrors

__all__ = [
    "LossyCoder",
    "channels_of",
    "layout_of",
    "statistics_arrays",
    "turns_of",
    "value_aligner",
]

FINER_TRIES = 6
"""How often tokens that lack quality are coded anew, before they are stored exactly."""


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
    offsets = config.arrays.get(WIDE_OFFSETS, config.arrays.get(OFFSETS, np.empty(0, "<i2")))
    scales = config.arrays.get(SCALES, np.empty(0, "<i2"))
    if offsets.shape != (channels,) or scales.shape != (channels,):
        raise MalformedError(f"no statistics for {channels} channels", requirement=351, tensor=config.name)
    return ChannelAligner(offsets, scales)


def statistics_arrays(aligner: ChannelAligner) -> Arrays:
    """The sections of an aligner per channel."""
    if aligner.wide:
        return {WIDE_OFFSETS: aligner.offset_codes, SCALES: aligner.scale_codes}
    return {OFFSETS: aligner.offset_codes.astype(np.int16), SCALES: aligner.scale_codes}


def turns_of(config: TensorConfig, channels: int) -> Turns | None:
    """The turns that a configuration describes; None for none.

    Raises:
        MalformedError: if they do not fit the channels, or the layout has not one axis of tokens.
    """
    codes = config.arrays.get(TURNS)
    if codes is None or config.layout is None:
        return None
    axes = LayoutAligner(config.layout).grid_axes
    if len(axes) != 1 or len(config.layout.unbatched().terms[axes[0]]) != 1:
        raise MalformedError(f"turns in layout '{config.layout}'", requirement=564, tensor=config.name)
    return Turns(codes, channels)


def layout_of(config: TensorConfig) -> LayoutAligner:
    """How a tensor that is coded with loss lies.

    Raises:
        MalformedError: if there is no layout.
    """
    if config.layout is None:
        raise MalformedError("no layout", requirement=200, tensor=config.name)
    return LayoutAligner(config.layout)


def channels_of(config: TensorConfig) -> int:
    """Channels of a tensor that is coded with loss.

    Raises:
        MalformedError: if there is no layout, their number varies, or there are too many.
    """
    sizes = [config.template[axis] for axis in layout_of(config).channel_axes]
    if None in sizes:
        raise MalformedError("the number of channels varies", requirement=66, tensor=config.name)
    product = math.prod(size or 0 for size in sizes)
    if product > MAX_CHANNELS:
        raise MalformedError(f"{product} channels", requirement=66, tensor=config.name)
    return product


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
        self.format = layout_of(config)
        self._channels = channels_of(config)
        self.value = value_aligner(config, self._channels)
        self.turns = turns_of(config, self._channels)
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
    def _symbols(self, aligned: NDArray[Any], block: Geometry, terms: Terms) -> tuple[Any, Any]:
        """Symbols of a block of aligned tokens ``[n, C]``, and the coefficients that they stand for."""

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
    def _broken(self, error: NDArray[Any], symbols: Any, scales: NDArray[Any], terms: Terms) -> Mask:
        """Where the errors of a block break the terms, None for nowhere.

        Args:
            error: of the block ``[n, C]``.
            symbols: of the block.
            scales: features' units per aligned unit, broadcastable.
            terms: of the encoder.
        """

    def _sound(self, symbols: Any, terms: Terms) -> bool:  # noqa: ARG002
        """Whether symbols of a block break no terms, whatever its errors are."""
        return False

    def _told(
        self,
        part: BlockInput,  # noqa: ARG002
        symbols: Any,  # noqa: ARG002
        coefficients: Any,  # noqa: ARG002
        block: Geometry,  # noqa: ARG002
        terms: Terms,  # noqa: ARG002
    ) -> ToldErrors | None:
        """The errors of a block that coefficients tell; None where what is decoded must tell them."""
        return None

    def encode(self, samples: Samples, terms: Terms) -> EncodedPayload:
        """Samples to a payload; what the codec would not keep as the terms say is stored exactly."""
        stored = self._stacked(samples)
        tokens = self._tokens_of(stored)
        clean, exact = _cleaned(tokens.matrix, terms.nonfinite)
        geometry = self._geometry(tokens.grids, tokens.special)
        turned = clean if self.turns is None else self.turns.undone(clean, positions_of(geometry.sizes))
        lost = exact if self.turns is None else None
        apart = Apart() if terms.separator is None else terms.separator(turned, lost)
        matrix = apart.without(lost, apart.rest(turned))
        exact = either(exact, self._exact_features(apart.values))
        distortions = [Distortion() for _ in range(self.config.stacked)]
        if terms.truncate is not None:
            whole = matrix
            matrix, clipped = truncate(whole, *terms.truncate)
            if terms.outliers:
                exact = either(exact, matrix != whole)
            else:
                distortions[0].clipped = clipped
        blocks: list[CodedBlock] = []
        patched = np.zeros(matrix.shape, np.bool_) if exact is None else exact.copy()
        for rows, block in self._blocks(geometry):
            part = BlockInput(
                clean[rows],
                matrix[rows],
                None if apart.scales is None else apart.scales.part(rows),
                None if exact is None else exact[rows],
            )
            coded = self._coded(part, block, terms)
            if coded.exact is not None:
                patched[rows] = coded.exact
            if coded.told is not None:
                coded.told.add_to(distortions[0], part.clean)
            elif coded.error is not None:
                _add_by_member(distortions, part.clean, coded.error, outliers_of(part.clean, terms), coded.exact)
            blocks.append(coded)
        patches = None
        if patched.any():
            patches = self._patches_where(patched, tokens, stored)
            for distortion, of_member in zip(distortions, np.split(patched, len(distortions), axis=1), strict=True):
                distortion.patched = int(np.count_nonzero(of_member))
        whole = self._joined([coded.symbols for coded in blocks], geometry)
        words = self.entropy.encode(whole, *self._place(geometry))
        sides = [coded.side for coded in blocks if coded.side is not None]
        scales = TokenScales.joined([coded.scales for coded in blocks], [coded.tokens for coded in blocks])
        payload = Payload(words, np.concatenate(sides, axis=1) if sides else None, patches, scales)
        return EncodedPayload(payload.to_bytes(), payload.covered(self._integers(whole)), distortions)

    def _exact_features(self, values: Mask) -> Mask:
        """Which features depend on values that are stored exactly."""
        return values if values is None or self.turns is None else self.turns.partners(values)

    def _coded(self, part: BlockInput, block: Geometry, terms: Terms) -> CodedBlock:
        """A block, coded again with finer scales of those tokens that have less than the terms promise for each."""
        coded = self._coded_once(part, block, terms)
        if terms.token_snr is None:
            return coded
        apart = outliers_of(part.clean, terms)
        for _ in range(FINER_TRIES if terms.token_scales else 0):
            lacking = coded.lacking(part.clean, terms.token_snr, apart)
            if not lacking.any():
                return coded
            part = part.finer(lacking)
            coded = self._coded_once(part, block, terms)
        lacking = coded.lacking(part.clean, terms.token_snr, apart)
        return coded.with_exact(lacking > 0) if lacking.any() else coded

    def _coded_once(self, part: BlockInput, block: Geometry, terms: Terms) -> CodedBlock:
        aligned, side = self.value.forward(part.matrix)
        symbols, coefficients = self._symbols(aligned, block, terms)
        if self._sound(symbols, terms):
            coded = CodedBlock(symbols, side, part.scales, len(aligned), None, part.exact)
            if not terms.measured:
                return coded
            told = self._told(part, symbols, coefficients, block, terms)
            if told is not None:
                return replace(coded, told=told)
        error = to_floats(self._stored(symbols, block, side, part.scales), self.config.dtype)
        with np.errstate(over="ignore"):  # beside the largest floats, which are stored exactly
            error -= part.clean
        units = self.value.scales(side)
        broken = self._broken(error, symbols, units if part.scales is None else units * part.scales.factors, terms)
        exact = either(broken, part.exact)
        if exact is not None:
            error[exact] = 0
        return CodedBlock(symbols, side, part.scales, len(aligned), error, exact)

    def decode_symbols(self, payload: memoryview, shapes: Shapes) -> DecodedSymbols:
        """A payload to integers.

        Raises:
            MalformedError: if it cannot be one of these samples.
        """
        return self.decode_symbols_of([(payload, shapes)])[0]

    @property
    def together(self) -> int:
        """Chunks that are decoded side by side."""
        return 1

    def decode_symbols_of(self, chunks: Sequence[tuple[memoryview, Shapes]]) -> list[DecodedSymbols]:
        """The same for several chunks.

        Raises:
            MalformedError: if a payload cannot be one of its samples.
        """
        opened = [self._opened(payload, shapes) for payload, shapes in chunks]
        decoded = self._decoded([(parsed.words, geometry) for parsed, geometry in opened])
        return [
            DecodedSymbols(_State(symbols, geometry, parsed), parsed.covered(self._integers(symbols)))
            for symbols, (parsed, geometry) in zip(decoded, opened, strict=True)
        ]

    def _opened(self, payload: memoryview, shapes: Shapes) -> tuple[Payload, Geometry]:
        """A payload in its parts, and where its tokens stand."""
        samples = self._samples_by_shape(shapes)
        tokens, total = self._count_all_tokens(samples), self.config.values(shapes)
        parsed = Payload.parse(payload, self.config.dtype, tokens, total, sided=isinstance(self.value, TokenAligner))
        grids = {shape: self.format.grid(shape) for shape in samples}
        return parsed, self._geometry(tuple(grids[shape] for shape in shapes), self.format.layout.special)

    def _decoded(self, chunks: Sequence[tuple[bytes | memoryview, Geometry]]) -> Sequence[Any]:
        """Symbols of the words of chunks."""
        return [self.entropy.decode_symbols(words, *self._place(geometry)) for words, geometry in chunks]

    def reconstruct(self, symbols: DecodedSymbols, shapes: Shapes) -> Samples:
        """Integers to samples."""
        state: _State = symbols.state
        parts = self._parts(state)
        rows, stored = next(parts)
        if len(stored) < state.geometry.tokens:
            first, stored = stored, np.empty((state.geometry.tokens, self.channels), stored.dtype)
            stored[rows] = first
            for rows, part in parts:
                stored[rows] = part
        return self._samples_of(stored, shapes, state.payload.patches)

    def _parts(self, state: _State) -> Iterator[tuple[slice, AnyArray]]:
        """What is stored of each block, and which rows these are."""
        for rows, block in self._blocks(state.geometry):
            side = None if state.payload.side is None else state.payload.side[:, rows]
            scales = None if state.payload.scales is None else state.payload.scales.part(rows)
            yield rows, self._stored(self._part(state.symbols, rows), block, side, scales)

    def _stored(self, symbols: Any, block: Geometry, side: SideArray | None, scales: TokenScales | None) -> AnyArray:
        """What the decoder will store of a block ``[n, C]``."""
        return self._finished(self._restored(symbols, block), self._positions(block), side, scales)

    def _positions(self, block: Geometry) -> NDArray[np.int64]:
        """Where tokens stand in their samples ``[n]``; none where that changes nothing."""
        return np.empty(0, np.int64) if self.turns is None else positions_of(block.sizes)

    def _finished(
        self, aligned: NDArray[Any], positions: NDArray[np.int64], side: SideArray | None, scales: TokenScales | None
    ) -> AnyArray:
        """What the decoder will store of aligned tokens ``[n, C]`` at positions ``[n]``."""
        with np.errstate(over="ignore", invalid="ignore"):
            values = self._within_range(self.value.inverse(aligned, side))
            values = values if scales is None else scales.multiply(values)
            if self.turns is not None:
                values = self.turns.applied(values, positions)
            return cast_floats(values, self.config.dtype)

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
        return Patches.where(flat(back), flat(stored))

    def _samples_of(self, stored: NDArray[Any], shapes: Shapes, patches: Patches | None) -> Samples:
        """Stored tokens ``[N, C]`` as samples, patched."""
        stacked = None not in self.config.template
        tokens = Tokens(stored, tuple(shapes), (), self.format.layout.special, stacked)
        samples = self.format.from_tokens(tokens)
        if patches is None:
            return samples
        values = flat(samples)
        patches.apply(values)
        return split(values, shapes, stacked)


def _add_by_member(
    distortions: Sequence[Distortion], features: NDArray[Any], error: NDArray[Any], apart: Mask, exact: Mask
) -> None:
    """Add tokens ``[n, C]`` of a stack to the distortions of its members, which have equally many channels each."""
    width = features.shape[1] // len(distortions)
    for number, distortion in enumerate(distortions):
        of_member = slice(number * width, (number + 1) * width)
        apart_here, exact_here = (None if mask is None else mask[:, of_member] for mask in (apart, exact))
        distortion.add(features[:, of_member], error[:, of_member], apart_here, exact_here)


def _cleaned(matrix: NDArray[Any], nonfinite: bool) -> tuple[NDArray[Any], Mask]:
    """Values with zeros where they are not finite, and where that is; None if none may be."""
    if not nonfinite:
        return matrix, None
    lost = ~np.isfinite(matrix)
    return (np.where(lost, matrix.dtype.type(0), matrix), lost) if lost.any() else (matrix, None)
