"""One pass over the samples: chunks in, a container out, nothing held but the chunk at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..bitstream import (
    AlignmentRecord,
    Chunk,
    End,
    Header,
    Index,
    Section,
    TensorRecord,
    block_bytes,
    checksum,
    chunk_bytes,
    end_bytes,
    index_bytes,
    section_bytes,
    work_of,
)
from ..codec.hyperprior import DECODER_SECTIONS, WEIGHTS_ELEMENTS
from ..errors import LimitError
from ..limits import DEFAULT_LIMITS, Limits
from ..types import Structure
from .codecs import coder_of
from .coder import Coder, Costs, Promise
from .distortion import Distortion
from .hyperprior_coder import LearnedCodecs
from .profile import ProfileFile
from .setup import (
    OFFSETS,
    SCALES,
    SECTION_ELEMENTS,
    TRANSFORM,
    TensorSetup,
    record_of,
    record_tree,
    resolve,
    section_of,
)
from .source import Source
from .survey import chunks_of
from .token_coder import TokenCoder
from .weights import WeightsFile
from .work import WorkMeter, chunk_work

__all__ = ["Pass", "Sink", "container_prelude", "write_pass"]


class Sink(Protocol):
    """Where a container goes, in order."""

    def write(self, data: bytes, /) -> object: ...


@dataclass
class Pass:
    """What one pass wrote and lost."""

    bytes_out: int = 0
    chunks: int = 0
    distortion: Distortion = field(default_factory=Distortion)


def container_prelude(
    structure: Structure,
    setups: Sequence[TensorSetup],
    *,
    gain: float | None,
    arch: str | None,
    indexed: bool,
    profile: ProfileFile | None,
    weights: WeightsFile | None = None,
    embed_weights: bool = False,
) -> tuple[Header, list[Section]]:
    """Header and sections of a file; what its profile says is left out, what only the profile has is emptied.

    Args:
        structure: of the samples.
        setups: one a tensor.
        gain: factor on all steps.
        arch: architecture ID.
        indexed: whether an index will follow.
        profile: that the file relies on.
        weights: that its tensors of the learned codec need.
        embed_weights: copy the decoder's part of them into the file, instead of naming them.
    """
    records: tuple[TensorRecord, ...] | None = tuple(record_of(setup) for setup in setups)
    sections = [
        section_of(i, kind, array)
        for i, setup in enumerate(setups)
        for kind, array in setup.arrays.items()
        if kind not in WEIGHTS_ELEMENTS
    ]
    if weights is not None and embed_weights:
        sections += [section for section in weights.sections if section.type in DECODER_SECTIONS]
    tree = None if structure.tree == 0 else record_tree(structure.tree)
    header = Header(
        content=structure.kind,
        indexed=indexed,
        gain=None if gain == 1 else gain,
        tree=tree,
        tensors=records,
        arch=arch,
        weights=None if weights is None or embed_weights else weights.id,
    )
    if profile is None:
        return header, sections
    known = resolve(profile.header, profile.sections, None)
    defaults = [record_of(setup) for setup in known[1]]
    own_tree, known_tree = (0 if t is None else t for t in (tree, profile.header.tree))
    shorter = tuple(_difference(record_of(setup), default) for setup, default in zip(setups, defaults, strict=True))
    header = replace(
        header,
        profile=profile.id,
        tree=None if own_tree == known_tree else own_tree,
        tensors=None if all(record == TensorRecord() for record in shorter) else shorter,
        arch=None if arch == profile.header.arch else arch,
    )
    there = {(s.type, s.tensor): s.data for s in profile.sections}
    absent = [
        Section(kind, number, SECTION_ELEMENTS[kind], b"")
        for kind, number in there
        if setups[number].codec == TRANSFORM and kind not in (OFFSETS, SCALES, *setups[number].arrays)
    ]
    return header, [*absent, *(s for s in sections if there.get((s.type, s.tensor)) != s.data)]


def _difference(record: TensorRecord, default: TensorRecord) -> TensorRecord:
    """Only the fields in which a record differs from the profile's."""
    differing = {name: value for name, value in vars(record).items() if value != getattr(default, name)}
    if "alignment" in differing and differing["alignment"] is None:
        differing["alignment"] = AlignmentRecord(0, 0)
    return TensorRecord(**differing)


