"""How many samples a chunk holds: few enough that one is read quickly, many enough that little is lost by it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..codec.lossless.codec import encode_lossless
from ..types import FLOATS
from .plan import TensorPlan
from .source import Source

__all__ = ["ChunkSize"]

CODED_VALUES, LOSSLESS_VALUES, LEARNED_VALUES = 1 << 17, 1 << 19, 1 << 22
"""Values of a chunk: of the transform codec, of tensors without loss, which have models in every chunk, and of planes
of the learned codec."""

LEAST_BYTES = 4096
"""Bytes of a chunk's payloads, at least: what a chunk takes besides must not count."""

MOST_SAMPLES, MOST_SMALL_SAMPLES = 4096, 65_536
MOST_ARRAYS = 1 << 16
"""A chunk holds fewer samples of many tensors. Of integers alone it holds more: texts are best coded together with
those that they repeat; so it does of samples of one shape that take next to no bytes."""

SMALL_SAMPLE = 8
"""Values of a small sample."""


@dataclass(frozen=True)
class ChunkSize:
    """The samples of a chunk of one source.

    Args:
        source: what is coded.
        given: how many were asked for; None to choose.
    """

    source: Source
    given: int | None = None

    @property
    def read(self) -> int:
        """Samples that are read at a time before anything is planned."""
        return self._of(LEARNED_VALUES)

    @property
    def least(self) -> int:
        """Samples of a chunk but the last, at least, however they are coded."""
        return self._of(CODED_VALUES)

    def of(self, plans: Sequence[TensorPlan]) -> int:
        """Samples of a chunk that is coded so."""
        if self.given is not None:
            return self.given
        codecs = [plan.config.codec for plan in plans if plan.config.dtype in FLOATS]
        if not codecs or any(codec.weighted for codec in codecs):
            return self.read
        chosen = self._of(CODED_VALUES if any(codec.lossy for codec in codecs) else LOSSLESS_VALUES)
        payloads = sum(plan.payload_bytes for plan in plans) or self._shown_bytes()
        if not payloads:
            return chosen
        enough = math.ceil(LEAST_BYTES * self.source.samples * self.source.repeats / payloads)
        return max(chosen, min(enough, self._of(LEARNED_VALUES, MOST_SMALL_SAMPLES) if self._stacked else self.read))

    @property
    def _stacked(self) -> bool:
        return all(tensor.stacked for tensor in self.source.tensors)

    def _shown_bytes(self) -> float:
        """Bytes of payloads without loss, by the first samples, where there are many of few values; else 0."""
        source = self.source
        if not self._stacked or source.samples <= MOST_SAMPLES or source.numel > SMALL_SAMPLE * source.samples:
            return 0.0
        first = [(tensor, np.ascontiguousarray(tensor.block(0, MOST_SAMPLES)).ravel()) for tensor in source.tensors]
        shown = sum(len(encode_lossless(values, rotate=tensor.dtype in FLOATS)) for tensor, values in first)
        return shown * source.samples * source.repeats / MOST_SAMPLES

    def _of(self, values: int, most: int = MOST_SAMPLES) -> int:
        """As many samples as make so many values, with floats among them at most so many."""
        if self.given is not None:
            return self.given
        source = self.source
        floats = any(tensor.dtype in FLOATS for tensor in source.tensors)
        most = most if floats else MOST_SMALL_SAMPLES
        by_values = values * source.samples // max(1, source.numel)
        return max(1, min(most, by_values, MOST_ARRAYS // max(1, len(source.tensors))))
