"""Files joined and split chunk by chunk, without decoding a symbol: nothing is lost, and it is as fast as copying.

A chunk's payloads depend on the header and the sections of its file alone, so that they fit every file that has the
same: its frame is made anew, with the numbers of its samples and a checksum that continues the new header's
[CAUF-0013]. Files that were planned apart have steps and tables of their own, which one header cannot hold: those are
refused, for decoding and encoding them again would lose something each time. :func:`caufc.open` reads them as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from .bitstream import Chunk, Header, Key, Section, Shape, TensorRecord, chunk_bytes, metadata_section
from .catalog import lookup_of
from .coders.config import TensorConfig
from .coders.lossy import channels_of
from .container_files import located, open_binary, parts_of
from .decoder.file_decoder import FileDecoder
from .decoder.lookup import Lookup
from .encoder.container import Container
from .errors import InputError, OptionError
from .features import atomic_output, remove_stale
from .limits import DEFAULT_LIMITS, Limits
from .output_names import check_container, check_output

__all__ = ["Remuxed", "cat_files", "split_file"]

METADATA_TYPE = metadata_section({}).type

Told = Callable[[int], None]
"""Called with the number of bytes that were read so far."""


@dataclass(frozen=True)
class Remuxed:
    """A file that was written from the chunks of others.

    Args:
        output: its path; ``-`` for a stream.
        samples, chunks: how many.
        bytes: of the file.
        warnings: what the user should know, a sentence each.
    """

    output: str
    samples: int
    chunks: int
    bytes: int
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


@dataclass(frozen=True)
class _Part:
    """What a file's chunks depend on, and what goes into a file that holds them.

    Args:
        name: of the file.
        header, configs, templates: of the file.
        sections: but for metadata.
        metadata: texts by name.
        empty: whether it has no samples, so that whatever it is of can be joined with others.
    """

    name: str
    header: Header
    configs: tuple[TensorConfig, ...]
    templates: Sequence[Shape]
    sections: tuple[Section, ...]
    metadata: dict[str, str]
    empty: bool

    @classmethod
    def of(cls, name: str, decoder: FileDecoder) -> _Part:
        """That of a file that was opened."""
        prelude, chunks = decoder.prelude, decoder.chunks_decoder
        sections = tuple(section for section in prelude.sections if section.type != METADATA_TYPE)
        return cls(
            name, prelude.header, chunks.configs, chunks.templates, sections, chunks.metadata, prelude.first.tag != "C"
        )

    def difference(self, other: _Part) -> str | None:
        """In what two files differ that their chunks depend on, a few words; None for nothing."""
        mine, theirs = (part.header for part in (self, other))
        if (mine.content == "keyed") != (theirs.content == "keyed"):
            return "only one of them has keys"
        if (mine.profile, mine.weights) != (theirs.profile, theirs.weights):
            return "they need different profiles or weights"
        if [config.name for config in self.configs] != [config.name for config in other.configs]:
            return "they have different tensors"
        if mine.tree != theirs.tree:
            return "they differ in structure, or in the notes beside tensors"
        for config, known in zip(self.configs, other.configs, strict=True):
            odd = _odd(config, known)
            if odd is not None:
                return f"tensor '{config.name}' has {odd}" if config.name else f"it has {odd}"
        if (mine.gain, mine.arch) != (theirs.gain, theirs.arch):
            return "it has another gain on all steps" if mine.arch == theirs.arch else "it has another architecture"
        if {*self.sections} != {*other.sections}:
            return "bases, tables or statistics are others"
        return None


def cat_files(
    sources: Sequence[str | Path],
    output: str | Path | BinaryIO,
    *,
    force: bool = False,
    profile: str | Path | None = None,
    weights: str | Path | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Told = lambda done: None,
) -> Remuxed:
    """Join files of one configuration: the samples of the second stand behind those of the first, and so on.

    Files have one configuration if each is a part of one file, if they were coded without loss, or with one profile
    that made all choices. What the chunks of one sample files, batches, lists hold becomes a list where they differ;
    keyed files stay keyed, and files without samples go with any. Metadata are those of all, of two texts of one name
    the first.

    Args:
        sources: ``.cauf`` files.
        output: path of the file, which appears whole or not at all, or a binary stream.
        force: replace the output if it exists.
        profile: name or file of a profile that the files need.
        weights: name or file of weights that they need.
        limits: of these files, and of the decoders that are to read the output.
        progress: called with the number of bytes of the sources that were read.

    Raises:
        InputError: if files differ in configuration, or two samples have one key; it names the file.
        FormatError: for damaged or malformed files.
        UnsupportedError: for newer versions, missing profiles, and over limits.
    """
    if not sources:
        raise OptionError("no file to join", remedy="give one or more")
    lookup = lookup_of(profile, weights, limits)
    names = [str(source) for source in sources]
    every: list[_Part] = []
    parts: list[_Part] = []
    for name in names:  # headers and sections first, so that nothing is written in vain
        with _opened(name, lookup, limits) as decoder:
            part = _Part.of(name, decoder)
        every.append(part)
        if part.empty:
            continue
        odd = part.difference(parts[0]) if parts else None
        if odd is not None:
            raise InputError(
                f"cannot be joined with {parts[0].name} as it is: {odd}",
                file=name,
                remedy="open both as one (caufc.open takes lists), or encode with one --profile",
            )
        parts.append(part if not parts else replace(part, configs=(), sections=()))
    parts = parts or every[:1]
    templates = [_shared(shapes) for shapes in zip(*(part.templates for part in parts), strict=True)]
    kinds = {part.header.content for part in parts}
    content = kinds.pop() if len(kinds) == 1 and kinds != {"single"} else "list"
    varying = (
        None in template for template, config in zip(templates, parts[0].configs, strict=True) if not config.noted
    )
    if content == "batch" and any(varying):
        content = "list"
    metadata, warnings = _joined_metadata(every)
    header = replace(_header(parts, templates), content=content, indexed=True)
    sections = [*parts[0].sections, *([metadata_section(metadata)] if metadata else [])]
    keys: dict[Key, str] = {}

    def written(container: Container) -> None:
        before = 0
        for name in names:

            def told(done: int, before: int = before) -> None:
                progress(before + done)

            with _opened(name, lookup, limits, told) as decoder, located(name):
                for chunk in decoder.chunks():
                    for key in chunk.keys or ():
                        if key in keys:
                            cure = "leave one of them out"
                            raise InputError(f"has a sample '{key}', and so has {keys[key]}", file=name, remedy=cure)
                        keys[key] = name
                    _put(container, chunk, templates)
                    limits.check("list_samples", container.samples)
            before += decoder.bytes_in
        container.close(tuple(keys) if content == "keyed" else None)

    return _write(output, names, force, header, sections, written, warnings)


def split_file(
    source: str | Path,
    outputs: Callable[[int], str],
    *,
    samples: int | None = None,
    parts: int | None = None,
    force: bool = False,
    profile: str | Path | None = None,
    weights: str | Path | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Told = lambda done: None,
) -> Iterator[Remuxed]:
    """Split a file between chunks; :func:`cat_files` of the parts has its samples again.

    Args:
        source: a ``.cauf`` file.
        outputs: path of the part of a number, from 0.
        samples: of a part, at least, but for the last: parts are whole chunks.
        parts: how many there are, as equal as chunks allow; one of both is given.
        force: replace outputs that exist.
        profile: name or file of a profile that the file needs.
        weights: name or file of weights that it needs.
        limits: what it may ask for.
        progress: called with the number of bytes that were read.

    Yields:
        each part when it is written.

    Raises:
        OptionError: unless one of samples and parts is given, 1 or more; for more parts than chunks.
        OutputExistsError: if a part exists and ``force`` is False; it is found before anything is written.
        FormatError: for a damaged or malformed file.
        UnsupportedError: for newer versions, missing profiles, and over limits.
    """
    if (samples is None) == (parts is None) or min(samples or 1, parts or 1) < 1:
        raise OptionError("a split needs samples or parts, 1 or more", file=str(source), remedy="give one of them")
    lookup, name = lookup_of(profile, weights, limits), str(source)
    with _opened(name, lookup, limits) as counting:
        counts = [chunk.count for chunk in counting.chunks()]
    groups = _by_samples(counts, samples) if samples is not None else _by_parts(counts, parts or 1, name)
    for number in range(len(groups)):
        check_output(outputs(number), [name], force)
    with _opened(name, lookup, limits, progress) as decoder, located(name):
        chunks, templates = decoder.chunks(), decoder.chunks_decoder.templates
        content = decoder.prelude.header.content
        header = replace(decoder.prelude.header, indexed=True)
        for number, chunk_count in enumerate(groups):

            def written(container: Container, chunk_count: int = chunk_count) -> None:
                keys: list[Key] = []
                for _ in range(chunk_count):
                    chunk = next(chunks)
                    keys += chunk.keys or ()
                    _put(container, chunk, templates)
                container.close(keys if content == "keyed" else None)

            yield _write(outputs(number), [name], force, header, decoder.prelude.sections, written)
        for _ in chunks:  # the end of the file is checked behind its last chunk
            pass


def _write(
    output: str | Path | BinaryIO,
    sources: Sequence[str],
    force: bool,
    header: Header,
    sections: Sequence[Section],
    written: Callable[[Container], None],
    warnings: tuple[str, ...] = (),
) -> Remuxed:
    """Write a file of which a function writes the chunks."""
    if not isinstance(output, str | Path):
        container = Container(output, header, sections)
        written(container)
        output.flush()
        return Remuxed("-", container.samples, container.chunks, container.bytes, warnings)
    name = str(output)
    check_container(name)
    check_output(name, sources, force)
    remove_stale(Path(name))
    with atomic_output(Path(name), force) as file:
        container = Container(file, header, sections)
        written(container)
    return Remuxed(name, container.samples, container.chunks, container.bytes, warnings)


@contextmanager
def _opened(name: str, lookup: Lookup, limits: Limits, progress: Told | None = None) -> Iterator[FileDecoder]:
    with open_binary(name) as file, located(name):
        yield FileDecoder.of(parts_of(file, progress), lookup, limits)


def _put(container: Container, chunk: Chunk, templates: Sequence[Shape]) -> None:
    container.chunk(chunk_bytes(replace(chunk, first=container.samples), templates), chunk.count)


def _shared(shapes: Sequence[Shape]) -> Shape:
    """Sizes that are the same in all files; None for others."""
    return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True))


def _header(parts: Sequence[_Part], templates: Sequence[Shape]) -> Header:
    """The header of the first file, without what is not so in all, with open axes where sizes differ."""
    first = parts[0].header
    header = replace(
        first,
        control=first.control if len({part.header.control for part in parts}) == 1 else None,
        software=first.software if len({part.header.software for part in parts}) == 1 else None,
    )
    if list(templates) == list(parts[0].templates):
        return header
    records = first.tensors or (TensorRecord(),) * len(templates)
    opened = (replace(record, shape=shape) for record, shape in zip(records, templates, strict=True))
    return replace(header, tensors=tuple(opened))


def _odd(config: TensorConfig, known: TensorConfig) -> str | None:
    """In what a tensor differs from the same one of another file, so that payloads do; None for nothing."""
    for name in ("dtype", "codec", "layout", "tap", "alignment", "leader"):
        if getattr(config, name) != getattr(known, name):
            return f"another {name}"
    if config.parameters != known.parameters:
        return "quantiser steps of its own"
    if len(config.template) != len(known.template):
        return "another number of axes"
    if config.codec.lossy and channels_of(config) != channels_of(known):
        return "another number of channels"
    return None


def _joined_metadata(parts: Sequence[_Part]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The metadata of all files, and warnings of texts that are left out."""
    found: dict[str, str] = {}
    dropped: dict[str, str] = {}
    for part in parts:
        for name, text in part.metadata.items():
            if found.setdefault(name, text) != text:
                dropped.setdefault(name, part.name)
    warnings = tuple(f"metadata '{name}' of {file} differ, and are left out" for name, file in dropped.items())
    return found, warnings


def _by_samples(counts: Sequence[int], samples: int) -> list[int]:
    """Chunks of parts of so many samples at least."""
    groups, held = [0], 0
    for count in counts:
        if held >= samples:
            groups.append(0)
            held = 0
        groups[-1] += 1
        held += count
    return groups


def _by_parts(counts: Sequence[int], parts: int, name: str) -> list[int]:
    """Chunks of so many parts, in which samples are shared out as equally as chunks allow."""
    if parts > max(1, len(counts)):
        held = "1 chunk" if len(counts) == 1 else f"{len(counts):,} chunks"
        raise OptionError(f"has {held}, too few for {parts:,} parts", file=name, remedy="encode with a smaller --chunk")
    total, groups, seen, taken = sum(counts), [], 0, 0
    for part in range(parts):
        first = taken
        while taken < len(counts) - (parts - part - 1) and (
            taken == first or seen + counts[taken] / 2 <= total * (part + 1) / parts
        ):
            seen += counts[taken]
            taken += 1
        groups.append(taken - first)
    groups[-1] += len(counts) - taken
    return groups
