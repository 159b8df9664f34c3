"""Decoded chunks put together again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..coders.base import Samples
from ..coders.config import TensorConfig
from ..types import DTYPES, AnyArray, Structure
from .file_decoder import DecodedChunk

__all__ = ["Collector", "Room"]

Empty = Callable[[tuple[int, ...], str], Any]
Put = Callable[[Any, Samples, str], None]

LEAST_ROOM, MOST_EXPANSION = 1 << 26, 256
"""Bytes that may be set aside for what a file only announces: so many, or so many times the file's."""


def _empty(shape: tuple[int, ...], dtype: str) -> AnyArray:
    return np.empty(shape, DTYPES[dtype])


def _put(there: AnyArray, samples: Samples, dtype: str) -> None:  # noqa: ARG001
    there[...] = samples


class Room:
    """The final arrays of a batch, one per tensor, into which threads put what they decode.

    Args:
        configs: of the tensors, with the dtypes in which they come.
        samples: how many the file announces.
        size: of the file, in bytes: announcements far beyond are not believed.
        empty: (shape, dtype) -> an array, or what else takes parts by ``put``.
        put: (part of it, samples, dtype) -> None: writes samples.
    """

    def __init__(
        self, configs: Sequence[TensorConfig], samples: int, size: int, empty: Empty = _empty, put: Put = _put
    ) -> None:
        self.configs, self.put = configs, put
        shapes = [None if config.noted else _shape(config, samples) for config in configs]
        sizes = [0 if shape is None else math.prod(shape) for shape in shapes]
        wanted = sum(size * config.item_size for size, config in zip(sizes, configs, strict=True))
        believed = wanted <= max(LEAST_ROOM, MOST_EXPANSION * size)
        self.arrays = [
            None if shape is None or not believed else empty(shape, config.dtype)
            for shape, config in zip(shapes, configs, strict=True)
        ]

    def settle(self, chunk: DecodedChunk) -> DecodedChunk:
        """The chunk, with its samples where they belong; for several threads at once."""
        tensors = zip(self.configs, self.arrays, chunk.tensors, strict=True)
        return replace(chunk, tensors=tuple(self._settled(*tensor, chunk) for tensor in tensors))

    def _settled(self, config: TensorConfig, whole: Any, samples: Samples, chunk: DecodedChunk) -> Samples:
        if whole is None or chunk.stop > len(whole):
            return samples
        there: Samples = whole[chunk.first : chunk.stop]
        self.put(there, samples, config.dtype)
        return there


class Collector:
    """Gathers chunks; gives one array per tensor for batches and singles, one per sample for lists and for notes.

    Args:
        configs: of the tensors, with the dtypes in which they come.
        structure: of the samples.
        room: in which chunks are that come.
    """

    def __init__(self, configs: Sequence[TensorConfig], structure: Structure, room: Room | None = None) -> None:
        self.configs, self.structure = configs, structure
        self.room = [None] * len(configs) if room is None else room.arrays
        self.parts: list[list[Any]] = [[] for _ in configs]

    def add(self, chunk: DecodedChunk) -> None:
        """Add the next chunk."""
        for config, parts, whole, samples in zip(self.configs, self.parts, self.room, chunk.tensors, strict=True):
            one = self.structure.kind == "batch" and not config.noted
            if one and (whole is not None or isinstance(samples, np.ndarray)):
                parts.append(samples)
            else:
                parts.extend(samples)

    def arrays(self) -> list[Any]:
        """What was gathered, by tensor."""
        tensors = zip(self.configs, self.parts, self.room, strict=True)
        return [self._joined(config, parts, whole) for config, parts, whole in tensors]

    def _joined(self, config: TensorConfig, parts: list[Any], whole: Any) -> Any:
        if self.structure.kind == "single":
            return _in_order(parts[0])
        if self.structure.kind != "batch" or config.noted:
            return [_in_order(part) for part in parts]
        if not parts:
            return np.empty((0, *(size or 0 for size in config.template)), DTYPES[config.dtype])
        if whole is not None and sum(map(len, parts)) == len(whole):
            return whole
        return np.ascontiguousarray(parts[0] if len(parts) == 1 else np.concatenate(parts))


def _in_order(part: Any) -> Any:
    """An array in C order; what is no array stays."""
    return np.asarray(part, order="C") if isinstance(part, np.ndarray | np.generic) else part


def _shape(config: TensorConfig, samples: int) -> tuple[int, ...] | None:
    """Of all samples of a batch in one array; None where they differ in shape."""
    sizes = [size for size in config.template if size is not None]
    return (samples, *sizes) if len(sizes) == len(config.template) else None
