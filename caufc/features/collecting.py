"""Writing formats that need the whole object: tensors are collected, and saved when the writer is closed."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..descriptors import FeatureFormat
from ..errors import (
    CaufError,
    InputError,
    PluginError,
)
from ..types import (
    DTYPES,
    AnyArray,
    Framework,
    Structure,
)
from .formats import (
    normal_suffix,
    plugin_name,
)
from .leaf import storing
from .npy import npy_format
from .output import Output
from .structure import from_arrays

__all__ = ["CollectingWriter", "Dump", "dump_npz", "dump_pt", "dump_with"]

Dump = Callable[[Any, IO[bytes]], None]
"""(object, binary stream) -> None: saves the object."""

_EPOCH = (1980, 1, 1, 0, 0, 0)


class CollectingWriter:
    """A :class:`~caufc.features.writer.Writer` that holds all tensors until it is closed.

    Args:
        output: where to.
        dump: saves the object.
        structure: of the object.
        samples: number of samples.
        frameworks, dtypes, shapes: by tensor number; ``shapes`` of one sample, None where samples differ.
    """

    def __init__(
        self,
        output: Output,
        dump: Dump,
        structure: Structure,
        samples: int,
        frameworks: Sequence[Framework],
        dtypes: Sequence[str],
        shapes: Sequence[tuple[int, ...] | None],
    ) -> None:
        self._output, self._dump = output, dump
        self._structure, self._samples = structure, samples
        self._frameworks, self._dtypes = frameworks, dtypes
        self._left = [samples] * len(dtypes)
        self._batches: dict[int, AnyArray] = {}
        self._lists: list[list[AnyArray]] = [[] for _ in dtypes]
        if structure.kind == "batch":
            for tensor, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True)):
                if shape is None:
                    raise InputError("a batch whose samples differ in shape")
                self._batches[tensor] = np.empty((samples, *shape), DTYPES[dtype])
        else:
            self._lists = [[np.empty(0)] * samples for _ in dtypes]

    def put(self, tensor: int, start: int, arrays: AnyArray | list[AnyArray]) -> None:
        """Samples from ``start`` on: ``[k, ...]`` for a batch, a list of arrays otherwise.

        Raises:
            InputError: if they do not fit the tensor's shape.
        """
        count = len(arrays)
        if tensor in self._batches:
            place = self._batches[tensor][start : start + count]
            if np.shape(arrays) != place.shape:
                raise InputError(f"samples of shape {np.shape(arrays)} at {start}", file=self._output.name)
            place[...] = arrays
        else:
            # A slice of a decoder's buffer would keep the whole buffer: what is kept is a copy.
            self._lists[tensor][start : start + count] = [np.array(array) for array in arrays]
        self._left[tensor] -= count

    def close(self) -> None:
        """Save the object.

        Raises:
            StorageError: if it cannot be written.
            InputError: if samples are missing.
        """
        try:
            if any(self._left):
                raise InputError("samples are missing", file=self._output.name)
            arrays: list[AnyArray | list[AnyArray]] = [
                self._batches[tensor] if tensor in self._batches else self._lists[tensor]
                for tensor in range(len(self._dtypes))
            ]
            features = from_arrays(self._structure, self._samples, self._frameworks, self._dtypes, arrays)
            self._batches.clear()
            self._lists.clear()
            with storing(self._output.name):
                self._dump(features, self._output.file())
            self._output.commit()
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Drop everything."""
        self._output.discard()


class _Sink:
    """A stream that keeps its first error: torch's zip writer aborts the process if writing raises inside it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        size = len(view)
        try:
            while self.error is None and len(view):
                view = view[self._stream.write(view) :]
        except OSError as err:
            self.error = err
        return size

    def flush(self) -> None:
        """Nothing: whoever owns the stream flushes it."""


def dump_pt(features: Any, stream: IO[bytes]) -> None:
    """Save as ``torch.save`` does."""
    import torch

    sink = _Sink(stream)
    torch.save(features, sink)  # type: ignore[arg-type]
    if sink.error is not None:
        raise sink.error


def dump_npz(features: dict[str, Any], stream: IO[bytes]) -> None:
    """Save as ``numpy.savez`` does, which cannot take names such as ``file``; the same input gives the same bytes."""
    with _archive(stream) as archive:
        for name, array in features.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy", _EPOCH), "w", force_zip64=True) as member:
                npy_format.write_array(member, array, allow_pickle=False)


@contextmanager
def _archive(stream: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """An archive that is finished when its body ends, and dropped if it raises.

    A ``ZipFile`` that is closed while a member is being opened raises an error of its own, in place of an interrupt.
    """
    archive = zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, allowZip64=True)
    try:
        yield archive
    except BaseException:
        archive.fp = None
        raise
    archive.close()


def dump_with(item: FeatureFormat) -> Dump:
    """Saving with a plugin's format."""

    def dump(features: Any, stream: IO[bytes]) -> None:
        with tempfile.TemporaryDirectory(prefix="caufc-") as folder:
            path = Path(folder) / f"features{normal_suffix(item.suffix)}"
            try:
                item.write(path, features)
            except (CaufError, OSError):
                raise
            except Exception as err:  # a plugin may raise anything; the error names it
                raise PluginError(f"cannot write: {err}", plugin=plugin_name(item)) from err
            if not path.is_file():
                raise PluginError("wrote no file", plugin=plugin_name(item))
            with path.open("rb") as written:
                shutil.copyfileobj(written, stream)

    return dump
