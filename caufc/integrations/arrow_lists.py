"""Tensors that lie in nested lists of Arrow: one a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

import caufc

__all__ = ["is_nested", "tensors_of"]


def is_nested(kind: Any) -> bool:
    """Whether an Arrow type is lists of numbers, at any depth."""
    if not _is_list(kind):
        return False
    while _is_list(kind):
        kind = kind.value_type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def tensors_of(storage: Any) -> Iterator[NDArray[Any] | None]:
    """The tensor of each row, ``[d0, d1, ...]`` for lists of lists; None for a null.

    Raises:
        InputError: for rows whose lists differ in length, or that have nulls in them.
    """
    for number, row in enumerate(storage):
        if not row.is_valid:
            yield None
            continue
        shape, values = [len(row.values)], row.values
        while _is_list(values.type):
            lengths = pc.unique(pc.list_value_length(values)).to_pylist()
            if len(lengths) > 1 or None in lengths:
                raise caufc.InputError("its lists differ in length: no tensor", file=f"row {number}")
            shape.append(lengths[0] if lengths else 0)
            values = values.flatten()
        if values.null_count:
            raise caufc.InputError(f"has {values.null_count:,} nulls among its values", file=f"row {number}")
        yield np.asarray(values.to_numpy(zero_copy_only=False)).reshape(shape)


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
