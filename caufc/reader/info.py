"""What a file says of itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..bitstream import note_value
from ..coders.control import control_text
from ..coders.registry import codec_of_all
from ..coders.stack import leaders_of
from ..decoder.random_access import FileReader
from ..decoder.tensor_sizes import tensor_sizes
from ..types import Branch, Note, Tree

__all__ = ["Info", "info_of"]


@dataclass(frozen=True)
class Info:
    """What a file says of itself, read without decoding samples.

    Args:
        version: of the format.
        arch: architecture ID.
        codec: name of the codec with loss, or ``lossless`` if every tensor is.
        samples: number of samples.
        tensors: name, dtype, shape of a sample (None where it varies), layout, tap, codec, alignment of each, its
            ``stack``, the name of the tensor that leads those it is coded with (None where it is coded alone), and its
            ``numel``, ``payload_bytes`` and their ``bpfp``; the payloads of a stack are shared out equally.
        bytes: of the file.
        chunks: number of chunks.
        content: ``batch``, ``list``, ``tuple``, ``single`` or ``keyed``.
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


def info_of(reader: FileReader) -> Info:
    chunks, header = reader.chunks, reader.prelude.header
    sizes, leaders = tensor_sizes(reader), leaders_of(chunks.configs)
    tensors = tuple(
        {
            "name": config.name,
            "dtype": config.dtype,
            "shape": list(config.template),
            "layout": config.layout_text(chunks.structure),
            "tap": config.tap,
            "codec": config.codec.name,
            "alignment": (leader or config).alignment_text,
            "stack": None if leader is None else leader.name,
            "numel": size.numel,
            "payload_bytes": size.payload_bytes,
            "bpfp": 8 * size.payload_bytes / size.numel if size.numel else 0.0,
        }
        for config, size, leader in zip(chunks.configs, sizes, leaders, strict=True)
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
