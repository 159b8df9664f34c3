"""Random access to the samples of a file, and what a file says of itself."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Any, SupportsIndex

from .bitstream import note_value
from .catalog import lookup_of
from .coders.config import TensorConfig
from .coders.control import control_text
from .coders.registry import codec_of_all
from .container_files import located, name_of, open_binary, read_at_of
from .decoder.chunk_cache import CACHE_BYTES
from .decoder.random_access import FileReader
from .decoder.tensor_sizes import tensor_sizes
from .delivery import cast_chunk
from .errors import InputError, OptionError, StorageError
from .features import AS_STORED, Form, from_arrays
from .limits import DEFAULT_LIMITS, Limits
from .types import Branch, Note, Structure, Tree

__all__ = ["Info", "Reader", "info_of", "sample_object"]


class Reader:
    """Samples of a file by number: ``len(reader)``, ``reader[i]``, iteration; a context manager.

    Threads and forked processes may share one, and one can be pickled: the copy opens the file again. The chunks that
    were used last are kept, in each process for itself, so that samples near each other cost one decode.

    Args:
        source: path of a ``.cauf`` file, or its bytes.
        only: names, prefixes or patterns of the tensors that samples have; the others are not decoded.
        device: of torch, to which a sample's tensors go.
        dtype: to which floats are cast when their chunk is decoded; see :func:`caufc.decode`.
        cache_bytes: of decoded chunks that are kept; the last one is, whatever its size.
        profile: name, file or bytes of a profile that the file needs.
        weights: name or file of weights that the file needs.
        limits: what may be asked of the decoder.

    Raises:
        OptionError: for a device or dtype that cannot be, and for less than no bytes.
        UnknownNameError: if ``only`` names a tensor that there is not.
        FormatError: for a damaged or malformed header or index.
        UnsupportedError: for newer versions, missing profiles, and over limits.
    """

    def __init__(
        self,
        source: str | Path | bytes,
        *,
        only: Collection[str] | None = None,
        device: Any = None,
        dtype: Any = None,
        cache_bytes: int = CACHE_BYTES,
        profile: str | Path | bytes | None = None,
        weights: str | Path | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.name = name_of(source)
        self.cache_bytes = cache_bytes
        self._form = Form.of(dtype, device)
        if cache_bytes < 0:
            raise OptionError(f"a cache of {cache_bytes} bytes", remedy="0 or more")
        options = {"only": only, "device": device, "dtype": dtype, "cache_bytes": cache_bytes}
        self._made_of = source, {**options, "profile": profile, "weights": weights, "limits": limits}
        self._file = open_binary(source)
        try:
            with located(self.name):
                self._reader = FileReader(
                    read_at_of(self._file),
                    self._file.seek(0, os.SEEK_END),
                    lookup_of(profile, weights, limits),
                    limits,
                    only=only,
                    cache_bytes=cache_bytes,
                )
            if self._form.dtype is not None:
                stored = self._reader.chunks.selection.configs
                self._reader.settle = partial(cast_chunk, configs=stored, form=self._form)
        except BaseException:
            self._file.close()
            raise

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (*self._made_of, self._stamp)

    @property
    def _stamp(self) -> tuple[int, int]:
        """What tells whether the file is still the one that was opened: its length, and a checksum of its header."""
        return self._reader.size, self._reader.prelude.stream.started().seed

    def __len__(self) -> int:
        return len(self._reader)

    def __getitem__(self, number: SupportsIndex | slice | str) -> Any:
        """Sample ``number``, or a list of the samples of a slice; negative numbers count from the end.

        Keyed samples are found by their key too, if it is text.

        Raises:
            IndexError: if there is no such sample.
            KeyError: if no sample has such a key.
            TypeError: if it is neither number, slice nor key.
            InputError: if the reader is closed.
            FormatError: if its chunk is damaged.
        """
        if isinstance(number, slice):
            return self.__getitems__(range(*number.indices(len(self))))
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: Sequence[SupportsIndex | str]) -> list[Any]:
        """Samples by number or key, in that order: what a DataLoader calls. Each of their chunks is decoded once.

        Raises:
            IndexError: if there is no such sample.
            KeyError: if no sample has such a key.
            TypeError: if one is no number.
            InputError: if the reader is closed.
            FormatError: if a chunk is damaged.
        """
        if self._file.closed:
            raise InputError("the reader is closed", file=self.name, remedy="open the file again")
        with located(self.name):
            count = len(self)
            samples = self._reader.samples([self._numbered(number, count) for number in numbers])
        tree = self._reader.chunks.selection.structure.tree
        return [sample_object(self._configs, tree, arrays, self._form) for arrays in samples]

    def _numbered(self, number: object, count: int) -> int:
        """The number of a sample of so many, counted from the first."""
        if isinstance(number, str) and self._reader.chunks.keyed:
            return self.find(number)
        if isinstance(number, str) or not hasattr(number, "__index__"):
            raise TypeError(f"samples are numbered; '{type(number).__name__}' is neither a number nor a slice")
        found = operator.index(number)
        if not -count <= found < count:
            raise IndexError(f"sample {found} of {count}")
        return found % count

    @cached_property
    def _configs(self) -> tuple[TensorConfig, ...]:
        """Of the tensors that samples have, with the dtypes in which they come."""
        stored = self._reader.chunks.selection.configs
        return tuple(replace(config, dtype=self._form.dtype_of(config.dtype)) for config in stored)

    @property
    def chunk_sizes(self) -> tuple[int, ...]:
        """Samples of every chunk, in order."""
        return tuple(count for _, count in self._reader.index.chunks)

    def chunk_bytes(self) -> int | None:
        """Bytes that the largest chunk takes when it is decoded; None where samples vary in shape."""
        sizes = [
            None if None in config.template else config.size([n or 0 for n in config.template])
            for config in self._configs
        ]
        if None in sizes:
            return None
        sample = sum((size or 0) * config.item_size for size, config in zip(sizes, self._configs, strict=True))
        return sample * max(self.chunk_sizes, default=0)

    def keys(self) -> list[str | int]:
        """Keys of keyed samples, in order; they are found without decoding the samples.

        Raises:
            InputError: if samples have no keys.
        """
        return list(self._numbers())

    def find(self, key: str | int) -> int:
        """The number of the sample of a key.

        Raises:
            InputError: if samples have no keys.
            KeyError: if no sample has this key.
        """
        return self._numbers()[key]

    def _numbers(self) -> Mapping[str | int, int]:
        if not self._reader.chunks.keyed:
            raise InputError("its samples have no keys", file=self.name, remedy="give the number of a sample")
        return self._reader.numbers

    def __iter__(self) -> Iterator[Any]:
        return (self[number] for number in range(len(self)))

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def info(self) -> Info:
        """What the file says of itself."""
        with located(self.name):
            return info_of(self._reader)


def _reopened(source: str | Path | bytes, options: Mapping[str, Any], stamp: tuple[int, int]) -> Reader:
    """The copy of a reader.

    Raises:
        StorageError: if the file is no longer the one that was opened.
    """
    reader = Reader(source, **options)
    if reader._stamp != stamp:
        reader.close()
        raise StorageError("changed since it was opened", file=reader.name, remedy="open it again")
    return reader


@dataclass(frozen=True)
class Info:
    """What a file says of itself, read without decoding samples.

    Args:
        version: of the format.
        arch: architecture ID.
        codec: name of the codec with loss, or ``lossless`` if every tensor is.
        samples: number of samples.
        tensors: name, dtype, shape of a sample (None where it varies), layout, tap, codec, alignment of each, and
            its ``numel``, ``payload_bytes`` and their ``bpfp``.
        bytes: of the file.
        chunks: number of chunks.
        content: ``batch``, ``list``, ``tuple`` or ``single``.
        profile: content hash of the profile that the file needs, in hex.
        indexed: whether it has an index.
        weights: content hash of the weights that the file needs, in hex.
        metadata: texts by name.
        notes: what stands beside tensors and is the same for all samples, by name.
        control: the rate control that the file was coded with: ``quality 50``, ``SNR 30 dB``; None where the file does
            not say.
        software: what wrote the file, None where it does not say.
        numel: number of values.
        raw_bytes: bytes of the values.
        section_bytes: bytes of bases, tables and statistics.
    """

    version: str
    arch: str | None
    codec: str
    samples: int
    tensors: tuple[dict[str, Any], ...]
    bytes: int
    chunks: int
    content: str
    profile: str | None
    indexed: bool
    weights: str | None
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    control: str | None = None
    software: str | None = None
    numel: int = 0
    raw_bytes: int = 0
    section_bytes: int = 0

    @property
    def bpfp(self) -> float:
        """Bits per feature point: 8 bytes / numel."""
        return 8 * self.bytes / self.numel if self.numel else 0.0

    @property
    def bytes_per_sample(self) -> float:
        """Bytes of the file over its samples."""
        return self.bytes / self.samples if self.samples else 0.0

    @property
    def ratio(self) -> float:
        """How many times larger the values are."""
        return self.raw_bytes / self.bytes

    def to_json(self) -> dict[str, Any]:
        """As plain data; notes that JSON does not have as text."""
        texts = {"metadata": dict(self.metadata), "notes": {k: _plain(v) for k, v in self.notes.items()}}
        rates = {"bpfp": self.bpfp, "bytes_per_sample": self.bytes_per_sample, "ratio": self.ratio}
        return {**asdict(self), **texts, **rates}


def sample_object(configs: Sequence[TensorConfig], tree: Any, arrays: list[Any], form: Form = AS_STORED) -> Any:
    """One sample as an object."""
    frameworks = [form.framework_of(config.framework) for config in configs]
    dtypes = [config.dtype for config in configs]
    return from_arrays(Structure("single", tree), 1, frameworks, dtypes, arrays, form=form)


def info_of(reader: FileReader) -> Info:
    chunks, header = reader.chunks, reader.prelude.header
    sizes = tensor_sizes(reader)
    tensors = tuple(
        {
            "name": config.name,
            "dtype": config.dtype,
            "shape": list(config.template),
            "layout": config.layout_text(chunks.structure),
            "tap": config.tap,
            "codec": config.codec.name,
            "alignment": config.alignment_text,
            "numel": size.numel,
            "payload_bytes": size.payload_bytes,
            "bpfp": 8 * size.payload_bytes / size.numel if size.numel else 0.0,
        }
        for config, size in zip(chunks.configs, sizes, strict=True)
    )
    return Info(
        version="1.0",
        arch=chunks.arch,
        codec=codec_of_all(config.codec for config in chunks.configs).name,
        samples=len(reader),
        tensors=tensors,
        bytes=reader.size,
        chunks=len(reader.index.chunks),
        content=header.content,
        profile=None if header.profile is None else header.profile.hex(),
        indexed=header.indexed,
        weights=None if header.weights is None else header.weights.hex(),
        metadata=chunks.metadata,
        notes=_notes(chunks.structure.tree),
        control=None if header.control is None else control_text(header.control),
        software=header.software,
        numel=sum(size.numel for size in sizes),
        raw_bytes=sum(size.numel * config.item_size for config, size in zip(chunks.configs, sizes, strict=True)),
        section_bytes=reader.prelude.start - reader.prelude.length,
    )


def _notes(tree: Tree, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Notes of a structure by dotted name."""
    if isinstance(tree, Note):
        return {".".join(path): note_value(tree.data)}
    found: dict[str, Any] = {}
    if isinstance(tree, Branch):
        for name, child in zip(tree.names, tree.children, strict=True):
            found |= _notes(child, (*path, str(name)))
    return found


def _plain(value: Any) -> Any:
    """A note as JSON can hold it."""
    if isinstance(value, dict):
        return {str(name): _plain(child) for name, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(child) for child in value]
    if isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value)):
        return repr(value)
    return value
