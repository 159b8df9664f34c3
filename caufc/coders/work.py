"""What decoding costs, counted from shapes alone: limits hold before anything is allocated (spec, section 12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..limits import Limits
from .base import Shapes, TensorCoder, Work
from .config import TensorConfig

__all__ = ["WorkMeter", "chunk_work"]

ARRAY_BYTES = 128
"""What an array takes besides its values, about."""

NOTE_FACTOR = 64
"""Bytes that an object takes for a byte of its note, at most."""


def chunk_work(coders: Sequence[TensorCoder], shapes: Sequence[Shapes], limits: Limits) -> Work:
    """What a chunk with these shapes, one list per tensor, costs.

    Raises:
        LimitError: if it is more than a chunk may cost.
        MalformedError: for shapes that a layout does not fit.
    """
    total = Work()
    for coder, of_tensor in zip(coders, shapes, strict=True):
        total += coder.work(of_tensor)
        limits.check("chunk_tokens", total.tokens)
        limits.check("chunk_grids", total.grids)
        limits.check("chunk_products", total.products)
        limits.check("chunk_latents", total.latents)
    return total


@dataclass
class WorkMeter:
    """Adds up the chunks of a file.

    Args:
        configs: one per tensor.
        batch: whether samples become rows of one array per tensor, and not arrays of their own.
        limits: of files.
    """

    configs: Sequence[TensorConfig]
    batch: bool
    limits: Limits
    samples: int = 0
    values: int = 0
    noted: int = 0
    value_bytes: int = 0
    products: int = 0
    charged: int = field(default=0, repr=False)

    def add(self, shapes: Sequence[Shapes], count: int, work: Work) -> None:
        """Charge a chunk of ``count`` samples.

        Raises:
            LimitError: if the file is then over a limit.
        """
        values = added = noted = notes = 0
        for config, of_tensor in zip(self.configs, shapes, strict=True):
            size = config.values(of_tensor)
            values += size
            if config.noted:
                notes += 1
                noted += size
            else:
                added += size * config.item_size
        self.samples += count
        if not (self.batch and values):
            self.limits.check("list_samples", self.samples)
        if not self.batch:
            self.charged += ARRAY_BYTES * count * len(self.configs)
        self.charged += ARRAY_BYTES * count * notes + NOTE_FACTOR * noted
        self.values = self.limits.check("file_elements", self.values + values)
        self.noted += noted
        self.products = self.limits.check("file_products", self.products + work.products)
        self.value_bytes += added
        self.charged = self.limits.check("output_bytes", self.charged + added)
