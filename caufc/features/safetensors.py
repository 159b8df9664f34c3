"""``.safetensors`` files: eight bytes of header length, a JSON header, then the values.

The format: https://huggingface.co/docs/safetensors. The header is parsed here and not by that library, since it must
be checked (duplicate names, holes, overflow) before anything is read, and the values are read in parts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import IO, Any, cast

from ..descriptors import FeatureFormat, Problem
from ..errors import ForeignFormatError, InputError, TensorError
from ..limits import DEFAULT_LIMITS, Limits
from ..types import DTYPES, Branch, Place, Structure, Tree
from .leaf import FileLeaf, FileStamp, extent, open_input, storing
from .metadata import NamedTensors
from .output import saving
from .problems import dict_problem
from .tensors import as_leaf

__all__ = ["FORMAT", "problem", "read"]

REMEDIES = {"C6": "store torch.view_as_real(tensor)", "F4": "store tensor.view(torch.uint8), as U8"}
"""What to do about dtypes that begin so: complex numbers, and two floats in a byte."""

CODES = {
    "F32": "fp32",
    "F16": "fp16",
    "BF16": "bf16",
    "F64": "fp64",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
    "BOOL": "bool",
    "F8_E4M3": "fp8_e4m3fn",
    "F8_E5M2": "fp8_e5m2",
    "F8_E4M3FNUZ": "fp8_e4m3fnuz",
    "F8_E5M2FNUZ": "fp8_e5m2fnuz",
    "F8_E8M0": "fp8_e8m0fnu",
}
"""dtype code of the format -> name in :data:`caufc.types.DTYPES`."""

_CODE_OF = {name: code for code, name in CODES.items()}

METADATA = "__metadata__"
HEADER_BYTES = 1 << 24
"""The most bytes of JSON: 256 for each of 65,536 tensors. Parsed, it takes about twenty times as much memory."""


def read(path: Path, limits: Limits = DEFAULT_LIMITS) -> NamedTensors:
    """The tensors of a ``.safetensors`` file by name, in the header's order, read in parts, and its metadata.

    Raises:
        StorageError: if the file cannot be read.
        ForeignFormatError: for malformed headers, and values that overlap, leave holes or miss the file's end.
        TensorError: for dtypes that caufc does not code.
        LimitError: for too many tensors or dimensions.
    """
    file = str(path)
    with open_input(path) as stream, storing(file):
        stamp = FileStamp.of(stream)
        begin, header = _header(stream, stamp.size, file)
    metadata = _metadata(header.pop(METADATA, {}), file)
    limits.check("tensors", len(header))
    found = NamedTensors()
    found.metadata = metadata
    spans: list[tuple[int, int, str]] = []
    for name, entry in header.items():
        shape, dtype, start, stop = _entry(name, entry, file)
        size = extent(shape, DTYPES[dtype].itemsize, limits)
        if stop - start != size:
            raise ForeignFormatError(
                f"its shape needs {size:,} bytes, its offsets hold {stop - start:,}", file=file, tensor=name
            )
        spans.append((start, stop, name))
        found[name] = FileLeaf(path, stamp, begin + start, shape, dtype, "torch", DTYPES[dtype])
    end = 0
    for start, stop, name in sorted(spans):
        if start != end:
            raise ForeignFormatError("its values overlap others, or leave a hole", file=file, tensor=name)
        end = stop
    if begin + end != stamp.size:
        raise ForeignFormatError(f"declares {end:,} bytes of values, but holds {stamp.size - begin:,}", file=file)
    return found


def _header(stream: FileIO, size: int, file: str) -> tuple[int, dict[str, Any]]:
    length = int.from_bytes(stream.read(8), "little")
    if size < 8 or not 2 <= length <= min(size - 8, HEADER_BYTES):
        raise ForeignFormatError("no .safetensors header", file=file)
    raw = stream.read(length)
    try:
        if len(raw) != length or not raw.startswith(b"{"):
            raise ValueError("does not begin with '{'")
        header = json.loads(raw.decode(), object_pairs_hook=_no_duplicates, parse_constant=_no_constants)
    except (ValueError, RecursionError) as err:
        reason = " ".join(str(err).split())[:120]
        raise ForeignFormatError(f"malformed .safetensors header: {reason}", file=file) from err
    return 8 + length, header


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_constants(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _metadata(found: object, file: str) -> dict[str, str]:
    if not isinstance(found, dict) or any(not isinstance(value, str) for value in found.values()):
        raise ForeignFormatError(f"its {METADATA} are no texts by name", file=file)
    return found


def _entry(name: str, entry: object, file: str) -> tuple[tuple[int, ...], str, int, int]:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ForeignFormatError("its entry is not dtype, shape and data_offsets", file=file, tensor=name)
    shape, offsets, code = entry["shape"], entry["data_offsets"], entry["dtype"]
    if not isinstance(shape, list) or any(type(length) is not int or length < 0 for length in shape):
        raise ForeignFormatError("its shape is no list of sizes", file=file, tensor=name)
    if not isinstance(offsets, list) or len(offsets) != 2 or any(type(offset) is not int for offset in offsets):
        raise ForeignFormatError("its data_offsets are no pair of integers", file=file, tensor=name)
    if not 0 <= offsets[0] <= offsets[1]:
        raise ForeignFormatError("its data_offsets run backwards", file=file, tensor=name)
    if not isinstance(code, str) or code not in CODES:
        raise TensorError(
            f"has dtype {str(code)[:32]}, which caufc does not code",
            file=file,
            tensor=name,
            remedy=REMEDIES.get(str(code)[:2], "convert it to BF16, F16 or F32"),
        )
    return tuple(shape), CODES[code], offsets[0], offsets[1]


def _plan(
    tree: Tree, shapes: Sequence[tuple[int, ...]], dtypes: Sequence[str], metadata: Mapping[str, str]
) -> tuple[bytes, list[Place]]:
    """Header, which names tensors in the dict's order, and places by tensor number.

    Values lie by falling item size, so that each tensor is aligned, as the reference implementation lays them.
    """
    branch = cast(Branch, tree)
    order = [cast(int, child) for child in branch.children]
    offsets = [0] * len(shapes)
    end = 0
    for number in sorted(order, key=lambda number: -DTYPES[dtypes[number]].itemsize):
        offsets[number] = end
        end += Place(0, shapes[number], dtypes[number]).size
    places = [Place(*found) for found in zip(offsets, shapes, dtypes, strict=True)]
    entries: dict[str, Any] = {METADATA: dict(metadata)} if metadata else {}
    entries |= {
        str(name): {
            "dtype": _CODE_OF[place.dtype],
            "shape": list(place.shape),
            "data_offsets": [place.offset, place.offset + place.size],
        }
        for name, place in zip(branch.names, (places[number] for number in order), strict=True)
    }
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    head = len(text).to_bytes(8, "little") + text
    return head, [Place(len(head) + place.offset, place.shape, place.dtype) for place in places]


def _dump(features: Mapping[str, Any], stream: IO[bytes], metadata: Mapping[str, str]) -> None:
    for name in features:
        if not isinstance(name, str) or name == METADATA:
            raise InputError(".safetensors cannot hold this name", tensor=str(name), remedy="write .pt")
    leaves = [as_leaf(tensor, name) for name, tensor in features.items()]
    tree = Branch("dict", tuple(features), tuple(range(len(leaves))))
    head, places = _plan(tree, [leaf.shape for leaf in leaves], [leaf.dtype for leaf in leaves], metadata)
    stream.write(head)
    for _, leaf in sorted(zip(places, leaves, strict=True), key=lambda pair: pair[0].offset):
        stream.write(leaf.read().tobytes())


def problem(structure: Structure, names: Sequence[str], dtypes: Sequence[str]) -> Problem | None:
    """What the format cannot hold: anything but a dict of tensors."""
    return dict_problem(structure, names, dtypes, lambda name: name != METADATA)


def _with_metadata(metadata: Mapping[str, str]) -> FeatureFormat:
    """The format, whose files get these metadata."""

    def plan(tree: Tree, shapes: Sequence[tuple[int, ...]], dtypes: Sequence[str]) -> tuple[bytes, Sequence[Place]]:
        return _plan(tree, shapes, dtypes, metadata)

    def dump(features: Mapping[str, Any], stream: IO[bytes]) -> None:
        _dump(features, stream, metadata)

    return FeatureFormat(
        ".safetensors",
        read,
        saving(dump),
        read_within=read,
        recognise=lambda head, _names: head[8:9] == b"{",
        problem=problem,
        plan=plan,
        dump=dump,
        with_metadata=_with_metadata,
    )


FORMAT = _with_metadata({})
