"""``.npy`` files."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as _npy_format

from ..descriptors import FeatureFormat, Problem
from ..errors import ForeignFormatError, TensorError
from ..limits import DEFAULT_LIMITS, Limits
from ..types import DTYPES, NOTE, Branch, Leaf, Place, Structure, Tree
from .leaf import FileLeaf, FileStamp, FortranLeaf, extent, open_input, storing
from .output import saving
from .problems import array_problem, note_problem, samples_problem
from .tensors import dtype_name
from .texts import is_text

__all__ = ["FORMAT", "ArrayHeader", "leaf_at", "npy_format", "read", "read_header"]

npy_format: Any = _npy_format
"""``numpy.lib.format``, whose functions have no types in every version of numpy."""

MAGIC: bytes = npy_format.MAGIC_PREFIX
"""How a ``.npy`` file begins."""

HEADER_BYTES = 1 << 16
"""The most bytes of a header."""

# What numpy's header parser lets through from ast and tokenize, besides its own ValueError.
_HEADER_ERRORS = (
    ValueError,
    TypeError,
    SyntaxError,
    LookupError,
    ArithmeticError,
    AttributeError,
    tokenize.TokenError,
    RecursionError,
    MemoryError,
)


@dataclass(frozen=True)
class ArrayHeader:
    """What the header of a ``.npy`` file declares.

    Args:
        shape: of the array.
        fortran: whether the values lie in Fortran order.
        stored: their numpy dtype, of either byte order.
        dtype: its name in :data:`caufc.types.DTYPES`; that of notes for text.
        size: bytes of the values.
    """

    shape: tuple[int, ...]
    fortran: bool
    stored: np.dtype[Any]
    dtype: str
    size: int


def read_header(stream: IO[bytes], file: str, tensor: str | None, limits: Limits) -> ArrayHeader:
    """Read a ``.npy`` header; the stream then stands at the values.

    Raises:
        ForeignFormatError: if there is none.
        TensorError: for object arrays and others that caufc does not code.
        LimitError: for too many dimensions.
    """
    try:
        version = npy_format.read_magic(stream)
        # Version 3.0 differs from 2.0 in the encoding of field names only, and arrays with fields are refused.
        parse = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
        if version not in ((1, 0), (2, 0), (3, 0)):
            raise ValueError(f"version {version} of the format is unknown")
        shape, fortran, stored = parse(_header(stream, 2 if version == (1, 0) else 4))
    except _HEADER_ERRORS as err:
        reason = " ".join(str(err).split())[:120] or type(err).__name__
        raise ForeignFormatError(f"no readable .npy header: {reason}", file=file, tensor=tensor) from err
    if stored.hasobject:
        raise TensorError(
            "is an array of Python objects; caufc never unpickles",
            file=file,
            tensor=tensor,
            remedy="store the inner arrays, in .npz or .pt",
        )
    dtype = NOTE if is_text(stored) else dtype_name(stored, tensor=tensor, file=file)
    if any(type(length) is not int or length < 0 for length in shape):
        raise ForeignFormatError(f"no readable .npy header: shape {shape}", file=file, tensor=tensor)
    size = extent(shape, stored.itemsize, limits)
    return ArrayHeader(shape, bool(fortran) and len(shape) > 1, stored, dtype, size)


def _header(stream: IO[bytes], width: int) -> io.BytesIO:
    """The header behind the version; numpy would unpack gigabytes before it says that they are too many."""
    length = stream.read(width)
    announced = int.from_bytes(length, "little")
    if announced > HEADER_BYTES:
        raise ValueError(f"a header of {announced:,} bytes")
    return io.BytesIO(length + stream.read(announced))


def leaf_at(path: Path, stamp: FileStamp, offset: int, header: ArrayHeader) -> Leaf:
    """The array whose values lie at ``offset`` of a file."""
    shape = (header.size // header.stored.itemsize,) if header.fortran else header.shape
    leaf = FileLeaf(path, stamp, offset, shape, header.dtype, "numpy", header.stored)
    return FortranLeaf(leaf, header.shape) if header.fortran else leaf


def read(path: Path, limits: Limits = DEFAULT_LIMITS) -> Leaf:
    """The array of a ``.npy`` file, read in parts when it lies in C order.

    Raises:
        StorageError: if the file cannot be read.
        ForeignFormatError: if it is no ``.npy`` file, or its length is not what its header declares.
        TensorError: for object arrays and others that caufc does not code.
        LimitError: for too many dimensions.
    """
    with open_input(path) as stream, storing(str(path)):
        stamp = FileStamp.of(stream)
        header = read_header(stream, str(path), None, limits)
        offset = stream.tell()
    if header.dtype == NOTE:
        raise TensorError(
            "is an array of text, not a tensor", file=str(path), remedy="store it beside a tensor, in .npz or .pt"
        )
    if stamp.size != offset + header.size:
        raise ForeignFormatError(
            f"declares {header.size:,} bytes of values, but holds {stamp.size - offset:,}",
            file=str(path),
            remedy="the file is cut, or holds more than one array",
        )
    return leaf_at(path, stamp, offset, header)


def _plan(_tree: Tree, shapes: Sequence[tuple[int, ...]], dtypes: Sequence[str]) -> tuple[bytes, list[Place]]:
    """Header and place of the one array."""
    head = io.BytesIO()
    descr = npy_format.dtype_to_descr(DTYPES[dtypes[0]])
    npy_format.write_array_header_1_0(head, {"descr": descr, "fortran_order": False, "shape": shapes[0]})
    return head.getvalue(), [Place(head.tell(), shapes[0], dtypes[0])]


def _dump(features: Any, stream: IO[bytes]) -> None:
    npy_format.write_array(stream, np.asarray(features), allow_pickle=False)


def _problem(structure: Structure, names: Sequence[str], dtypes: Sequence[str]) -> Problem | None:
    tree = structure.tree
    found = samples_problem(structure, names) or note_problem(structure, names, dtypes) or array_problem(names, dtypes)
    if found is not None or not isinstance(tree, Branch):
        return found
    return f"a {tree.kind} of tensors", names[0] if names else None


FORMAT = FeatureFormat(
    ".npy",
    read,
    saving(_dump),
    read_within=read,
    recognise=lambda head, _names: head.startswith(MAGIC),
    problem=_problem,
    plan=_plan,
    dump=_dump,
    framework="numpy",
)
