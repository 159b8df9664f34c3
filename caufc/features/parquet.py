"""Parquet files: columns are tensors, one row a sample; read, not written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..descriptors import FeatureFormat
from ..errors import CaufError, ForeignFormatError, LimitError, TensorError
from ..limits import DEFAULT_LIMITS, Limits
from ..types import AnyArray, Framework
from .leaf import FileStamp, extent, open_input, settle, storing
from .problems import read_only, unwritten
from .tensors import dtype_name
from .texts import check_texts

if TYPE_CHECKING:
    import pyarrow

__all__ = ["FORMAT", "read"]

MAGIC = b"PAR1"

CURE = "select columns of numbers, lists of numbers, and text"


def read(path: Path, limits: Limits = DEFAULT_LIMITS) -> Any:
    """The columns of a file by name, or its rows where a column's lists differ in length.

    A column of numbers is a tensor ``[N]``; lists are ``[N, C]``, lists of lists ``[N, T, C]``. Where all rows are
    alike, the file is a dict of such tensors; else it is a list of N samples, dicts of what each row has. Text stays
    text. Row groups are read as they are asked for.

    Raises:
        StorageError: if the file cannot be read.
        ForeignFormatError: if it is malformed.
        TensorError: for columns that caufc does not code, and for missing values.
        LimitError: for too many columns, dimensions, samples or bytes.
    """
    with open_input(path) as stream, storing(str(path)):
        stamp = FileStamp.of(stream)
    table = _Table(path, stamp)
    with _parsing(path):
        schema, rows = table.open().schema_arrow, table.open().metadata.num_rows
        limits.check("tensors", len(schema.names))
        columns: dict[str, Any] = {}
        texts = size = 0
        for number, field in enumerate(schema):
            if field.name in columns:
                raise ForeignFormatError("two columns have this name", tensor=field.name)
            if _is_text(field.type):
                columns[field.name] = table.texts(number)
                texts, size = texts + rows, size + sum(map(len, columns[field.name]))
                check_texts(texts, size, field.name, limits)
            else:
                columns[field.name] = _Column.of(table, number, field, limits)
        if all(not isinstance(column, _Column) or None not in column.shape for column in columns.values()):
            return {
                name: _Stacked(column) if isinstance(column, _Column) else np.array(column)
                for name, column in columns.items()
            }
        limits.check("list_samples", rows)
        return [
            {
                name: _Row(column, row) if isinstance(column, _Column) else column[row]
                for name, column in columns.items()
            }
            for row in range(rows)
        ]


class _Table:
    """A Parquet file that is opened when it is read."""

    def __init__(self, path: Path, stamp: FileStamp) -> None:
        self.path, self.stamp = path, stamp
        self._opened: Any = None

    def open(self) -> Any:
        """pyarrow's ``ParquetFile``.

        Raises:
            StorageError: if the file has changed.
        """
        from pyarrow import parquet

        if self._opened is None:
            with open_input(self.path) as stream:
                self.stamp.check(stream, self.path)
            self._opened = parquet.ParquetFile(self.path)
        return self._opened

    def __reduce__(self) -> tuple[Any, ...]:
        return _Table, (self.path, self.stamp)

    def group(self, number: int, column: int) -> pyarrow.Array:
        """A column's values in one row group."""
        file = self.open()
        name = file.schema_arrow.names[column]
        table = file.read_row_group(number, columns=None if "." in name else [name])
        values = table.column(name).combine_chunks()
        if hasattr(values, "chunks"):
            import pyarrow

            values = pyarrow.concat_arrays(values.chunks)
        if values.null_count:
            raise TensorError("has rows without a value", tensor=name, remedy="fill or drop them")
        return values

    def texts(self, column: int) -> list[str | bytes]:
        """All values of a column of text."""
        found: list[str | bytes] = []
        for number in range(self.open().num_row_groups):
            found += self.group(number, column).to_pylist()
        return found


class _Column:
    """A column of numbers, or of lists of such.

    Args:
        table: the file.
        number: of the column.
        name: of the column.
        dtype: a name of :data:`caufc.types.DTYPES`.
        shape: of a row, None where rows differ.
        starts: first row of every row group, and the number of rows.
    """

    def __init__(
        self, table: _Table, number: int, name: str, dtype: str, shape: tuple[int | None, ...], starts: list[int]
    ) -> None:
        self.table, self.number, self.name, self.dtype = table, number, name, dtype
        self.shape, self.starts = shape, starts
        self.shapes: list[tuple[int, ...]] = []
        self._kept: tuple[int, list[AnyArray] | AnyArray] | None = None

    @classmethod
    def of(cls, table: _Table, number: int, field: pyarrow.Field, limits: Limits) -> _Column:
        """A column; those of lists are read once, for their lengths.

        Raises:
            TensorError: for values that caufc does not code, and missing ones.
        """
        inner, depth, sizes = field.type, 0, []
        while _is_list(inner):
            sizes.append(inner.list_size if hasattr(inner, "list_size") else None)
            inner, depth = inner.value_type, depth + 1
        try:
            dtype = dtype_name(np.dtype(inner.to_pandas_dtype()), tensor=field.name)
        except (NotImplementedError, TypeError) as err:
            raise TensorError(
                f"has type {field.type}, which caufc does not code", tensor=field.name, remedy=CURE
            ) from err
        starts = [0]
        for group in range(table.open().num_row_groups):
            starts.append(starts[-1] + table.open().metadata.row_group(group).num_rows)
        column = cls(table, number, field.name, dtype, tuple(sizes), starts)
        try:
            limits.check("dimensions", depth + 1)
            if None in sizes:
                column.measure()
            extent(
                (starts[-1], *(size or 1 for size in column.shape)), np.dtype(inner.to_pandas_dtype()).itemsize, limits
            )
        except LimitError as err:
            raise err.locate(tensor=field.name) from None
        return column

    def measure(self) -> None:
        """Learn the shapes of all rows."""
        for group in range(len(self.starts) - 1):
            self.shapes += [array.shape for array in self._values(group)]
        self.shape = (
            tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*self.shapes, strict=True)) or self.shape
        )

    def group(self, number: int) -> list[AnyArray] | AnyArray:
        """The rows of a row group; the last one that was read is kept."""
        if self._kept is None or self._kept[0] != number:
            self._kept = number, self._values(number)
        return self._kept[1]

    def _values(self, group: int) -> list[AnyArray] | AnyArray:
        with _parsing(self.table.path, self.name):
            return _rows(self.table.group(group, self.number), self.name)

    def group_of(self, row: int) -> int:
        """The row group of a row."""
        return int(np.searchsorted(self.starts, row, side="right")) - 1


