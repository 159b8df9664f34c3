"""Decoded arrays as the objects that they stand for: the way back from a :class:`~caufc.types.Structure`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..bitstream import note_value
from ..types import NOTE, AnyArray, Framework, Note, Structure, Tree
from .forms import AS_STORED, Form
from .tensors import at_hand

__all__ = ["from_arrays", "samples_from_arrays"]


def from_arrays(
    structure: Structure,
    samples: int,
    frameworks: Sequence[Framework],
    dtypes: Sequence[str],
    arrays: Sequence[Any],
    keys: Sequence[str | int] = (),
    form: Form = AS_STORED,
) -> Any:
    """The object that a structure and decoded arrays stand for: the inverse of :func:`to_source`.

    Without torch, numpy arrays stand for its tensors, with a :class:`~caufc.packages.MissingPackageWarning`.

    Args:
        structure: of the object.
        samples: number of samples.
        frameworks: by tensor number.
        dtypes: names of :data:`caufc.types.DTYPES`, by tensor number.
        arrays: by tensor number, in the numpy form of the dtype: one array for ``batch`` and ``single``, a list of
            one array per sample for the others, and for notes of a ``batch``. Tensors stay as they are.
        keys: of keyed samples, in order.
        form: in which they are already, and where they go.

    Raises:
        UnsupportedError: if the installed torch lacks a dtype.
    """
    frameworks = at_hand(frameworks, dtypes)

    def tensor(number: int, found: Any) -> Any:
        if dtypes[number] != NOTE:
            return form.tensor(_one(found), dtypes[number], frameworks[number])
        if structure.kind == "batch":
            return [note_value(note.tobytes()) for note in found]
        return note_value(_one(found).tobytes())

    if structure.kind in ("batch", "single"):
        return _grow(structure.tree, lambda number: tensor(number, arrays[number]))
    grown = [
        _grow(structure.tree, lambda number, i=index: tensor(number, arrays[number][i]))  # type: ignore[misc]
        for index in range(samples)
    ]
    if structure.kind == "keyed":
        return dict(zip(keys, grown, strict=True))
    return tuple(grown) if structure.kind == "tuple" else grown


def samples_from_arrays(
    tree: Tree,
    frameworks: Sequence[Framework],
    dtypes: Sequence[str],
    samples: Iterable[Sequence[AnyArray]],
    form: Form = AS_STORED,
) -> list[Any]:
    """Single samples, all of one structure, as objects.

    Args:
        tree: of each.
        frameworks: by tensor number.
        dtypes: names of :data:`caufc.types.DTYPES`, by tensor number.
        samples: arrays by tensor number of every sample, in the numpy form of the dtype.
        form: in which they are already, and where they go.

    Raises:
        UnsupportedError: if the installed torch lacks a dtype.
    """
    frameworks = at_hand(frameworks, dtypes)
    notes = [dtype == NOTE for dtype in dtypes]

    def made(arrays: Sequence[AnyArray]) -> Any:
        def tensor(number: int) -> Any:
            found = arrays[number]
            return (
                note_value(found.tobytes()) if notes[number] else form.tensor(found, dtypes[number], frameworks[number])
            )

        return _grow(tree, tensor)

    return [made(arrays) for arrays in samples]


def _one(array: Any) -> Any:
    return array[0] if isinstance(array, list) else array


def _grow(tree: Tree, tensor: Callable[[int], Any]) -> Any:
    if isinstance(tree, int):
        return tensor(tree)
    if isinstance(tree, Note):
        return note_value(tree.data)
    children = [_grow(child, tensor) for child in tree.children]
    if tree.kind == "dict":
        return dict(zip(tree.names, children, strict=True))
    return tuple(children) if tree.kind == "tuple" else children
