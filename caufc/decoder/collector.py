"""Decoded chunks put together again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..coders.base import Samples
from ..coders.config import TensorConfig
from ..types import DTYPES, AnyArray, Structure
from .file_decoder import DecodedChunk

__all__ = ["Collector", "Room"]

LEAST_ROOM, MOST_EXPANSION = 1 << 26, 256
"""Bytes that may be set aside for what a file only announces: so many, or so many times the file's."""


class Room:
    """The final arrays of a batch, one per tensor, into which threads put what they decode.

    Args:
        configs: of the tensors.
        samples: how many the file announces.
        size: of the file, in bytes: announcements far beyond are not believed.
    """

    def __init__(self, configs: Sequence[TensorConfig], samples: int, size: int) -> None:
        shapes = [None if config.noted else _shape(config, samples) for config in configs]
        sizes = [0 if shape is None else math.prod(shape) for shape in shapes]
        wanted = sum(size * config.item_size for size, config in zip(sizes, configs, strict=True))
        believed = wanted <= max(LEAST_ROOM, MOST_EXPANSION * size)
        self.arrays = [
            None if shape is None or not believed else np.empty(shape, DTYPES[config.dtype])
            for shape, config in zip(shapes, configs, strict=True)
        ]

    def settle(self, chunk: DecodedChunk) -> DecodedChunk:
        """The chunk, with its samples where they belong; for several threads at once."""
        there = slice(chunk.first, chunk.stop)
        settled = [
            samples if whole is None or there.stop > len(whole) else _put(whole[there], samples)
            for whole, samples in zip(self.arrays, chunk.tensors, strict=True)
        ]
        return replace(chunk, tensors=tuple(settled))


class Collector:
    """Gathers chunks; gives one array per tensor for batches and singles, one per sample for lists and for notes.

    Args:
        configs: of the tensors.
        structure: of the samples.
        room: in which chunks are that come.
    """

    def __init__(self, configs: Sequence[TensorConfig], structure: Structure, room: Room | None = None) -> None:
        self.configs, self.structure = configs, structure
        self.room = [None] * len(configs) if room is None else room.arrays
        self.parts: list[list[AnyArray]] = [[] for _ in configs]

    def add(self, chunk: DecodedChunk) -> None:
        """Add the next chunk."""
        for config, parts, samples in zip(self.configs, self.parts, chunk.tensors, strict=True):
            if self.structure.kind == "batch" and isinstance(samples, np.ndarray) and not config.noted:
                parts.append(samples)
            else:
                parts.extend(samples)

    def arrays(self) -> list[AnyArray | list[AnyArray]]:
        """What was gathered, by tensor."""
        tensors = zip(self.configs, self.parts, self.room, strict=True)
        return [self._joined(config, parts, whole) for config, parts, whole in tensors]

    def _joined(self, config: TensorConfig, parts: list[AnyArray], whole: AnyArray | None) -> AnyArray | list[AnyArray]:
        if self.structure.kind == "single":
            return np.asarray(parts[0], order="C")
        if self.structure.kind != "batch" or config.noted:
            return [np.asarray(part, order="C") for part in parts]
        if not parts:
            return np.empty((0, *(size or 0 for size in config.template)), DTYPES[config.dtype])
        if whole is not None and sum(map(len, parts)) == len(whole) and all(part.base is whole for part in parts):
            return whole
        return np.ascontiguousarray(parts[0] if len(parts) == 1 else np.concatenate(parts))


def _shape(config: TensorConfig, samples: int) -> tuple[int, ...] | None:
    """Of all samples of a batch in one array; None where they differ in shape."""
    sizes = [size for size in config.template if size is not None]
    return (samples, *sizes) if len(sizes) == len(config.template) else None


def _put(there: AnyArray, samples: Samples) -> AnyArray:
    there[...] = samples
    return there
