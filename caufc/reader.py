"""Random access to the samples of a file, and what a file says of itself."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, SupportsIndex

from .bitstream import note_value
from .catalog import lookup_of
from .coders.config import TensorConfig
from .coders.control import control_text
from .coders.registry import codec_of_all
from .container_files import located, name_of, open_binary, read_at_of
from .decoder.random_access import FileReader
from .decoder.tensor_sizes import tensor_sizes
from .errors import InputError, StorageError
from .features import from_arrays
from .limits import DEFAULT_LIMITS, Limits
from .types import Branch, Note, Structure, Tree

__all__ = ["Info", "Reader", "info_of", "sample_object"]


class Reader:
    """Samples of a file by number: ``len(reader)``, ``reader[i]``, iteration; a context manager.

    Threads and forked processes may share one, and one can be pickled: the copy opens the file again.

    Args:
        source: path of a ``.cauf`` file, or its bytes.
        profile: name, file or bytes of a profile that the file needs.
        weights: name or file of weights that the file needs.
        limits: what may be asked of the decoder.

    Raises:
        FormatError: for a damaged or malformed header or index.
        UnsupportedError: for newer versions, missing profiles, and over limits.
    """

    def __init__(
        self,
        source: str | Path | bytes,
        *,
        profile: str | Path | bytes | None = None,
        weights: str | Path | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.name = name_of(source)
        self._made_of = (source, profile, weights, limits)
        self._file = open_binary(source)
        try:
            with located(self.name):
                lookup = lookup_of(profile, weights, limits)
                self._reader = FileReader(read_at_of(self._file), self._file.seek(0, os.SEEK_END), lookup, limits)
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
        if self._file.closed:
            raise InputError("the reader is closed", file=self.name, remedy="open the file again")
        count = len(self)
        if isinstance(number, str) and self._reader.chunks.keyed:
            return self[self.find(number)]
        if isinstance(number, slice):
            return [self[index] for index in range(*number.indices(count))]
        if isinstance(number, str) or not hasattr(number, "__index__"):
            raise TypeError(f"samples are numbered; '{type(number).__name__}' is neither a number nor a slice")
        number = operator.index(number)
        if not -count <= number < count:
            raise IndexError(f"sample {number} of {count}")
        with located(self.name):
            arrays = self._reader.sample(number % count)
        return sample_object(self._reader.chunks.configs, self._reader.chunks.structure.tree, arrays)

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


def _reopened(
    source: str | Path | bytes,
    profile: str | Path | bytes | None,
    weights: str | Path | None,
    limits: Limits,
    stamp: tuple[int, int],
) -> Reader:
    """The copy of a reader.

    Raises:
        StorageError: if the file is no longer the one that was opened.
    """
    reader = Reader(source, profile=profile, weights=weights, limits=limits)
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


def sample_object(configs: tuple[TensorConfig, ...], tree: Any, arrays: list[Any]) -> Any:
    """One sample as an object."""
    frameworks = [config.framework for config in configs]
    return from_arrays(Structure("single", tree), 1, frameworks, [config.dtype for config in configs], arrays)


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
