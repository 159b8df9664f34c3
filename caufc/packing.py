"""Many feature files in one container, each a sample with the file's name as its key, and back."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO

import numpy as np

from .api import make_encoder
from .catalog import lookup_of
from .coders.config import TensorConfig
from .container_files import located, open_binary, read_at_of
from .decoder.file_decoder import DecodedChunk, FileDecoder
from .decoder.random_access import FileReader
from .descriptors import normal_suffix
from .encoder.encoder import Encoder
from .encoder.report import Report
from .errors import CaufError, InputError, LayoutError, StorageError
from .features import atomic_output, known_suffixes, open_writer, read, remove_stale
from .features.formats import default_suffix, find_format
from .features.writers import Writer
from .limits import DEFAULT_LIMITS, Limits
from .odd_channels import OddSamples, odd_samples
from .output_names import check_container, check_free, check_output, plugin_formats
from .threads import thread_count
from .types import NOTE, Progress, Structure, no_progress

__all__ = ["Unpacked", "pack_files", "packed_names", "unpack_file"]


@dataclass(frozen=True)
class Unpacked:
    """A container whose samples were written to files.

    Args:
        input: the container.
        folder: where the files are.
        files: how many.
        bytes_in: of the container.
        bytes_out: of the values.
    """

    input: str
    folder: str
    files: int
    bytes_in: int
    bytes_out: int

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def packed_names(folder: str | Path, suffix: str | None = None) -> dict[str, str]:
    """The feature files of a folder and those in it, in order of their paths, by what becomes their key.

    Keys are paths within the folder, without suffix, with ``/`` between. Names that begin with a dot are left out, and
    files of other kinds.

    Args:
        folder: the folder.
        suffix: of the files that count; None for all that can be read.

    Raises:
        StorageError: if it is no folder, or none is in it.
        InputError: if two files would have one key.
    """
    top = Path(folder)
    if not top.is_dir():
        raise StorageError("is not a folder" if top.exists() else "no such folder", file=str(folder))
    wanted = known_suffixes() if suffix is None else (normal_suffix(suffix),)
    found: dict[str, str] = {}
    for path in sorted(top.rglob("*")):
        inside = path.relative_to(top)
        hidden = any(part.startswith(".") for part in inside.parts)
        if hidden or not path.is_file() or normal_suffix(path.suffix) not in wanted:
            continue
        key = inside.with_suffix("").as_posix()
        if key in found:
            raise InputError(
                f"would have the key '{key}', and so would {found[key]}", file=str(path), remedy="rename one"
            )
        found[key] = str(path)
    if not found:
        raise StorageError("no feature file there", file=str(folder), remedy=f"caufc reads {', '.join(wanted)}")
    return found


def pack_files(
    files: dict[str, str],
    output: str | Path | BinaryIO,
    *,
    format: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Report:
    """Encode feature files as keyed samples of one container.

    Args:
        files: path of each by key; what they hold is alike, one sample each.
        output: path of the container, which appears whole or not at all, or a binary stream.
        format: suffix of the files' format, if their names do not tell.
        force: replace the output if it exists.
        progress: called as work goes on.
        options: of :func:`caufc.encode`.

    Raises:
        InputError: for a file unlike the first; it names it.
        CaufError: about the file that it names.
    """
    limits = options.get("limits", DEFAULT_LIMITS)
    name = "-" if not isinstance(output, str | Path) else str(output)
    if name != "-":
        check_container(name)
        check_output(name, files.values(), force)
    suffixes = {format or Path(path).suffix for path in files.values()}
    extra = [item for suffix in suffixes for item in plugin_formats(suffix)]
    samples = {key: read(path, format or Path(path).suffix, extra, limits=limits) for key, path in files.items()}
    try:
        encoder = make_encoder(samples, keyed=True, progress=progress, **options)
    except CaufError as err:  # the names of its tensors begin with a key
        key = next((key for key in files if err.tensor == key or str(err.tensor).startswith(f"{key}.")), None)
        raise err.locate(file=None if key is None else files[key]) from err.__cause__
    odd = odd_samples(encoder.source, encoder.options)
    try:
        report = _encoded(encoder, output, force)
    except LayoutError as err:  # of a layout that was given
        raise err.locate(file=files[list(files)[odd[0].numbers[0]]] if odd else name) from err.__cause__
    warnings = (_odd_text(each, list(files.values()), report) for each in odd)
    return replace(report, warnings=(*report.warnings, *filter(None, warnings)))


def _encoded(encoder: Encoder, output: str | Path | BinaryIO, force: bool) -> Report:
    if not isinstance(output, str | Path):
        report = encoder.encode(output)
        output.flush()
        return report
    remove_stale(Path(output))
    with atomic_output(Path(output), force) as file:
        return encoder.encode(file)


def _odd_text(odd: OddSamples, paths: Sequence[str], report: Report) -> str | None:
    """A sentence about files that keep the layout of most from being that of all; None if they do not."""
    layout = next(tensor.layout for tensor in report.tensors if tensor.name == odd.tensor)
    if layout in (None, odd.layout):
        return None
    name = f"tensor '{odd.tensor}' of " if odd.tensor else ""
    more = f", as have {len(odd.numbers) - 1:,} more" if len(odd.numbers) > 1 else ""
    return (
        f"{name}{paths[odd.numbers[0]]} has {odd.channels:,} channels, most have {odd.usual:,}{more}: the layout of "
        f"all is '{layout}' in place of '{odd.layout}', which mostly takes many more bytes; pack files of other "
        "channels apart"
    )


def unpack_file(
    source: str | Path,
    folder: str | Path,
    *,
    format: str | None = None,
    force: bool = False,
    profile: str | Path | None = None,
    weights: str | Path | None = None,
    limits: Limits = DEFAULT_LIMITS,
    only: Collection[str] | None = None,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> Unpacked:
    """Decode each sample of a container to a feature file of its own, named by its key or number.

    Each file appears whole or not at all; those that are there stay if a later one fails.

    Args:
        source: a ``.cauf`` file.
        folder: of the files; folders in it are made as keys say.
        format: suffix of the files; None for the one that suits them.
        force: replace files that exist.
        profile: name or file of a profile that the container needs.
        weights: name or file of weights that it needs.
        limits: what it may ask for.
        only: names, prefixes or patterns of the tensors to decode; None for all.
        threads: that decode chunks.
        progress: called as work goes on, with samples.

    Raises:
        InputError: if a key is no path within the folder, or a format cannot hold the samples.
        OutputExistsError: if a file exists and ``force`` is False; it is found before anything is written.
        FormatError: for a damaged or malformed container.
        UnsupportedError: for newer versions, missing profiles, and over limits.
    """
    lookup, name = lookup_of(profile, weights, limits), str(source)
    with located(name), open_binary(source) as file:
        reader = FileReader(read_at_of(file), file.seek(0, os.SEEK_END), lookup, limits, only=only)
        decoder = reader.in_order()
        writing = _Unpacking(Path(folder), _suffix(decoder, format), reader.index.keys, len(reader), decoder, force)
        writing.check()
        with closing(decoder.samples(thread_count(threads))) as chunks:
            for chunk in chunks:
                writing.put(chunk)
                progress("unpack", chunk.stop, len(reader))
    return Unpacked(name, str(folder), len(reader), decoder.bytes_in, decoder.bytes_out)


def _suffix(decoder: FileDecoder, given: str | None) -> str:
    """The files' format, known to exist."""
    if given is not None:
        suffix = normal_suffix(given)
        find_format(suffix, plugin_formats(suffix))
        return suffix
    configs = decoder.configs
    names, dtypes = [config.name for config in configs], [config.dtype for config in configs]
    single = Structure("single", decoder.structure.tree)
    return default_suffix(single, names, dtypes, [config.framework for config in configs], texts=NOTE in dtypes)


