"""The transform codec: quantiser, contexts, tables and rANS behind the codec interface (spec, section 9)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MalformedError
from .base import Arrays, Symbols
from .bucket import BUCKETS, add_extra_bits, bucket_of, push_extra_bits, unzigzag, zigzag
from .context import (
    NEIGHBOURHOOD_OF,
    NEIGHBOURHOODS,
    Keys,
    magnitude_of,
    passes_with_surroundings,
    surroundings,
)
from .entropy import Decoder, Encoder, table_model
from .geometry import Geometry
from .quantize import SHIFT_PARTS, dequantize, quantize
from .tables import frequencies_of

__all__ = ["CLASSES", "CONTEXT_MAP", "DEAD_ZONE_ROUNDING", "NEAREST_ROUNDING", "TABLES", "TransformCodec"]

CLASSES, TABLES, CONTEXT_MAP = 3, 4, 5
"""Section types: the class of every channel (u1, ``[C]``), tables of levels (u1, ``[T, 64]``), and the table of every
context (u1, ``[K, 27]``)."""

MAX_TABLES = 256
DEAD_ZONE_ROUNDING = 0.42
NEAREST_ROUNDING = 0.5

Bytes = NDArray[np.uint8]


class TransformCodec:
    """Codes aligned values with one step for all.

    Args:
        step: distance of reconstruction points before the gain, above 0.
        shift: reconstruction shift in 64ths of a step, -32 to 32.
        arrays: the sections; without classes, all channels have class 0; without a context map, a channel's class is
            its table, whatever its neighbours.
        channels: C.
        bounded: the encoder rounds to the nearest.

    Raises:
        MalformedError: if parameters or sections break the specification.
    """

    def __init__(self, step: float, shift: int, arrays: Arrays, channels: int, *, bounded: bool = False) -> None:
        if not 0 < step < np.inf or abs(shift) > SHIFT_PARTS // 2:
            raise MalformedError(f"step {step}, shift {shift}", requirement=201)
        self.step, self.shift, self.channels = step, shift, channels
        self.rounding = NEAREST_ROUNDING if bounded else DEAD_ZONE_ROUNDING
        self.models = [table_model(row) for row in frequencies_of(_tables(arrays))]
        self.table_of = _context_map(arrays, len(self.models))
        if self.table_of is not None:
            self.table_of_key = [self.table_of[:, around].ravel() for around in NEIGHBOURHOOD_OF]
        self.classes = _classes(arrays, channels, len(self.models) if self.table_of is None else len(self.table_of))

    def effective_step(self, gain: float) -> float:
        """The step with the file's gain, rounded to float32 [CAUF-0221].

        Raises:
            MalformedError: if that is 0 or infinite.
        """
        with np.errstate(over="ignore", under="ignore"):
            step = float(np.float32(self.step * gain))
        if not 0 < step < np.inf:
            raise MalformedError(f"step {self.step} with gain {gain}", requirement=221)
        return step

    def symbols(self, aligned: NDArray[Any], gain: float) -> Symbols:
        """Quantise ``[N, C]`` to symbols, same shape and memory order."""
        return zigzag(quantize(aligned, self.effective_step(gain), self.rounding))

    def encode(self, symbols: Symbols, geometry: Geometry) -> bytes:
        """Entropy-code symbols ``[N, C]``; all zeros are no bytes at all [CAUF-0205]."""
        if not symbols.any():
            return b""
        symbols = np.ascontiguousarray(symbols)
        buckets = bucket_of(symbols)
        encoder = Encoder()
        if self.table_of is None:
            for number, model in enumerate(self.models):
                encoder.push(buckets[:, self.classes == number].ravel(), model)
        else:
            for part, keys in passes_with_surroundings(buckets, self.classes, geometry):
                order, bounds = self._sorted(keys, part.near)
                run = buckets[part.tokens].ravel()[order]
                for number, model in enumerate(self.models):
                    encoder.push(run[bounds[number] : bounds[number + 1]], model)
        push_extra_bits(encoder, symbols.ravel(), buckets.ravel())
        return encoder.finish()

    def decode_symbols(self, payload: bytes | memoryview, geometry: Geometry) -> Symbols:
        """Decode symbols ``[N, C]``.

        Raises:
            MalformedError: if the payload cannot be one of these tokens.
        """
        shape = (geometry.tokens, self.channels)
        if not len(payload):
            return np.zeros(shape, np.int32)
        decoder = Decoder(payload)
        buckets = np.empty(shape, np.uint8)
        if self.table_of is None:
            self._decode_by_class(decoder, buckets)
        else:
            self._decode_by_pass(decoder, buckets, geometry)
        symbols = add_extra_bits(decoder, buckets.ravel()).reshape(shape)
        decoder.end()
        return symbols

    def reconstruct(self, symbols: Symbols, gain: float, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Symbols ``[N, C]`` to aligned values, same shape."""
        return dequantize(unzigzag(symbols), self.effective_step(gain), self.shift, dtype)

    def _decode_by_class(self, decoder: Decoder, buckets: Bytes) -> None:
        for number, model in enumerate(self.models):
            channels = np.flatnonzero(self.classes == number)
            run = np.empty(len(buckets) * len(channels), np.uint8)
            decoder.pull_into(run, model)
            buckets[:, channels] = run.reshape(len(buckets), len(channels))

    def _decode_by_pass(self, decoder: Decoder, buckets: Bytes, geometry: Geometry) -> None:
        known = np.zeros((len(buckets) + 1, self.channels), np.uint8)
        for part in geometry.passes:
            keys = surroundings(part, known, self.classes)
            order, bounds = self._sorted(keys, part.near)
            run = np.empty(keys.size, np.uint8)
            for number, model in enumerate(self.models):
                decoder.pull_into(run[bounds[number] : bounds[number + 1]], model)
            decoded = np.empty_like(run)
            decoded[order] = run
            buckets[part.tokens] = decoded.reshape(keys.shape)
            known[part.tokens] = magnitude_of(buckets[part.tokens])

    def _sorted(self, keys: Keys, near: bool) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The order that sorts a pass's symbols by table, and where each table's run starts."""
        tables = np.take(self.table_of_key[int(near)], keys.ravel())
        counts = np.bincount(tables, minlength=len(self.models))
        return np.argsort(tables, kind="stable"), np.concatenate([[0], np.cumsum(counts)])


def _tables(arrays: Arrays) -> Bytes:
    levels: Bytes = arrays.get(TABLES, np.empty(0, np.uint8))
    if not levels.size or levels.size % BUCKETS or levels.size > MAX_TABLES * BUCKETS:
        raise MalformedError(f"{levels.size} levels are no tables of 64", requirement=203)
    return levels.reshape(-1, BUCKETS)


def _context_map(arrays: Arrays, tables: int) -> Bytes | None:
    table_of: Bytes | None = arrays.get(CONTEXT_MAP)
    if table_of is None:
        return None
    if not table_of.size or table_of.size % NEIGHBOURHOODS or int(table_of.max()) >= tables:
        raise MalformedError(f"a context map of {table_of.size} for {tables} tables", requirement=216)
    return table_of.reshape(-1, NEIGHBOURHOODS)


def _classes(arrays: Arrays, channels: int, kinds: int) -> Bytes:
    classes: Bytes = arrays.get(CLASSES, np.zeros(channels, np.uint8))
    if classes.shape != (channels,) or (channels and int(classes.max()) >= kinds):
        raise MalformedError(f"classes of {classes.size} channels, there are {channels}", requirement=204)
    return classes
