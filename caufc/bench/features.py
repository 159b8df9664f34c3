"""Features to measure with, held in memory: the disk is not what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..encoder.source import (
    Source,
    SourceTensor,
)
from ..errors import InputError
from ..features import (
    from_arrays,
    to_source,
)
from ..types import (
    DTYPES,
    AnyArray,
)

__all__ = ["Subject", "stored_arrays"]


@dataclass(frozen=True)
class Subject:
    """Samples in memory.

    Args:
        features: as :func:`caufc.encode` takes them.
        source: the same, as tensors.
        arrays: by tensor, in the numpy form of its dtype.
        available: samples that there were to choose from.
    """

    features: Any
    source: Source
    arrays: list[list[AnyArray]]
    available: int

    @classmethod
    def load(cls, features: Any, layouts: Mapping[str, str], samples: int | None = None) -> Subject:
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
        )
        source = to_source(held, layouts)
        if not sum(tensor.numel for tensor in source.tensors):
            raise InputError("there is nothing to measure: no tensor has a value", remedy="give a file with samples")
        return cls(held, source, stored_arrays(source), whole.samples)

    @property
    def numel(self) -> int:
        """Number of values."""
        return sum(tensor.numel for tensor in self.source.tensors)

    @property
    def bytes_in(self) -> int:
        """Bytes of the values."""
        return sum(tensor.numel * DTYPES[tensor.dtype].itemsize for tensor in self.source.tensors)

    @property
    def dtype(self) -> str:
        """That of all tensors, or ``mixed``."""
        dtypes = {tensor.dtype for tensor in self.source.tensors}
        return dtypes.pop() if len(dtypes) == 1 else "mixed"


def stored_arrays(source: Source) -> list[list[AnyArray]]:
    """All values of a source, by tensor."""
    return [_arrays(tensor) for tensor in source.tensors]


def _arrays(tensor: SourceTensor) -> list[AnyArray]:
    return [leaf.read() for leaf in tensor.leaves]


def _own(block: AnyArray | list[AnyArray]) -> AnyArray | list[AnyArray]:
    """Copies, where arrays may be windows of a mapped file."""
    return [np.array(array) for array in block] if isinstance(block, list) else np.array(block)
