"""How large a file can get, from shapes and dtypes alone."""

from __future__ import annotations

from collections.abc import Sequence

from ..bitstream import (
    Header,
    Key,
    Section,
    TensorRecord,
    block_bytes,
    metadata_section,
    section_bytes,
    varint,
)
from ..bitstream.header import MAX_NOTE, PROFILE_ID_BYTES
from ..codec.hyperprior.weights import DECODER_SECTIONS
from ..coders.config import DTYPE_CODES, FRAMEWORKS
from ..coders.registry import LOSSLESS
from ..coders.resolve import record_tree
from ..coders.sections import name_of
from ..coders.side_files import ProfileFile
from ..types import DTYPES
from .chunk_size import ChunkSize
from .layout import template_of
from .options import EncodeOptions
from .source import Source, SourceTensor

__all__ = ["largest_file"]

LAYOUT_LETTERS = 40
"""Characters of the longest layout of a sample: seven letters, spaces, parentheses and a count."""

FRAME, CHECKSUM = 5, 4
"""Bytes of a block besides its length and its body, and of a chunk's checksum over its symbols."""

DIFFERENCE = 32
"""Bytes in which a tensor's record says that it has nothing of what its profile says of it."""

KEY_BYTES, KEYS_BYTES = 9, 6
"""Bytes of a key besides its text, at most, and of a list of keys besides the keys."""


def largest_file(
    source: Source, options: EncodeOptions, profile: ProfileFile | None = None, arch: str | None = None
) -> int:
    """Bytes of the largest file that an encoder writes of a source, whatever is asked for.

    Rate control puts the file that stores all values in place of one that is larger than this, so it is enough to say
    how large the former can get: a payload without loss is a byte, and no longer than its values behind it, since
    storing them is always a way [CAUF-0300]; besides there are header, metadata, and for each chunk a frame, counts,
    sizes that vary, lengths, checksums, keys and its place in the index. Each integer counts with the bytes of the
    largest that can stand in its place, and chunks with the fewest samples that they may have.

    Args:
        source: the samples; their values are not read.
        options: what was asked for.
        profile: that the file may rely on, or hold.
        arch: architecture ID.
    """
    tensors, samples = len(source.tensors), source.samples
    values = sum(tensor.numel * DTYPES[tensor.dtype].itemsize for tensor in source.tensors)
    shapes = sum(_shape_bytes(source, tensor) for tensor in source.tensors)
    keys = 0 if source.keys is None else _keys_bytes(source.keys)
    least = ChunkSize(source, options.chunk).least
    chunks = -(-samples // least)
    body = values + shapes + keys + KEYS_BYTES + CHECKSUM + 10 * (tensors + 2)
    length = _varint(body + FRAME + 9)
    counts = _varint(samples)
    per_chunk = FRAME + length + 2 * counts + tensors * (length + 1) + CHECKSUM + (KEYS_BYTES if keys else 0)
    head = len(_header(source, options, profile, arch)) + _carried(source, options, profile)
    index = FRAME + 9 + _varint(head) + counts + chunks * (length + counts) + keys + KEYS_BYTES
    end = FRAME + 1 + counts + CHECKSUM
    return head + values + shapes + keys + chunks * per_chunk + index + end


def _header(source: Source, options: EncodeOptions, profile: ProfileFile | None, arch: str | None) -> bytes:
    """The header of a file that stores all values, every text in it as long as it can be."""
    tree = source.structure.tree
    return Header(
        content=source.structure.kind,
        profile=None if profile is None else bytes(PROFILE_ID_BYTES),
        indexed=True,
        tree=None if tree == 0 else record_tree(tree),
        tensors=tuple(_record(source, tensor, options.of(tensor.name).tap) for tensor in source.tensors),
        arch=arch,
        control="x" * MAX_NOTE,
        software="x" * MAX_NOTE,
    ).to_bytes()


def _record(source: Source, tensor: SourceTensor, tap: str | None) -> TensorRecord:
    return TensorRecord(
        dtype=DTYPE_CODES.index(tensor.dtype),
        framework=FRAMEWORKS.index(tensor.framework),
        shape=template_of(source, tensor),
        layout="x" * LAYOUT_LETTERS,
        tap=tap,
        codec=LOSSLESS.id,
        leader=65_535,
    )


def _carried(source: Source, options: EncodeOptions, profile: ProfileFile | None) -> int:
    """Bytes of metadata, and of what a profile and weights say and bring along."""
    sections: list[Section] = [metadata_section(source.metadata)] if source.metadata else []
    names = 0
    if profile is not None:
        names = len(profile.header.to_bytes()) + DIFFERENCE * len(source.tensors)
        sections += [] if options.relies_on(profile) else profile.sections
    if options.carried_weights is not None:
        sections += [section for section in options.carried_weights.sections if name_of(section) in DECODER_SECTIONS]
    return names + sum(len(block_bytes("S", section_bytes(section), 0)) for section in sections)


def _shape_bytes(source: Source, tensor: SourceTensor) -> int:
    """Bytes of the sizes of a tensor's samples, where they vary."""
    varying = [axis for axis, size in enumerate(template_of(source, tensor)) if size is None]
    if not varying:
        return 0
    return sum(_varint(leaf.shape[axis]) for leaf in tensor.leaves for axis in varying)


def _keys_bytes(keys: Sequence[Key]) -> int:
    return sum(KEY_BYTES + (len(key.encode()) if isinstance(key, str) else 0) for key in keys)


def _varint(most: int) -> int:
    """Bytes of an integer up to ``most``."""
    return len(varint(most))
