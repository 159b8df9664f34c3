"""Records of the header: what it says of each tensor, and how tensors make up a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import LimitError, MalformedError, UnsupportedError
from ..limits import Limits
from ..types import Note
from .msgpack_array import OFFSET, trimmed
from .note import MAX_NOTE, NOTE_KIND, pack_note, unpack_note

__all__ = [
    "MAX_TEXT",
    "AlignmentRecord",
    "RecordBranch",
    "RecordTree",
    "Shape",
    "TensorRecord",
    "pack_tree",
    "unpack_tree",
]

MAX_TEXT = 4096
"""Most characters of a text [CAUF-0049]."""

NUMBERS = (1 << 64) - 1
"""The largest integer that a header can hold; unknown ones of a registry's table are unsupported [CAUF-0061]."""

MAX_SIZE = (1 << 48) - 1
"""The largest size of an axis, whatever the limits: numpy has none that are much larger."""

Shape = tuple[int | None, ...]
"""Sizes of one sample's axes; None where they differ from sample to sample."""


@dataclass(frozen=True)
class RecordBranch:
    """An inner node of a sample: kind 0 dict, 1 list, 2 tuple; names for a dict, else none."""

    kind: int
    names: tuple[str | int, ...]
    children: tuple[RecordTree, ...]


RecordTree = int | RecordBranch | Note
"""The structure of a sample: a tensor number, a branch, or a note that is the same for all samples."""


@dataclass(frozen=True)
class AlignmentRecord:
    """Value alignment of one tensor: registry numbers of kind and scope, and global statistics.

    ``truncate`` tells what the encoder clipped to; decoders need not look at it.
    """

    kind: int
    scope: int
    offset: float = 0.0
    scale: float = 1.0
    truncate: tuple[float, float] | None = None


@dataclass(frozen=True)
class TensorRecord:
    """What the header says of one tensor; None where the profile says it, or nothing does."""

    dtype: int | None = None
    framework: int | None = None
    shape: Shape | None = None
    layout: str | None = None
    tap: str | None = None
    codec: int | None = None
    alignment: AlignmentRecord | None = None
    parameters: tuple[int | float, ...] | None = None
    leader: int | None = None

    def to_fields(self) -> list[Any]:
        """The record as a msgpack array [CAUF-0060]."""
        alignment = None
        if self.alignment is not None:
            a = self.alignment
            alignment = trimmed([a.kind, a.scope, a.offset, a.scale, *(a.truncate or (None, None))])
        return trimmed(
            [
                self.dtype,
                self.framework,
                None if self.shape is None else list(self.shape),
                self.layout,
                self.tap,
                self.codec,
                alignment,
                None if self.parameters is None else list(self.parameters),
                self.leader,
            ]
        )

    @classmethod
    def from_fields(cls, fields: Any, limits: Limits) -> TensorRecord:
        """Read a record.

        Raises:
            LimitError: for more dimensions than allowed.
            MalformedError: if it breaks the specification.
        """
        known = field_list(fields, 9, "a tensor record", 60)
        dtype, framework, shape, layout, tap, codec, alignment, parameters, leader = known
        return cls(
            integer(dtype, "dtype", NUMBERS),
            integer(framework, "framework", 1),
            _shape(shape, limits),
            text(layout, "layout", 60),
            text(tap, "tap", 60),
            integer(codec, "codec", NUMBERS),
            _alignment(alignment),
            _parameters(parameters),
            integer(leader, "leader", NUMBERS),
        )


def malformed(what: str, requirement: int = 44) -> MalformedError:
    return MalformedError(f"header: {what}", requirement=requirement, offset=OFFSET)


def field_list(value: Any, most: int, what: str, requirement: int = 44) -> list[Any]:
    """A trimmed array of at most ``most`` fields, filled up with None."""
    if not isinstance(value, list) or len(value) > most or (value and value[-1] is None):
        raise malformed(f"{what} is no array of up to {most} fields", requirement)
    return value + [None] * (most - len(value))


def integer(value: Any, what: str, most: int, requirement: int = 60) -> int | None:
    if value is not None and (type(value) is not int or not 0 <= value <= most):
        raise malformed(f"{what} {value!r}", requirement)
    return value


def _float(value: Any, what: str) -> float:
    if type(value) is not float:
        raise malformed(f"{what} {value!r} is no float", 62)
    return value


