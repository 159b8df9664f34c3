"""Samples as columns of Ray's blocks, and rows of blocks as samples.

A lone tensor is the column ``features``; what stands deeper in a sample has its dotted name. Tensors are Ray's tensor
columns, of several shapes where a file says that they vary; notes are plain columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from ray.data.extensions import ArrowTensorArray, ArrowVariableShapedTensorArray

import caufc

from ..tensor_values import numpy_of

__all__ = ["KEY", "LONE", "samples_of", "table_of"]

KEY = "key"
"""Column of the samples' keys."""

LONE = "features"
"""Column of samples that are a tensor by themselves."""


def table_of(
    samples: Sequence[Any], shapes: Mapping[str, Sequence[int | None]], beside: Mapping[str, Sequence[Any]]
) -> pa.Table:
    """Samples as a table, one a row.

    Args:
        samples: of one reader.
        shapes: sizes of the axes of tensors by name, None where they vary; see :attr:`caufc.SampleReader.shapes`.
        beside: other columns, by name.

    Raises:
        InputError: for tensors that have the name of another column.
    """
    rows = [dict(_leaves(sample)) for sample in samples]
    names = list(rows[0])
    taken = [name for name in names if name in beside]
    if taken:
        raise caufc.InputError("has the name of another column", tensor=taken[0], remedy="leave it out with only=")
    columns = {name: pa.array(values) for name, values in beside.items()}
    for name in names:
        shape = shapes.get("" if name == LONE and LONE not in shapes else name)
        values = [row[name] for row in rows]
        columns[name] = pa.array(values) if shape is None else _tensors(values, ragged=None in shape)
    return pa.table(columns)


def samples_of(columns: Mapping[str, NDArray[Any]]) -> list[Any]:
    """Rows as samples: a lone tensor where there is no column but ``features``, else dicts by column.

    Args:
        columns: a batch of Ray in numpy's format, without keys.

    Raises:
        InputError: if no column is of tensors.
    """
    tensors = [name for name, column in columns.items() if _is_tensors(column)]
    if not tensors:
        raise caufc.InputError(f"no column is of tensors: {', '.join(columns) or 'there is none'}")
    if list(columns) == [LONE]:
        return list(columns[LONE])
    values = [list(column) if name in tensors else column.tolist() for name, column in columns.items()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


def _leaves(sample: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Tensors and notes of a sample by dotted name."""
    if isinstance(sample, Mapping):
        for name, part in sample.items():
            yield from _leaves(part, (*path, str(name)))
    elif isinstance(sample, list | tuple):
        for number, part in enumerate(sample):
            yield from _leaves(part, (*path, str(number)))
    else:
        yield ".".join(path) or LONE, sample


def _tensors(values: Sequence[Any], *, ragged: bool) -> Any:
    """A column of tensors; floats that Arrow does not have become float32, which holds them exactly."""
    arrays = [numpy_of(value) for value in values]
    if arrays[0].dtype.type.__module__ != "numpy":
        arrays = [array.astype(np.float32) for array in arrays]
    if not ragged:
        return ArrowTensorArray.from_numpy(np.stack(arrays))
    column = np.empty(len(arrays), object)
    column[:] = arrays
    return ArrowVariableShapedTensorArray.from_numpy(column)


def _is_tensors(column: NDArray[Any]) -> bool:
    """Whether the values of a column are tensors with an axis or more; numbers and texts are notes."""
    if column.dtype != object:
        return column.ndim > 1
    return len(column) > 0 and isinstance(column[0], np.ndarray) and column[0].dtype != object
