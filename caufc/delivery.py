"""What is decoded of a whole file, as the caller wants it: new tensors, on a device, or in the caller's arrays."""

from __future__ import annotations

import io
from collections.abc import Collection
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from .bitstream import Index
from .coders.config import TensorConfig
from .container_files import parts_of, read_at_of
from .decoder.announced import announced_index, announced_samples
from .decoder.collector import Collector, Room
from .decoder.file_decoder import DecodedChunk, FileDecoder
from .decoder.lookup import Lookup
from .errors import CaufError, OptionError
from .features import Form, Targets, from_arrays
from .limits import Limits
from .types import AnyArray

__all__ = ["cast_chunk", "charged", "decoded", "decoded_into", "deliver", "deliver_into", "form_of"]


def form_of(dtype: Any, device: Any, out: Any) -> Form:
    """The form that is asked for.

    Raises:
        OptionError: for a dtype or device that cannot be, and for a device beside the caller's arrays.
        MissingPackageError: for a device where torch is not installed.
    """
    if out is not None and device is not None:
        raise OptionError("the arrays of out are where they are", remedy="leave out= or device= out")
    return Form.of(dtype, device)


def cast_chunk(chunk: DecodedChunk, configs: tuple[TensorConfig, ...], form: Form) -> DecodedChunk:
    """A chunk with its floats in the dtype of a form."""
    if form.dtype is None:
        return chunk
    tensors = tuple(
        [form.cast(sample, config.dtype) for sample in samples]
        if isinstance(samples, list)
        else form.cast(samples, config.dtype)
        for config, samples in zip(configs, chunk.tensors, strict=True)
    )
    return replace(chunk, tensors=tensors)


def charged(configs: tuple[TensorConfig, ...], form: Form) -> tuple[TensorConfig, ...]:
    """The configurations of tensors as limits count them: in the larger of their dtype and that of a form."""
    cast = (replace(config, dtype=form.dtype_of(config.dtype)) for config in configs)
    return tuple(max(pair, key=lambda config: config.item_size) for pair in zip(configs, cast, strict=True))


def deliver(
    file: BinaryIO, lookup: Lookup, limits: Limits, threads: int, form: Form, only: Collection[str] | None = None
) -> Any:
    """All samples of a file as the object that was encoded, in memory of its own.

    Args:
        file: an open container.
        lookup: finds profiles and weights.
        limits: what may be asked of the decoder.
        threads: that decode chunks.
        form: in which tensors come.
        only: names, prefixes or patterns of the tensors to decode; None for all.
    """
    decoder = FileDecoder.of(parts_of(file), lookup, limits, only)
    stored = decoder.configs
    decoder.meter.configs = charged(stored, form)
    configs = tuple(replace(config, dtype=form.dtype_of(config.dtype)) for config in stored)
    room = _room(decoder, file, configs, form)
    batch = decoder.structure.kind == "batch"

    def settle(chunk: DecodedChunk) -> DecodedChunk:
        chunk = cast_chunk(chunk, stored, form)
        if room is not None:
            return room.settle(chunk)
        return chunk if batch else _by_sample(chunk, configs, form)

    collector = Collector(configs, decoder.structure, room)
    with closing(decoder.samples(threads, settle)) as chunks:
        for chunk in chunks:
            collector.add(chunk)
    frameworks = [form.framework_of(config.framework) for config in configs]
    dtypes = [config.dtype for config in configs]
    keys = tuple(decoder.keys)
    return from_arrays(decoder.structure, decoder.count, frameworks, dtypes, collector.arrays(), keys, form)


def deliver_into(
    out: Any,
    file: BinaryIO,
    lookup: Lookup,
    limits: Limits,
    threads: int,
    form: Form,
    only: Collection[str] | None = None,
) -> Any:
    """The caller's arrays, with all samples of a file in them; the others are as for :func:`deliver`.

    Raises:
        InputError: if they do not fit; some samples may be in them then.
    """
    decoder = FileDecoder.of(parts_of(file), lookup, limits, only)
    index = None
    if file.seekable():
        place = file.tell()
        index = announced_index(read_at_of(file), file.seek(0, io.SEEK_END), decoder.prelude, limits)
        file.seek(place)
    return decoded_into(out, decoder, threads, form, index)


def decoded_into(
    out: Any, decoder: FileDecoder, threads: int = 1, form: Form | None = None, index: Index | None = None
) -> Any:
    """The caller's arrays, with all samples of a file in them.

    Args:
        out: the caller's arrays.
        decoder: of the file.
        threads: that decode chunks.
        form: in which tensors come; None for that of the file.
        index: of the file, where it is known: what does not fit is then found before anything is decoded.

    Raises:
        InputError: if they do not fit; some samples may be in them then.
    """
    form, stored = form or Form(), decoder.configs
    dtypes = [form.dtype_of(config.dtype) for config in stored]
    targets = Targets(out, decoder.structure, dtypes, [config.template for config in stored])
    if index is not None:
        targets.check(index.samples, index.keys or ())

    def settle(chunk: DecodedChunk) -> DecodedChunk:
        for number, samples in enumerate(cast_chunk(chunk, stored, form).tensors):
            targets.put(number, chunk.first, samples)
        return replace(chunk, tensors=())

    with closing(decoder.samples(threads, settle)) as chunks:
        for _ in chunks:
            pass
    targets.check(decoder.count, tuple(decoder.keys))
    return out


def decoded(decoder: FileDecoder) -> Any:
    """All samples of a small file as the object that was encoded."""
    collector = Collector(decoder.configs, decoder.structure)
    with closing(decoder.samples()) as chunks:
        for chunk in chunks:
            collector.add(chunk)
    frameworks = [config.framework for config in decoder.configs]
    dtypes = [config.dtype for config in decoder.configs]
    return from_arrays(decoder.structure, decoder.count, frameworks, dtypes, collector.arrays(), tuple(decoder.keys))


def _by_sample(chunk: DecodedChunk, configs: tuple[TensorConfig, ...], form: Form) -> DecodedChunk:
    """A chunk as samples of their own, where they are wanted: an array of the chunk would live as long as one."""
    tensors = []
    for config, samples in zip(configs, chunk.tensors, strict=True):
        parts = [_owned(sample) for sample in samples]
        framework = form.framework_of(config.framework)
        moved = form.elsewhere and not config.noted
        tensors.append([form.tensor(part, config.dtype, framework) for part in parts] if moved else parts)
    return replace(chunk, tensors=tuple(tensors))


def _owned(sample: AnyArray) -> AnyArray:
    """A sample that keeps no larger array alive."""
    base = sample.base
    return np.array(sample, order="C") if isinstance(base, np.ndarray) and base.nbytes > sample.nbytes else sample


def _room(decoder: FileDecoder, file: BinaryIO, configs: tuple[TensorConfig, ...], form: Form) -> Room | None:
    """The final arrays of a batch that is about to be decoded; None for a pipe, or where the file does not say."""
    if decoder.structure.kind != "batch" or not file.seekable():
        return None
    with suppress(CaufError):  # raised again where chunks are decoded
        decoder.prelude.first  # noqa: B018
    place = file.tell()
    size = file.seek(0, io.SEEK_END)
    samples = announced_samples(read_at_of(file), size, decoder.prelude, decoder.limits)
    file.seek(place)
    return None if samples is None else Room(configs, samples, size, form.empty, form.put)
