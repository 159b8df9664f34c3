"""Files to files: a feature file to a container, and a container to a feature file, chunk by chunk."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .api import make_encoder
from .catalog import lookup_of
from .coders.config import TensorConfig
from .coders.side_files import ProfileFile, WeightsFile
from .container_files import located, open_binary, read_at_of
from .decoder.file_decoder import ChunkDecoder, DecodedChunk
from .decoder.lookup import Lookup
from .decoder.random_access import FileReader
from .decoder.recovery import Recovery
from .decoder.selection import Selection
from .descriptors import normal_suffix
from .encoder.report import Report
from .errors import CaufError, FormatError, OptionError, StorageError
from .features import Writer, atomic_output, open_writer, read, remove_stale, waste
from .features.formats import default_suffix, find_format, holds
from .features.texts import is_text_note
from .limits import DEFAULT_LIMITS, Limits
from .output_names import check_container, check_output, plugin_formats, with_suffix
from .packages import is_installed
from .threads import thread_count
from .types import Branch, Note, Progress, Structure, Tree, no_progress

__all__ = [
    "DecodedFile",
    "EncodedFile",
    "decode_file",
    "encode_file",
]


AUTO = "auto"
"""The format that suits what is decoded."""


@dataclass(frozen=True)
class EncodedFile:
    """A feature file that was encoded.

    Args:
        source: the feature file.
        output: the container; ``-`` for a stream.
        report: what the encode did.
        waste: bytes of the source that belong to no tensor.
    """

    source: str
    output: str
    report: Report
    waste: int


@dataclass(frozen=True)
class DecodedFile:
    """A container that was decoded.

    Args:
        input: the container.
        output: the feature file; ``-`` for a stream.
        format: suffix of the output.
        samples, tensors, numel: how many.
        bytes_in: of the container.
        bytes_out: of the values.
        seconds: wall-clock time.
        lost: ranges ``[first, stop)`` of samples that damage took; no stop where their number is not known.
        warnings: what the user should know, a sentence each.
    """

    input: str
    output: str
    format: str
    samples: int
    tensors: int
    numel: int
    bytes_in: int
    bytes_out: int
    seconds: float
    lost: tuple[tuple[int, int | None], ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain data; warnings only where there are some."""
        found = asdict(self)
        return found if self.warnings else {key: value for key, value in found.items() if key != "warnings"}