class _Stacked:
    """A column whose rows are alike, as a tensor ``[N, ...]``."""

    framework: Framework = "numpy"

    def __init__(self, column: _Column) -> None:
        self.column, self.dtype = column, column.dtype
        self.shape = (column.starts[-1], *(size or 0 for size in column.shape))

    def read(self) -> AnyArray:
        """The whole tensor."""
        return self.rows(0, self.shape[0])

    def rows(self, start: int, stop: int) -> AnyArray:
        """Rows ``[start, stop)``."""
        start, stop, _ = slice(start, stop).indices(self.shape[0])
        parts = []
        while start < stop:
            group = self.column.group_of(start)
            first, end = self.column.starts[group], self.column.starts[group + 1]
            parts.append(np.asarray(self.column.group(group)[start - first : min(stop, end) - first]))
            start = min(stop, end)
        shape = (sum(map(len, parts)), *self.shape[1:])
        return settle(np.concatenate(parts).reshape(shape) if parts else np.empty(shape), self.dtype)


class _Row:
    """One row of a column, as a tensor."""

    framework: Framework = "numpy"

    def __init__(self, column: _Column, row: int) -> None:
        self.column, self.row, self.dtype = column, row, column.dtype
        sizes = column.shapes[row] if column.shapes else tuple(size or 0 for size in column.shape)
        self.shape: tuple[int, ...] = tuple(sizes)

    def read(self) -> AnyArray:
        """The whole tensor."""
        group = self.column.group_of(self.row)
        return settle(np.asarray(self.column.group(group)[self.row - self.column.starts[group]]), self.dtype)

    def rows(self, start: int, stop: int) -> AnyArray:
        """Rows ``[start, stop)`` of the first axis."""
        return self.read()[start:stop]


def _rows(values: pyarrow.Array, name: str) -> list[AnyArray] | AnyArray:
    """Values of a column by row: numbers as one array, lists as one if they are alike, else each as its own."""
    if not _is_list(values.type):
        if values.null_count:
            raise TensorError("has rows without a value", tensor=name, remedy="fill or drop them")
        return np.asarray(values.to_numpy(zero_copy_only=False))
    if values.null_count:
        raise TensorError("has lists without a value", tensor=name, remedy="fill or drop them")
    fixed = getattr(values.type, "list_size", None)
    lengths = (
        np.full(len(values), fixed) if fixed is not None else values.value_lengths().to_numpy(zero_copy_only=False)
    )
    inner = _rows(values.flatten(), name)
    ends = np.cumsum(lengths)
    if isinstance(inner, np.ndarray):
        if len(set(lengths.tolist())) == 1:
            return inner.reshape(len(values), int(lengths[0]), *inner.shape[1:])
        return [inner[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    found = []
    for end, length in zip(ends, lengths, strict=True):
        parts = inner[end - length : end]
        if len({part.shape for part in parts}) > 1:
            raise TensorError("has lists of lists that differ in length within a row", tensor=name, remedy=CURE)
        found.append(np.stack(parts) if parts else np.zeros((0, 0)))
    return found


def _is_list(kind: pyarrow.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _is_text(kind: pyarrow.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind))


@contextmanager
def _parsing(path: Path, tensor: str | None = None) -> Iterator[None]:
    """Turn what pyarrow raises into errors about the file."""
    try:
        yield
    except CaufError as err:
        raise err.locate(file=str(path)) from err.__cause__
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError) as err:
        what = " ".join(str(err).split())
        raise ForeignFormatError(
            f"is no Parquet file that can be read: {what}",
            file=str(path),
            tensor=tensor,
            remedy="fetch or write it again: it may have been cut",
        ) from err


def _is_parquet(head: bytes, _names: Sequence[str] | None) -> bool:
    return head.startswith(MAGIC)


FORMAT = FeatureFormat(
    ".parquet",
    read,
    read_only(".parquet"),
    requires=("pyarrow",),
    read_within=read,
    recognise=_is_parquet,
    problem=unwritten,
)
