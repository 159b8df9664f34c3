"""Decoded chunks put together again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..coders.config import TensorConfig
from ..types import DTYPES, AnyArray, Structure
from .file_decoder import DecodedChunk

__all__ = ["Collector"]


class Collector:
    """Gathers chunks; gives one array per tensor for batches and singles, one per sample for lists and for notes."""

    def __init__(self, configs: Sequence[TensorConfig], structure: Structure) -> None:
        self.configs, self.structure = configs, structure
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
        return [self._joined(config, parts) for config, parts in zip(self.configs, self.parts, strict=True)]

    def _joined(self, config: TensorConfig, parts: list[AnyArray]) -> AnyArray | list[AnyArray]:
        if self.structure.kind == "single":
            return np.asarray(parts[0], order="C")
        if self.structure.kind != "batch" or config.noted:
            return [np.asarray(part, order="C") for part in parts]
        if not parts:
            return np.empty((0, *(size or 0 for size in config.template)), DTYPES[config.dtype])
        return np.ascontiguousarray(parts[0] if len(parts) == 1 else np.concatenate(parts))