def write_pass(
    source: Source,
    setups: Sequence[TensorSetup],
    prelude: tuple[Header, Sequence[Section]],
    sink: Sink,
    *,
    promises: Sequence[Promise],
    costs: Sequence[Costs],
    gain: float,
    chunk: int,
    progress: Callable[[int], None],
    limits: Limits = DEFAULT_LIMITS,
) -> Pass:
    """Write a whole container.

    Args:
        source: the samples.
        setups: one a tensor.
        prelude: header and sections.
        sink: takes the bytes.
        promises: one a tensor.
        costs: one a tensor.
        gain: factor on all steps.
        chunk: samples a chunk.
        progress: told how many values have been written.
        limits: of the decoders that are to read the file; checked before anything is coded.

    Raises:
        LimitError: if the file would be over one.
    """
    header, sections = prelude
    result = Pass()

    def put(data: bytes) -> int:
        sink.write(data)
        result.bytes_out += len(data)
        return len(data)

    head = header.to_bytes()
    learned = LearnedCodecs()
    coders = [
        coder_of(setup, gain, learned, bounded=promise.max_error is not None, costs=each)
        for setup, promise, each in zip(setups, promises, costs, strict=True)
    ]
    with _keeping_within():
        limits.check("header_bytes", len(head))
        limits.check("section_bytes", sum(len(section.data) for section in sections))
        limits.check("channels", sum(coder.channels for coder in coders if isinstance(coder, TokenCoder)))
        _check_chunks(source, setups, coders, chunk, limits)
    seed = int.from_bytes(head[-4:], "little")
    put(head)
    for section in sections:
        put(block_bytes("S", section_bytes(section), seed))
    index_of, first = [], result.bytes_out
    for start, stop in chunks_of(source.samples, chunk):
        body = _chunk(source, setups, coders, promises, start, stop, result, progress)
        index_of.append((put(block_bytes("C", body, seed)), stop - start))
    result.chunks = len(index_of)
    _close(header, index_of, first, source.samples, seed, put)
    return result


@contextmanager
def _keeping_within() -> Iterator[None]:
    """Refuse to write what a decoder would refuse to read (spec, section 12)."""
    try:
        yield
    except LimitError as err:
        smaller = "fewer samples a chunk" if err.limit.startswith("chunk_") else "smaller files"
        err.remedy = f"split the input into smaller samples or {smaller}"
        raise


def _check_chunks(
    source: Source, setups: Sequence[TensorSetup], coders: Sequence[Coder], chunk: int, limits: Limits
) -> None:
    """What decoding all chunks will cost, from shapes alone."""
    meter = WorkMeter(setups, source.structure.kind == "batch", limits)
    for start, stop in chunks_of(source.samples, chunk):
        shapes = _shapes(source, start, stop)
        limits.check("chunk_arrays", len(shapes) * (stop - start))
        limits.check("chunk_elements", sum(work_of(shape) for by_sample in shapes for shape in by_sample))
        meter.add(shapes, stop - start, chunk_work(coders, shapes, limits))


def _shapes(source: Source, start: int, stop: int) -> list[tuple[tuple[int, ...], ...]]:
    """Shapes of samples ``[start, stop)`` of every tensor."""
    return [
        (tensor.shape(start),) * (stop - start)
        if tensor.stacked
        else tuple(tensor.shape(sample) for sample in range(start, stop))
        for tensor in source.tensors
    ]


def _close(
    header: Header,
    index_of: list[tuple[int, int]],
    first: int,
    samples: int,
    seed: int,
    put: Callable[[bytes], int],
) -> None:
    if not header.indexed:
        put(block_bytes("E", end_bytes(End(samples, None)), seed))
        return
    index = block_bytes("I", index_bytes(Index(first, tuple(index_of))), seed)
    end = block_bytes("E", end_bytes(End(samples, 0)), seed)
    put(index)
    put(block_bytes("E", end_bytes(End(samples, len(index) + len(end))), seed))


def _chunk(
    source: Source,
    setups: Sequence[TensorSetup],
    coders: Sequence[Coder],
    promises: Sequence[Promise],
    start: int,
    stop: int,
    result: Pass,
    progress: Callable[[int], None],
) -> bytes:
    """The body of one chunk; what it loses is added to the result."""
    payloads, symbols = [], 0
    shapes = _shapes(source, start, stop)
    for number, (tensor, coder, promise) in enumerate(zip(source.tensors, coders, promises, strict=True)):
        block = tensor.block(start, stop)
        encoded = coder.encode(block, promise)
        payloads.append(encoded.payload)
        for part in encoded.symbols:
            symbols = checksum(part, symbols)
        result.distortion.merge(encoded.distortion)
        progress(sum(setups[number].size(shape) for shape in shapes[number]))
    chunk = Chunk(start, stop - start, tuple(shapes), tuple(payloads), symbols)
    return chunk_bytes(chunk, [setup.template for setup in setups])
