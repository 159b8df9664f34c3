"""Arrays of text: kept beside tensors as lists of text, and written as arrays where a format has no lists."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..bitstream import note_value
from ..errors import InputError, LimitError, TensorError
from ..limits import Limits
from ..types import AnyArray, Note

__all__ = [
    "NO_TEXTS",
    "TEXTS_PER_TENSOR",
    "as_texts",
    "check_texts",
    "holds_text",
    "is_text",
    "is_text_note",
    "text_array",
]

NO_TEXTS = "numbers, booleans, None or mixed lists beside tensors, but arrays of text alone"
"""What formats cannot hold that hold text."""

TEXTS_PER_TENSOR = 64
"""The most texts in the arrays of a file, as a multiple of the limit on tensors."""

TEXT_BYTES = 1 << 28
"""The most bytes of these arrays."""


def is_text(dtype: np.dtype[Any]) -> bool:
    """Whether an array of this dtype holds text or bytes."""
    return dtype.kind in "UST" and dtype.subdtype is None


def holds_text(value: object) -> bool:
    """Whether it is an array of text or bytes; of Python objects, if all of them are text."""
    if not isinstance(value, np.ndarray | np.generic) or isinstance(value, np.ma.MaskedArray):
        return False
    return is_text(value.dtype) or (
        value.dtype.kind == "O" and value.size > 0 and all(isinstance(item, str) for item in value.flat)
    )


def as_texts(array: Any, name: str) -> Any:
    """The texts of an array as a list, nested as it has axes; of an array without axes the text.

    The width of its dtype is not kept, beyond that of its longest text.

    Args:
        array: which :func:`holds_text`.
        name: its dotted name, for errors.

    Raises:
        TensorError: if it holds code points that do not exist, or has axes that lists cannot have.
    """
    if 0 in array.shape[:-1]:
        raise TensorError(f"is text of shape {list(array.shape)}", tensor=name, remedy="leave empty arrays of text out")
    try:
        return array.tolist()
    except (ValueError, OverflowError, SystemError) as err:
        raise TensorError("is text that is not valid Unicode", tensor=name, remedy="keep it as bytes") from err


def check_texts(count: int, size: int, name: str, limits: Limits) -> None:
    """
    Raises:
        LimitError: if the arrays of a file hold too many texts.
        TensorError: if these have more than :data:`TEXT_BYTES`.
    """
    if size > TEXT_BYTES:
        cure = "keep texts in a file of their own, or split the input"
        raise TensorError(f"{size:,} bytes of text, at most {TEXT_BYTES:,} are read", tensor=name, remedy=cure)
    if count > TEXTS_PER_TENSOR * limits.tensors:
        raise LimitError("tensors", count, limits.tensors).locate(tensor=name)


def text_array(value: object, name: str) -> AnyArray:
    """Text, or a list of texts, as the array that :func:`as_texts` makes the same of.

    Raises:
        InputError: if there is no such array.
    """
    flat: list[object] = []
    shape = _shape(value, flat)
    kinds = {type(text) for text in flat}
    # numpy does not tell NULs at the end of a text from none.
    cut = any(text[-1:] in ("\0", b"\0") for text in flat if isinstance(text, str | bytes))
    if shape is None or len(kinds) > 1 or cut:
        raise InputError(f".npz cannot hold {NO_TEXTS}", tensor=name, remedy="write .pt")
    return np.array(flat, "S" if kinds == {bytes} else "U").reshape(shape)


def is_text_note(note: Note) -> bool:
    """Whether a note is text or lists of text, as :func:`text_array` takes it."""
    try:
        text_array(note_value(note.data), "")
    except InputError:
        return False
    return True


def _shape(value: object, flat: list[object]) -> tuple[int, ...] | None:
    """Axes of nested lists, whose texts go to ``flat``; None if they are no array."""
    if isinstance(value, str | bytes):
        flat.append(value)
        return ()
    if not isinstance(value, list):
        return None
    shapes = {_shape(child, flat) for child in value}
    if len(shapes) > 1:
        return None
    inner = shapes.pop() if shapes else ()
    return None if inner is None else (len(value), *inner)