def text(value: Any, what: str, requirement: int = 44) -> str | None:
    if value is not None and type(value) is not str:
        raise malformed(f"{what} is no text", requirement)
    if value is not None and len(value) > MAX_TEXT:
        raise malformed(f"{what} of more than {MAX_TEXT:,} characters", 49)
    return value


def _shape(value: Any, limits: Limits) -> Shape | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise malformed("shape is no array", 60)
    limits.check("dimensions", len(value))
    sizes = tuple(integer(size, "size", NUMBERS) for size in value)
    largest = max((size for size in sizes if size is not None), default=0)
    if largest > MAX_SIZE:
        raise LimitError("chunk_elements", largest, min(limits.chunk_elements, MAX_SIZE))
    return sizes


def _alignment(value: Any) -> AlignmentRecord | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise malformed("alignment is no array", 60)
    kind, scope, offset, scale, low, high = field_list(value, 6, "alignment", 62)
    if kind is None or scope is None:
        raise malformed("alignment without kind and scope", 62)
    if low is None and high is not None:
        raise malformed("a truncation without its lower end", 62)
    truncate = None if low is None else (_float(low, "truncation"), _float(high, "truncation"))
    if truncate is not None and truncate[0] > truncate[1]:
        raise malformed(f"a truncation from {truncate[0]} to {truncate[1]}", 62)
    scale = _float(scale, "scale")
    if scale <= 0:
        raise malformed(f"scale {scale}", 62)
    kind, scope = integer(kind, "alignment kind", NUMBERS, 62) or 0, integer(scope, "alignment scope", NUMBERS, 62) or 0
    return AlignmentRecord(kind, scope, _float(offset, "offset"), scale, truncate)


def _parameters(value: Any) -> tuple[int | float, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or any(type(item) not in (int, float) for item in value):
        raise malformed("codec parameters are no array of numbers", 60)
    return tuple(value)


def pack_tree(tree: RecordTree) -> Any:
    """A structure as nested arrays [CAUF-0050]."""
    if isinstance(tree, int):
        return tree
    if isinstance(tree, Note):
        return pack_note(tree.data)
    return [tree.kind, list(tree.names), [pack_tree(child) for child in tree.children]]


def unpack_tree(value: Any, limits: Limits) -> RecordTree:
    """Read a structure.

    Raises:
        LimitError: if it is nested too deep.
        MalformedError: if it breaks the specification.
    """
    return _TreeReader(limits).node(value, 0)


@dataclass
class _TreeReader:
    """Reads one structure; its notes share the bytes that are ``left``."""

    limits: Limits
    left: int = MAX_NOTE

    def node(self, value: Any, depth: int) -> RecordTree:
        """A part of the structure."""
        self.limits.check("nesting", depth)
        if type(value) is int:
            if not 0 <= value < 1 << 32:
                raise malformed(f"tensor number {value}", 52)
            return value
        if isinstance(value, list) and value and type(value[0]) is int and value[0] == NOTE_KIND:
            return self._note(value)
        if isinstance(value, list) and value and type(value[0]) is int and value[0] > NOTE_KIND:
            raise UnsupportedError.unknown(f"branch kind {value[0]}")
        if not isinstance(value, list) or len(value) != 3:
            raise malformed("a branch that is no array of kind, names and children", 50)
        kind, names, children = value
        if type(kind) is not int or not 0 <= kind < NOTE_KIND:
            raise malformed(f"branch kind {kind!r}", 50)
        if not isinstance(names, list) or not isinstance(children, list):
            raise malformed("a branch without names and children", 50)
        _check_names(kind, names, len(children))
        return RecordBranch(kind, tuple(names), tuple(self.node(child, depth + 1) for child in children))

    def _note(self, value: list[Any]) -> Note:
        try:
            note = Note(unpack_note(value, self.left))
        except MalformedError as err:
            err.offset = OFFSET
            raise
        self.left -= len(note.data)
        return note


def _check_names(kind: int, names: Sequence[Any], children: int) -> None:
    if kind != 0:
        if names:
            raise malformed("a list with names", 51)
        return
    if any(type(name) is str and len(name) > MAX_TEXT for name in names):
        raise malformed(f"a name of more than {MAX_TEXT:,} characters", 49)
    if any(type(name) is not int and type(name) is not str for name in names):
        raise malformed("a name that is neither text nor an integer", 51)
    if len(names) != children or len(set(names)) != children:
        raise malformed("a dict whose names are not one per child, or not distinct", 51)
