"""What one call of a reader gives, counted as it comes: limits of a file hold for each call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..coders.config import TensorConfig
from ..coders.work import ARRAY_BYTES, NOTE_FACTOR
from ..limits import Limits
from ..types import AnyArray

__all__ = ["CallMeter"]


@dataclass
class CallMeter:
    """Adds up the samples that a call gives, of one file or of several.

    Args:
        limits: of the reader.
    """

    limits: Limits
    values: int = 0
    bytes: int = 0

    def asked(self, count: int) -> None:
        """So many samples are asked for.

        Raises:
            LimitError: if a list may not have so many.
        """
        self.limits.check("list_samples", count)

    def add(self, arrays: Sequence[AnyArray], configs: Sequence[TensorConfig]) -> None:
        """Charge a sample before it is copied.

        Args:
            arrays: its tensors.
            configs: theirs.

        Raises:
            LimitError: if the call has then more values or bytes than a file may have.
        """
        for array, config in zip(arrays, configs, strict=True):
            self.values += array.size
            self.bytes += ARRAY_BYTES + array.nbytes
            if config.noted:
                self.bytes += ARRAY_BYTES + (NOTE_FACTOR - 1) * array.nbytes
        self.limits.check("file_elements", self.values)
        self.limits.check("output_bytes", self.bytes)
