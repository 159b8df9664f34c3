"""Decoding one file, chunk by chunk, into a feature file."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..api import Reader
from ..coders.config import TensorConfig
from ..decoder.file_decoder import (
    DecodedChunk,
    FileDecoder,
)
from ..decoder.lookup import Lookup
from ..decoder.random_access import ReadAt
from ..decoder.recovery import Recovery
from ..errors import (
    CaufError,
    FormatError,
    StorageError,
)
from ..features import (
    Writer,
    open_writer,
    remove_stale,
)
from ..features.formats import default_suffix
from ..limits import (
    DEFAULT_LIMITS,
    Limits,
)
from ..packages import is_installed
from ..profiles import (
    find_profile,
    profile_lookup,
)
from ..types import Structure
from ..weights import find_weights
from .failure import say
from .progress import Bar
from .streams import (
    binary_stdout,
    check_free,
    input_file,
    plugin_formats,
)

__all__ = ["DecodeJob", "Decoded", "decode_file"]

PART = 1 << 20
"""Bytes to read at a time."""


@dataclass(frozen=True)
class DecodeJob:
    """One file to decode.

    Args:
        source: a ``.cauf`` file, or ``-``.
        output: a feature file, or ``-``.
        suffix: the output's format. None for the format that suits what is decoded, whose suffix the output then gets.
        profile: name or file of a profile that the file needs.
        weights: name or file of weights that the file needs.
        force: replace the output if it exists.
        limits: what the file may ask for.
        recover: write what whole chunks hold, if the file is damaged.
    """

    source: str
    output: str
    suffix: str | None
    profile: str | None
    weights: str | None
    force: bool
    limits: Limits = DEFAULT_LIMITS
    recover: bool = False


@dataclass(frozen=True)
class Decoded:
    """What came of it.

    Args:
        input, output: as in the job.
        format: suffix of the output.
        samples, tensors, numel: how many.
        bytes_in: of the ``.cauf`` file.
        bytes_out: of the values.
        seconds: wall-clock time.
        lost: ranges ``[first, stop)`` of samples that damage took; no stop where their number is not known.
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

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def decode_file(job: DecodeJob, *, quiet: bool = True) -> Decoded:
    """Decode one file; the output appears whole or not at all.

    Raises:
        CaufError: about the file that it names.
    """
    if job.recover and "-" in (job.source, job.output):  # pipes are read and written once
        return _recover(job, quiet)
    try:
        return _decode(job, quiet)
    except FormatError:
        if not job.recover:
            raise
    return _recover(job, quiet)


def _recover(job: DecodeJob, quiet: bool) -> Decoded:
    """Decode what the whole chunks of a damaged file hold.

    Raises:
        CaufError: if header or sections are damaged, or no chunk is whole.
    """
    started = time.perf_counter()
    stdout = binary_stdout(f"a {job.suffix or 'feature'} file") if job.output == "-" else None
    with input_file(job.source, ".cauf") as path, path.open("rb") as file, Bar("recover", quiet=quiet) as bar:
        found = Recovery(_reader(file), path.stat().st_size, _lookup(job), job.limits)
        job, suffix = _settled(job, found.chunks.structure, found.chunks.configs, quiet)
        writer = _writer(found.chunks.structure, found.chunks.configs, found.samples, job, stdout)
        numel = size = 0
        try:
            for chunk in found.decode():
                _put(writer, found.chunks.structure, chunk)
                numel += sum(np.size(sample) for tensor in chunk.tensors for sample in tensor)
                size += sum(sample.nbytes for tensor in chunk.tensors for sample in tensor)
                bar.update((chunk.first + chunk.count) / found.samples)
        except BaseException:
            writer.abort()
            raise
        writer.close()
        configs, lost = found.chunks.configs, tuple(found.lost)
        whole = path.stat().st_size
    seconds = time.perf_counter() - started
    return Decoded(job.source, job.output, suffix, found.samples, len(configs), numel, whole, size, seconds, lost)


