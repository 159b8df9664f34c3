"""The transform codec: quantiser, contexts, tables and rANS behind the codec interface (spec, section 9)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MalformedError
from .base import Arrays, Symbols
from .bucket import BUCKETS, add_extra_bits, bucket_of, push_extra_bits, unzigzag, zigzag
from .context import choose_classes, coding_order, histogram, payload_bits
from .entropy import Decoder, Encoder, table_model
from .quantize import SHIFT_PARTS, best_shift, dequantize, quantize
from .tables import frequencies_of

__all__ = [
    "CLASSES",
    "TABLES",
    "TransformCodec",
    "bounded_values",
    "estimate",
    "plan",
    "quantization_error",
    "table_bits",
]

CLASSES, TABLES = 3, 4
"""Section types: the class of every channel (u1, ``[C]``), and tables of levels (u1, ``[K, 64]``)."""

DEAD_ZONE_ROUNDING = 0.42
NEAREST_ROUNDING = 0.5


@dataclass(frozen=True)
class TransformPlan:
    """Decisions for one tensor: the reconstruction shift, and section arrays."""

    shift: int
    sections: Arrays


def plan(aligned: NDArray[Any], step: float, scale: float, *, bounded: bool) -> TransformPlan:
    """Choose reconstruction points, classes and tables from a sample.

    Args:
        aligned: sample ``[N, C]``.
        step: quantiser step, gain included.
        scale: how many times more values the file has than the sample.
        bounded: round to the nearest and reconstruct in the middle, so that no error exceeds half a step.
    """
    indices = quantize(aligned, step, NEAREST_ROUNDING if bounded else DEAD_ZONE_ROUNDING)
    shift = 0 if bounded else best_shift(aligned, indices, step)
    counts = histogram(zigzag(np.ascontiguousarray(indices.T)))
    classes, levels = choose_classes(counts, scale)
    sections = {TABLES: levels.ravel()}
    return TransformPlan(shift, {CLASSES: classes, **sections} if len(levels) > 1 else sections)


def estimate(aligned: NDArray[Any], step: float, scale: float) -> float:
    """Bits that a sample takes at a step, sections not counted."""
    counts = histogram(zigzag(np.ascontiguousarray(quantize(aligned, step, DEAD_ZONE_ROUNDING).T)))
    return payload_bits(counts, *choose_classes(counts, scale)) * scale


def bounded_values(aligned: NDArray[Any], step: float) -> NDArray[Any]:
    """What a sample decodes to when every value is rounded to the nearest reconstruction point."""
    return dequantize(quantize(aligned, step, NEAREST_ROUNDING), step, 0, aligned.dtype)


def table_bits(aligned: NDArray[Any], step: float, arrays: Arrays) -> float:
    """Bits that a sample ``[N, C]`` takes with given classes and tables."""
    counts = histogram(zigzag(np.ascontiguousarray(quantize(aligned, step, DEAD_ZONE_ROUNDING).T)))
    classes = arrays.get(CLASSES, np.zeros(aligned.shape[1], np.uint8))
    return payload_bits(counts, classes, arrays[TABLES].reshape(-1, BUCKETS))


def quantization_error(aligned: NDArray[Any], step: float, scales: NDArray[Any]) -> float:
    """Sum of squared errors of a sample ``[N, C]`` at a step, in the units that ``scales`` give."""
    indices = quantize(aligned, step, DEAD_ZONE_ROUNDING)
    shift = best_shift(aligned, indices, step)
    error = (dequantize(indices, step, shift, aligned.dtype) - aligned) * scales
    return float(np.sum(error.astype(np.float64) ** 2))


class TransformCodec:
    """Codes aligned values with one step for all.

    Args:
        step: distance of reconstruction points before the gain, above 0.
        shift: reconstruction shift in 64ths of a step, -32 to 32.
        arrays: the sections :data:`CLASSES` and :data:`TABLES`; without classes, all channels have class 0.
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
        levels = arrays.get(TABLES, np.empty(0, np.uint8))
        if not levels.size or levels.size % BUCKETS or levels.size > 256 * BUCKETS:
            raise MalformedError(f"{levels.size} levels are no tables of 64", requirement=203)
        self.frequencies = frequencies_of(levels.reshape(-1, BUCKETS))
        classes = arrays.get(CLASSES, np.zeros(channels, np.uint8))
        if classes.shape != (channels,) or (channels and int(classes.max()) >= len(self.frequencies)):
            raise MalformedError(f"classes of {classes.size} channels, there are {channels}", requirement=204)
        self.order = coding_order(classes)
        self.class_bounds = np.searchsorted(classes[self.order], np.arange(len(self.frequencies) + 1))
        self.models = [table_model(row) for row in self.frequencies]

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
        """Quantise ``[N, C]`` to symbols in coding order."""
        indices = quantize(aligned, self.effective_step(gain), self.rounding).T
        return zigzag(indices[self.order]).ravel()

    def encode(self, symbols: Symbols) -> bytes:
        """Entropy-code symbols; all zeros are no bytes at all [CAUF-0205]."""
        if not symbols.any():
            return b""
        buckets = bucket_of(symbols)
        encoder = Encoder()
        for run, model in self._runs(buckets):
            encoder.push(run, model)
        push_extra_bits(encoder, symbols, buckets)
        return encoder.finish()

    def decode_symbols(self, payload: bytes | memoryview, tokens: int) -> Symbols:
        """Decode the symbols of ``[tokens, C]``."""
        if not len(payload):
            return np.zeros(tokens * self.channels, np.int32)
        decoder = Decoder(payload)
        buckets = np.empty(tokens * self.channels, np.uint8)
        for run, model in self._runs(buckets):
            decoder.pull_into(run, model)
        symbols = add_extra_bits(decoder, buckets)
        decoder.end()
        return symbols

    def reconstruct(self, symbols: Symbols, tokens: int, gain: float, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Symbols to aligned values ``[tokens, C]``."""
        ordered = dequantize(unzigzag(symbols), self.effective_step(gain), self.shift, dtype)
        aligned = np.empty((self.channels, tokens), dtype)
        aligned[self.order] = ordered.reshape(self.channels, tokens)
        return aligned.T

    def _runs(self, flat: NDArray[Any]) -> Iterator[tuple[NDArray[Any], Any]]:
        """The part of a flat array in coding order that each class's model codes."""
        tokens = len(flat) // self.channels if self.channels else 0
        for number, model in enumerate(self.models):
            start, stop = self.class_bounds[number] * tokens, self.class_bounds[number + 1] * tokens
            if stop > start:
                yield flat[start:stop], model
