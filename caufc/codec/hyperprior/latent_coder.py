"""Entropy coding of hyper-latents and latents (spec, section 14.3): numpy and integers alone decide tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..buckets import add_extra_bits, bucket_of, push_extra_bits
from ..entropy import RansDecoder, RansEncoder, table_model
from ..table_runs import pull_runs, push_runs
from ..tables import frequencies_of

__all__ = ["TableCoder"]

Symbols = NDArray[np.int32]
Tables = NDArray[Any]


class TableCoder:
    """Codes symbols, each with one of several tables of buckets.

    Args:
        levels: of the tables ``[T, 64]``.
    """

    def __init__(self, levels: NDArray[np.uint8]) -> None:
        self.models = [table_model(row) for row in frequencies_of(levels)]

    def push(self, encoder: RansEncoder, symbols: Symbols, tables: Tables) -> None:
        """Append flat symbols ``[n]`` with tables ``[n]``: a run, then their extra bits [CAUF-0412]."""
        buckets = bucket_of(symbols)
        push_runs(encoder, buckets, tables, self.models.__getitem__)
        push_extra_bits(encoder, symbols, buckets)

    def pull(self, decoder: RansDecoder, tables: Tables) -> Symbols:
        """The symbols of tables ``[n]``."""
        return add_extra_bits(decoder, pull_runs(decoder, tables, self.models.__getitem__))