def _settled(
    job: DecodeJob, structure: Structure, configs: Sequence[TensorConfig], quiet: bool
) -> tuple[DecodeJob, str]:
    """The job with its output's format, and that format: what is decoded decides where nothing else does.

    Raises:
        OutputExistsError: if the output exists and may not be replaced.
        MissingPackageError: if only a format can hold it that needs a package.
    """
    if job.suffix is not None:
        return job, job.suffix
    frameworks = [config.framework for config in configs]
    suffix = default_suffix(
        structure, [config.name for config in configs], [config.dtype for config in configs], frameworks
    )
    if "torch" in frameworks and not is_installed("torch") and not quiet:
        say(f"warning: {job.source}: torch is not installed: its tensors are written as {suffix}")
    if job.output != "-":
        job = replace(job, output=job.output + suffix)
        check_free(job.output, job.source, job.force)
    return replace(job, suffix=suffix), suffix


def _lookup(job: DecodeJob) -> Lookup:
    """Finds what the file needs from outside."""
    profile = None if job.profile is None else find_profile(job.profile, job.limits)
    weights = None if job.weights is None else find_weights(job.weights, job.limits)
    return profile_lookup(profile, job.limits, weights)


def _reader(file: BinaryIO) -> ReadAt:
    def read_at(offset: int, length: int) -> bytes:
        file.seek(offset)
        return file.read(length)

    return read_at


def _decode(job: DecodeJob, quiet: bool) -> Decoded:
    started = time.perf_counter()
    stdout = binary_stdout(f"a {job.suffix or 'feature'} file") if job.output == "-" else None
    if job.suffix is not None:
        check_free(job.output, job.source, job.force)
    try:
        with input_file(job.source, ".cauf") as path:
            with Reader(path, profile=job.profile, weights=job.weights, limits=job.limits) as reader:
                samples = len(reader)
            with path.open("rb") as file, Bar("decode", quiet=quiet) as bar:
                decoder = FileDecoder(_parts(file), _lookup(job), job.limits)
                job, suffix = _settled(job, decoder.structure, decoder.configs, quiet)
                _write(decoder, samples, job, stdout, bar)
    except MemoryError as err:
        raise StorageError("not enough memory", file=job.source, remedy="decode to .npy or .safetensors") from err
    return Decoded(
        job.source,
        job.output,
        suffix,
        samples,
        len(decoder.configs),
        decoder.numel,
        decoder.bytes_in,
        decoder.bytes_out,
        time.perf_counter() - started,
    )


def _parts(file: BinaryIO) -> Iterator[bytes]:
    while part := file.read(PART):
        yield part


def _write(decoder: FileDecoder, samples: int, job: DecodeJob, stdout: BinaryIO | None, bar: Bar) -> None:
    writer = _writer(decoder.structure, decoder.configs, samples, job, stdout)
    try:
        for chunk in decoder.samples():
            _put(writer, decoder.structure, chunk)
            bar.size = decoder.bytes_out * samples // max(1, decoder.count)
            bar.update(decoder.count / max(1, samples))
    except BaseException:
        writer.abort()
        raise
    writer.close()


def _writer(
    structure: Structure, configs: Sequence[TensorConfig], samples: int, job: DecodeJob, stdout: BinaryIO | None
) -> Writer:
    if stdout is None:
        remove_stale(Path(job.output))
    try:
        return open_writer(
            None if stdout is not None else Path(job.output),
            stdout,
            str(job.suffix),
            structure,
            [config.name for config in configs],
            [config.dtype for config in configs],
            [config.framework for config in configs],
            [None if None in config.template else tuple(size or 0 for size in config.template) for config in configs],
            samples,
            plugin_formats(str(job.suffix)),
            force=job.force,
        )
    except CaufError as err:
        raise err.locate(file=job.output) from err.__cause__


def _put(writer: Writer, structure: Structure, chunk: DecodedChunk) -> None:
    for number, block in enumerate(chunk.tensors):
        if structure.kind != "batch":
            writer.put(number, chunk.first, list(block))
        else:
            writer.put(number, chunk.first, block if isinstance(block, np.ndarray) else np.stack(block))
