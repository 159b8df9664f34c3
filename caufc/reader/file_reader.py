"""Random access to the samples of one file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from ..catalog import lookup_of
from ..coders.config import TensorConfig
from ..coders.control import control_text
from ..coders.registry import codec_of_all
from ..container_files import located
from ..decoder.call_meter import CallMeter
from ..decoder.chunk_cache import CACHE_BYTES, ChunkCache
from ..decoder.random_access import FileReader
from ..decoder.recovered_reader import RecoveredReader
from ..decoder.recovery import Recovery
from ..delivery import cast_chunk, charged
from ..errors import InputError, StorageError
from ..features import Form, samples_from_arrays
from ..limits import DEFAULT_LIMITS, Limits
from ..storage import Openable, open_storage
from ..types import Framework
from ..whole_numbers import whole_number
from .info import Info, info_of
from .sample_kind import SampleKind, counted
from .sample_reader import SampleReader

__all__ = ["Reader", "reopened"]


class Reader(SampleReader):
    """Samples of a file by number: ``len(reader)``, ``reader[i]``, iteration; a context manager.

    Threads and forked processes may share one, and one can be pickled: the copy opens the file again. (What a file
    object or a memory map reads cannot be opened again.) The chunks that were used last are kept, in each process for
    itself, so that samples near each other cost one decode.

    Args:
        source: path or URL of a ``.cauf`` file; bytes, a memory map or another buffer; a binary file that can seek; a
            function ``read_at(offset, length)``.
        only: names, prefixes or patterns of the tensors that samples have; the others are not decoded.
        device: of torch, to which a sample's tensors go.
        dtype: to which floats are cast when their chunk is decoded; see :func:`caufc.decode`.
        cache_bytes: of decoded chunks that are kept; the last one is, whatever its size.
        profile: name, file or bytes of a profile that the file needs.
        weights: name or file of weights that the file needs.
        limits: what may be asked of the decoder; what they bound of a file, they bound of each call and each chunk.
        recover: give the samples of all whole chunks of a damaged or unfinished file, numbered anew; the file is read
            once from its beginning to its end.
        size: of the file in bytes, beside a function.
        storage_options: of fsspec's file system, beside a URL.

    Attributes:
        lost: ranges ``[first, stop)`` of samples that damage took, if the file is recovered; no stop where nobody
            knows how many there were.

    Raises:
        OptionError: for a source, device, dtype or limits that cannot be, and for less than no bytes.
        StorageError: if the file is missing or cannot be read.
        UnknownNameError: if ``only`` names a tensor that there is not.
        FormatError: for a damaged or malformed header or index.
        UnsupportedError: for newer versions, missing profiles and packages, and over limits.
    """

    def __init__(
        self,
        source: Openable,
        *,
        only: Collection[str] | None = None,
        device: Any = None,
        dtype: Any = None,
        cache_bytes: int = CACHE_BYTES,
        profile: str | Path | bytes | None = None,
        weights: str | Path | None = None,
        limits: Limits = DEFAULT_LIMITS,
        recover: bool = False,
        size: int | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.cache_bytes = whole_number("cache_bytes", cache_bytes)
        self._form, limits = Form.of(dtype, device), Limits.given(limits)
        self._options = {
            **{"only": only, "device": device, "dtype": dtype, "cache_bytes": cache_bytes},
            **{"profile": profile, "weights": weights, "limits": limits},
            **{"recover": recover, "size": size, "storage_options": storage_options},
        }
        self._storage = open_storage(source, size=size, options=storage_options, limits=limits, cut=recover)
        self.name = self._storage.name
        self.lost: tuple[tuple[int, int | None], ...] = ()
        try:
            with located(self.name):
                self._reader = self._file_reader(profile, weights, limits, only, recover)
            if self._form.dtype is not None:
                stored = self._reader.chunks.selection.configs
                self._reader.charged = charged(stored, self._form)
                self._reader.settle = partial(cast_chunk, configs=stored, form=self._form)
        except BaseException:
            self._storage.close()
            raise

    def _file_reader(
        self,
        profile: str | Path | bytes | None,
        weights: str | Path | None,
        limits: Limits,
        only: Collection[str] | None,
        recover: bool,
    ) -> FileReader:
        storage, lookup = self._storage, lookup_of(profile, weights, limits)
        if not recover:
            cache = self.cache_bytes
            return FileReader(storage.read_at, storage.size, lookup, limits, only=only, cache_bytes=cache)
        found = Recovery(storage.read_at, storage.size, lookup, limits, only, deep=False)
        self.lost = tuple(found.lost)
        return RecoveredReader(found, cache_bytes=self.cache_bytes)

    def __reduce__(self) -> tuple[Any, ...]:
        return reopened, (self._storage.again(), self._options, self.stamp)

    @property
    def stamp(self) -> tuple[int, int]:
        """What tells whether the file is still the one that was opened: its length, and a checksum of its header."""
        return self._reader.size, self._reader.prelude.seed

    def __len__(self) -> int:
        return len(self._reader)

    def _samples(self, numbers: Sequence[int], meter: CallMeter | None = None) -> list[Any]:
        with located(self.name):
            samples = self._reader.samples(numbers, meter)
        tree = self._reader.chunks.selection.structure.tree
        return samples_from_arrays(tree, *self._kinds, samples, self._form)

    @cached_property
    def _kinds(self) -> tuple[list[Framework], list[str]]:
        """Frameworks and dtypes in which tensors come."""
        frameworks = [self._form.framework_of(config.framework) for config in self._configs]
        return frameworks, [config.dtype for config in self._configs]

    @cached_property
    def _configs(self) -> tuple[TensorConfig, ...]:
        """Of the tensors that samples have, with the dtypes in which they come."""
        stored = self._reader.chunks.selection.configs
        return tuple(replace(config, dtype=self._form.dtype_of(config.dtype)) for config in stored)

    @property
    def kind(self) -> SampleKind:
        """What its samples are."""
        return SampleKind.of(self._reader.chunks.selection.configs, self.keyed)

    @property
    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        return self.kind.shapes

    @property
    def keyed(self) -> bool:
        return self._reader.chunks.keyed

    @property
    def chunk_sizes(self) -> tuple[int, ...]:
        return tuple(count for _, count in self._reader.index.chunks)

    def chunk_bytes(self) -> int | None:
        sizes = [
            None if None in config.template else config.size([n or 0 for n in config.template])
            for config in self._configs
        ]
        if None in sizes:
            return None
        sample = sum((size or 0) * config.item_size for size, config in zip(sizes, self._configs, strict=True))
        return sample * max(self.chunk_sizes, default=0)

    def keys(self) -> list[str | int]:
        return list(self._numbers())

    def find(self, key: str | int) -> int:
        return self._numbers()[key]

    def _numbers(self) -> Mapping[str | int, int]:
        self._check_open()
        if not self.keyed:
            raise InputError("its samples have no keys", file=self.name, remedy="give the number of a sample")
        return self._reader.numbers

    def share(self, cache: ChunkCache, number: int) -> None:
        """Keep chunks in a cache that other readers use too, of which each has a number."""
        self._reader.cache, self._reader.file = cache, number

    @property
    def closed(self) -> bool:
        return self._storage.closed

    def close(self) -> None:
        self._storage.close()

    @property
    def info(self) -> Info:
        self._check_open()
        with located(self.name):
            return info_of(self._reader)

    def __repr__(self) -> str:
        control, state = self._reader.prelude.header.control, "closed " if self.closed else ""
        codec = codec_of_all(config.codec for config in self._reader.chunks.configs)
        how = f"{codec.name}, {control_text(control)}" if control is not None and codec.lossy else codec.name
        return f"<{state}caufc.Reader of '{self.name}': {counted(len(self), 'sample')} of {self.kind}; {how}>"


def reopened(source: Any, options: Mapping[str, Any], stamp: tuple[int, int]) -> Reader:
    """A file that was opened before.

    Raises:
        StorageError: if it is no longer the same.
    """
    reader = Reader(source, **options)
    if reader.stamp != stamp:
        reader.close()
        raise StorageError("changed since it was opened", file=reader.name, remedy="open it again")
    return reader