@dataclass
class _Unpacking:
    """Samples on their way to files.

    Args:
        folder: of the files.
        suffix: of the files.
        keys: of the samples; None for numbers.
        samples: how many.
        decoder: of the container.
        force: replace files that exist.
    """

    folder: Path
    suffix: str
    keys: Sequence[str | int] | None
    samples: int
    decoder: FileDecoder
    force: bool

    def check(self) -> None:
        """Check every path before anything is written."""
        owners: dict[Path, str | int] = {}
        for number in range(self.samples):
            path = self.path(number)
            if path in owners:
                raise InputError(f"keys '{owners[path]}' and '{self.keys and self.keys[number]}' make one file, {path}")
            owners[path] = number if self.keys is None else self.keys[number]
            check_free(str(path), "-", self.force)

    def path(self, number: int) -> Path:
        """The file of a sample.

        Raises:
            InputError: if its key is no path within the folder.
        """
        if self.keys is None:
            return self.folder / f"{number:0{len(str(max(0, self.samples - 1)))}d}{self.suffix}"
        key = str(self.keys[number])
        inside, windows = PurePosixPath(key), PureWindowsPath(key)
        odd = "\0" in key or windows.drive or windows.root or inside.is_absolute() or ".." in windows.parts
        if odd or not inside.name or inside.name in (".", ".."):
            raise InputError(f"key '{key}' is no path within a folder", remedy="decode it to one file: caufc decode")
        return self.folder / inside.with_name(inside.name + self.suffix)

    def put(self, chunk: DecodedChunk) -> None:
        """Write the samples of a chunk."""
        configs, structure = self.decoder.configs, Structure("single", self.decoder.structure.tree)
        for place in range(chunk.count):
            path = self.path(chunk.first + place)
            arrays = [np.asarray(samples[place]) for samples in chunk.tensors]
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as err:
                raise StorageError("cannot make its folder", file=str(path)) from err
            with located(path):
                _write(path, self.suffix, structure, configs, arrays, self.force)


def _write(
    path: Path, suffix: str, structure: Structure, configs: Sequence[TensorConfig], arrays: Sequence[Any], force: bool
) -> None:
    writer: Writer = open_writer(
        path,
        None,
        suffix,
        structure,
        [config.name for config in configs],
        [config.dtype for config in configs],
        [config.framework for config in configs],
        [array.shape for array in arrays],
        1,
        plugin_formats(suffix),
        force=force,
    )
    try:
        for number, array in enumerate(arrays):
            writer.put(number, 0, [array])
    except BaseException:
        writer.abort()
        raise
    writer.close()
