"""Nested objects taken apart: a tree, its tensors, and the notes that stand beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..bitstream import MAX_NOTE, note_bytes
from ..errors import InputError, LimitError, TensorError
from ..limits import Limits
from ..types import Branch, Leaf, Note, Tree
from .objects import opened
from .tensors import as_leaf
from .texts import as_texts, holds_text

__all__ = ["HOLE", "Walked", "key_of", "walk"]

HOLE = Note(b"")
"""Where a note stands in the tree of an object that was taken apart."""

SCALARS = (bool, int, float, str, bytes, bytearray)


@dataclass
class Walked:
    """An object that was taken apart.

    Args:
        tree: tensors are numbered, notes are holes.
        leaves: tensors by number.
        notes: in the order of their holes.
        values: what they stand for.
        texts: how many scalars the notes hold.
    """

    tree: Tree = HOLE
    leaves: list[Leaf] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    values: list[object] = field(default_factory=list)
    texts: int = 0


@dataclass(frozen=True)
class _Plain:
    """A part without tensors."""

    value: object


@dataclass(frozen=True)
class _Inner:
    """A part with tensors."""

    kind: Literal["dict", "list", "tuple"]
    names: tuple[str | int, ...]
    children: list[_Part]


_Part = int | _Plain | _Inner


def walk(features: object, limits: Limits, path: tuple[str, ...] = ()) -> Walked:
    """Take an object apart.

    What holds no tensor is a note as a whole, but for the object itself: that stays a branch. Arrays of text are lists
    of text.

    Args:
        features: the object.
        limits: the most tensors, levels and dimensions.
        path: leads to the object, for errors.

    Raises:
        TensorError: for leaves that are neither tensors nor notes; it names them.
        InputError: for dict keys that are neither strings nor integers, and notes that cannot be kept.
        LimitError: for too many tensors, levels or dimensions.
    """
    walker = _Walker(limits, len(path) + 1)
    walker.found.tree = walker.placed(walker.node(features, path, walker.top), path)
    return walker.found


class _Walker:
    """One walk, from the level ``top`` on."""

    def __init__(self, limits: Limits, top: int) -> None:
        self.limits, self.top = limits, top
        self.found = Walked()
        self.branches = 0

    def node(self, node: object, path: tuple[str, ...], depth: int) -> _Part:
        """A part of the object, its tensors numbered."""
        if holds_text(node):
            node = as_texts(node, ".".join(path))
        inner = opened(node)
        if inner is None:
            return self._leaf(node, path)
        self.branches += 1
        self._check("tensors", self.branches, path)
        self._check("nesting", depth, path)
        names: tuple[str | int, ...]
        if isinstance(inner, Mapping):
            names, parts = tuple(key_of(key, path) for key in inner), list(inner.values())
        else:
            names, parts = tuple(range(len(inner))), list(inner)
        children = [self.node(part, (*path, str(name)), depth + 1) for name, part in zip(names, parts, strict=True)]
        made = _Inner(_kind(inner), names, children)
        return made if depth == self.top else _without_tensors(made)

    def placed(self, part: _Part, path: tuple[str, ...]) -> Tree:
        """A part as it stands in the tree; notes are gathered from left to right."""
        if isinstance(part, int):
            return part
        if isinstance(part, _Plain):
            self.found.notes.append(_note(part.value, ".".join(path)))
            self.found.values.append(part.value)
            return HOLE
        pairs = zip(part.names, part.children, strict=True)
        return Branch(part.kind, part.names, tuple(self.placed(child, (*path, str(name))) for name, child in pairs))

    def _leaf(self, node: object, path: tuple[str, ...]) -> _Part:
        if node is None or (isinstance(node, SCALARS) and (not isinstance(node, np.generic) or isinstance(node, str))):
            self.found.texts += 1
            return _Plain(_scalar(node, path))
        self._check("tensors", len(self.found.leaves) + 1, path)
        self.found.leaves.append(as_leaf(node, ".".join(path), self.limits))
        return len(self.found.leaves) - 1

    def _check(self, limit: str, value: int, path: tuple[str, ...]) -> None:
        try:
            self.limits.check(limit, value)
        except LimitError as err:
            raise err.locate(tensor=".".join(path[:4])) from None


def _kind(inner: object) -> Literal["dict", "list", "tuple"]:
    if isinstance(inner, Mapping):
        return "dict"
    return "tuple" if isinstance(inner, tuple) else "list"


def _without_tensors(inner: _Inner) -> _Part:
    """The value of a part, if it holds no tensor; else the part."""
    values = [child.value for child in inner.children if isinstance(child, _Plain)]
    if len(values) < len(inner.children):
        return inner
    if inner.kind == "dict":
        return _Plain(dict(zip(inner.names, values, strict=True)))
    return _Plain(tuple(values) if inner.kind == "tuple" else values)


def _scalar(node: object, path: tuple[str, ...]) -> object:
    """A scalar as the plain type that it is a subclass of."""
    if isinstance(node, str):
        if not _is_valid(node):
            raise TensorError("is text that is not valid Unicode", tensor=".".join(path), remedy="keep it as bytes")
        return str.__str__(node)
    if node is None or isinstance(node, bool):
        return node
    if isinstance(node, int):
        if not -(1 << 63) <= node < 1 << 64:
            cure = "keep it as text: str(...)"
            raise TensorError("is an integer of more than 64 bits", tensor=".".join(path), remedy=cure)
        return int(node)
    return float(node) if isinstance(node, float) else bytes(node) if isinstance(node, bytes) else node


def _is_valid(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _note(value: object, name: str) -> Note:
    data = note_bytes(value)
    if len(data) > MAX_NOTE:
        message = f"is text or a list of numbers of {len(data):,} bytes, more than {MAX_NOTE:,}"
        raise TensorError(message, tensor=name, remedy="keep numbers as an array, or split the input")
    return Note(data)


def key_of(key: object, path: tuple[str, ...] = ()) -> str | int:
    """A key of a dict as the plain type that it is a subclass of, or stands for.

    Raises:
        InputError: if it is neither text nor an integer of 64 bits; it names the dict, to which ``path`` leads.
    """
    where = ".".join(path)
    if isinstance(key, str):
        if not _is_valid(key):
            raise InputError("a dict key is not valid Unicode", tensor=where, remedy="rename it")
        return str.__str__(key)
    if not isinstance(key, int | np.integer) or isinstance(key, bool):
        raise InputError(f"a dict key is a {type(key).__name__}", tensor=where, remedy="use strings or integers")
    if not -(1 << 63) <= key < 1 << 63:
        raise InputError("a dict key needs more than 64 bits", tensor=where, remedy="use strings")
    return int(key)
