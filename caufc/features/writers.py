"""Feature files out: one interface, whatever the format, written as samples come or when all are there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from ..descriptors import FeatureFormat
from ..errors import CaufError, InputError
from ..types import DTYPES, NOTE, AnyArray, Framework, Place, Structure
from .assembly import from_arrays
from .formats import check_holds, check_installed, find_format
from .leaf import storing
from .output import Dump, Output, copying

__all__ = ["CollectingWriter", "StreamingWriter", "Writer", "open_writer"]


class Writer(Protocol):
    """Takes decoded samples, tensor by tensor, in any order of tensors."""

    def put(self, tensor: int, start: int, arrays: AnyArray | list[AnyArray]) -> None:
        """Samples from ``start`` on of one tensor, in the numpy form of its dtype: an array ``[k, ...]`` for a batch;
        else, and for notes, a list of arrays (of one for a single sample)."""
        ...

    def close(self) -> None:
        """Make the file whole."""
        ...

    def abort(self) -> None:
        """Leave no file."""
        ...


class StreamingWriter:
    """A :class:`Writer` that holds nothing.

    Args:
        output: where to.
        head: the bytes before the values.
        places: of the tensors, by tensor number.
        batch: whether each tensor's first axis counts samples.
    """

    def __init__(self, output: Output, head: bytes, places: Sequence[Place], *, batch: bool) -> None:
        self._output, self._places, self._batch = output, places, batch
        self._left = [place.size for place in places]
        try:
            output.write(head)
        except BaseException:
            output.discard()
            raise

    def put(self, tensor: int, start: int, arrays: AnyArray | list[AnyArray]) -> None:
        """Samples from ``start`` on: ``[k, ...]`` for a batch, a list of one array otherwise.

        Raises:
            StorageError: if they cannot be written.
            InputError: if they do not fit the tensor's shape.
        """
        place = self._places[tensor]
        array = np.asarray(arrays if self._batch else arrays[0], DTYPES[place.dtype], order="C")
        wanted = (len(array), *place.shape[1:]) if self._batch else place.shape
        if array.shape != wanted or (self._batch and not 0 <= start <= place.shape[0] - len(array)):
            raise InputError(f"samples of shape {array.shape} at {start} in {place.shape}", file=self._output.name)
        step = DTYPES[place.dtype].itemsize * math.prod(place.shape[1:]) if self._batch else 0
        self._output.write_at(place.offset + start * step, array)
        self._left[tensor] -= array.nbytes

    def close(self) -> None:
        """Make the file whole.

        Raises:
            StorageError: if it cannot be written.
            InputError: if samples are missing.
        """
        try:
            if any(self._left):
                raise InputError("samples are missing", file=self._output.name)
            self._output.commit()
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Drop what was written to a file."""
        self._output.discard()


class CollectingWriter:
    """A :class:`Writer` that holds all tensors until it is closed.

    Args:
        output: where to.
        dump: saves the object.
        structure: of the object.
        samples: number of samples.
        frameworks, dtypes, shapes: by tensor number; ``shapes`` of one sample, None where samples differ.
        keys: of keyed samples, in order.
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
        keys: Sequence[str | int] = (),
    ) -> None:
        self._keys = keys
        self._output, self._dump = output, dump
        self._structure, self._samples = structure, samples
        self._frameworks, self._dtypes = frameworks, dtypes
        self._left = [samples] * len(dtypes)
        self._batches: dict[int, AnyArray] = {}
        self._lists: list[list[AnyArray]] = [[] for _ in dtypes]
        if structure.kind == "batch":
            for tensor, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True)):
                if dtype == NOTE:
                    self._lists[tensor] = [np.empty(0)] * samples
                    continue
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
            features = from_arrays(self._structure, self._samples, self._frameworks, self._dtypes, arrays, self._keys)
            self._batches.clear()
            self._lists.clear()
            with storing(self._output.name):
                self._dump(features, self._output.file())
            self._output.commit()
        except CaufError as err:
            self.abort()
            raise err.locate(file=self._output.name) from err.__cause__
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Drop everything."""
        self._output.discard()


def open_writer(
    path: Path | None,
    stream: BinaryIO | None,
    suffix: str,
    structure: Structure,
    names: Sequence[str],
    dtypes: Sequence[str],
    frameworks: Sequence[Framework],
    shapes: Sequence[tuple[int, ...] | None],
    samples: int,
    extra: Iterable[FeatureFormat] = (),
    *,
    metadata: Mapping[str, str] | None = None,
    keys: Sequence[str | int] = (),
    force: bool = False,
) -> Writer:
    """Begin a feature file.

    A format with a plan (``.npy``, ``.safetensors``) is written as samples come; others, and keyed samples, need the
    whole object in memory. What the format cannot hold is refused before anything is written. ``.npy`` and ``.npz``
    hold torch tensors as numpy arrays, ``.pt`` and ``.safetensors`` hold numpy arrays as torch tensors.

    Args:
        path: the file, which appears whole or not at all; None if there is a stream.
        stream: a binary stream, which is left open; None if there is a path.
        suffix: the format.
        structure: of the object.
        names, dtypes, frameworks: by tensor number.
        shapes: of one sample, by tensor number; None where samples differ.
        samples: number of samples.
        extra: formats of plugins.
        metadata: of the file, texts by name; dropped where the format has no place for them.
        keys: of keyed samples, in order.
        force: whether an existing file may be replaced.

    Raises:
        InputError: if the format cannot hold the object; names the tensor, and the formats that can.
        UnknownNameError: for an unknown suffix.
        MissingPackageError: if the format needs a package that is not installed.
        StorageError: if the file cannot be made.
        OutputExistsError: if it exists and ``force`` is False.
    """
    item = find_format(suffix, extra)
    check_holds(item, structure, names, dtypes)
    check_installed(item)
    if metadata and item.with_metadata is not None:
        item = item.with_metadata(metadata)
    if item.plan is not None and structure.kind != "keyed":
        batch = structure.kind == "batch"
        head, places = item.plan(structure.tree, _whole(shapes, names, samples if batch else None), dtypes)
        seeks = len(places) > 1
        return StreamingWriter(Output(path, stream, seeks=seeks, force=force), head, places, batch=batch)
    if item.framework is not None:
        frameworks = [item.framework] * len(dtypes)
    output = Output(path, stream, seeks=False, force=force)
    return CollectingWriter(output, item.dump or copying(item), structure, samples, frameworks, dtypes, shapes, keys)


def _whole(
    shapes: Sequence[tuple[int, ...] | None], names: Sequence[str], samples: int | None
) -> list[tuple[int, ...]]:
    """Shapes of whole tensors, from those of a sample; ``samples`` is None where there is no axis of samples."""
    found: list[tuple[int, ...]] = []
    for name, shape in zip(names, shapes, strict=True):
        if shape is None:
            raise InputError("samples differ in shape", tensor=name, remedy="write .pt")
        found.append(shape if samples is None else (samples, *shape))
    return found
