"""The nouns that every part of caufc shares: dtypes, tensors that are read in parts, nested structures, progress."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DTYPES",
    "FLOATS",
    "FOREIGN",
    "NOTE",
    "AnyArray",
    "Arrays",
    "Branch",
    "Framework",
    "Leaf",
    "Note",
    "Place",
    "Progress",
    "Structure",
    "Tree",
    "no_progress",
    "tensor_names",
]

AnyArray = NDArray[Any]
Arrays = Mapping[str, NDArray[Any]]
"""Integer arrays by the name of their section."""

Framework = Literal["numpy", "torch"]

DTYPES: Mapping[str, np.dtype[Any]] = {
    "fp32": np.dtype("<f4"),
    "fp16": np.dtype("<f2"),
    "bf16": np.dtype("<u2"),
    "fp64": np.dtype("<f8"),
    "int8": np.dtype("i1"),
    "int16": np.dtype("<i2"),
    "int32": np.dtype("<i4"),
    "int64": np.dtype("<i8"),
    "uint8": np.dtype("u1"),
    "uint16": np.dtype("<u2"),
    "uint32": np.dtype("<u4"),
    "uint64": np.dtype("<u8"),
    "bool": np.dtype("?"),
    "fp8_e4m3fn": np.dtype("u1"),
    "fp8_e5m2": np.dtype("u1"),
    "fp8_e4m3fnuz": np.dtype("u1"),
    "fp8_e5m2fnuz": np.dtype("u1"),
    "fp8_e8m0fnu": np.dtype("u1"),
    "note": np.dtype("u1"),
}
"""dtype name -> how numpy holds it: what numpy has no type for (:data:`FOREIGN`) as its bits, notes as bytes."""

FLOATS = frozenset({"fp32", "fp16", "bf16", "fp64"})
"""dtypes that may be coded with loss."""

FOREIGN: Mapping[str, str] = {
    "bf16": "bfloat16",
    "fp8_e4m3fn": "float8_e4m3fn",
    "fp8_e5m2": "float8_e5m2",
    "fp8_e4m3fnuz": "float8_e4m3fnuz",
    "fp8_e5m2fnuz": "float8_e5m2fnuz",
    "fp8_e8m0fnu": "float8_e8m0fnu",
}
"""dtypes that numpy has no type for -> their name in torch and ml_dtypes."""

NOTE = "note"
"""The dtype of notes that differ from sample to sample: one note is a row of bytes."""


class Leaf(Protocol):
    """One tensor of an input, read in parts.

    ``dtype`` is a name of :data:`DTYPES`; arrays come in that dtype's numpy form (``bf16`` as uint16 bits).
    """

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str: ...
    @property
    def framework(self) -> Framework: ...

    def read(self) -> AnyArray:
        """The whole tensor."""
        ...

    def rows(self, start: int, stop: int) -> AnyArray:
        """Rows ``[start, stop)`` of the first axis, without reading the others."""
        ...


@dataclass(frozen=True)
class Branch:
    """An inner node of a structure: a dict (names in order), a list or a tuple."""

    kind: Literal["dict", "list", "tuple"]
    names: tuple[str | int, ...]
    children: tuple[Tree, ...]


@dataclass(frozen=True)
class Note:
    """What stands beside tensors and is none: text, a number, a boolean, None, bytes, or lists and dicts of such.

    Args:
        data: its bytes (``bitstream/note.py``).
    """

    data: bytes


Tree = int | Branch | Note
"""A nested structure whose leaves are tensor numbers, and notes that are the same for all samples."""


@dataclass(frozen=True)
class Structure:
    """How tensors and samples make up the object that came in.

    ``batch``: every leaf's first axis counts samples. ``list``/``tuple``: a sequence of samples, each shaped like the
    tree. ``single``: the tree is the one sample. ``keyed``: a dict of samples, each shaped like the tree.
    """

    kind: Literal["batch", "list", "tuple", "single", "keyed"]
    tree: Tree


@dataclass(frozen=True)
class Place:
    """Where a tensor's values lie in a file, in C order.

    Args:
        offset: of the first value, in bytes.
        shape: of the whole tensor.
        dtype: a name of :data:`DTYPES`.
    """

    offset: int
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * DTYPES[self.dtype].itemsize


class Progress(Protocol):
    """A callback that long work calls now and then, to say how far it is."""

    def __call__(self, what: str, done: int, total: int, /) -> None:
        """Take note of progress, without delay: the work waits.

        Args:
            what: what is being done, as a person reads it.
            done: how much of it is done, in the work's own unit: values, steps, methods, milliseconds.
            total: how much there is, in that unit; 1 or more where ``done`` is.
        """
        ...


def no_progress(what: str, done: int, total: int, /) -> None:
    """The :class:`Progress` that nobody watches."""


def tensor_names(tree: Tree) -> list[str]:
    """Names of a tree's tensors by tensor number: the path of each, joined with dots."""
    found: dict[int, str] = {}

    def walk(node: Tree, path: tuple[str, ...]) -> None:
        if isinstance(node, int):
            found[node] = ".".join(path)
        if not isinstance(node, Branch):
            return
        for name, child in zip(node.names, node.children, strict=True):
            walk(child, (*path, str(name)))

    walk(tree, ())
    return [found[number] for number in sorted(found)]
