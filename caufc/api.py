"""The library's verbs: encode, decode, save, load, open, inspect, verify."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from .catalog import find_profile, lookup_of
from .coders.side_files import ProfileFile
from .container_files import Bytes, bytes_of, located, name_of, parts_of
from .decoder.chunk_cache import CACHE_BYTES
from .decoder.file_decoder import FileDecoder
from .delivery import deliver, deliver_into, form_of
from .encoder.encoder import Encoder
from .encoder.report import Report
from .encoder.tensor_order import source_for
from .errors import OptionError
from .features import atomic_output, blank_tensor, check_metadata, path_to_write, to_source
from .limits import DEFAULT_LIMITS, Limits
from .options import layouts_for_structure, make_options
from .reader import Info, Reader, ReaderSet, SampleReader
from .storage import Openable, matching, open_stream
from .terms import in_python
from .threads import thread_count
from .types import Progress

__all__ = [
    "Info",
    "Reader",
    "Verdict",
    "decode",
    "encode",
    "encode_to",
    "inspect",
    "load",
    "make_encoder",
    "open",
    "save",
    "size_bound",
    "verify",
]


def make_encoder(
    features: Any,
    *,
    layout: Any = None,
    profile: str | Path | bytes | ProfileFile | None = None,
    keyed: bool | None = None,
    meta: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Encoder:
    """The encoder of features; the options are those of :func:`encode`."""
    limits = Limits.given(options.get("limits", DEFAULT_LIMITS))
    source = to_source(features, layouts_for_structure(layout), keyed=keyed, limits=limits)
    given = {} if meta is None else check_metadata(meta)
    source = replace(source, metadata=check_metadata({**source.metadata, **given}))
    chosen = None if profile is None else find_profile(profile)
    source = source_for(chosen, source)
    names = [tensor.name for tensor in source.tensors]
    settings = make_options(names, source.dimensions, layout=layout, profile=chosen, **options)
    return Encoder(source, settings, chosen, progress)


def encode_to(
    file: BinaryIO,
    features: Any,
    *,
    layout: Any = None,
    profile: str | Path | bytes | ProfileFile | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Report:
    """Encode features into an open binary file and report; the options are those of :func:`encode`.

    A file that cannot seek (a pipe) gets bytes in order, as they are made.
    """
    report = make_encoder(features, layout=layout, profile=profile, progress=progress, **options).encode(file)
    return replace(report, warnings=tuple(in_python(warning) for warning in report.warnings))


def encode(
    features: Any,
    *,
    arch: str | None = None,
    tap: Any = None,
    layout: Any = None,
    profile: str | Path | bytes | None = None,
    codec: str = "transform",
    quality: float | str | None = None,
    snr: float | str | None = None,
    bpfp: float | None = None,
    max_error: float | None = None,
    lossless: bool = False,
    align: Any = None,
    truncate: Any = None,
    reads: Any = None,
    nonfinite: str = "error",
    chunk: int | None = None,
    effort: str = "default",
    index: bool | None = None,
    embed_profile: bool = True,
    weights: str | Path | None = None,
    embed_weights: bool = True,
    outliers: str | None = None,
    keyed: bool | None = None,
    meta: Mapping[str, str] | None = None,
    software: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    threads: int | None = None,
    progress: Progress | None = None,
) -> bytes:
    """Encode features to the bytes of a ``.cauf`` file.

    Args:
        features: a numpy or torch tensor, dicts of such (nested too), or a list of samples, ragged or not; with text,
            numbers, booleans and None among them, which come back as they are.
        arch: architecture ID (``timm/resnet50``); its plugin supplies layouts and value alignment.
        tap: where the features were taken; one name, or a dict by tensor name.
        layout: meaning of the axes (``b c h w``); one expression, or a dict by tensor name, prefix or pattern of names
            (``hidden_states.*``), as all options by tensor are; chosen when None, as the report says.
        profile: name or ``.caufp`` file of a profile, or the bytes of one.
        codec: a codec with loss by its name: ``transform``, or ``hyperprior``, the learned one, which takes a quality
            or a rate.
        quality: 0 to 100, or ``low``, ``medium``, ``high``; medium when no rate control is given. Errors go where
            networks react least, so that ``snr`` may keep more plain SNR in as many bytes.
        snr: signal-to-noise ratio in dB of every tensor, or as ``"30/token"`` of every token.
        bpfp: bits per feature point of the whole file, all bytes counted.
        max_error: largest absolute error, exact, after the cast to the output dtype.
        lossless: keep every bit.
        align: value alignment (``KIND[/SCOPE][:OFFSET,SCALE]`` or an Alignment), one or by tensor name.
        reads: what will be read of the features, one or by tensor name: ``tokens``, all of them; ``mean``, only their
            mean over the grid; ``first``, only the first special token. What is not read gets 64 times larger steps.
            None takes what the tap tells, or all tokens.
        truncate: (low, high) to which values are clipped before, one or by tensor name.
        nonfinite: ``error`` refuses NaN and Inf, ``keep`` carries them exactly.
        chunk: samples per chunk.
        effort: ``fast``, ``default`` or ``best``: how long to look for a smaller file.
        index: write an index for random access; None for files of several chunks.
        embed_profile: copy a profile that does not ship with caufc into the file.
        weights: name or ``.caufw`` file of the learned codec's weights; the universal ones when None.
        embed_weights: copy weights that do not ship with caufc into the file.
        outliers: ``keep`` stores values beyond the learned codec's range exactly, ``clip`` loses them; None keeps them
            unless ``truncate`` gives the range.
        keyed: whether the entries of a dict are samples by key, which are coded as a list is; None for 32 alike ones or
            more, unless their names are numbers or paths that differ in one index, and they could be one batch.
        meta: metadata of the file, texts by name; :attr:`Info.metadata` has them.
        software: name caufc and its version in the file; :attr:`Info.software` has them.
        limits: of the decoders that are to read the file.
        threads: that code chunks; None for one per processor that the process may use. The bytes are the same for any
            number.
        progress: called with (what, values done, values in all).

    Raises:
        InputError: for input or options that cannot be encoded as asked.
        LimitError: for what decoders would refuse.
    """
    buffer = io.BytesIO()
    encode_to(
        buffer,
        features,
        arch=arch,
        tap=tap,
        layout=layout,
        profile=profile,
        codec=codec,
        quality=quality,
        snr=snr,
        bpfp=bpfp,
        max_error=max_error,
        lossless=lossless,
        align=align,
        truncate=truncate,
        reads=reads,
        nonfinite=nonfinite,
        chunk=chunk,
        effort=effort,
        index=index,
        embed_profile=embed_profile,
        weights=weights,
        embed_weights=embed_weights,
        outliers=outliers,
        keyed=keyed,
        meta=meta,
        software=software,
        limits=limits,
        threads=threads,
        progress=progress,
    )
    return buffer.getvalue()


def size_bound(features: Any, dtype: Any = None, **options: Any) -> int:
    """The most bytes that :func:`encode` and :func:`save` can make of features, whatever is asked for.

    It is the size of the file that stores every value: for each tensor and chunk a payload of a byte and its values,
    besides header, metadata, notes and keys, and a frame, lengths and checksums for each chunk; each of these counts
    with the most that it can be. Encoding gives this file in place of one that would be larger. (A stream that cannot
    seek has had its bytes by then: for it, this is only what is to be expected.)

    ``size_bound((1000, 768), "float32")`` is 3,072,000 bytes of values and a few hundred besides.

    Args:
        features: what :func:`encode` takes; values are not read. Or, with ``dtype``, the shape of a tensor.
        dtype: of a tensor of this shape: of numpy or torch, or a name, such as ``bf16`` or ``int32``.
        options: of :func:`encode`. What a file holds besides counts: chunks, metadata, and what a profile or weights
            that are embedded bring along. Rate controls change nothing.

    Raises:
        InputError: for what cannot be encoded, and for a dtype that there is not.
    """
    encoder = make_encoder(features if dtype is None else blank_tensor(features, dtype), **options)
    return encoder.largest_file()


def decode(
    data: Bytes,
    *,
    out: Any = None,
    only: Collection[str] | None = None,
    device: Any = None,
    dtype: Any = None,
    profile: str | Path | bytes | None = None,
    weights: str | Path | None = None,
    limits: Limits = DEFAULT_LIMITS,
    threads: int | None = None,
) -> Any:
    """Decode the bytes of a ``.cauf`` file to what was encoded: same structure, names, shapes and dtypes.

    A decode takes memory for what it gives back, and for a chunk in each thread.

    Args:
        data: the bytes, or another buffer that holds them.
        out: arrays to decode into, which are given back: numpy arrays (of a memory map too) or torch tensors on the
            CPU, in the structure in which decoding gives them back without ``out``; notes beside them stay as they are.
        only: names of the tensors to decode, prefixes or patterns of names (``hidden_states.*``); the others are not
            decoded, nor is the checksum over all symbols checked. What comes back holds only these: dicts have their
            names, lists and tuples are shorter, in the same order.
        device: of torch, to which tensors go chunk by chunk; all are torch tensors then.
        dtype: to which floats are cast chunk by chunk: of numpy or torch, or a name, such as ``bf16`` or ``float32``.
            Integers and booleans stay as they are; values beyond its range become infinite.
        profile: name, file or bytes of a profile that the file needs.
        weights: name or file of weights that the file needs.
        limits: what may be asked of the decoder.
        threads: that decode chunks, each with one in memory; None for one per processor that the process may use. The
            values are the same for any number.

    Raises:
        OptionError: for what has no bytes, such as a path, which :func:`load` takes; for a device or dtype that cannot
            be.
        InputError: if ``out`` does not fit; it names the tensor, and some samples may have been written.
        UnknownNameError: if ``only`` names a tensor that there is not.
        FormatError: for damaged or malformed bytes.
        UnsupportedError: for newer versions, missing profiles, and over limits.
    """
    file = io.BytesIO(bytes_of(data, "decode"))
    form, lookup, workers = form_of(dtype, device, out), lookup_of(profile, weights, limits), thread_count(threads)
    if out is None:
        return deliver(file, lookup, limits, workers, form, only)
    return deliver_into(out, file, lookup, limits, workers, form, only)


def save(path: str | Path, features: Any, *, force: bool = False, **options: Any) -> Report:
    """Encode features to a file, which appears whole or not at all; the options are those of :func:`encode`.

    Raises:
        OptionError: for what is no path.
        OutputExistsError: if the file exists and ``force`` is False.
        InputError: for input or options that cannot be encoded as asked.
    """
    with atomic_output(path_to_write(path, "save"), force) as file:
        return encode_to(file, features, **options)


def load(
    path: str | Path,
    *,
    out: Any = None,
    only: Collection[str] | None = None,
    device: Any = None,
    dtype: Any = None,
    profile: str | Path | bytes | None = None,
    weights: str | Path | None = None,
    limits: Limits = DEFAULT_LIMITS,
    threads: int | None = None,
) -> Any:
    """Decode a file by its path or URL; see :func:`decode`.

    Raises:
        OptionError: for bytes, which :func:`decode` takes, and what else is no path.
        StorageError: if the file is missing or cannot be read.
        CaufError: as :func:`decode` does.
    """
    if not isinstance(path, str | os.PathLike):
        remedy = "caufc.decode(file.read())" if hasattr(path, "read") else "caufc.decode(data) for bytes"
        raise OptionError(f"load takes the path or URL of a file, not a {type(path).__name__}", remedy=remedy)
    form, lookup, workers = form_of(dtype, device, out), lookup_of(profile, weights, limits), thread_count(threads)
    with located(path), open_stream(path) as file:
        if out is None:
            return deliver(file, lookup, limits, workers, form, only)
        return deliver_into(out, file, lookup, limits, workers, form, only)


def open(
    source: Openable | Sequence[Openable],
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
) -> SampleReader:
    """Open a file, or many as one, for random access to samples.

    Args:
        source: of one file (a :class:`Reader`): its path or URL (``s3://``, ``https://``, ``memory://``, whatever
            fsspec has), its bytes, a memory map or another buffer, a binary file that can seek, or a function
            ``read_at(offset, length)``. Of many (a :class:`ReaderSet`): a pattern (``dir/*.cauf``), a folder, which
            stands for the ``.cauf`` files in it, or a list of such sources. Files of patterns and folders come in
            order of their names.
        only: names, prefixes or patterns of the tensors that samples have; the others are not decoded.
        device: of torch, to which a sample's tensors go.
        dtype: to which floats are cast when their chunk is decoded; see :func:`decode`.
        cache_bytes: of decoded chunks that are kept; the last one is, whatever its size.
        profile: name, file or bytes of a profile that files need.
        weights: name or file of weights that files need.
        limits: what may be asked of the decoder.
        recover: give the samples of all whole chunks of damaged or unfinished files, numbered anew;
            :attr:`Reader.lost` tells which are missing.
        size: in bytes, of the file that a function reads.
        storage_options: of fsspec's file system, beside URLs.

    Raises:
        OptionError: for what cannot be opened, and options that cannot be.
        InputError: if files that are to be read as one have other tensors than the first.
        StorageError: if a file is missing or cannot be read, and if nothing matches.
        FormatError: for a damaged or malformed header or index.
        UnsupportedError: for newer versions, missing profiles and packages, and over limits.
    """
    options: dict[str, Any] = {
        **{"only": only, "device": device, "dtype": dtype, "cache_bytes": cache_bytes, "profile": profile},
        **{"weights": weights, "limits": limits, "recover": recover, "size": size},
        **{"storage_options": storage_options},
    }
    several = matching(source, storage_options)
    one: Any = source
    return Reader(one, **options) if several is None else ReaderSet(several, **options)


@dataclass(frozen=True)
class Verdict:
    """A file that passed.

    Args:
        samples, chunks, tensors: how many.
        bytes: of the file.
        numel: number of values.
        symbols_sha256: SHA-256 of all symbols in hex; None unless they were decoded.
        seconds: wall-clock time.
    """

    samples: int
    chunks: int
    tensors: int
    bytes: int
    numel: int
    symbols_sha256: str | None
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def inspect(
    source: Openable | Sequence[Openable],
    *,
    profile: str | Path | bytes | None = None,
    weights: str | Path | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Info:
    """What a file, whatever :func:`open` opens, says of itself; see :class:`Info`."""
    with open(source, profile=profile, weights=weights, limits=limits) as reader:
        return reader.info


def verify(
    source: str | Path | Bytes,
    *,
    deep: bool = False,
    profile: str | Path | bytes | None = None,
    weights: str | Path | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Callable[[int], None] | None = None,
) -> Verdict:
    """Check every byte, count and the index of a file or of its bytes.

    Args:
        source: path, URL, or bytes or another buffer that holds them.
        deep: decode all symbols too, and check them.
        profile: name, file or bytes of a profile that the file needs.
        weights: name or file of weights that the file needs.
        limits: what may be asked of the decoder.
        progress: called with the number of bytes read so far.

    Raises:
        OptionError: for what is neither path nor bytes.
        FormatError: if anything is damaged or malformed.
        UnsupportedError: for newer versions, missing profiles, and over limits.
    """
    started = time.perf_counter()
    with located(name_of(source)), open_stream(source) as file:
        decoder = FileDecoder.of(parts_of(file, progress), lookup_of(profile, weights, limits), limits)
        digest = decoder.symbols_sha256() if deep else None
        if not deep:
            for _ in decoder.chunks():
                pass
    return Verdict(
        samples=decoder.count,
        chunks=decoder.chunk_count,
        tensors=len(decoder.configs),
        bytes=decoder.bytes_in,
        numel=decoder.numel,
        symbols_sha256=digest,
        seconds=time.perf_counter() - started,
    )
