"""How many samples a chunk holds: few enough that one is read quickly, many enough that little is lost by it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..types import FLOATS
from .plan import TensorPlan
from .source import Source

__all__ = ["ChunkSize"]

CODED_VALUES, LOSSLESS_VALUES, LEARNED_VALUES = 1 << 17, 1 << 19, 1 << 22
"""Values of a chunk: of the transform codec, of tensors without loss, which have models in every chunk, and of planes
of the learned codec."""

LEAST_BYTES = 4096
"""Bytes of a chunk's payloads, at least: what a chunk takes besides must not count."""

MOST_SAMPLES, MOST_INTEGER_SAMPLES = 4096, 65_536
MOST_ARRAYS = 1 << 16
"""A chunk holds fewer samples of many tensors. Of integers alone it holds more: texts are best coded together with
those that they repeat."""


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
        payloads = sum(plan.payload_bytes for plan in plans)
        if not payloads:
            return chosen
        enough = math.ceil(LEAST_BYTES * self.source.samples * self.source.repeats / payloads)
        return max(chosen, min(enough, self.read))

    def _of(self, values: int) -> int:
        """As many samples as make so many values."""
        if self.given is not None:
            return self.given
        source = self.source
        floats = any(tensor.dtype in FLOATS for tensor in source.tensors)
        most = MOST_SAMPLES if floats else MOST_INTEGER_SAMPLES
        by_values = values * source.samples // max(1, source.numel)
        return max(1, min(most, by_values, MOST_ARRAYS // max(1, len(source.tensors))))