def encode_file(
    source: str | Path,
    output: str | Path | BinaryIO,
    *,
    format: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> EncodedFile:
    """Encode a feature file to a container, which appears whole or not at all.

    Args:
        source: a feature file.
        output: path of the container, or a binary stream, which gets bytes in order.
        format: suffix of the source's format, if its name does not tell.
        force: replace the output if it exists.
        progress: called as work goes on.
        options: of :func:`caufc.encode`.

    Raises:
        CaufError: about the file that it names.
    """
    suffix = format or Path(source).suffix
    stream = None if isinstance(output, str | Path) else output
    name = "-" if stream is not None else str(output)
    if stream is None and name != str(source):
        check_container(name)
        check_output(name, [str(source)], force)
    features = read(source, suffix, plugin_formats(suffix), limits=options.get("limits", DEFAULT_LIMITS))
    if name == str(source):  # a .cauf file is told that it cannot be encoded, before its name is
        check_output(name, [str(source)], force)
    try:
        with located(source):
            encoder = make_encoder(features, progress=progress, **options)
            if stream is not None:
                report = encoder.encode(stream)
                stream.flush()
            else:
                remove_stale(Path(name))
                with atomic_output(Path(name), force) as file:
                    report = encoder.encode(file)
        return EncodedFile(str(source), name, report, waste(features))
    except MemoryError as err:
        raise StorageError("not enough memory", file=str(source), remedy="try a smaller --chunk") from err


def decode_file(
    source: str | Path,
    output: str | Path | BinaryIO | None = None,
    *,
    format: str | None = None,
    profile: str | Path | ProfileFile | None = None,
    weights: str | Path | WeightsFile | None = None,
    force: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    recover: bool = False,
    only: Collection[str] | None = None,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> DecodedFile:
    """Decode a container to a feature file, which appears whole or not at all; the container is read once.

    Args:
        source: path of the container.
        output: path of the feature file, or a binary stream; None for a file beside the source.
        format: suffix of the output's format, if its name does not tell. Where there is no output, and for ``auto``,
            which adds it to the output's name, it is the one that suits what is decoded: ``.pt`` for torch tensors,
            ``.npy`` or ``.npz`` for arrays.
        profile: name or file of a profile that the container needs.
        weights: name or file of weights that the container needs.
        force: replace the output if it exists.
        limits: what the container may ask for.
        recover: write what whole chunks hold, if the container is damaged.
        only: names, prefixes or patterns of the tensors to decode; None for all.
        threads: that decode chunks; None for one per processor that the process may use.
        progress: called as work goes on, with bytes of values; with samples where a damaged file is recovered.

    Raises:
        CaufError: about the file that it names.
    """
    lookup, workers = lookup_of(profile, weights, limits), thread_count(threads)
    decoding = _Decoding(str(source), output, format, lookup, force, limits, workers, progress, only)
    if recover and not isinstance(output, str | Path | None):  # a stream is written once
        return decoding.recover()
    try:
        return decoding.decode()
    except FormatError:
        if not recover:
            raise
    return decoding.recover()


@dataclass
class _Decoding:
    """One container on its way to a feature file."""

    source: str
    output: str | Path | BinaryIO | None
    format: str | None
    lookup: Lookup
    force: bool
    limits: Limits
    threads: int
    progress: Progress
    only: Collection[str] | None

    def __post_init__(self) -> None:
        self.started = time.perf_counter()
        self.stream = None if self.output is None or isinstance(self.output, str | Path) else self.output
        self.path = None if self.output is None or self.stream is not None else str(self.output)
        self.name = "-" if self.stream is not None else self.path or with_suffix(self.source, "")
        self.suffix = self._given_suffix()
        if self.suffix is not None and self.name != "-":
            self.path = self.name = self.path or self.name + self.suffix
        self.warnings: list[str] = []

    def _given_suffix(self) -> str | None:
        """The output's format, known to exist; None where what is decoded decides."""
        given = self.format or (None if self.path is None else Path(self.path).suffix)
        if given in (None, AUTO):
            return None
        if not given:
            raise OptionError("has no suffix that tells the format", file=self.path, remedy="give --format .pt")
        found = normal_suffix(given)
        find_format(found, plugin_formats(found))
        return found

    def _settle(self, chunks: ChunkDecoder, texts: Callable[[], bool]) -> str:
        """The output's format, and its name where only the format was missing.

        Raises:
            MissingPackageError: if only a format can hold what is decoded that needs a package.
            OutputExistsError: if the output exists and may not be replaced.
        """
        if self.suffix is None:
            structure, configs = chunks.selection.structure, chunks.selection.configs
            frameworks = [config.framework for config in configs]
            names, dtypes = [config.name for config in configs], [config.dtype for config in configs]
            self.suffix = default_suffix(structure, names, dtypes, frameworks, texts=texts())
            if "torch" in frameworks and not is_installed("torch"):
                self.warnings.append(f"torch is not installed: its tensors are written as {self.suffix}")
            if self.stream is None:
                self.path = self.name = self.name + self.suffix
                check_output(self.name, [self.source], self.force)
        return self.suffix

    def decode(self) -> DecodedFile:
        """Decode all chunks, or fail."""
        if self.suffix is not None:
            check_output(self.name, [self.source], self.force)
        try:
            with located(self.source), open_binary(self.source) as file:
                reader = FileReader(read_at_of(file), file.seek(0, 2), self.lookup, self.limits, only=self.only)
                decoder, samples = reader.in_order(), len(reader)
                writer = self._writer(
                    reader.chunks, samples, reader.index.keys or (), lambda: _begins_with_text(reader)
                )
                with _closing(writer), closing(decoder.samples(self.threads)) as chunks:
                    for chunk in chunks:
                        _put(writer, decoder.structure, decoder.configs, chunk)
                        size, done = (decoder.bytes_out * n // max(1, decoder.count) for n in (samples, chunk.stop))
                        self.progress("decode", done, size)
        except MemoryError as err:
            remedy = "decode to .npy or .safetensors"
            raise StorageError("not enough memory", file=self.source, remedy=remedy) from err
        return self._decoded(samples, len(decoder.configs), decoder.numel, decoder.bytes_in, decoder.bytes_out)

    def recover(self) -> DecodedFile:
        """Decode what the whole chunks of a damaged file hold.

        Raises:
            CaufError: if header or sections are damaged, or no chunk is whole.
        """
        with located(self.source), open_binary(self.source) as file:
            whole = file.seek(0, 2)
            found = Recovery(read_at_of(file), whole, self.lookup, self.limits, self.only)
            structure, configs = found.chunks.selection.structure, found.chunks.selection.configs
            writer = self._writer(found.chunks, found.samples, found.keys, lambda: False)
            numel = size = 0
            with _closing(writer):
                for chunk in found.decode():
                    _put(writer, structure, configs, chunk)
                    values = [block for config, block in zip(configs, chunk.tensors, strict=True) if not config.noted]
                    numel += sum(np.size(sample) for tensor in values for sample in tensor)
                    size += sum(sample.nbytes for tensor in values for sample in tensor)
                    self.progress("recover", chunk.first + chunk.count, found.samples)
        return self._decoded(found.samples, len(configs), numel, whole, size, lost=tuple(found.lost))

    def _decoded(self, *counts: int, lost: tuple[tuple[int, int | None], ...] = ()) -> DecodedFile:
        samples, tensors, numel, bytes_in, bytes_out = counts
        seconds = time.perf_counter() - self.started
        return DecodedFile(
            input=self.source,
            output=self.name,
            format=str(self.suffix),
            samples=samples,
            tensors=tensors,
            numel=numel,
            bytes_in=bytes_in,
            bytes_out=bytes_out,
            seconds=seconds,
            lost=lost,
            warnings=tuple(self.warnings),
        )

    def _written(self, selection: Selection, suffix: str) -> Structure:
        """The structure that is written: one tensor that was asked for stands alone where a format has no names."""
        structure, item = selection.structure, find_format(suffix, plugin_formats(suffix))
        names = [config.name for config in selection.configs]
        dtypes = [config.dtype for config in selection.configs]
        alone = Structure(structure.kind, 0)
        if self.only is None or not _holds_one(structure.tree) or holds(item, structure, names, dtypes):
            return structure
        return alone if holds(item, alone, names, dtypes) else structure

    def _writer(
        self, chunks: ChunkDecoder, samples: int, keys: Sequence[str | int], texts: Callable[[], bool]
    ) -> Writer:
        suffix, configs = self._settle(chunks, texts), chunks.selection.configs
        structure = self._written(chunks.selection, suffix)
        if chunks.metadata and find_format(suffix, plugin_formats(suffix)).with_metadata is None:
            names = ", ".join(chunks.metadata)
            self.warnings.append(f"{suffix} has no place for metadata ({names}): caufc info shows them")
        path = None if self.path is None else Path(self.path)
        if path is not None:
            remove_stale(path)
        try:
            return open_writer(
                path,
                self.stream,
                suffix,
                structure,
                [config.name for config in configs],
                [config.dtype for config in configs],
                [config.framework for config in configs],
                [
                    None if None in config.template else tuple(size or 0 for size in config.template)
                    for config in configs
                ],
                samples,
                plugin_formats(suffix),
                metadata=chunks.metadata,
                keys=keys,
                force=self.force,
            )
        except CaufError as err:
            raise err.locate(file=self.name) from err.__cause__


def _holds_one(tree: Tree) -> bool:
    """Whether a structure is a tensor, in branches of one entry each."""
    while isinstance(tree, Branch) and len(tree.children) == 1:
        tree = tree.children[0]
    return isinstance(tree, int)


def _begins_with_text(reader: FileReader) -> bool:
    """Whether all notes of the first sample are text: those of the others mostly are, then."""
    noted = [config.noted for config in reader.chunks.selection.configs]
    if not any(noted) or not len(reader):
        return False
    arrays = zip(noted, reader.sample(0), strict=True)
    return all(is_text_note(Note(array.tobytes())) for note, array in arrays if note)


@contextmanager
def _closing(writer: Writer) -> Iterator[None]:
    """Make the writer's file whole when the body ends, and drop it if the body fails."""
    try:
        yield
    except BaseException:
        writer.abort()
        raise
    writer.close()


def _put(writer: Writer, structure: Structure, configs: Sequence[TensorConfig], chunk: DecodedChunk) -> None:
    for number, (config, block) in enumerate(zip(configs, chunk.tensors, strict=True)):
        if structure.kind != "batch" or config.noted:
            writer.put(number, chunk.first, list(block))
        else:
            writer.put(number, chunk.first, block if isinstance(block, np.ndarray) else np.stack(block))
