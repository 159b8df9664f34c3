"""HDF5 files (``.h5``): groups are dicts, datasets are tensors that are read in parts; read, not written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..descriptors import FeatureFormat
from ..errors import CaufError, ForeignFormatError, LimitError, TensorError
from ..limits import DEFAULT_LIMITS, Limits
from ..types import AnyArray, Framework
from .leaf import FileStamp, extent, open_input, settle, storing
from .metadata import NamedTensors
from .problems import read_only, unwritten
from .tensors import dtype_name
from .texts import check_texts

if TYPE_CHECKING:
    import h5py

__all__ = ["FORMAT", "read"]

MAGIC = b"\x89HDF\r\n\x1a\n"


def read(path: Path, limits: Limits = DEFAULT_LIMITS) -> NamedTensors:
    """The datasets of a file by name, those of groups as nested dicts; texts among the file's attributes are metadata.

    Links that lead to other files, and datasets whose values lie in other files, are refused. Numbers among attributes,
    and attributes of groups and datasets, are left out.

    Raises:
        StorageError: if the file cannot be read.
        ForeignFormatError: if it is malformed, or refers to other files.
        TensorError: for datasets that caufc does not code.
        LimitError: for too many datasets, levels, dimensions or bytes.
    """
    with open_input(path) as stream, storing(str(path)):
        stamp = FileStamp.of(stream)
    file = _File(path, stamp)
    with _parsing(path):
        walk = _Walk(file, limits)
        found = NamedTensors(walk.group(file.open(), (), ()))
        found.metadata = _texts_of(file.open().attrs)
        return found


class _File:
    """An HDF5 file that is opened when it is read, once for all its datasets."""

    def __init__(self, path: Path, stamp: FileStamp) -> None:
        self.path, self.stamp = path, stamp
        self._opened: h5py.File | None = None

    def open(self) -> h5py.File:
        """The file.

        Raises:
            StorageError: if it has changed.
        """
        import h5py

        if self._opened is None:
            with open_input(self.path) as stream:
                self.stamp.check(stream, self.path)
            self._opened = h5py.File(self.path, "r", locking=False)
        return self._opened

    def __reduce__(self) -> tuple[Any, ...]:
        return _File, (self.path, self.stamp)

    def __del__(self) -> None:
        if self._opened is not None:
            self._opened.close()


class _Leaf:
    """A dataset.

    Args:
        file: which it is in.
        name: its path in the file.
        shape: of the tensor.
        dtype: a name of :data:`caufc.types.DTYPES`.
    """

    framework: Framework = "numpy"

    def __init__(self, file: _File, name: str, shape: tuple[int, ...], dtype: str) -> None:
        self.file, self.name, self.shape, self.dtype = file, name, shape, dtype

    def read(self) -> AnyArray:
        """The whole tensor.

        Raises:
            ForeignFormatError: if its bytes are damaged.
            StorageError: if the file has changed.
        """
        return self._part(())

    def rows(self, start: int, stop: int) -> AnyArray:
        """Rows ``[start, stop)`` of the first axis; the same errors."""
        return self._part(slice(start, stop))

    def _part(self, which: Any) -> AnyArray:
        with _parsing(self.file.path, self.name):
            return settle(np.asarray(self.file.open()[self.name][which]), self.dtype)


class _Walk:
    """One walk over a file's groups."""

    def __init__(self, file: _File, limits: Limits) -> None:
        self.file, self.limits = file, limits
        self.tensors = self.texts = self.text_bytes = 0

    def group(self, group: h5py.Group, path: tuple[str, ...], above: tuple[Any, ...]) -> dict[str, Any]:
        """What is in a group, below those at some places in the file."""
        import h5py

        self.limits.check("nesting", len(path) + 1)
        place = h5py.h5o.get_info(group.id).addr
        if place in above:
            raise ForeignFormatError(f"group '{'/'.join(path)}' holds itself")
        found: dict[str, Any] = {}
        for name in group:
            where = (*path, name)
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise ForeignFormatError(
                    "leads to another file", tensor=".".join(where), remedy="copy it into the file"
                )
            child = group[name]
            if isinstance(child, h5py.Group):
                found[name] = self.group(child, where, (*above, place))
            elif isinstance(child, h5py.Dataset):
                found[name] = self.dataset(child, where)
        return found

    def dataset(self, dataset: h5py.Dataset, path: tuple[str, ...]) -> _Leaf | AnyArray:
        """A dataset as a tensor, one of text read."""
        import h5py

        name = ".".join(path)
        self.tensors = self.limits.check("tensors", self.tensors + 1)
        if dataset.shape is None:
            raise TensorError("is an empty dataset without a shape", tensor=name, remedy="leave it out")
        if dataset.is_virtual or dataset.external:
            raise ForeignFormatError("its values lie in other files", tensor=name, remedy="copy them into the file")
        try:
            text = h5py.check_string_dtype(dataset.dtype)
            if text is not None:
                return self.text(dataset, name)
            if h5py.check_vlen_dtype(dataset.dtype) is not None:
                cure = "store a dataset for each row, or all values in one, and where rows begin"
                raise TensorError("has rows of several lengths", tensor=name, remedy=cure)
            dtype = dtype_name(dataset.dtype, tensor=name)
            extent(dataset.shape, dataset.dtype.itemsize, self.limits)
        except LimitError as err:
            raise err.locate(tensor=name) from None
        return _Leaf(self.file, "/".join(path), tuple(dataset.shape), dtype)

    def text(self, dataset: h5py.Dataset, name: str) -> AnyArray:
        self.texts += int(dataset.size)
        self.text_bytes += int(dataset.size) * max(1, dataset.dtype.itemsize)
        check_texts(self.texts, self.text_bytes, name, self.limits)
        array = np.asarray(dataset.asstr()[()], object)
        self.text_bytes += sum(map(len, array.flat))
        check_texts(self.texts, self.text_bytes, name, self.limits)
        return array.astype(str)


def _texts_of(attributes: h5py.AttributeManager) -> dict[str, str]:
    """Attributes that are text."""
    found = {}
    for name in attributes:
        with suppress(OSError, RuntimeError, TypeError, ValueError):  # of kinds that h5py does not know
            value = attributes[name]
            if isinstance(value, str):
                found[name] = value
    return found


@contextmanager
def _parsing(path: Path, tensor: str | None = None) -> Iterator[None]:
    """Turn what h5py raises into errors about the file."""
    try:
        yield
    except CaufError as err:
        raise err.locate(file=str(path)) from err.__cause__
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as err:
        what = " ".join(str(err).split())
        raise ForeignFormatError(
            f"is no HDF5 file that can be read: {what}",
            file=str(path),
            tensor=tensor,
            remedy="fetch or write it again: it may have been cut",
        ) from err


def _is_hdf5(head: bytes, _names: Sequence[str] | None) -> bool:
    return head.startswith(MAGIC)


FORMAT = FeatureFormat(
    ".h5",
    read,
    read_only(".h5"),
    aliases=(".hdf5",),
    requires=("h5py",),
    read_within=read,
    recognise=_is_hdf5,
    problem=unwritten,
)
