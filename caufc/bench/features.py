"""Features held in memory: what ``caufc bench`` measures, where the disk must not count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..encoder.source import Source
from ..errors import InputError
from ..features import from_arrays, to_source
from ..types import DTYPES, AnyArray

__all__ = ["LoadedFeatures", "arrays_of"]


@dataclass(frozen=True)
class LoadedFeatures:
    """The samples of a file in memory, as Python gives them and as tensors.

    Args:
        features: as :func:`caufc.encode` takes them.
        source: the same, as tensors.
        arrays: per tensor, in the numpy form of its dtype.
        available: number of samples that there were to choose from.
    """

    features: Any
    source: Source
    arrays: list[list[AnyArray]]
    available: int

    @classmethod
    def load(cls, features: Any, layouts: Mapping[str, str], samples: int | None = None) -> LoadedFeatures:
        """Read the first ``samples`` samples; all of them if None.

        Raises:
            InputError: if they hold no values.
        """
        whole = to_source(features, layouts)
        kept = whole.samples if samples is None else min(samples, whole.samples)
        held = from_arrays(
            whole.structure,
            kept,
            [tensor.framework for tensor in whole.tensors],
            [tensor.dtype for tensor in whole.tensors],
            [_own(tensor.block(0, kept)) for tensor in whole.tensors],
            (whole.keys or ())[:kept],
        )
        source = to_source(held, layouts)
        if not sum(tensor.numel for tensor in source.tensors):
            raise InputError("there is nothing to measure: no tensor has a value", remedy="give a file with samples")
        return cls(held, source, arrays_of(source), whole.samples)

    @property
    def numel(self) -> int:
        """Number of values in all tensors."""
        return sum(tensor.numel for tensor in self.source.tensors)

    @property
    def bytes_in(self) -> int:
        """Bytes of all values in their dtypes."""
        return sum(tensor.numel * DTYPES[tensor.dtype].itemsize for tensor in self.source.tensors)

    @property
    def dtype(self) -> str:
        """The dtype of all tensors, or ``mixed``."""
        dtypes = {tensor.dtype for tensor in self.source.tensors}
        return dtypes.pop() if len(dtypes) == 1 else "mixed"


def arrays_of(source: Source) -> list[list[AnyArray]]:
    """All arrays of a source, per tensor."""
    return [[leaf.read() for leaf in tensor.leaves] for tensor in source.tensors]


def _own(block: AnyArray | list[AnyArray]) -> AnyArray | list[AnyArray]:
    """Copies, where arrays may be windows of a mapped file."""
    return [np.array(array) for array in block] if isinstance(block, list) else np.array(block)
